"""The browser in which the editor is measured, and the hand that works in it.

Playwright opens pages; the mouse is moved by Input.dispatchMouseEvent of the DevTools protocol, 60 times a second
whether or not the page keeps up, as a hand does. What happens is timed in the page itself (editor_recorder.js).

A frame is the time between two callbacks of requestAnimationFrame. Input to paint is the time from a move's own time
stamp, given by the browser when it arrived, to a message that the page posts to itself while it makes the next frame,
and that arrives once the frame has gone to the compositor: the browser's Event Timing leaves moves out. The editor
and the one-layer page draw within that frame.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, CDPSession, Error, Page, TimeoutError, async_playwright

RECORDER = Path(__file__).with_name("editor_recorder.js")
WINDOW = {"width": 1600, "height": 1000}
MOVES_A_SECOND = 60
PATIENCE = 60_000  # milliseconds: a slow page is a figure, not a failure

Pixel = tuple[float, float]


@dataclass
class Gesture:
    """Milliseconds of the frames from the first move of a gesture to the paint after its last, the time from each
    input to its paint, and the longest frame after the gesture."""

    frames: list[float]
    to_paint: list[float]
    after: float

    @classmethod
    def recorded(cls, recording: dict[str, Any]) -> "Gesture":
        stamps, inputs = recording["frames"], recording["inputs"]
        if not inputs:
            sys.exit("The page saw none of the moves.")
        first, last = inputs[0][0], inputs[-1][1]
        spans = [(start, end) for start, end in zip(stamps, stamps[1:], strict=False)]
        during = [end - start for start, end in spans if end > first and start < last]
        after = [end - start for start, end in spans if start >= last]
        return cls(during, [painted - at for at, painted in inputs], max(after, default=0.0))

    def figures(self) -> dict[str, float]:
        return {
            "frame_ms": statistics.median(self.frames),
            "p95_ms": percentile(self.frames, 95),
            "longest_ms": max(self.frames),
            "input_to_paint_ms": statistics.median(self.to_paint),
            "longest_after_ms": self.after,
        }


def percentile(values: Sequence[float], per_cent: float) -> float:
    """The value that so many per cent of the values do not exceed (nearest rank)."""
    rank = -(-len(values) * per_cent // 100)
    return sorted(values)[int(rank) - 1]


@dataclass
class Chromium:
    """A headless Chromium without a GPU; each page in a context of its own with empty caches."""

    browser: Browser
    cookie: dict[str, str]
    errors: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def page(
        self, address: str, checks: bool = False, cookie: dict[str, str] | None = None
    ) -> AsyncIterator["MeasuredPage"]:
        """A page that is ready; `cookie`: that of somebody else's session than the benchmark's."""
        context = await self.browser.new_context(viewport=WINDOW)
        context.set_default_timeout(PATIENCE)
        await context.add_cookies([cookie or self.cookie])
        await context.add_init_script(path=RECORDER)
        if checks:
            await context.add_init_script("window.benchmarkChecks = true")
        page = await context.new_page()
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        await page.goto(address)
        measured = MeasuredPage(page, await context.new_cdp_session(page))
        try:
            await page.wait_for_selector("#editor[data-ready=true]")
        except TimeoutError:
            sys.exit(f"The page {address} did not become ready: {'; '.join(self.errors) or 'no error was logged'}")
        yield measured
        await context.close()

    async def renderer_mebibytes(self) -> float:
        """Resident memory of the largest renderer process: that of the page."""
        session = await self.browser.new_browser_cdp_session()
        processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
        await session.detach()
        return max(_resident(int(each["id"])) for each in processes if each["type"] == "renderer")


def _resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


@asynccontextmanager
async def chromium(cookie: dict[str, str]) -> AsyncIterator[Chromium]:
    # Imports Django's models: only once it is set up.
    from config.chromium import WHOLE, find_chromium
    from tests.browser.conftest import FLAGS

    found = find_chromium(WHOLE)
    if found is None:
        sys.exit(f"No Chromium on this machine: none of {', '.join(WHOLE)} is on the path.")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=FLAGS)
        try:
            yield Chromium(browser, cookie)
        finally:
            await browser.close()


class MeasuredPage:
    """The editor, or a page that speaks its words; places are image pixels where not said otherwise."""

    def __init__(self, page: Page, protocol: CDPSession) -> None:
        self.page = page
        self.protocol = protocol

    async def first_draw(self) -> dict[str, float]:
        """Seconds to the first paint with every border (borders_s) and to that of everything (all_s), each from the
        arrival of its data by the network's account; all_marked_s is the latter from the page's own mark."""
        await asyncio.sleep(0.3)
        painted = await self.page.evaluate("benchmark.painted")
        arrived = await self.page.evaluate("benchmark.arrived()")
        mark = await self.page.evaluate("performance.getEntriesByName('editor-data')[0].startTime")
        all_drawn = painted["editor-drawn"]
        found = {"all_s": (all_drawn - arrived["all"]) / 1000, "all_marked_s": (all_drawn - mark) / 1000}
        if painted.get("editor-borders") is not None:
            found["borders_s"] = (painted["editor-borders"] - arrived["borders"]) / 1000
        return found

    async def was_whole(self) -> bool:
        """Whether the map showed, once it said that it was drawn, what it shows two seconds later; with checks on."""
        await asyncio.sleep(2)
        return bool(await self.page.evaluate("benchmark.wasWhole()"))

    async def map_size(self) -> tuple[float, float]:
        box = await self.page.locator("#map").bounding_box()
        assert box
        return box["width"], box["height"]

    async def resolution(self) -> float:
        return (await self.view())[0]

    async def view(self) -> tuple[float, float, float]:
        """Image pixels a pixel of the window, and the image point in the middle of the map."""
        resolution, x, y = map(float, str(await self.page.get_attribute("#editor", "data-view")).split())
        return resolution, x, y

    async def at(self, point: Pixel) -> Pixel:
        """An image point as a point of the window."""
        resolution, x, y = await self.view()
        box = await self.page.locator("#map").bounding_box()
        assert box
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        return middle[0] + (point[0] - x) / resolution, middle[1] + (point[1] - y) / resolution

    async def settle(self) -> None:
        """Wait until the view has not moved for half a second."""
        before = None
        while (now := await self.view()) != before:
            before = now
            await asyncio.sleep(0.5)

    async def mouse(self, kind: str, place: Pixel, held: bool = False, **options: Any) -> None:
        button = "left" if held or kind in ("mousePressed", "mouseReleased") else "none"
        message = {"type": kind, "x": place[0], "y": place[1], "button": button, "buttons": int(held), **options}
        await self.protocol.send("Input.dispatchMouseEvent", message)

    async def press_and_release(self, place: Pixel) -> None:
        press = asyncio.ensure_future(self.mouse("mousePressed", place, held=True, clickCount=1))
        await asyncio.gather(press, self.mouse("mouseReleased", place, clickCount=1))

    async def click(self, point: Pixel) -> None:
        place = await self.at(point)
        await self.mouse("mouseMoved", place)
        await self.press_and_release(place)

    async def zoom_in(self, point: Pixel, times: float) -> None:
        """Turn the wheel over a point until the view is so many times closer."""
        aim = await self.resolution() / times
        place = await self.at(point)
        await self.mouse("mouseMoved", place)
        while await self.resolution() > aim * 1.05:
            await self.mouse("mouseWheel", place, deltaX=0, deltaY=-60)
            await self.settle()

    async def paced(self, sends: Sequence[Any], a_second: float) -> None:
        """Send messages at an even pace, without waiting for the page to have dealt with them."""
        start = time.perf_counter()
        sent = []
        for index, send in enumerate(sends):
            await asyncio.sleep(max(0.0, start + index / a_second - time.perf_counter()))
            sent.append(asyncio.ensure_future(send))
        await asyncio.gather(*sent)

    async def drag(self, places: Sequence[Pixel]) -> Gesture:
        """Press at the first place of the window, move through the others, release at the last."""
        await self.mouse("mouseMoved", places[0])
        await asyncio.sleep(0.3)
        await self.page.evaluate("benchmark.start()")
        await asyncio.sleep(0.1)
        await self.mouse("mousePressed", places[0], held=True, clickCount=1)
        await self.paced([self.mouse("mouseMoved", place, held=True) for place in places[1:]], MOVES_A_SECOND)
        await asyncio.sleep(0.1)
        await self.mouse("mouseReleased", places[-1], clickCount=1)
        await asyncio.sleep(0.5)
        return Gesture.recorded(await self.page.evaluate("benchmark.stop()"))

    async def wheel(self, place: Pixel, turns: Sequence[float], a_second: float) -> Gesture:
        await self.mouse("mouseMoved", place)
        await asyncio.sleep(0.3)
        await self.page.evaluate("benchmark.start()")
        await asyncio.sleep(0.1)
        await self.paced([self.mouse("mouseWheel", place, deltaX=0, deltaY=turn) for turn in turns], a_second)
        await asyncio.sleep(1)
        return Gesture.recorded(await self.page.evaluate("benchmark.stop()"))

    async def select(self, point: Pixel) -> float:
        """Milliseconds from the press of a click to the paint that shows the selection."""
        await self.mouse("mouseMoved", await self.at(point))
        await asyncio.sleep(0.4)
        await self.page.evaluate("benchmark.nextSelection()")
        await self.press_and_release(await self.at(point))
        return float(await asyncio.wait_for(self.page.evaluate("benchmark.selected"), PATIENCE / 1000))

    async def draws_selection(self, point: Pixel) -> bool:
        """Whether the picture around a point differs once its cell is selected: what the page says, it also draws."""
        x, y = await self.at(point)
        around = {"x": x - 30, "y": y - 30, "width": 60, "height": 60}
        await self.mouse("mouseMoved", (x, y))
        await asyncio.sleep(0.4)
        before = await self.page.screenshot(clip=around)
        await self.select(point)
        return bool(before != await self.page.screenshot(clip=around))

    async def next_image(self) -> float:
        """Milliseconds from the key "n" to the paint with the next image ready."""
        await self.page.evaluate("benchmark.nextImage()")
        await self.page.keyboard.press("n")
        deadline = time.monotonic() + PATIENCE / 1000
        while time.monotonic() < deadline:
            await asyncio.sleep(0.3)
            # A page that is just being left cannot answer; the next one does.
            with suppress(Error):
                if switched := await self.page.evaluate("window.benchmark?.switched()"):
                    return float(switched)
        sys.exit("The next image did not become ready after the key.")

    async def memory(self) -> dict[str, float]:
        """After garbage collection: the JavaScript heap in MiB, DOM nodes, listeners."""
        await self.protocol.send("Performance.enable")
        for _ in range(3):
            await self.protocol.send("HeapProfiler.collectGarbage")
            await asyncio.sleep(0.3)
        metrics = (await self.protocol.send("Performance.getMetrics"))["metrics"]
        found = {each["name"]: each["value"] for each in metrics}
        return {
            "heap_mib": found["JSHeapUsedSize"] / 2**20,
            "nodes": found["Nodes"],
            "listeners": found["JSEventListeners"],
        }
