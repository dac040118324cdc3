"""How boxes overlap, as numbers: of arrays, lists or tensors of [x0, y0, x1, y1]. Free of torch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# A box that lies in an ignored region by this share is neither right nor wrong.
IGNORED_SHARE = 0.5

Boxes = NDArray[np.float64]


def as_boxes(boxes: Any) -> Boxes:
    """(N, 4), also of none."""
    return np.asarray(boxes, dtype=float).reshape(-1, 4)


def iou(boxes: Boxes, others: Boxes) -> Boxes:
    """(N, M) intersection over union."""
    shared = _shared(boxes, others)
    return shared / np.maximum(_area(boxes)[:, None] + _area(others) - shared, 1e-9)


def in_ignored(boxes: Boxes, regions: Boxes) -> NDArray[np.bool_]:
    """(N,) whether each box lies in one of the regions by IGNORED_SHARE at least."""
    share = _shared(boxes, regions) / np.maximum(_area(boxes), 1e-6)[:, None]
    return share.max(axis=1, initial=0) >= IGNORED_SHARE


def _shared(boxes: Boxes, others: Boxes) -> Boxes:
    """(N, M) shared area; by columns, which takes a third of the time of whole boxes."""
    a, b = boxes[:, :, None], others.T[:, None]
    sides = (np.minimum(a[:, k + 2], b[k + 2]) - np.maximum(a[:, k], b[k]) for k in (0, 1))
    across, down = (side.clip(min=0) for side in sides)
    return across * down


def _area(boxes: Boxes) -> Boxes:
    return (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
