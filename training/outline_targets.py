"""Outlines as what a mask branch learns: the share of each bin of a region that lies inside the outline."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

# Each bin is drawn as so many by so many dots, of which the share inside the outline is taken.
DOTS = 2


def inside(outlines: Sequence[Tensor], regions: Tensor, bins: int) -> Tensor:
    """(N, bins, bins) from 0 to 1: how much of each bin of regions (N, 4) lies in the outline (K, 2) of each, in px."""
    found = torch.zeros(len(regions), bins, bins)
    side = bins * DOTS
    for i, (outline, region) in enumerate(zip(outlines, regions, strict=True)):
        scale = side / (region[2:] - region[:2]).clamp(min=1e-3)
        # The drawing's dots are points at whole numbers; those of a grid lie half a dot further.
        ring = ((outline - region[:2]) * scale - 0.5).flatten().tolist()
        drawn = (_drawn(ring, side, edge=1) + _drawn(ring, side, edge=0)) / 2
        found[i] = torch.from_numpy(drawn.reshape(bins, DOTS, bins, DOTS).mean(axis=(1, 3)))
    return found


def _drawn(ring: list[float], side: int, *, edge: int) -> NDArray[np.float32]:
    """Pillow's polygons hold the dots of their edge, half of each of which lies outside: with `edge` 0 they do not."""
    canvas = Image.new("L", (side, side))
    ImageDraw.Draw(canvas).polygon(ring, fill=1, outline=edge)
    return np.asarray(canvas, dtype=np.float32)


def enlarged(boxes: Tensor, factor: float) -> Tensor:
    """Boxes (N, 4) around the same centres, `factor` times as wide and high; they may leave the image."""
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2 * factor
    return torch.cat([centre - half, centre + half], dim=1)
