"""The nucleus of a cell by its colour: the darkest of three kinds of pixels, in the cell and around it.

Chosen on half of the hand-drawn cells of `tests/benchmarks/cell_measures.py`, among 19 channels (hematoxylin of a
colour deconvolution, saturation, densities, ...) and four ways to a threshold: lightness, parted into nucleus,
cytoplasm and ground by Otsu's method for three classes. With the ground it also works where a cell is nearly all
nucleus. Pure.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Lightness = NDArray[np.float32]

# Of the cell's area: smaller dark spots are granules, smaller light spots in the nucleus are its own.
LEAST_PART = 0.03
# How far `around` reaches about the cell, in its diameters: farther there are neighbours, nearer too little ground.
AROUND = 0.12
# In L*: where nucleus and the rest of the cell differ by less, nobody sees a nucleus.
LEAST_CONTRAST = 6.0

_BYTES = np.arange(256) / 255
# sRGB's bytes as linear light, weighted by how bright each channel looks (D65).
_LINEAR = np.where(_BYTES <= 0.04045, _BYTES / 12.92, ((_BYTES + 0.055) / 1.055) ** 2.4)
_LUMINANCE = (np.array([[0.2126], [0.7152], [0.0722]]) * _LINEAR).astype(np.float32)


def lightness(pixels: NDArray[np.uint8]) -> Lightness:
    """CIE L* (h, w), 0 black to 100 white, of sRGB pixels (h, w, 3)."""
    red, green, blue = (_LUMINANCE[channel][pixels[..., channel]] for channel in range(3))
    y = red + green + blue
    return np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y).astype(np.float32)


def nucleus_of(light: Lightness, inside: Mask, around: Mask) -> Mask | None:
    """Which pixels (h, w) of a cell are nucleus, in one part or several; None where none stands out.

    light: lightness(); inside: the cell; around: the cell with what lies about it, ground above all.
    """
    # Imported here: web processes that measure nothing start without it.
    from skimage.filters import threshold_multiotsu

    steps = np.clip(light * 2, 0, 255).astype(np.uint8)
    counts = np.bincount(steps[around], minlength=256)
    if np.count_nonzero(counts) < 3:
        return None
    try:
        darkest = threshold_multiotsu(classes=3, hist=(counts, np.arange(256)))[0]
    except ValueError:  # fewer than three kinds of pixels
        return None
    found = cleaned(inside & (steps <= darkest), inside)
    rest = inside & ~found
    if not found.any():
        return None
    if rest.any() and float(light[rest].mean() - light[found].mean()) < LEAST_CONTRAST:
        return None
    return found


def cleaned(dark: Mask, inside: Mask) -> Mask:
    """Without spots that are too small, and with its own small holes filled."""
    least = LEAST_PART * np.count_nonzero(inside)
    labels, sizes = _spots(~dark)
    # What reaches out of the cell is no hole.
    outside = np.unique(labels[~inside])
    hole = sizes < least
    hole[0] = False
    hole[outside] = False
    filled = dark | hole[labels]
    labels, sizes = _spots(filled)
    large = sizes >= least
    large[0] = False
    return large[labels]


def _spots(mask: Mask) -> tuple[NDArray[Any], NDArray[Any]]:
    """The connected spots of a mask by number, from 1, and the pixels of each."""
    from scipy.ndimage import label

    labels, _ = label(mask)
    return labels, np.bincount(labels.ravel())
