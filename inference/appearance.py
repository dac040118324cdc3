"""What a field looks like as a whole, without a model, so that the very first images can be unlike each other."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Pixels of the long side that colours are counted on, and steps a channel.
SIDE = 96
STEPS = 4


def appearance(image: Image.Image) -> NDArray[np.float32]:
    """(64,) how much of an RGB field has each of 64 colours: stain, brightness, and the share that cells cover.

    The square roots of the shares, so that their inner product is Bhattacharyya's coefficient of two fields.
    """
    factor = SIDE / max(image.size)
    small = image.resize(
        (max(1, round(image.width * factor)), max(1, round(image.height * factor))), Image.Resampling.BOX
    )
    colours = np.asarray(small, dtype=np.uint8).reshape(-1, 3) // (256 // STEPS)
    counts = np.bincount(colours @ np.array([STEPS * STEPS, STEPS, 1]), minlength=STEPS**3)
    shares: NDArray[np.float32] = np.sqrt(counts / counts.sum()).astype(np.float32)
    return shares
