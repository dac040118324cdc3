"""How fast the border editor is, in a real headless Chromium on the running product. Prints one line of JSON.

Run: python -m tests.benchmarks.editor_speed [--only SECTION …] [--repetitions N]

Window 1600×1000, image 2560×1920, borders of 20 points, no GPU. What is measured, and how:
- first_draw: from the arrival of the borders to the paint that shows them all (borders_s), and from the arrival of
  borders and pixels, decoding not yet begun, to the paint that shows both (all_s); empty caches each time.
  `whole`: in a load of its own, the map then shows what it shows two seconds later.
- drag: a cell is selected and one of its vertices dragged by 60 moves at 60 a second, whole image in view and zoomed in
  3×. `exact`: the database then differs in exactly that vertex; the others are the same to 0.01 pixels.
- select: from the press of a click to the paint that shows the selection; 10 clicks on different cells, after which no
  border may differ in the database. The selection counts as shown when the page names the cell, which both pages do in
  the task that also asks for the drawing; `drawn`: a screenshot shows it.
- view: panning with the space bar held, and 20 turns of the wheel, at 5,000 borders.
- next_image: from the key "n" to the paint after the next image is ready, 1.5 s after the one before was; it holds 170
  borders. Works whether the editor stays in its page or navigates.
- memory: of the page after 5 images and after 50, opened in turn: JavaScript heap after garbage collection, and the
  resident memory of its process.
- company: two people at one image, see editor_company.py.
- saving: one POST that reshapes 170 cells, on the server.
The same hand works on a page with OpenLayers as its examples use it (one_layer/): a slower machine moves both alike, so
read the ratios. Frames and input to paint: editor_browser.py.
"""

import argparse
import asyncio
import math
import statistics
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.benchmarks.editor_browser import Chromium, MeasuredPage, Pixel, chromium
from tests.benchmarks.editor_company import company
from tests.benchmarks.editor_server import served
from tests.benchmarks.one_layer import one_layer
from tests.benchmarks.product import report

if TYPE_CHECKING:
    from tests.benchmarks.editor_study import Field

SEED = 11
COUNTS = (170, 2_000, 5_000)
DENSE = (2_000, 5_000)
ZOOM = 3.0
MOVES = 60
STEP = 1.5  # pixels of the window that a dragged vertex moves at a time
CLICKS = 10
SWITCHES = 10
WORKLIST_IMAGES = 51
FRAME_BARS = {"frame_ms": 17, "p95_ms": 34, "input_to_paint_ms": 35, "exact": True}

BARS: dict[str, dict[str, float]] = {
    "first_draw_170": {"borders_s": 0.10, "all_s": 0.10, "whole": True},
    "first_draw_2000": {"borders_s": 0.20, "all_s": 0.20, "whole": True},
    "first_draw_5000": {"borders_s": 0.34, "all_s": 0.34, "whole": True},
    **{f"drag_{count}_{view}": FRAME_BARS for count in DENSE for view in ("whole", "zoomed")},
    **{f"select_{count}": {"ms": 50, "drawn": True, "nothing_changed": True} for count in DENSE},
    "pan_5000_whole": {"frame_ms": 34, "panned": True},
    "pan_5000_zoomed": {"frame_ms": 34, "panned": True},
    "zoom_5000": {"frame_ms": 34},
    "next_image": {"ms": 150},
    "memory": {"heap_growth_percent": 20, "process_growth_percent": 20},
    "company": {"seen_seconds": 2, "face_comes_seconds": 2, "face_goes_seconds": 2, "same_in_the_end": True},
    "saving": {"milliseconds": 100},
}

Figures = dict[str, Any]


@dataclass
class Bench:
    """Everything that a section needs; what it finds goes to `editor` and `one_layer`, under the same names."""

    chromium: Chromium
    address: str
    other_address: str
    fields: "dict[int, Field]"
    worklist: int | None
    repetitions: int
    editor: Figures = field(default_factory=dict)
    one_layer: Figures = field(default_factory=dict)
    map_size: tuple[float, float] | None = None

    async def pages(self, count: int) -> "list[tuple[str, Figures]]":
        """The editor's address and the other page's for a field, each with the figures that it fills."""
        editor = f"{self.address}/images/{self.fields[count].image}/"
        if self.map_size is None:
            async with self.chromium.page(editor) as page:
                self.map_size = await page.map_size()
        # As large as the editor's map: the same number of pixels to draw.
        width, height = self.map_size
        other = f"{self.other_address}?field={count}&width={width}&height={height}"
        return [(editor, self.editor), (other, self.one_layer)]

    def say(self, name: str, figures: Figures) -> None:
        whose = "editor" if figures is self.editor else "one layer"
        print(f"{name}, {whose}: {figures[name]}", file=sys.stderr, flush=True)


def medians(rows: list[Figures]) -> Figures:
    """Of each figure the median over repetitions; of each check whether all passed."""
    found: Figures = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row[name] for row in rows if name in row]
        if isinstance(values[0], bool):
            found[name] = all(values)
        else:
            found[name] = round(statistics.median(values), 3 if name.endswith("_s") else 1)
    return found


async def first_draw(bench: Bench) -> None:
    for count in COUNTS:
        for address, figures in await bench.pages(count):
            rows = []
            for _ in range(bench.repetitions):
                async with bench.chromium.page(address) as page:
                    rows.append(await page.first_draw())
            async with bench.chromium.page(address, checks=True) as page:
                rows[0]["whole"] = await page.was_whole()
            figures[f"first_draw_{count}"] = medians(rows)
            bench.say(f"first_draw_{count}", figures)


async def drag(bench: Bench) -> None:
    for count in DENSE:
        it = bench.fields[count]
        for address, figures in await bench.pages(count):
            async with bench.chromium.page(address) as page:
                # Cells one above the other, apart by more than a vertex is pulled.
                for view, x in (("whole", 1_130.0), ("zoomed", 1_380.0)):
                    if view == "zoomed":
                        await page.zoom_in((x, 960.0), ZOOM)
                    cells = [it.nearest(x, 960.0 + 130 * (k % 5 - 2) + 30 * (k // 5)) for k in range(bench.repetitions)]
                    check = figures is bench.editor
                    rows = [await _drag_vertex(page, it, cell, check) for cell in cells]
                    figures[f"drag_{count}_{view}"] = medians(rows)
                    bench.say(f"drag_{count}_{view}", figures)


async def _drag_vertex(page: MeasuredPage, it: "Field", cell: str, check: bool) -> Figures:
    """Select a cell and pull its first vertex away from its middle and half the way back: its border never crosses
    itself, which saving would mend."""
    from tests.benchmarks.editor_study import changed, moved_vertices, stored, version

    vertex = it.borders[cell][0]
    centre = it.centre(cell)
    before, _ = stored(it.image)
    modified = int(await page.page.get_attribute("#editor", "data-modified") or 0)
    await page.click(centre)
    await asyncio.sleep(0.6)
    from_x, from_y = await page.at((vertex[0], vertex[1]))
    away = math.atan2(vertex[1] - centre[1], vertex[0] - centre[0])
    far = [STEP * min(k, 4 * MOVES / 3 - k) for k in range(MOVES + 1)]
    path: list[Pixel] = [(from_x + d * math.cos(away), from_y + d * math.sin(away)) for d in far]
    gesture = await page.drag(path)
    row: Figures = gesture.figures()
    if not check:
        if int(await page.page.get_attribute("#editor", "data-modified") or 0) != modified + 1:
            sys.exit("The one-layer page took no vertex: its figures would mean nothing.")
        return row
    for _ in range(100):
        if version(cell) > 1:
            break
        await asyncio.sleep(0.1)
    after, _ = stored(it.image)
    others = changed(before, after)
    gone, new = moved_vertices(before[cell], after[cell])
    row["exact"] = others == {cell} and gone == [vertex] and len(new) == 1
    if not row["exact"]:
        print(f"  {len(others)} cells differ, vertices gone {gone}, new {new}", file=sys.stderr, flush=True)
    return row


async def select(bench: Bench) -> None:
    from tests.benchmarks.editor_study import changed, stored

    for count in DENSE:
        it = bench.fields[count]
        cells = [it.nearest(400 + 420 * (k % 5), 620 + 680 * (k // 5)) for k in range(CLICKS)]
        for address, figures in await bench.pages(count):
            rows = []
            before, operations = stored(it.image)
            for _ in range(bench.repetitions):
                async with bench.chromium.page(address) as page:
                    row: Figures = {"ms": statistics.median([await page.select(it.centre(cell)) for cell in cells])}
                    rows.append(row | {"drawn": await page.draws_selection(it.centre(it.nearest(1_280, 960)))})
                    # Time enough for a change, were there one, to be saved.
                    await asyncio.sleep(1.5)
            found = medians(rows)
            if figures is bench.editor:
                after, operations_after = stored(it.image)
                found["nothing_changed"] = not changed(before, after) and operations == operations_after
            figures[f"select_{count}"] = found
            bench.say(f"select_{count}", figures)


async def view(bench: Bench) -> None:
    turns = [-100.0] * 10 + [100.0] * 10
    for address, figures in await bench.pages(5_000):
        rows: dict[str, list[Figures]] = {"pan_5000_whole": [], "zoom_5000": [], "pan_5000_zoomed": []}
        async with bench.chromium.page(address) as page:
            middle = await page.at((1_280.0, 960.0))
            for turn in range(bench.repetitions):
                rows["pan_5000_whole"].append(await _pan(page, middle, turn))
            for _ in range(bench.repetitions):
                rows["zoom_5000"].append((await page.wheel(middle, turns, a_second=20)).figures())
            await page.zoom_in((1_280.0, 960.0), ZOOM)
            for turn in range(bench.repetitions):
                rows["pan_5000_zoomed"].append(await _pan(page, middle, turn))
        for name, of_name in rows.items():
            figures[name] = medians(of_name)
            bench.say(name, figures)


async def _pan(page: MeasuredPage, middle: Pixel, turn: int) -> Figures:
    """Pan away and a third of the way back, every other time the other way round."""
    way = 5.0 if turn % 2 else -5.0
    steps = [min(k, 3 * MOVES / 2 - k) for k in range(MOVES + 1)]
    before = await page.view()
    await page.page.keyboard.down(" ")
    gesture = await page.drag([(middle[0] + way * k, middle[1] + 0.6 * way * k) for k in steps])
    await page.page.keyboard.up(" ")
    await page.settle()
    return gesture.figures() | {"panned": await page.view() != before}


async def next_image(bench: Bench) -> None:
    each, in_place = [], True
    async with bench.chromium.page(f"{bench.address}/images/{bench.worklist}/") as page:
        await page.page.evaluate("window.sameDocument = true")
        for _ in range(SWITCHES):
            await asyncio.sleep(1.5)
            each.append(await page.next_image())
        in_place = bool(await page.page.evaluate("window.sameDocument === true"))
    ms, rounded = round(statistics.median(each), 1), [round(value) for value in each]
    bench.editor["next_image"] = {"ms": ms, "each": rounded, "in_place": in_place}
    bench.say("next_image", bench.editor)


async def memory(bench: Bench) -> None:
    found: Figures = {}
    async with bench.chromium.page(f"{bench.address}/images/{bench.worklist}/") as page:
        for opened in range(1, 51):
            # What is prefetched arrives, as while a person looks at the image.
            await asyncio.sleep(0.6)
            if opened in (5, 50):
                now = await page.memory() | {"process_mib": await bench.chromium.renderer_mebibytes()}
                found[f"after_{opened}"] = {name: round(value, 1) for name, value in now.items()}
            if opened < 50:
                await page.next_image()
    first, last = found["after_5"], found["after_50"]
    for name in ("heap", "process"):
        found[f"{name}_growth_percent"] = round(100 * (last[f"{name}_mib"] / first[f"{name}_mib"] - 1), 1)
    bench.editor["memory"] = found
    bench.say("memory", bench.editor)


BROWSER_SECTIONS: dict[str, Callable[[Bench], Awaitable[None]]] = {
    "first_draw": first_draw,
    "select": select,
    "view": view,
    "drag": drag,
    "next_image": next_image,
    "memory": memory,
    # Last: it changes the field of 170 borders.
    "company": company,
}
SECTIONS = [*BROWSER_SECTIONS, "saving"]


def measure(only: list[str], repetitions: int, address: str) -> Figures:
    from django.conf import settings
    from django.contrib.auth.models import User

    from annotation.models import SmearImage
    from annotation.store import ImageStore
    from tests.benchmarks.editor_saving import measure_saving
    from tests.benchmarks.editor_study import add_field, add_worklist, draw_field
    from tests.browser.signed_in import cookie_of

    user = User.objects.create_user("benchmark")
    cookie = cookie_of(user, address)
    pixels = draw_field(SEED)
    # Each in a study of its own: a neighbour that is prefetched would be measured too.
    fields = {count: add_field(f"{count} borders", user, pixels, count, SEED, "field.png") for count in COUNTS}
    print("The fields are made.", file=sys.stderr, flush=True)
    saving = {"saving": measure_saving(fields[170].image, user)} if "saving" in only else {}
    browser_sections = [section for section in BROWSER_SECTIONS if section in only]
    if not browser_sections:
        return figures_of(saving, {})
    worklist = None
    if {"next_image", "memory"} & set(only):
        worklist = add_worklist("worklist", user, pixels, WORKLIST_IMAGES, 170, SEED)
        print("The worklist is made.", file=sys.stderr, flush=True)

    async def in_the_browser(other_address: str) -> Figures:
        async with chromium(cookie) as browser:
            bench = Bench(browser, address, other_address, fields, worklist, repetitions)
            for section in browser_sections:
                await BROWSER_SECTIONS[section](bench)
            return figures_of(bench.editor | saving, bench.one_layer) | {"page_errors": browser.errors[:10]}

    stored_pixels = ImageStore(settings.IMAGE_STORE).pixels(SmearImage.objects.get(pk=fields[170].image).sha256)
    with one_layer(stored_pixels, {str(count): it.borders for count, it in fields.items()}) as other:
        return asyncio.run(in_the_browser(other))


def figures_of(editor: Figures, other: Figures) -> Figures:
    """The figures with the bars that belong to them, which of these are reached, and the ratios to the other page."""
    bars = {
        f"{name}.{figure}": (bar, editor[name][figure])
        for name, bars_of in BARS.items()
        for figure, bar in bars_of.items()
        if figure in editor.get(name, {})
    }
    ratios = {
        f"{name}.{figure}": round(editor[name][figure] / value, 2)
        for name, figures in other.items()
        for figure, value in figures.items()
        if value and figure in editor.get(name, {}) and not isinstance(value, bool) and figure != "longest_after_ms"
    }
    return {
        "editor": editor,
        "one_layer": other,
        "ratios": ratios,
        "bars": {name: bar for name, (bar, _) in bars.items()},
        "reached": {name: bool(value if bar is True else value <= bar) for name, (bar, value) in bars.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.editor_speed")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, metavar="SECTION")
    parser.add_argument("--repetitions", type=int, default=3, metavar="N", help="default: 3; figures are medians")
    options = parser.parse_args()
    with served() as address:
        figures = measure(options.only, options.repetitions, address)
    report("editor_speed", **figures, synthetic=True)


if __name__ == "__main__":
    main()
