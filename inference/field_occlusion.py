"""Which parts of a field a diagnosis by its cells rests on: parts are covered in turn (inference/occlusion.py), but the
cells are found once, and only those that a block touches are looked at again. Pure: neither rows nor tensors.

Of 16 x 12 parts, finding and seeing the 170 cells of a field in each of 192 pictures anew would take many minutes. A
block of the size of a cell touches about four times 170 cells in all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from annotation.borders import Bounds
from annotation.crop import Square, cut
from inference.occlusion import COLUMNS, ROWS, Colour, Occlusion, Stopped, block, covered, empty_field, whole_parts
from training.crop_features import BATCH, Extractor

Features = NDArray[np.float32]
# The probability by the features (m, C) of some cells; None where nothing can be said of these.
Diagnose = Callable[[Features], float | None]

# A cell of which a block covers this share of its bounds is gone, as no detector would find it.
GONE = 0.5


def occlude_field(
    image: Image.Image,
    bounds: Sequence[Bounds],
    squares: Sequence[Square],
    eye: Extractor,
    diagnose: Diagnose,
    *,
    columns: int = COLUMNS,
    rows: int = ROWS,
    overlap: float = 1.0,
    colour: Colour | None = None,
    progress: Callable[[int, int], bool] | None = None,
) -> Occlusion | None:
    """Of an RGB field with the bounds (x0, y0, x1, y1) and the squares of the crops of n cells. None where nothing can
    be said of the field as it is; where nothing is left to say something by, the probability counts as unchanged.

    What lies around a cell counts a little for its features (training/cell_features.py); a block that touches its
    surroundings alone is taken to change nothing. `progress` and errors as those of occlude().
    """
    whole_parts(columns, rows, overlap)
    colour = colour or empty_field(image)
    features = eye.extract([cut(image, square) for square in squares])
    whole = diagnose(features)
    if whole is None:
        return None
    changes = np.zeros((rows, columns), dtype=np.float32)
    waiting: list[_Covered] = []

    def look() -> None:
        """At the crops of several blocks at once: few of a time cost a network more each."""
        crops = [crop for each in waiting for crop in each.crops]
        seen = eye.extract(crops) if crops else features[:0]
        for each in waiting:
            left = features.copy()
            left[each.touched], seen = seen[: len(each.touched)], seen[len(each.touched) :]
            told = diagnose(left[each.left]) if each.left.any() else None
            changes[each.place] = whole - (whole if told is None else told)
        waiting.clear()

    for number, (row, column) in enumerate(np.ndindex(rows, columns)):
        if progress is not None and not progress(number, rows * columns):
            raise Stopped
        box = block(image.size, (column, row), (columns, rows), overlap)
        shares = np.array([_share(each, box) for each in bounds])
        if not shares.any():
            continue
        left = shares < GONE
        touched = np.flatnonzero((shares > 0) & left).tolist()
        picture = covered(image, colour, box, (columns, rows)) if touched else image
        waiting.append(_Covered((row, column), left, touched, [cut(picture, squares[at]) for at in touched]))
        if sum(len(each.crops) for each in waiting) >= BATCH:
            look()
    look()
    if progress is not None:
        progress(rows * columns, rows * columns)
    return Occlusion(changes, whole, overlap)


@dataclass(frozen=True)
class _Covered:
    """A block that touches cells: which are left (n,), and of those that it touches the crops with the block over
    them."""

    place: tuple[int, int]
    left: NDArray[np.bool_]
    touched: list[int]
    crops: list[Image.Image]


def _share(bounds: Bounds, box: tuple[int, int, int, int]) -> float:
    """The share of a cell's bounds that lies in a box."""
    width = min(bounds[2], box[2]) - max(bounds[0], box[0])
    height = min(bounds[3], box[3]) - max(bounds[1], box[1])
    area = (bounds[2] - bounds[0]) * (bounds[3] - bounds[1])
    return max(0.0, width) * max(0.0, height) / max(area, 1e-9)
