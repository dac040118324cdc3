"""Fields larger than those that a detector was trained on, in tiles that overlap by more than a cell."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torchvision.ops import nms

# A detection so near to an edge that lies within the field is cut off there; the neighbour tile has it whole.
CUT_WITHIN = 3


def tiles(width: int, height: int, side: int, overlap: int) -> Iterator[tuple[int, int, int, int]]:
    """x0, y0, x1, y1 of tiles of at most `side` px that cover a field, with at least `overlap` px in common."""
    for y0, y1 in _steps(height, side, overlap):
        for x0, x1 in _steps(width, side, overlap):
            yield x0, y0, x1, y1


def whole(boxes: Tensor, tile: tuple[int, int, int, int], width: int, height: int) -> Tensor:
    """(N,) whether each of (N, 4) boxes in the field's px is not cut off by an edge of its tile within the field."""
    x0, y0, x1, y1 = tile
    kept = torch.ones(len(boxes), dtype=torch.bool)
    if x0 > 0:
        kept &= boxes[:, 0] > x0 + CUT_WITHIN
    if y0 > 0:
        kept &= boxes[:, 1] > y0 + CUT_WITHIN
    if x1 < width:
        kept &= boxes[:, 2] < x1 - CUT_WITHIN
    if y1 < height:
        kept &= boxes[:, 3] < y1 - CUT_WITHIN
    return kept


def merged(boxes: Tensor, scores: Tensor, least_iou: float, most: int) -> Tensor:
    """Indices of the detections that stay where tiles have found the same cells, best first, `most` at most."""
    return nms(boxes, scores, least_iou)[:most]


def _steps(length: int, side: int, overlap: int) -> list[tuple[int, int]]:
    """Spread evenly, so that no tile is a thin rest."""
    if length <= side:
        return [(0, length)]
    count = -(-(length - overlap) // (side - overlap))
    return [(start, start + side) for start in (round(i * (length - side) / (count - 1)) for i in range(count))]
