"""Boxes looked at again: a head of its own moves what the detector found onto the edges of the cell.

The first head decides from proposals that may lie half beside a cell; seen from where a box lies afterwards, its edges
are seen better. These are the stages of a Cascade R-CNN (Cai & Vasconcelos 2018), with a convolutional head as it
suits the place of a box (Wu et al. 2020, Double-Head R-CNN). Scores stay those of the first head.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss
from torchvision.models.detection._utils import BoxCoder
from torchvision.ops import MultiScaleRoIAlign, box_area, clip_boxes_to_image

from training.backbone import LEVELS

BINS = 7
HIDDEN = 256
# Boxes that a step learns from an image, drawn around its cells: each side off by up to so large a part of the cell's.
BOXES = 64
OFF_BY = 0.25
# A cell that lies beside boxes without end is one in a field of few: more copies of it teach nothing.
MOST_COPIES = 16
# As the later stages of a cascade: small moves are what is left to learn.
WEIGHTS = (20.0, 20.0, 10.0, 10.0)
# All its boxes lie on cells, a quarter of those of the first head do: its loss is weighed down to the same.
SHARE = 0.25


class BoxRefinement(nn.Module):
    """Moves boxes, by the pyramid's maps, `channels` deep."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pool = MultiScaleRoIAlign([str(i) for i in range(LEVELS)], output_size=BINS, sampling_ratio=2)
        self.head = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(channels * BINS**2, HIDDEN),
            nn.ReLU(inplace=True),
            nn.Linear(HIDDEN, 4),
        )
        self.coder = BoxCoder(WEIGHTS)

    def forward(
        self, features: Mapping[str, Tensor], boxes: Sequence[Tensor], sizes: list[tuple[int, int]]
    ) -> list[Tensor]:
        """Boxes (N, 4) of each image, moved once, within the image."""
        moves = self._moves(features, boxes, sizes)
        # Also where nothing was found in any image, of which the coder makes a tensor of another shape.
        moved = self.coder.decode(moves, list(boxes)).reshape(-1, 4)
        return [
            clip_boxes_to_image(own, size)
            for own, size in zip(moved.split([len(b) for b in boxes]), sizes, strict=True)
        ]

    def loss(self, features: Mapping[str, Tensor], sizes: list[tuple[int, int]], cells: Sequence[Tensor]) -> Tensor:
        """How far boxes drawn around the cells (N, 4) of each image are from being moved onto them."""
        around, wanted = [], []
        for boxes in cells:
            copies = min(MOST_COPIES, -(-BOXES // max(1, len(boxes))))
            chosen = boxes.repeat(copies, 1)
            chosen = chosen[torch.randperm(len(chosen))[:BOXES]]
            sides = (chosen[:, 2:] - chosen[:, :2]).repeat(1, 2)
            # Most boxes that will be moved lie well already: the parts by which these are off go down to none.
            off = (2 * torch.rand_like(chosen) - 1) * torch.rand(len(chosen), 1, device=chosen.device) * OFF_BY
            around.append(chosen + off * sides)
            wanted.append(chosen)
        if not any(map(len, around)):
            return next(iter(features.values())).new_zeros(())
        target = torch.cat(self.coder.encode(wanted, around))
        moves = self._moves(features, around, sizes)
        return SHARE * smooth_l1_loss(moves, target, beta=1 / 9, reduction="sum") / len(target)

    def _moves(self, features: Mapping[str, Tensor], boxes: Sequence[Tensor], sizes: list[tuple[int, int]]) -> Tensor:
        moves: Tensor = self.head(self.pool(dict(features), list(boxes), sizes))
        return moves


def tightness(before: Tensor, after: Tensor) -> Tensor:
    """(N,) IoU of each of (N, 4) boxes before a look with itself after it, 0 to 1: how sure the network is of where the
    border runs, for what a look leaves in its place it sees well. The localization tightness of Kao et al. 2018
    ("Localization-aware active learning for object detection"), between two looks at a box.

    Measured on blood (a network of 100 images, 219 borders on 200 others): of the tenth of least tightness half overlap
    their cell by less than 0.7 and would be moved by a person, of the rest one in a hundred; and 1 - tightness sums up
    to about the number of those, of proposals that people see. The mask branch is no better witness: its pixels are
    surest where an outline follows something else than the cell.
    """
    low, high = torch.max(before[:, :2], after[:, :2]), torch.min(before[:, 2:], after[:, 2:])
    shared = (high - low).clamp(min=0).prod(dim=1)
    return shared / (box_area(before) + box_area(after) - shared).clamp(min=1e-6)
