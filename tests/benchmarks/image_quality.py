"""Image quality: how many real images pass, and how many of those degraded on purpose are caught.

Run: python -m tests.benchmarks.image_quality [--every N] [--cells-every N]
Real images are judged all (--cells-every thins those of single cells); every Nth of them is degraded, by increasing
amounts, and of each kind the share that is not "good" any more and the rank correlation of amount and value (Spearman,
mean over images; -1 where the value falls) are printed. The limits of inference/image_quality.py were set on some of
these same images: a figure of how they fit, not of new laboratories.
"""

import argparse
import csv
import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.stats import spearmanr

from inference.image_quality import Quality, Verdict, quality_of
from tests.benchmarks.product import BLOOD, MARROW, MARROW_TRUTH, SHARED, report

# Longer side in µm of the white cells of blood, and of those of the marrow fields (plasma cells for the most part).
WHITE_UM, PLASMA_UM = 13.0, 15.0
APL_UM = 0.1
CELLS, MARROW_EVERY = "apl-patients", 4

Degraded = Callable[[Image.Image, float, float], Image.Image]


def _scaled(image: Image.Image, factors: Any) -> Image.Image:
    light = np.asarray(image, dtype=np.float32) * np.asarray(factors, dtype=np.float32)
    return Image.fromarray(np.clip(light, 0, 255).astype(np.uint8))


def _grainy(image: Image.Image, sigma: float) -> Image.Image:
    light = np.asarray(image, dtype=np.float32)
    noise = np.random.default_rng(0).normal(0, sigma, light.shape)
    return Image.fromarray(np.clip(light + noise, 0, 255).astype(np.uint8))


def _compressed(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def _without(channel: int) -> Degraded:
    return lambda image, amount, _: _scaled(image, [1 - amount * (index == channel) for index in range(3)])


# Kind: the criterion that is to notice, by increasing amounts, and how. Blur in µm, noise in grey levels.
DEGRADED: dict[str, tuple[str, tuple[float, ...], Degraded]] = {
    "blur": ("focus", (0.25, 0.5, 0.75, 1.0, 1.5), lambda i, a, um: i.filter(ImageFilter.GaussianBlur(a / um))),
    "overexposed": ("clipping", (1.2, 1.4, 1.6, 1.8), lambda i, a, _: _scaled(i, a)),
    "underexposed": ("exposure", (0.2, 0.35, 0.5, 0.65), lambda i, a, _: _scaled(i, 1 - a)),
    "less red": ("cast", (0.2, 0.35, 0.5, 0.65), _without(0)),
    "less green": ("cast", (0.2, 0.35, 0.5, 0.65), _without(1)),
    "less blue": ("cast", (0.2, 0.35, 0.5, 0.65), _without(2)),
    "noise": ("grain", (4, 8, 16, 32), lambda i, a, _: _grainy(i, a)),
    "JPEG": ("compression", (40, 70, 85, 93), lambda i, a, _: _compressed(i, round(100 - a))),
}


def real_images() -> Iterator[tuple[str, Path, float]]:
    """(set, file, µm per pixel): of blood and marrow by the median white cell of the images of one size."""
    for name, folder in (("blood train", BLOOD / "train"), ("blood val", BLOOD / "val")):
        sides: dict[tuple[int, int], list[float]] = {}
        files: list[tuple[Path, tuple[int, int]]] = []
        for path in sorted((folder / "images").iterdir()):
            with Image.open(path) as image:
                size = image.size
            files.append((path, size))
            for line in (folder / "labels" / f"{path.stem}.txt").read_text().splitlines():
                kind, _, _, w, h = line.split()
                if kind == "0":
                    sides.setdefault(size, []).append(max(float(w) * size[0], float(h) * size[1]))
        every = [side for own in sides.values() for side in own]
        for path, size in files:
            # A size of which there are three images has no median worth its name.
            own = sides.get(size, [])
            yield name, path, WHITE_UM / median(own if len(own) >= 20 else every)
    truth = json.loads(MARROW_TRUTH.read_text())
    boxes = [
        max(region["shape_attributes"]["width"], region["shape_attributes"]["height"])
        for image in truth.get("_via_img_metadata", truth).values()
        for region in image["regions"]
        if region["region_attributes"].get("kind") == "cell"
    ]
    for path in sorted((MARROW / "images").iterdir()):
        yield "marrow", path, PLASMA_UM / median(boxes)
    apl = SHARED / "apl-patients"
    with (apl / "cells.csv").open() as table:
        for row in csv.DictReader(table):
            yield CELLS, apl / "cells" / row["file"], APL_UM


def _judged(image: Image.Image, um: float) -> Quality:
    pixels: NDArray[np.uint8] = np.asarray(image)
    return quality_of(pixels, um, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=20, help="degrade every Nth real image")
    parser.add_argument("--cells-every", type=int, default=1, help="judge every Nth picture of a single cell")
    options = parser.parse_args()
    passed: dict[str, list[Verdict]] = {}
    failing: dict[str, dict[str, int]] = {}
    degraded: dict[str, list[list[tuple[Verdict, float]]]] = {kind: [] for kind in DEGRADED}
    seconds: list[float] = []
    for number, (name, path, um) in enumerate(real_images()):
        if name == CELLS and number % options.cells_every:
            continue
        with Image.open(path) as file:
            image = file.convert("RGB")
        started = time.perf_counter()
        quality = _judged(image, um)
        seconds.append(time.perf_counter() - started)
        passed.setdefault(name, []).append(quality.verdict)
        for finding in quality.findings:
            if finding.verdict != Verdict.GOOD:
                counts = failing.setdefault(name, {})
                key = f"{finding.criterion} {finding.verdict}"
                counts[key] = counts.get(key, 0) + 1
        # The fields of marrow are few and large: more of them.
        if number % (MARROW_EVERY if name == "marrow" else options.every):
            continue
        for kind, (criterion, amounts, degrade) in DEGRADED.items():
            found = [_judged(degrade(image, amount, um), um).of(criterion) for amount in amounts]
            degraded[kind].append([(each.verdict, each.value or 0.0) for each in found])
    for name, verdicts in passed.items():
        report(
            f"image_quality_{name.replace(' ', '_')}",
            images=len(verdicts),
            good=round(verdicts.count(Verdict.GOOD) / len(verdicts), 4),
            not_bad=round(1 - verdicts.count(Verdict.BAD) / len(verdicts), 4),
            not_good=failing.get(name, {}),
        )
    for kind, (criterion, amounts, _) in DEGRADED.items():
        rows = degraded[kind]
        correlations = [spearmanr(amounts, [value for _, value in row]).statistic for row in rows]
        report(
            f"image_quality_{kind.replace(' ', '_')}",
            images=len(rows),
            criterion=criterion,
            amounts=amounts,
            caught=[round(fmean(row[i][0] != Verdict.GOOD for row in rows), 3) for i in range(len(amounts))],
            bad=[round(fmean(row[i][0] == Verdict.BAD for row in rows), 3) for i in range(len(amounts))],
            spearman=round(float(np.nanmean(correlations)), 3),
        )
    report("image_quality_seconds", median=round(median(seconds), 3), most=round(max(seconds), 3))


if __name__ == "__main__":
    main()
