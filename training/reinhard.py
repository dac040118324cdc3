"""Colour transfer between stains (Reinhard et al. 2001): means and spreads of one picture's colours given to another's.

In CIE L*a*b*, where lightness and colour are apart. Pure: numpy and Pillow.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Colours = NDArray[np.float32]

# From linear sRGB to XYZ, divided by its white (D65).
_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_TO_XYZ = _XYZ / _XYZ.sum(axis=1, keepdims=True)
_FROM_XYZ = np.linalg.inv(_TO_XYZ)
# Where the cube root of L*a*b* becomes a line.
_KNEE = 6 / 29
# A picture that is nearly flat would be torn apart: spreads grow and shrink by no more than this.
MOST_STRETCH = 3.0
# Spread below which a picture says nothing of its stain, in units of L*a*b* (100 is white).
LEAST_SPREAD = 0.5


@dataclass(frozen=True)
class ColourStatistics:
    """Means and standard deviations of L*, a* and b* over pixels."""

    mean: tuple[float, float, float]
    spread: tuple[float, float, float]


def statistics_of(images: Iterable[Image.Image]) -> ColourStatistics:
    """Over all pixels of pictures of one stain: of an image, or all of a patient. Raises ValueError for none."""
    count, total, squares = 0, np.zeros(3), np.zeros(3)
    for image in images:
        lab = to_lab(image).reshape(-1, 3).astype(np.float64)
        count += len(lab)
        total += lab.sum(axis=0)
        squares += np.square(lab).sum(axis=0)
    if not count:
        raise ValueError("Colours of no picture have no mean.")
    mean = total / count
    spread = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return ColourStatistics(_three(mean), _three(spread))


def transferred(
    image: Image.Image, own: ColourStatistics, target: ColourStatistics, amount: float = 1.0
) -> Image.Image:
    """The picture, RGB, as the target's stain would show it. `own` are the statistics of its own stain: of the picture
    alone, or better of its patient, as a large cell's nucleus must not be taken for a dark stain. An amount of 0
    changes nothing, 1 all."""
    lab = to_lab(image)
    mean, goal = np.array(own.mean), np.array(target.mean)
    spread, wanted = np.array(own.spread), np.array(target.spread)
    known = (spread >= LEAST_SPREAD) & (wanted >= LEAST_SPREAD)
    stretch = np.where(known, wanted / np.maximum(spread, LEAST_SPREAD), 1.0)
    stretch = np.clip(stretch, 1 / MOST_STRETCH, MOST_STRETCH)
    moved = (lab - mean) * stretch + goal
    return from_lab((lab + amount * (moved - lab)).astype(np.float32))


def to_lab(image: Image.Image) -> Colours:
    """(H, W, 3): L* from 0 to 100, a* and b* about 0."""
    values = (np.arange(256) / 255).astype(np.float32)
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(np.float32)
    xyz = light[np.asarray(image.convert("RGB"))] @ _TO_XYZ.T.astype(np.float32)
    root = np.where(xyz > _KNEE**3, np.cbrt(xyz), xyz / (3 * _KNEE**2) + 4 / 29)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def from_lab(lab: Colours) -> Image.Image:
    """RGB of (H, W, 3); colours that no screen shows are cut off."""
    y = (lab[..., 0] + 16) / 116
    root = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    xyz = np.where(root > _KNEE, root**3, 3 * _KNEE**2 * (root - 4 / 29))
    light = np.clip(xyz @ _FROM_XYZ.T, 0, 1)
    values = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return Image.fromarray((values * 255 + 0.5).astype(np.uint8))


def _three(values: NDArray[np.float64]) -> tuple[float, float, float]:
    first, second, third = values.tolist()
    return first, second, third
