"""What a point stands for where borders are compared: a cell is there, but nobody has said where its border lies.

So training and scoring neither reward nor punish there: a detector that finds the cell is right, and one that does
not cannot be measured by a border that does not exist. The point becomes an ignored region, a circle as wide as the
median cell. Pure geometry.
"""

import math
import statistics
from collections.abc import Iterable, Mapping
from typing import Any

from annotation.borders import Border, Bounds

# Where no border says how large a cell is: about the share of a field's long side that a marrow cell takes.
_SHARE = 1 / 40


def median_size(bounds: Iterable[Bounds]) -> float | None:
    """The median cell's size in pixels (the geometric mean of its width and height); None of no cells."""
    sizes = [math.sqrt((x1 - x0) * (y1 - y0)) for x0, y0, x1, y1 in bounds]
    return statistics.median(sizes) if sizes else None


def region_around(point: Mapping[str, Any], size: float | None, width: int, height: int) -> Border:
    """The circle of that diameter around a point of an image of width × height pixels."""
    if not size:
        size = max(width, height) * _SHARE
    # At least as wide as the numbers that are stored can tell.
    return {"kind": "circle", "cx": point["cx"], "cy": point["cy"], "r": max(0.5, round(size / 2, 2))}
