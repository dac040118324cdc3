"""The stored features of cells for a classifier's round, and those that it computed for the store."""

from pathlib import Path

import numpy as np

from annotation.cell_crops import cells_to_classify
from annotation.models import Study
from inference.cell_feature_jobs import keep, out_of_date
from inference.models import CellFeatures
from training.crop_features import Vectors, backbone_of, read_features, write_features


def give(study: Study, path: Path) -> None:
    """Write what is stored of the study's cells, as the backbone saw them that saw most. One query."""
    rows = CellFeatures.objects.filter(cell__in=cells_to_classify(study)).order_by()
    by_backbone: dict[str, Vectors] = {}
    for backbone, crop, packed in rows.values_list("backbone", "crop_hash", "vector").iterator():
        by_backbone.setdefault(backbone, {})[crop] = np.frombuffer(bytes(packed), dtype="<f2")
    if by_backbone:
        backbone = max(sorted(by_backbone), key=lambda name: len(by_backbone[name]))
        write_features(path, backbone, by_backbone[backbone])


def take(study: Study, path: Path) -> None:
    """Store what a round computed of cells that lack it; crops of borders that were changed since are nobody's."""
    backbone = backbone_of(path)
    if backbone is None:
        return
    vectors = read_features(path, backbone)
    wanted = [crop for crop in out_of_date(study, backbone) if crop.hash in vectors]
    for start in range(0, len(wanted), 1000):
        batch = wanted[start : start + 1000]
        keep(batch, [vectors[crop.hash] for crop in batch], backbone)
