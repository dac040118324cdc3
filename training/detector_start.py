"""What a round of a detector starts from: the scale of its images, the network's shape, and the parent's weights."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from safetensors.torch import load_file

from training.backbone import LEVELS
from training.bundle import BundleFiles
from training.detection_data import Sample, anchor_sides, clipped_size, has_outline, training_size, typical_side
from training.detector import Architecture, CellDetector, build_detector
from training.settings import DetectorSettings
from training.snapshot import Snapshot

HEAD = 512
# How often boxes are looked at again: a third look moved them no nearer (measured on blood).
LOOKS = 2
# Fewer outlines teach a mask branch less than an ellipse in the box says already.
LEAST_OUTLINES = 20


def outlines_in(snapshot: Snapshot) -> int:
    """Cells whose outline somebody has drawn or corrected."""
    return sum(has_outline(border) for image in snapshot.images for border in image["borders"] if not border["ignored"])


def starting_size(snapshot: Snapshot, settings: DetectorSettings, parent: BundleFiles | None) -> int:
    """The long side in px at which the images are trained: as set, else as the cells or the parent's anchors want."""
    if settings.size:
        return settings.size
    if parent is not None and parent.card["study"] == snapshot.manifest["study"]:
        return int(parent.card["inputs"]["size"])
    size, side = training_size(snapshot.images), typical_side(snapshot.images)
    if parent is None or not side:
        return size
    # Cells of another study that are larger or smaller than any that the parent knows must be brought to its anchors.
    anchors = [float(side) for side in parent.card["architecture"]["anchors"]]
    return size if min(anchors) <= size / side <= max(anchors) else clipped_size(median(anchors) * side)


def starting_network(
    train: Sequence[Sample], settings: DetectorSettings, parent: BundleFiles | None, *, outlines: bool
) -> CellDetector:
    """The network before its first step; `outlines` gives it a mask branch where the parent has none.

    A parent's weights come with its anchors, since they mean nothing with others; what it lacks begins at random.
    """
    if parent is None:
        anchors = anchor_sides(train, LEVELS + 1)
        architecture = Architecture(settings.backbone, settings.pyramid, HEAD, anchors, settings.nms, LOOKS, outlines)
        return build_detector(architecture, frozen_stages=settings.frozen_stages, pretrained=True)
    known = Architecture.from_dict(parent.card["architecture"])
    architecture = replace(known, nms=settings.nms, looks=LOOKS, outlines=known.outlines or outlines)
    model = build_detector(architecture, frozen_stages=settings.frozen_stages)
    grown = [
        branch for branch, new in (("box_refinement.", not known.looks), ("outline_branch.", not known.outlines)) if new
    ]
    lacking = model.load_state_dict(load_file(parent.weights), strict=False)
    strange = [n for n in lacking.missing_keys if not n.startswith(tuple(grown))] + lacking.unexpected_keys
    if strange:
        raise ValueError(f"The weights of the parent {parent.id} do not fit its card: {strange[0]}.")
    return model
