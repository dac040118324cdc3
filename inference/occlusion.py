"""Which parts of an image a probability rests on: each part is covered in turn, and what the probability loses is what
the part is worth (occlusion sensitivity, Zeiler and Fergus 2014). Of any function of images: numpy and Pillow alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageFilter

Map = NDArray[np.float32]
Colour = tuple[int, int, int]
# Probabilities (n,) of n RGB images of one size.
Score = Callable[[Sequence[Image.Image]], ArrayLike]

# Parts of a field: about two cells wide each where 170 lie on it.
COLUMNS, ROWS = 16, 12
# How soft a block's edge is, in blocks' steps: a network would see a sharp one as something of its own.
_SOFT = 1 / 6
# Pixels a side at which the colour of the empty field is looked for.
_LOOKED_AT = 512


class Stopped(Exception):
    """The end was asked for."""


@dataclass(frozen=True)
class Occlusion:
    """changes: (rows, columns) by how much the probability falls when that part is covered: above 0 speaks for what is
    told, below against it. overlap: how many times as wide a block is as the step to the next one."""

    changes: Map
    probability: float
    overlap: float = 1.0

    def spread(self, finer: int = 2) -> Map:
        """(finer x rows, finer x columns) the mean of the blocks that cover each place: where they overlap, they tell
        the place more finely than they are wide."""
        down, across = (_covering(count, self.overlap, finer) for count in self.changes.shape)
        spread: Map = (down @ self.changes @ across.T).astype(np.float32)
        return spread


def occlude(
    image: Image.Image,
    score: Score,
    *,
    columns: int = COLUMNS,
    rows: int = ROWS,
    overlap: float = 1.0,
    colour: Colour | None = None,
    batch: int = 8,
    progress: Callable[[int, int], bool] | None = None,
) -> Occlusion:
    """Cover columns x rows parts of an RGB image one after the other, each by a block `overlap` steps wide and high of
    a `colour` (None: that of the empty field), and ask for `batch` of these images at a time.

    `progress` is told how many of how many are done and ends the pass by returning False, which raises Stopped. Raises
    ValueError for a resolution or an overlap below 1, and for a score that gives another number of values.
    """
    whole_parts(columns, rows, overlap)
    colour = colour or empty_field(image)
    places = [(column, row) for row in range(rows) for column in range(columns)]
    (whole,) = _asked(score, [image])
    told: list[float] = []
    for start in range(0, len(places), batch):
        if progress is not None and not progress(start, len(places)):
            raise Stopped
        boxes = [block(image.size, place, (columns, rows), overlap) for place in places[start : start + batch]]
        told += _asked(score, [covered(image, colour, box, (columns, rows)) for box in boxes])
    if progress is not None:
        progress(len(places), len(places))
    changes = whole - np.array(told, dtype=np.float64).reshape(rows, columns)
    return Occlusion(changes.astype(np.float32), whole, overlap)


def whole_parts(columns: int, rows: int, overlap: float) -> None:
    """Raises ValueError for parts that cannot be."""
    if columns < 1 or rows < 1 or overlap < 1:
        raise ValueError("An image is covered in at least one row and column, by blocks at least as wide as a step.")


def block(
    size: tuple[int, int], place: tuple[int, int], parts: tuple[int, int], overlap: float
) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the block at a place (column, row) of so many parts; it may reach beyond the image."""
    steps = size[0] / parts[0], size[1] / parts[1]
    x0, y0, x1, y1 = (
        round((place[axis] + 0.5 + sign * overlap / 2) * steps[axis]) for sign in (-1, 1) for axis in (0, 1)
    )
    return x0, y0, x1, y1


def covered(image: Image.Image, colour: Colour, box: tuple[int, int, int, int], parts: tuple[int, int]) -> Image.Image:
    """The image without what lies in a box. Only that is drawn: a field has millions of pixels."""
    x0, y0, x1, y1 = box
    soft = max(1, round(min(image.width / parts[0], image.height / parts[1]) * _SOFT))
    around = 3 * soft
    mask = Image.new("L", (x1 - x0 + 2 * around, y1 - y0 + 2 * around))
    mask.paste(255, (around, around, around + x1 - x0, around + y1 - y0))
    mask = mask.filter(ImageFilter.GaussianBlur(soft))
    found = image.copy()
    found.paste(colour, (x0 - around, y0 - around), mask)
    return found


def mean_colour(image: Image.Image) -> Colour:
    return _colour(np.asarray(image.convert("RGB"), dtype=np.float64).mean(axis=(0, 1)))


def empty_field(image: Image.Image) -> Colour:
    """The colour of a smear where no cell lies: the middle one of its lightest quarter."""
    small = image.convert("RGB")
    small.thumbnail((_LOOKED_AT, _LOOKED_AT))
    pixels = np.asarray(small, dtype=np.float64).reshape(-1, 3)
    lightness = pixels.sum(axis=1)
    return _colour(np.median(pixels[lightness >= np.quantile(lightness, 0.75)], axis=0))


def _colour(values: NDArray[np.floating[Any]]) -> Colour:
    red, green, blue = (round(value) for value in values.tolist())
    return red, green, blue


def _asked(score: Score, images: Sequence[Image.Image]) -> list[float]:
    found = np.asarray(score(images), dtype=np.float64)
    if found.shape != (len(images),):
        raise ValueError(f"Of {len(images)} images {len(images)} probabilities are wanted, not {found.shape}.")
    return [float(value) for value in found]


def _covering(count: int, overlap: float, finer: int) -> NDArray[np.float64]:
    """(finer x count, count) how much each of `count` blocks counts at each place: its share of what covers it."""
    middles = np.arange(count) + 0.5
    edges = np.arange(count * finer + 1) / finer
    low = np.maximum(edges[:-1, None], middles[None] - overlap / 2)
    high = np.minimum(edges[1:, None], middles[None] + overlap / 2)
    covered = np.clip(high - low, 0, None)
    shares: NDArray[np.float64] = covered / covered.sum(axis=1, keepdims=True)
    return shares
