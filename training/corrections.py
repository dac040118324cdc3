"""Corrections that the proposals from a score on ask people for, and the score that asks for fewest. Free of torch.

Of each image detections are {"boxes": (N, 4), "scores": (N,)} and truth {"boxes": (N, 4), "ignored": (M, 4)}, as
arrays, lists or tensors on the CPU.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.box_overlap import as_boxes, in_ignored, iou

# Without anything to choose by. Chosen on images 101 to 200 of blood-fields' train, where corrections are fewest from
# here on; the simulated loop on blood draws from the same folder, so its figures are not free of this choice.
DEFAULT_THRESHOLD = 0.6
THRESHOLDS = tuple(round(float(t), 2) for t in np.arange(0.1, 0.96, 0.05))
# From this IoU on a proposal is accepted as it is; from the lower one it is worth moving.
ACCEPTED_FROM, MOVED_FROM = 0.7, 0.3

Fields = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Corrections:
    """What people have to do to the proposals of some images."""

    moved: int = 0
    deleted: int = 0
    added: int = 0

    @property
    def total(self) -> int:
        return self.moved + self.deleted + self.added


def corrections(detections: Fields, truth: Fields, thresholds: Sequence[float]) -> list[Corrections]:
    """The corrections that the proposals at or above each score ask for. The closest pairs belong together first; what
    lies in an ignored region asks for nothing."""
    totals = [[0, 0, 0] for _ in thresholds]
    for found, there in zip(detections, truth, strict=True):
        boxes, cells, scores = as_boxes(found["boxes"]), as_boxes(there["boxes"]), np.asarray(found["scores"])
        overlap = iou(boxes, cells)
        rows, columns = np.nonzero(overlap >= MOVED_FROM)
        order = np.argsort(-overlap[rows, columns], kind="stable")
        pairs = [(int(rows[k]), int(columns[k])) for k in order]
        wrong = ~in_ignored(boxes, as_boxes(there["ignored"]))
        for total, threshold in zip(totals, thresholds, strict=True):
            shown = scores >= threshold
            spare, missing = shown.tolist(), [True] * len(cells)
            for i, j in pairs:
                if spare[i] and missing[j]:
                    spare[i] = missing[j] = False
                    total[0] += bool(overlap[i, j] < ACCEPTED_FROM)
            total[1] += int((wrong & np.asarray(spare, dtype=bool)).sum())
            total[2] += sum(missing)
    return [Corrections(*total) for total in totals]


def best_threshold(detections: Fields, truth: Fields) -> float:
    """The score from which on proposals are shown, by fewest corrections."""
    return fewest(THRESHOLDS, corrections(detections, truth, THRESHOLDS))


def fewest(thresholds: Sequence[float], costs: Sequence[Corrections]) -> float:
    """The threshold that asks for fewest corrections; the middle of the best where several tie."""
    least = min(cost.total for cost in costs)
    best = [threshold for threshold, cost in zip(thresholds, costs, strict=True) if cost.total == least]
    return best[len(best) // 2]
