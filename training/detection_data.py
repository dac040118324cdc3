"""A snapshot's images as a detector sees them: decoded once, kept at training scale (pixel_cache.py)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from annotation.borders import outline
from annotation.store import pixel_hash
from training.pixel_cache import kept_pixels
from training.snapshot import Snapshot, SnapshotError

# At training scale a cell should be about so large: enough to see its edge, and no more work than that.
CELL_PX = 100
LEAST_SIZE, MOST_SIZE = 400, 1024
# Beyond this an image gains no detail, only work.
MOST_ENLARGED = 1.6


@dataclass(frozen=True)
class Sample:
    """One image at training scale: pixels uint8 (3, H, W), boxes and ignored regions (N, 4) in its px.

    `outlines` holds (K, 2) for each box, empty where nobody has drawn the cell's outline.
    """

    sha256: str
    group: str
    pixels: Tensor
    boxes: Tensor
    ignored: Tensor
    outlines: Sequence[Tensor] = ()


def training_size(images: Sequence[dict[str, Any]]) -> int:
    """The long side in px at which the median cell of the images is about 100 px, from 400 to 1024."""
    return clipped_size(CELL_PX * typical_side(images))


def typical_side(images: Sequence[Mapping[str, Any]]) -> float:
    """The long side of an image in cells: the median over the cells; 0 where there is none."""
    ratios = [
        max(image["width"], image["height"]) / _side(border["bounds"])
        for image in images
        for border in image["borders"]
        if not border["ignored"]
    ]
    return float(np.median(ratios)) if ratios else 0.0


def clipped_size(wanted: float) -> int:
    """A training scale near the one that is wanted: from 400 to 1024 px, in whole steps of the network's strides."""
    return int(min(MOST_SIZE, max(LEAST_SIZE, 32 * round(wanted / 32))))


def scale_of(width: int, height: int, size: int) -> float:
    """The factor from image px to training px, where the long side becomes `size`."""
    return min(MOST_ENLARGED, size / max(width, height))


def at_scale(image: Image.Image, scale: float) -> Image.Image:
    """An RGB image resized by a factor, with the filter that keeps a cell's edge at that factor."""
    if scale == 1:
        return image
    target = size_at(image.width, image.height, scale)
    # Averaging boxes is several times faster than Lanczos, and as good where many pixels become one.
    return image.resize(target, Image.Resampling.BOX if scale < 0.6 else Image.Resampling.BICUBIC)


def size_at(width: int, height: int, scale: float) -> tuple[int, int]:
    """Width and height in px of an image resized by a factor."""
    return max(1, round(width * scale)), max(1, round(height * scale))


def anchor_sides(samples: Sequence[Sample], levels: int) -> tuple[float, ...]:
    """Anchor sides in training px, one a pyramid level, spread over the sizes of the cells."""
    sides = torch.cat([(s.boxes[:, 2:] - s.boxes[:, :2]).prod(dim=1).sqrt() for s in samples]).numpy()
    if not len(sides):
        return tuple(float(CELL_PX * 0.5 * 1.5**level) for level in range(levels))
    low, high = np.percentile(sides, [5, 95]) * [0.85, 1.1]
    # Geometric, and at least a factor of two from end to end: the next images hold other cells.
    low, high = min(low, (low * high) ** 0.5 / 2**0.5), max(high, (low * high) ** 0.5 * 2**0.5)
    return tuple(round(float(side), 1) for side in np.geomspace(low, high, levels))


def load_sample(snapshot: Snapshot, image: dict[str, Any], size: int) -> Sample:
    """One image of a snapshot at training scale: from the cache of an earlier round, else decoded.

    Raises SnapshotError where its file is gone, and where what is decoded holds other pixels than its name states.
    """
    path: Path = snapshot.path(image)
    if not path.is_file():
        raise SnapshotError(f"The image {path.name} of the snapshot is gone.")
    width, height = size_at(image["width"], image["height"], scale_of(image["width"], image["height"], size))

    def decode() -> NDArray[np.uint8]:
        try:
            with Image.open(path) as file:
                pixels = file.convert("RGB")
        except OSError as problem:
            raise SnapshotError(f"The image {path.name} of the snapshot cannot be read: {problem}.") from None
        if pixels.size != (image["width"], image["height"]) or pixel_hash(pixels) != image["sha256"]:
            raise SnapshotError(f"The image {path.name} of the snapshot does not hold the pixels that its name states.")
        small = at_scale(pixels, scale_of(*pixels.size, size))
        return np.ascontiguousarray(np.array(small, dtype=np.uint8).transpose(2, 0, 1))

    pixels = kept_pixels(image["sha256"], width, height, decode)
    factor = torch.tensor([width / image["width"], height / image["height"]] * 2)

    def boxes(ignored: bool) -> Tensor:
        bounds = [border["bounds"] for border in image["borders"] if border["ignored"] is ignored]
        return torch.tensor(bounds, dtype=torch.float32).reshape(-1, 4) * factor

    outlines = [_outline(border) * factor[:2] for border in image["borders"] if not border["ignored"]]
    return Sample(
        image["sha256"],
        image["group"],
        torch.from_numpy(pixels),
        boxes(False),
        boxes(True),
        outlines,
    )


def has_outline(border: Mapping[str, Any]) -> bool:
    """Whether a border of a snapshot says where the cell's edge runs, and not only where the cell lies."""
    return bool(border.get("outline", False))


def _outline(border: Mapping[str, Any]) -> Tensor:
    """(K, 2) in image px; (0, 2) where the outline is not known."""
    ring = outline(border["border"]) if has_outline(border) else []
    return torch.tensor(ring, dtype=torch.float32).reshape(-1, 2)


def as_input(pixels: Tensor) -> Tensor:
    """uint8 (3, H, W) to what the network takes, float from 0 to 1."""
    return pixels.float().div_(255)


def _side(bounds: Sequence[float]) -> float:
    return max(1e-3, float(((bounds[2] - bounds[0]) * (bounds[3] - bounds[1])) ** 0.5))
