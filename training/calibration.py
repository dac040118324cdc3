"""From scores to probabilities: a logistic curve through the detections on images that neither train nor judge.

Platt (1999), "Probabilistic outputs for support vector machines": of a score s the probability that the detection is a
cell's is 1 / (1 + exp(-(slope * logit(s) + offset))). It keeps the order of scores, so no metric of COCO's changes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torchvision.ops import box_iou

from training.detection_metrics import Detections, Truth

# From this IoU on a detection counts as that of a cell.
HIT_FROM = 0.5
# Fewer detections say nothing of a curve.
LEAST_DETECTIONS = 20
# Weight of the belief that scores are probabilities already, which few detections should not overthrow.
BELIEF = 0.01
_EDGE = 1e-4


@dataclass(frozen=True)
class Calibration:
    """Slope and offset of the curve, fitted to so many detections; with 1 and 0 scores stay as they are."""

    slope: float = 1.0
    offset: float = 0.0
    detections: int = 0

    def __call__(self, scores: Tensor) -> Tensor:
        """Scores (N,) from 0 to 1 to probabilities."""
        if self.slope == 1.0 and self.offset == 0.0:
            return scores
        return (self.slope * scores.clamp(_EDGE, 1 - _EDGE).logit() + self.offset).sigmoid()

    @classmethod
    def mean(cls, curves: "Sequence[Calibration]") -> "Calibration":
        """What the curves of several folds say together."""
        count = len(curves)
        return cls(
            sum(c.slope for c in curves) / count,
            sum(c.offset for c in curves) / count,
            sum(c.detections for c in curves),
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_card(cls, card: dict[str, Any]) -> "Calibration":
        """Of a bundle's card; those made before there was any say nothing, and keep their scores."""
        stated = card.get("calibration") or {}
        return cls(float(stated.get("slope", 1.0)), float(stated.get("offset", 0.0)), int(stated.get("detections", 0)))

    def applied(self, detections: Sequence[Detections]) -> list[Detections]:
        return [{**one, "scores": self(one["scores"])} for one in detections]


def fit_calibration(detections: Sequence[Detections], truth: Sequence[Truth]) -> Calibration:
    """The curve of these detections; scores stay as they are where there are too few, or all are alike."""
    scores, hits = _judged(detections, truth)
    if len(scores) < LEAST_DETECTIONS or hits.min() == hits.max():
        return Calibration()
    logits = scores.clamp(_EDGE, 1 - _EDGE).logit()
    curve = torch.tensor([1.0, 0.0], requires_grad=True)
    optimizer = torch.optim.LBFGS([curve], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value: Tensor = binary_cross_entropy_with_logits(curve[0] * logits + curve[1], hits)
        value = value + BELIEF * ((curve - torch.tensor([1.0, 0.0])) ** 2).sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with torch.enable_grad():
        optimizer.step(loss)  # type: ignore[no-untyped-call]
    slope, offset = curve.detach().tolist()
    # A falling curve would turn the order around: such scores say nothing, and stay as they are.
    return Calibration(slope, offset, len(scores)) if slope > 0 else Calibration()


def reliability(
    detections: Sequence[Detections], truth: Sequence[Truth], bins: int = 10
) -> tuple[list[dict[str, float]], float]:
    """What a reliability plot shows ({"score": mean, "hits": share, "detections"} of each bin that holds any), and the
    expected calibration error."""
    scores, hits = _judged(detections, truth)
    rows, error = [], 0.0
    for low in range(bins):
        of_bin = (scores * bins).long().clamp(max=bins - 1) == low
        if count := int(of_bin.sum()):
            mean, share = float(scores[of_bin].mean()), float(hits[of_bin].mean())
            rows.append({"score": mean, "hits": share, "detections": float(count)})
            error += abs(mean - share) * count / len(scores)
    return rows, error


def _judged(detections: Sequence[Detections], truth: Sequence[Truth]) -> tuple[Tensor, Tensor]:
    """Scores and whether each is a hit (1.0), best first one to one with the cells; ignored regions are left out."""
    from training.detector import IGNORED_SHARE, share_in

    scores, hits = [], []
    for found, there in zip(detections, truth, strict=True):
        overlap = box_iou(found["boxes"], there["boxes"])
        ignored = share_in(found["boxes"], there["ignored"]) >= IGNORED_SHARE
        taken: set[int] = set()
        for i in found["scores"].argsort(descending=True).tolist():
            free = [j for j in range(overlap.shape[1]) if j not in taken and overlap[i, j] >= HIT_FROM]
            if free:
                taken.add(max(free, key=lambda j: float(overlap[i, j])))
            elif ignored[i]:
                continue
            scores.append(float(found["scores"][i]))
            hits.append(float(bool(free)))
    return torch.tensor(scores), torch.tensor(hits)
