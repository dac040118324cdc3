"""COCO metrics of boxes with a cap of 500 detections an image, and the threshold that costs people least work."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision
from torchvision.ops import box_iou

CAP = 500
# Without anything to choose by. Chosen on images 101 to 200 of blood-fields' train, where corrections are fewest from
# here on; the simulated loop on blood draws from the same folder, so its figures are not free of this choice.
DEFAULT_THRESHOLD = 0.6
THRESHOLDS = tuple(round(float(t), 2) for t in np.arange(0.1, 0.96, 0.05))
# From this IoU on a proposal is accepted as it is; from the lower one it is worth moving.
ACCEPTED_FROM, MOVED_FROM = 0.7, 0.3

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


def corrections(detections: Sequence[Detections], truth: Sequence[Truth], threshold: float) -> int:
    """How many corrections the proposals at or above a score ask for: moved, deleted and added."""
    total = 0
    for found, there in zip(detections, truth, strict=True):
        shown = found["boxes"][found["scores"] >= threshold]
        overlap = box_iou(shown, there["boxes"]).numpy()
        matched_shown: set[int] = set()
        matched_there: set[int] = set()
        for flat in np.argsort(-overlap, axis=None, kind="stable"):
            i, j = (int(index) for index in np.unravel_index(flat, overlap.shape))
            if overlap[i, j] < MOVED_FROM:
                break
            if i in matched_shown or j in matched_there:
                continue
            matched_shown.add(i)
            matched_there.add(j)
            total += bool(overlap[i, j] < ACCEPTED_FROM)
        total += len(there["boxes"]) - len(matched_there)
        spare = [i for i in range(len(shown)) if i not in matched_shown]
        if spare:
            from training.detector import IGNORED_SHARE, share_in

            total += int((share_in(shown[spare], there["ignored"]) < IGNORED_SHARE).sum())
    return total


def best_threshold(detections: Sequence[Detections], truth: Sequence[Truth]) -> float:
    """The score from which on proposals are shown, by fewest corrections; the middle of the best where several tie."""
    costs = [corrections(detections, truth, threshold) for threshold in THRESHOLDS]
    best = [threshold for threshold, cost in zip(THRESHOLDS, costs, strict=True) if cost == min(costs)]
    return best[len(best) // 2]
