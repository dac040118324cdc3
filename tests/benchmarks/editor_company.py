"""How soon two people at one image see each other and each other's changes: a section of editor_speed.

Two pages, each signed in as somebody, in one browser. One of them works: borders are reshaped, cells labelled, drawn
and deleted, comments said, four of each in mixed order, at moments that have nothing to do with when the other page
asks.
- seen: from the arrival of the server's answer to the change at the first (it is saved then) to the paint at the second
  that shows it: on the map; what is drawn or deleted also in the list. `from_hand`: from the last input instead.
- face_comes: from the other's navigation to the image to the paint of their face; face_goes: from their going away.
- same_in_the_end: both pages and the database then hold the same cells, and both maps are the same picture.
"""

import asyncio
import io
import math
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tests.benchmarks.editor_browser import MeasuredPage, percentile

if TYPE_CHECKING:
    from tests.benchmarks.editor_speed import Bench
    from tests.benchmarks.editor_study import Field

OF_EACH = 4
MEETINGS = 5
# Milliseconds: a change that is not seen by then is a failure, not a figure.
PATIENCE = 60_000
# What lies over the map and belongs to one page.
HIDE_OWN = "for (const each of document.querySelectorAll('#hint, #notices, #minimap')) each.style.visibility = 'hidden'"


class Worker:
    """The hand that changes cells of the field, each of them once."""

    def __init__(self, page: MeasuredPage, it: "Field") -> None:
        self.page = page
        self.it = it
        # Well within the view, and apart from each other.
        places = [(300 + 480 * k, 330 + 420 * row) for row in range(4) for k in range(5)]
        self.cells = iter(dict.fromkeys(it.nearest(*place) for place in places))
        self.corners = iter([(150.0 + 300 * k, 1_700.0) for k in range(OF_EACH)])

    async def select(self) -> str:
        cell = next(self.cells)
        await self.page.click(self.it.centre(cell))
        await asyncio.sleep(0.4)
        return cell

    async def reshape(self) -> None:
        cell = await self.select()
        vertex, centre = self.it.borders[cell][0], self.it.centre(cell)
        x, y = await self.page.at((vertex[0], vertex[1]))
        away = math.atan2(vertex[1] - centre[1], vertex[0] - centre[0])
        await self.page.drag([(x + k * math.cos(away), y + k * math.sin(away)) for k in range(9)])

    async def label(self) -> None:
        await self.select()
        await self.page.page.keyboard.press("1")

    async def delete(self) -> None:
        await self.select()
        await self.page.page.keyboard.press("Delete")

    async def draw(self) -> None:
        x, y = next(self.corners)
        await self.page.page.keyboard.press("w")
        for dx, dy in ((0, 0), (60, 10), (30, 60)):
            await self.page.click((x + dx, y + dy))
            # Two clicks at once are a double click, which ends the border.
            await asyncio.sleep(0.4)
        await self.page.page.keyboard.press("Enter")
        await self.page.page.keyboard.press("q")

    async def comment(self) -> None:
        await self.select()
        await self.page.page.keyboard.press("Shift+n")
        composer = self.page.page.locator(".comment-composer")
        await composer.get_by_label("Comment").fill("Is this one a promyelocyte?")
        await composer.get_by_role("button", name="Send").click()


async def company(bench: "Bench") -> None:
    from django.contrib.auth.models import User

    from annotation.models import Membership, Role, SmearImage
    from tests.benchmarks.editor_study import Field, stored
    from tests.browser.signed_in import cookie_of

    image = bench.fields[170].image
    teammate = User.objects.create_user("teammate")
    study = SmearImage.objects.get(pk=image).study
    Membership.objects.create(study=study, user=teammate, role=Role.ANNOTATOR)
    cookie = cookie_of(teammate, bench.address)
    it = Field(image, stored(image)[0])
    address = f"{bench.address}/images/{image}/"
    figures: dict[str, Any] = {}
    async with bench.chromium.page(address) as mine:
        figures |= await _meetings(bench, mine, address, cookie)
        async with bench.chromium.page(address, cookie=cookie) as theirs:
            figures |= await _changes(Worker(mine, it), theirs)
            figures["same_in_the_end"] = await _same(mine, theirs, image)
    bench.editor["company"] = figures
    bench.say("company", bench.editor)


async def _seen(page: MeasuredPage, *what: str) -> "asyncio.Task[float]":
    """The time of the paint that shows these things otherwise than now, awaited from before they change."""
    seen = asyncio.ensure_future(page.page.evaluate("(what) => benchmark.seen(...what)", list(what)))
    await asyncio.sleep(0.1)
    return seen


async def _meetings(bench: "Bench", mine: MeasuredPage, address: str, cookie: dict[str, str]) -> dict[str, Any]:
    comes, goes = [], []
    for _ in range(MEETINGS):
        face = await _seen(mine, "faces")
        async with bench.chromium.page(address, cookie=cookie) as theirs:
            opened = await theirs.page.evaluate("performance.timeOrigin")
            comes.append((await asyncio.wait_for(face, PATIENCE / 1000) - opened) / 1000)
            await asyncio.sleep(random.uniform(1, 2))
            face = await _seen(mine, "faces")
            left = time.time()
            await theirs.page.goto(bench.address)
            goes.append(await asyncio.wait_for(face, PATIENCE / 1000) / 1000 - left)
    return _of("face_comes", comes) | _of("face_goes", goes)


async def _changes(worker: Worker, theirs: MeasuredPage) -> dict[str, Any]:
    kinds: dict[str, tuple[Callable[[], Awaitable[None]], list[str]]] = {
        "reshape": (worker.reshape, ["cells"]),
        "label": (worker.label, ["cells"]),
        "draw": (worker.draw, ["cells", "list"]),
        "delete": (worker.delete, ["cells", "list"]),
        "comment": (worker.comment, ["comments"]),
    }
    order = list(kinds) * OF_EACH
    random.Random(0).shuffle(order)
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    from_hand = []
    for kind in order:
        work, shown = kinds[kind]
        # Moments of their own: the other page asks once a second.
        await asyncio.sleep(random.uniform(0.3, 1.3))
        begun = time.time() * 1000
        seen = await _seen(theirs, *shown)
        await work()
        done = time.time() * 1000
        at = await asyncio.wait_for(seen, PATIENCE / 1000)
        confirmed = await _confirmed(worker.page, begun)
        seconds[kind].append(max(0.0, at - confirmed) / 1000)
        from_hand.append(max(0.0, at - done) / 1000)
    every = [value for values in seconds.values() for value in values]
    by_kind = {kind: [round(value, 2) for value in values] for kind, values in seconds.items()}
    return _of("seen", every) | {"seen_by_kind": by_kind, "changes": len(every)} | _of("from_hand", from_hand)


async def _confirmed(page: MeasuredPage, after: float) -> float:
    """When the server's answer to a change made after that time had come, in ms since 1970."""
    for _ in range(PATIENCE // 100):
        confirmed = float(await page.page.evaluate("benchmark.lastConfirmed()"))
        if confirmed > after:
            return confirmed
        await asyncio.sleep(0.1)
    raise TimeoutError("A change was seen that its author's page was never told to be saved.")


def _of(name: str, seconds: list[float]) -> dict[str, float]:
    """Median, p95 and the most: a bar holds for every one."""
    return {
        f"{name}_median_s": round(statistics.median(seconds), 2),
        f"{name}_p95_s": round(percentile(seconds, 95), 2),
        f"{name}_seconds": round(max(seconds), 2),
    }


async def _same(mine: MeasuredPage, theirs: MeasuredPage, image: int) -> bool:
    from tests.benchmarks.editor_study import changed, stored

    await mine.page.keyboard.press("Escape")
    # What was clicked last must not be pointed at: that is drawn too.
    for each in (mine, theirs):
        await each.page.mouse.move(5, 5)
    await asyncio.sleep(3)
    pictures = []
    for each in (mine, theirs):
        cells = await each.page.evaluate("benchmark.cells().map(({ id, border }) => [id, border.points])")
        if changed(dict(cells), stored(image)[0]):
            return False
        await each.page.evaluate(HIDE_OWN)
        shot = await each.page.locator("#map").screenshot()
        pictures.append(np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int))
    # A border that was painted within its rectangle differs by a hair from one painted with all others.
    return bool((np.abs(pictures[0] - pictures[1]).max(axis=2) > 48).mean() < 0.001)
