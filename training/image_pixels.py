"""Images as the network of whole images sees them: brought to a small scale, and varied while it learns."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.detection_data import at_scale, size_at
from training.pixel_cache import kept_pixels
from training.snapshot import Snapshot, SnapshotError
from training.stain_augmentation import Ranges, view

Pixels = NDArray[np.uint8]

# In teaching each side of a square is so much of the image's short side, drawn anew each time, and scaled to the same.
_LEAST_SHOWN = 0.8


def small(image: Image.Image, size: int) -> Pixels:
    """(3, H, W) with a short side of `size` px; what is smaller stays as it is."""
    scaled = at_scale(image.convert("RGB"), _scale(*image.size, size))
    return np.ascontiguousarray(np.array(scaled, dtype=np.uint8).transpose(2, 0, 1))


def load_small(snapshot: Snapshot, entry: dict[str, Any], size: int) -> Pixels:
    """One image of a snapshot, from the cache of an earlier round, else decoded. Raises SnapshotError for a file that
    is gone or damaged."""
    path = snapshot.path(entry)
    width, height = size_at(entry["width"], entry["height"], _scale(entry["width"], entry["height"], size))

    def decode() -> Pixels:
        try:
            with Image.open(path) as file:
                return small(file, size)
        except OSError as problem:
            raise SnapshotError(f"The image {path.name} of the snapshot cannot be read: {problem}.") from None

    return kept_pixels(entry["sha256"], width, height, decode)


def varied(pixels: Pixels, size: int, chance: np.random.Generator, strength: float) -> Pixels:
    """(3, size, size): a square part of an image (3, H, W), from another side and in other colours as far as `strength`
    goes; at 0 only the part is drawn."""
    height, width = pixels.shape[1:]
    side = min(height, width) * math.exp(chance.uniform(math.log(_LEAST_SHOWN), 0))
    x, y = chance.uniform(0, width - side), chance.uniform(0, height - side)
    image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    part = image.resize((size, size), Image.Resampling.BILINEAR, box=(x, y, x + side, y + side))
    if strength:
        part = view(part, chance, Ranges().times(strength))
    return np.asarray(part, dtype=np.uint8).transpose(2, 0, 1)


def _scale(width: int, height: int, size: int) -> float:
    return min(1.0, size / min(width, height))
