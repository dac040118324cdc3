"""Measures of cells: the nucleus against hand-drawn masks, and how long a field takes.

Run: python -m tests.benchmarks.cell_measures. The method was chosen on every second file by name (`tuned_on`); the
others judge. Beside it hematoxylin (skimage's colour deconvolution) with Otsu's method for two classes within the
cell, its specks cleaned the same way.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from annotation.cell_measures import measure
from annotation.nucleus import AROUND, Mask, cleaned, lightness, nucleus_of
from annotation.synthetic.patient import draw_patient
from annotation.synthetic.smear import draw_smear
from tests.benchmarks.product import SHARED, report

MASKS = SHARED / "wbc-masks"
Find = Callable[[NDArray[np.uint8], Mask], Mask | None]


def drawn(name: str) -> tuple[NDArray[np.uint8], Mask, Mask]:
    """A picture (h, w, 3), its cell and its nucleus (h, w), by hand."""
    from scipy.ndimage import binary_fill_holes, label

    pixels = np.asarray(Image.open(MASKS / "images" / f"{name}.png").convert("RGB"))
    mask = np.asarray(Image.open(MASKS / "masks" / f"{name}.png").convert("L"))
    spots, _ = label(mask > 64)
    sizes = np.bincount(spots.ravel())
    sizes[0] = 0
    cell = binary_fill_holes(spots == sizes.argmax())
    return pixels, cell, (mask > 192) & cell


def by_lightness(pixels: NDArray[np.uint8], cell: Mask) -> Mask | None:
    from scipy.ndimage import distance_transform_edt

    reach = AROUND * np.sqrt(4 * cell.sum() / np.pi)
    return nucleus_of(lightness(pixels), cell, distance_transform_edt(~cell) <= reach)


def by_lightness_halved(pixels: NDArray[np.uint8], cell: Mask) -> Mask | None:
    """As `measure` does at 0.1 µm a pixel: two pixels are put into one."""
    half = np.asarray(Image.fromarray(pixels).reduce(2))
    small = np.asarray(Image.fromarray(cell).resize(half.shape[1::-1], Image.Resampling.NEAREST))
    found = by_lightness(half, small)
    return None if found is None else np.kron(found, np.ones((2, 2), dtype=bool)) & cell


def by_hematoxylin(pixels: NDArray[np.uint8], cell: Mask) -> Mask:
    from skimage.color import rgb2hed
    from skimage.filters import threshold_otsu

    stain = rgb2hed(pixels)[..., 0]
    return cleaned(cell & (stain > threshold_otsu(stain[cell])), cell)


def judged(find: Find, names: list[str]) -> dict[str, Any]:
    """IoU of the nucleus; error of the nucleus' share of the cell, and of N:C relative to the truth (median: where
    hardly any cytoplasm is left, N:C explodes)."""
    overlaps, shares, ratios, missed = [], [], [], 0
    for name in names:
        pixels, cell, nucleus = drawn(name)
        found = find(pixels, cell)
        if found is None:
            missed += 1
            found = np.zeros_like(cell)
        overlaps.append((found & nucleus).sum() / (found | nucleus).sum())
        true, said = nucleus.sum() / cell.sum(), found.sum() / cell.sum()
        shares.append(said - true)
        if 0 < said < 1 and true < 1:
            ratios.append(abs(said / (1 - said) / (true / (1 - true)) - 1))
    return {
        "cells": len(names),
        "not_found": missed,
        "iou_mean": round(float(np.mean(overlaps)), 4),
        "iou_median": round(float(np.median(overlaps)), 4),
        "iou_least": round(float(np.min(overlaps)), 4),
        "share_error_mean": round(float(np.mean(np.abs(shares))), 4),
        "share_error_signed": round(float(np.mean(shares)), 4),
        "nc_relative_error_median": round(float(np.median(ratios)), 4),
        "nc_relative_error_p90": round(float(np.quantile(ratios, 0.9)), 4),
    }


def field_seconds() -> dict[str, Any]:
    """One field of a synthetic smear, as it lies in memory: seconds of one core's work, the best of three."""
    smear = draw_smear(draw_patient(7, 0), 0)
    pixels = smear.pixels
    borders = [cell.border for cell in smear.cells if not cell.ignored]
    measure(pixels, borders[0], smear.um_per_pixel)
    seconds = []
    for _ in range(3):
        begun = time.process_time()
        for border in borders:
            measure(pixels, border, smear.um_per_pixel)
        seconds.append(time.process_time() - begun)
    return {
        "cells": len(borders),
        "um_per_pixel": smear.um_per_pixel,
        "seconds": round(min(seconds), 3),
        "ms_a_cell": round(1000 * min(seconds) / len(borders), 2),
        "synthetic": True,
    }


def main() -> None:
    names = sorted(path.stem for path in (MASKS / "images").iterdir())
    tuned, judging = names[0::2], names[1::2]
    methods: dict[str, Find] = {
        "lightness": by_lightness,
        "lightness_halved": by_lightness_halved,
        "hematoxylin": by_hematoxylin,
    }
    report(
        "cell_measures",
        judged={name: judged(find, judging) for name, find in methods.items()},
        tuned_on={name: judged(find, tuned) for name, find in methods.items()},
        field=field_seconds(),
    )


if __name__ == "__main__":
    main()
