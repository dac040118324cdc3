"""The Faster R-CNN (torchvision's) over a pyramid backbone, with regions where nothing is learned.

An ignored region neither rewards nor punishes: anchors and proposals that lie in it and on no cell take no part in
the loss. With a mask branch (outline_branch.py) it is a Mask R-CNN, which gives cells their outline.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import MultiScaleRoIAlign, box_area, nms

from training.backbone import LEVELS, PyramidBackbone
from training.box_overlap import IGNORED_SHARE
from training.box_refinement import BoxRefinement, tightness
from training.outline_branch import GROUND, OutlineBranch
from training.outline_targets import enlarged

# tf_efficientnet_lite0 was trained on pixels from -1 to 1.
MEAN = (0.5, 0.5, 0.5)
STD = (0.5, 0.5, 0.5)
RATIOS = (0.7, 1.0, 1.4)
SCORE_FLOOR = 0.05
MOST_DETECTIONS = 500
# From this score on a detection gets an outline; the logits of all others say that there is no cell.
OUTLINED_FROM = 0.2
NO_CELL = -20.0


@dataclass(frozen=True)
class Architecture:
    """What must be known to build the network again and load its weights."""

    backbone: str
    pyramid: int
    head: int
    anchors: tuple[float, ...]  # side in px at training scale, one a pyramid level
    nms: float
    looks: int = 0  # how often boxes are looked at again
    outlines: bool = False  # with a mask branch
    name: str = "faster_rcnn"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, card: dict[str, Any]) -> "Architecture":
        """Raises KeyError, TypeError or ValueError where the card lacks something."""
        if card["name"] != "faster_rcnn":
            raise ValueError(f"unknown architecture {card['name']!r}")
        anchors = tuple(float(side) for side in card["anchors"])
        if len(anchors) != LEVELS + 1:
            raise ValueError(f"{LEVELS + 1} anchors are needed, not {len(anchors)}")
        return cls(
            str(card["backbone"]),
            int(card["pyramid"]),
            int(card["head"]),
            anchors,
            float(card["nms"]),
            # Bundles made before there were these say nothing of them.
            int(card.get("looks", 0)),
            bool(card.get("outlines", False)),
        )


def share_in(boxes: Tensor, regions: Tensor) -> Tensor:
    """(N,) the largest share of each of (N, 4) boxes that lies in one of (M, 4) regions."""
    if regions.numel() == 0:
        return boxes.new_zeros(len(boxes))
    low = torch.max(boxes[:, None, :2], regions[None, :, :2])
    high = torch.min(boxes[:, None, 2:], regions[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(dim=2)
    return (shared / box_area(boxes)[:, None].clamp(min=1e-6)).max(dim=1).values


class IgnoringRPN(RegionProposalNetwork):
    """Region proposals that learn nothing from background anchors in ignored regions."""

    def assign_targets_to_anchors(
        self, anchors: list[Tensor], targets: list[dict[str, Tensor]]
    ) -> tuple[list[Tensor], list[Tensor]]:
        labels, matched = super().assign_targets_to_anchors(anchors, targets)
        for label, anchor, target in zip(labels, anchors, targets, strict=True):
            label[(label == 0) & (share_in(anchor, target["ignored"]) >= IGNORED_SHARE)] = -1
        return labels, matched


class IgnoringRoIHeads(RoIHeads):
    """Box heads that learn nothing from background proposals in ignored regions."""

    ignored: Sequence[Tensor] = ()
    # What the last step learned from, for the mask branch: proposals, index of the cell of each, and 1 where on one.
    sampled: tuple[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]] = ((), (), ())

    def select_training_samples(self, proposals: list[Tensor], targets: list[dict[str, Tensor]]) -> Any:
        self.ignored = [target["ignored"] for target in targets]
        proposals, matched, labels, wanted = super().select_training_samples(proposals, targets)
        self.sampled = (proposals, matched, labels)
        return proposals, matched, labels, wanted

    def assign_targets_to_proposals(
        self, proposals: list[Tensor], gt_boxes: list[Tensor], gt_labels: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        matched, labels = super().assign_targets_to_proposals(proposals, gt_boxes, gt_labels)
        for label, proposal, regions in zip(labels, proposals, self.ignored, strict=True):
            label[(label == 0) & (share_in(proposal, regions) >= IGNORED_SHARE)] = -1
        return matched, labels


class FixedScale(GeneralizedRCNNTransform):
    """Normalises and batches; images come at the scale they are meant to have."""

    def resize(self, image: Tensor, target: dict[str, Tensor] | None = None) -> tuple[Tensor, dict[str, Tensor] | None]:
        return image, target


class CellDetector(FasterRCNN):
    """torchvision's Faster R-CNN; where the architecture says so, its boxes are looked at again, and a mask branch
    gives their outlines."""

    architecture: Architecture
    box_refinement: BoxRefinement | None
    outline_branch: OutlineBranch | None

    def forward(
        self, images: list[Tensor], targets: list[dict[str, Any]] | None = None
    ) -> dict[str, Tensor] | list[dict[str, Tensor]]:
        """Losses by name while training; else for each image {"boxes" (N, 4), "scores" (N,), "labels"}, of boxes looked
        at again "tightness" (N,) at the last look, and with a mask branch "coarse" (N, COARSE, COARSE), its logits in
        the frame of the enlarged boxes."""
        batch, targets = self.transform(images, targets)
        features = self.backbone(batch.tensors)
        proposals, losses = self.rpn(batch, features, targets)
        found, box_losses = self.roi_heads(features, proposals, batch.image_sizes, targets)
        if self.training:
            losses = losses | box_losses
            if self.box_refinement is not None:
                cells = [target["boxes"] for target in targets or ()]
                losses["box refinement"] = self.box_refinement.loss(features, batch.image_sizes, cells)
            if self.outline_branch is not None:
                proposals, matched, labels = self.roi_heads.sampled
                losses |= self.outline_branch.losses(
                    features, batch.tensors, batch.image_sizes, proposals, matched, labels, targets
                )
            return dict(losses)
        if self.box_refinement is not None:
            for _ in range(self.architecture.looks):
                moved = self.box_refinement(features, [one["boxes"] for one in found], batch.image_sizes)
                for one, boxes in zip(found, moved, strict=True):
                    one |= {"boxes": boxes, "tightness": tightness(one["boxes"], boxes)}
            for one in found:
                # Two that lay apart may have been moved onto one cell.
                kept = nms(one["boxes"], one["scores"], self.architecture.nms)
                one |= {name: values[kept] for name, values in one.items()}
        if self.outline_branch is not None:
            # Best first: the rest are hundreds that nobody will see.
            likely = [int((one["scores"] >= OUTLINED_FROM).sum()) for one in found]
            regions = [enlarged(one["boxes"][:few], GROUND) for one, few in zip(found, likely, strict=True)]
            coarse = self.outline_branch.coarse(features, regions, batch.image_sizes)
            for one, logits in zip(found, coarse.split(likely), strict=True):
                none = logits.new_full((len(one["boxes"]) - len(logits), *logits.shape[1:]), NO_CELL)
                one["coarse"] = torch.cat([logits, none])
        return list(found)


def build_detector(architecture: Architecture, *, frozen_stages: int = 0, pretrained: bool = False) -> CellDetector:
    """The network with random heads, in channels-last layout, which a CPU convolves faster.

    Takes a list of images (3, H, W) from 0 to 1, and for training targets {"boxes" (N, 4), "labels" (N,) of ones,
    "ignored" (M, 4), "outlines": a list of (K, 2), empty where unknown} in px. Raises BackboneError.
    """
    backbone = PyramidBackbone(architecture.backbone, architecture.pyramid, frozen_stages, pretrained=pretrained)
    model = CellDetector(
        backbone,
        num_classes=None,
        image_mean=list(MEAN),
        image_std=list(STD),
        rpn_anchor_generator=AnchorGenerator(
            tuple((side,) for side in architecture.anchors), (RATIOS,) * len(architecture.anchors)
        ),
        # A smear holds up to 190 cells at a stride of 8: a quarter of torchvision's proposals finds them all.
        rpn_pre_nms_top_n_train=1000,
        rpn_pre_nms_top_n_test=800,
        rpn_post_nms_top_n_train=400,
        rpn_post_nms_top_n_test=MOST_DETECTIONS,
        rpn_batch_size_per_image=128,
        box_roi_pool=MultiScaleRoIAlign([str(i) for i in range(LEVELS)], output_size=7, sampling_ratio=2),
        box_head=TwoMLPHead(architecture.pyramid * 49, architecture.head),
        box_predictor=FastRCNNPredictor(architecture.head, 2),
        box_batch_size_per_image=128,
        box_score_thresh=SCORE_FLOOR,
        box_nms_thresh=architecture.nms,
        box_detections_per_img=MOST_DETECTIONS,
    )
    # The classes differ from torchvision's by what they leave out of the loss, not by what they hold.
    model.rpn.__class__ = IgnoringRPN
    model.roi_heads.__class__ = IgnoringRoIHeads
    model.transform = FixedScale(0, 0, list(MEAN), list(STD))
    model.architecture = architecture
    model.box_refinement = BoxRefinement(architecture.pyramid) if architecture.looks else None
    model.outline_branch = OutlineBranch(architecture.pyramid) if architecture.outlines else None
    layout: nn.Module = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert isinstance(layout, CellDetector)
    return layout
