"""The square picture of one cell, cut from its field: what people see in the gallery and what networks look at.

Crops show a fixed field of view, so that a large cell looks large: size is half of what tells a promyelocyte from a
lymphocyte. Pure: numpy and Pillow, neither rows nor tensors.
"""

import hashlib
import math

import numpy as np
from PIL import Image

from annotation.borders import Bounds

# Side of a crop in pixels: the input of the paper's Xception.
CROP = 299
# What a crop shows, in µm: the largest promyelocyte (25 µm) still fits, a lymphocyte (8 µm) still fills a third.
FIELD_UM = 26.0
# The same where nobody knows the scale, in median cells of the study (of about 15 µm in marrow).
FIELD_CELLS = 1.75
# Share of the cell's longer side that is shown around it at least; only then does the view grow (megakaryocytes).
MARGIN = 0.05
# Changes with the way of cutting, so that stored features of other pixels are never taken for these.
_VERSION = "crop/1"

Square = tuple[int, int, int]


def crop_square(bounds: Bounds, um_per_pixel: float | None, typical_px: float | None) -> Square:
    """x0, y0 and side, in whole image px, of the square around a border's bounds (x0, y0, x1, y1); it may reach beyond
    the image.

    It is centred on the bounds and shows FIELD_UM where µm per pixel are known, else FIELD_CELLS times `typical_px`
    (longer side of the study's median cell, in px), else so many times the cell itself. A cell that would not fit with
    its margin gets a larger square. Raises ValueError for a point of which no scale is known.
    """
    x0, y0, x1, y1 = bounds
    longest = max(x1 - x0, y1 - y0)
    field = FIELD_UM / um_per_pixel if um_per_pixel else FIELD_CELLS * (typical_px or longest)
    side = math.ceil(max(field, longest * (1 + 2 * MARGIN)))
    if side < 1:
        raise ValueError("A point in an image of unknown scale has no size to be shown at.")
    return math.floor((x0 + x1 - side) / 2 + 0.5), math.floor((y0 + y1 - side) / 2 + 0.5), side


def cut(image: Image.Image, square: Square, size: int = CROP) -> Image.Image:
    """The square as an RGB picture of size × size px. Beyond the image lies the mean colour of what is seen of it: a
    reflection would show cells that are not there. Raises ValueError where the square misses the image."""
    x0, y0, side = square
    left, top = max(x0, 0), max(y0, 0)
    right, bottom = min(x0 + side, image.width), min(y0 + side, image.height)
    if left >= right or top >= bottom:
        raise ValueError("The square lies outside the image.")
    seen = image.crop((left, top, right, bottom)).convert("RGB")
    if seen.size != (side, side):
        mean = np.asarray(seen, dtype=np.float64).mean(axis=(0, 1)).round().astype(int).tolist()
        canvas = Image.new("RGB", (side, side), tuple(mean))
        canvas.paste(seen, (left - x0, top - y0))
        seen = canvas
    return seen if side == size else seen.resize((size, size), Image.Resampling.BICUBIC)


def crop_hash(image_sha256: str, square: Square, size: int = CROP) -> str:
    """The name (sha256, 64 hex digits) of a crop: same pixels and same square, same name."""
    return hashlib.sha256(f"{_VERSION} {image_sha256} {' '.join(map(str, square))} {size}".encode()).hexdigest()
