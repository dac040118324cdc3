"""COCO metrics of boxes with a cap of 500 detections an image."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision

CAP = 500

Detections = dict[str, Tensor]  # boxes (N, 4), scores (N,)
Truth = dict[str, Tensor]  # boxes (N, 4), ignored (M, 4)


def coco_metrics(detections: Sequence[Detections], truth: Sequence[Truth]) -> dict[str, float]:
    """map, map_50, map_75 and mar; ignored regions count as COCO's crowd, neither hit nor miss."""
    metric = MeanAveragePrecision(
        box_format="xyxy", iou_type="bbox", max_detection_thresholds=[1, 10, CAP], backend="faster_coco_eval"
    )
    metric.warn_on_many_detections = False
    for found, there in zip(detections, truth, strict=True):
        boxes = torch.cat([there["boxes"], there["ignored"]])
        crowd = torch.cat([torch.zeros(len(there["boxes"])), torch.ones(len(there["ignored"]))]).int()
        metric.update(
            [{**found, "labels": torch.ones(len(found["boxes"]), dtype=torch.int64)}],
            [{"boxes": boxes, "labels": torch.ones(len(boxes), dtype=torch.int64), "iscrowd": crowd}],
        )
    result = metric.compute()
    names = {"map": "map", "map_50": "map_50", "map_75": "map_75", "mar": f"mar_{CAP}"}
    return {name: max(0.0, float(result[key])) for name, key in names.items()}
