"""From how likely each bin of a region lies inside a cell to the cell's outline: one clean ring of 12 to 40 points."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely import get_coordinates
from shapely.geometry import LinearRing, Polygon
from skimage.measure import find_contours

LEAST_POINTS, MOST_POINTS = 12, 40
# Parts of the cell's size by which a point may be left out, tried in turn until few enough are left.
TOLERANCES = (0.004, 0.006, 0.009, 0.013, 0.02, 0.03, 0.05)


def polygon(likely: NDArray[np.float32], region: Sequence[float]) -> list[list[float]] | None:
    """The ring (x, y in image px) around the largest part of `likely` (H, W; 0 to 1) above a half, for a region
    x0, y0, x1, y1 in image px that it covers. None where nothing is above a half."""
    # Ground all around closes the ring at the region's edge.
    contours = find_contours(np.pad(likely, 1), 0.5)
    if not contours:
        return None
    rows, columns = likely.shape
    x0, y0, x1, y1 = region
    longest = max(contours, key=_enclosed)
    # A bin's value stands at its middle.
    xs = x0 + (longest[:, 1] - 0.5) * (x1 - x0) / columns
    ys = y0 + (longest[:, 0] - 0.5) * (y1 - y0) / rows
    if len(xs) < 4:
        return None
    return few_points(Polygon(np.stack([xs, ys], axis=1)))


def few_points(shape: Polygon) -> list[list[float]] | None:
    """The ring of a polygon with 12 to 40 points that runs within a few hundredths of its size of it."""
    size = float(np.sqrt(max(shape.area, 0.0)))
    if size <= 0:
        return None
    for part in TOLERANCES:
        simple = shape.simplify(part * size)
        if len(simple.exterior.coords) - 1 <= MOST_POINTS:
            break
    ring = simple.exterior
    count = len(ring.coords) - 1
    if not LEAST_POINTS <= count <= MOST_POINTS:
        # So plain that few corners say it, or so ragged that no tolerance does: points at even steps along it.
        ring = _even(LinearRing(shape.exterior), LEAST_POINTS if count < LEAST_POINTS else MOST_POINTS)
    points: list[list[float]] = get_coordinates(ring)[:-1].tolist()
    return points


def _even(ring: LinearRing, count: int) -> LinearRing:
    return LinearRing([ring.interpolate(i / count, normalized=True) for i in range(count)])


def _enclosed(contour: NDArray[Any]) -> float:
    """The area that a contour encloses (shoelace)."""
    y, x = contour[:, 0], contour[:, 1]
    return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)
