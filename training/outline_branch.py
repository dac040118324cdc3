"""The mask branch of the detector (He et al. 2017, Mask R-CNN), and its refinement on the pixels themselves.

The branch sees the pyramid's maps, whose finest cell is 8 px wide; the refinement sees the picture in the region's own
frame beside what the branch found, so that the outline follows the cell's edge. At prediction the picture is the field
at full resolution.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import MultiScaleRoIAlign, roi_align

from training.backbone import LEVELS
from training.outline_targets import enlarged, inside

# Bins of a region, across and down: of the branch, and of the refined outline.
COARSE, FINE = 28, 64
# A region is the box and some ground around it: a box that cuts the cell must not cut its outline.
GROUND = 1.25
# Regions an image that learn an outline in one step; more cost time and teach little more.
MOST_REGIONS = 24


class Refinement(nn.Module):
    """(N, 3 + 1, FINE, FINE), normalised picture and logits of the branch, to logits (N, FINE, FINE)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fine = _convolution(4, channels)
        self.down = nn.Sequential(
            _convolution(channels, 2 * channels, stride=2),
            _convolution(2 * channels, 2 * channels, dilation=2),
            _convolution(2 * channels, 2 * channels, dilation=4),
        )
        self.last = nn.Sequential(_convolution(3 * channels, channels), nn.Conv2d(channels, 1, 1))

    def forward(self, picture: Tensor, coarse: Tensor) -> Tensor:
        fine = self.fine(torch.cat([picture, coarse[:, None]], dim=1))
        around = interpolate(self.down(fine), size=fine.shape[-2:], mode="bilinear", align_corners=False)
        correction: Tensor = self.last(torch.cat([fine, around], dim=1))
        return coarse + correction[:, 0]


class OutlineBranch(nn.Module):
    """Outlines of cells in regions of the pyramid's maps, `channels` deep; one class, as a border has none."""

    def __init__(self, channels: int, refinement: int = 16) -> None:
        super().__init__()
        self.pool = MultiScaleRoIAlign([str(i) for i in range(LEVELS)], output_size=COARSE // 2, sampling_ratio=2)
        self.head = MaskRCNNHeads(channels, (channels,) * 3, dilation=1)
        self.predictor = MaskRCNNPredictor(channels, channels, 1)
        self.refinement = Refinement(refinement)

    def coarse(self, features: Mapping[str, Tensor], regions: Sequence[Tensor], sizes: list[tuple[int, int]]) -> Tensor:
        """Logits (N, COARSE, COARSE) of all regions, a list of (n, 4) px an image."""
        logits: Tensor = self.predictor(self.head(self.pool(dict(features), list(regions), sizes)))
        return logits[:, 0]

    def refine(self, coarse: Tensor, pictures: Sequence[Tensor] | Tensor, regions: Sequence[Tensor]) -> Tensor:
        """Logits (N, FINE, FINE) from those of the branch and normalised pictures (3, H, W), regions in their px."""
        crops = roi_align(pictures, list(regions), FINE, sampling_ratio=2, aligned=True)  # type: ignore[arg-type]
        larger = interpolate(coarse[:, None], size=(FINE, FINE), mode="bilinear", align_corners=False)[:, 0]
        refined: Tensor = self.refinement(crops, larger)
        return refined

    def losses(
        self,
        features: Mapping[str, Tensor],
        pictures: Tensor,
        sizes: list[tuple[int, int]],
        proposals: Sequence[Tensor],
        matched: Sequence[Tensor],
        labels: Sequence[Tensor],
        targets: Sequence[Mapping[str, Tensor | Sequence[Tensor]]],
    ) -> dict[str, Tensor]:
        """{"outline", "refined outline"} over regions on cells whose outline is known; zeros where there is none.

        `matched` holds the index of the cell of each proposal, `labels` 1 where it lies on one; targets["outlines"]
        holds an outline (K, 2) a cell, empty where nobody has drawn it.
        """
        regions, outlines = [], []
        for boxes, cells, label, target in zip(proposals, matched, labels, targets, strict=True):
            known = target["outlines"]
            on_cell = [i for i in torch.where(label == 1)[0].tolist() if len(known[int(cells[i])])]
            chosen = [on_cell[i] for i in torch.randperm(len(on_cell))[:MOST_REGIONS].tolist()]
            regions.append(enlarged(boxes[chosen], GROUND))
            outlines += [known[int(cells[i])] for i in chosen]
        if not outlines:
            nothing = pictures.new_zeros(())
            return {"outline": nothing, "refined outline": nothing}
        wanted = inside(outlines, torch.cat(regions).cpu(), FINE).to(pictures.device)
        wanted_coarse = interpolate(wanted[:, None], size=(COARSE, COARSE), mode="area")[:, 0]
        coarse = self.coarse(features, regions, sizes)
        # The refinement starts from what the branch says, and is no reason for the branch to say it otherwise.
        refined = self.refine(coarse.detach(), pictures, regions)
        return {
            "outline": binary_cross_entropy_with_logits(coarse, wanted_coarse),
            "refined outline": binary_cross_entropy_with_logits(refined, wanted),
        }


def _convolution(inputs: int, outputs: int, *, stride: int = 1, dilation: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=dilation, dilation=dilation), nn.ReLU(inplace=True)
    )
