"""Scrolling through a gallery of 100,000 cells in a headless Chromium without a GPU, on the product as ./run serves it:
frames a second at the pace of somebody who looks and of somebody who flies over, and how soon all tiles have pictures.
Bar: 50 frames a second. Prints JSON; what else the machine does makes every figure worse.

Run: python -m tests.benchmarks.gallery_scrolling [--cells N]
Every image of the study is the same synthetic field under another name: as hard to decode as fields are.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tests.benchmarks.editor_server import served
from tests.benchmarks.product import report

WINDOW = {"width": 1600, "height": 1000}
SECONDS = 5
# Pixels a second.
PACES = {"looking": 600, "fast": 3_000, "flying": 20_000}
BARS = {"frames_a_second": 50}
# Scrolls as a wheel does, by what has gone by since the frame before, and notes when each frame begins.
SCROLL = """([pace, seconds]) => new Promise((resolve) => {
  const grid = document.getElementById("grid");
  const stamps = [performance.now()];
  const step = (now) => {
    grid.scrollTop += (pace * (now - stamps[stamps.length - 1])) / 1000;
    stamps.push(now);
    if (now - stamps[0] < seconds * 1000) requestAnimationFrame(step);
    else resolve(stamps);
  };
  requestAnimationFrame(step);
})"""
PICTURED = "document.querySelectorAll('.tile').length && !document.querySelector('.tile img[hidden]')"


def frames(stamps: list[float]) -> dict[str, float]:
    gaps = sorted(b - a for a, b in zip(stamps[1:], stamps[2:], strict=False))
    return {
        "frames_a_second": round(1000 * len(gaps) / (stamps[-1] - stamps[1]), 1),
        "frame_ms": round(statistics.median(gaps), 1),
        "p95_ms": round(gaps[int(0.95 * (len(gaps) - 1))], 1),
        "longest_ms": round(gaps[-1], 1),
    }


def browser_seconds() -> float:
    """Seconds of processor time that the browser has taken: what a frame costs, however busy the machine."""
    parents, seconds = {}, {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name, fields = (process / "stat").read_text().rsplit(")", 1)
        except OSError:
            continue
        values = fields.split()
        parents[int(process.name)] = int(values[1])
        if "chrom" in name:
            seconds[int(process.name)] = (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")
    return sum(value for key, value in seconds.items() if os.getpid() in ancestors(key, parents))


def ancestors(process: int, parents: dict[int, int]) -> set[int]:
    found = set()
    while (process := parents.get(process, 0)) > 0:
        found.add(process)
    return found


def scrolled(page: Page) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name, pace in PACES.items():
        before = browser_seconds()
        stamps = page.evaluate(SCROLL, [pace, SECONDS])
        used = browser_seconds() - before
        figures[name] = frames(stamps) | {"processor_ms_a_frame": round(1000 * used / len(stamps), 1)}
        start = time.perf_counter()
        page.wait_for_function(PICTURED, timeout=60_000)
        figures[name]["seconds_to_the_last_picture"] = round(time.perf_counter() - start, 2)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=100_000)
    arguments = parser.parse_args()
    with served() as address:
        from django.conf import settings
        from django.contrib.auth.models import User
        from PIL import Image

        from annotation.models import Membership
        from annotation.scheme import study_named
        from annotation.store import ImageStore
        from config.chromium import WHOLE, find_chromium
        from tests.benchmarks.editor_study import draw_field
        from tests.benchmarks.gallery_study import fill
        from tests.browser.conftest import FLAGS
        from tests.browser.signed_in import cookie_of

        study = study_named("gallery", synthetic=True)
        user = User.objects.create_user("anna")
        Membership.objects.create(study=study, user=user)
        fill(study, [user], arguments.cells, width=32)
        store = ImageStore(Path(settings.IMAGE_STORE))
        drawn = store.pixels(store.put(Image.fromarray(draw_field(5))))
        for sha256 in study.images.values_list("sha256", flat=True):
            named = store.pixels(sha256)
            named.parent.mkdir(parents=True, exist_ok=True)
            os.link(drawn, named)
        found = find_chromium(WHOLE)
        if found is None:
            sys.exit(f"No Chromium on this machine: none of {', '.join(WHOLE)} is on the path.")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
            context = browser.new_context(viewport=WINDOW, bypass_csp=True)  # type: ignore[arg-type]
            context.add_cookies([cookie_of(user, address)])  # type: ignore[list-item]
            page = context.new_page()
            start = time.perf_counter()
            page.goto(f"{address}/studies/{study.pk}/gallery/")
            page.wait_for_selector("#gallery[data-ready=true]")
            page.wait_for_function(PICTURED, timeout=60_000)
            opened = time.perf_counter() - start
            first = scrolled(page)
            page.evaluate("document.getElementById('grid').scrollTop = 0")
            page.wait_for_function(PICTURED, timeout=60_000)
            report(
                "gallery_scrolling",
                cells=arguments.cells,
                window=WINDOW,
                tiles=page.locator(".tile").count(),
                seconds_to_open=round(opened, 2),
                first_time=first,
                again=scrolled(page),
                synthetic=True,
                bars=BARS,
            )
            browser.close()


if __name__ == "__main__":
    main()
