"""From scores to probabilities: a logistic curve through the detections on images that neither train nor judge.

Platt (1999), "Probabilistic outputs for support vector machines": of a score s the probability that the detection is a
cell's is 1 / (1 + exp(-(slope * logit(s) + offset))). It keeps the order of scores, so no metric of COCO's changes.
Free of torch: detections and truth are those of training/corrections.py.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.box_overlap import as_boxes, in_ignored, iou
from training.corrections import Fields

# From this IoU on a detection counts as that of a cell.
HIT_FROM = 0.5
# Fewer detections say nothing of a curve.
LEAST_DETECTIONS = 20
# Weight of the belief that scores are probabilities already, which few detections should not overthrow.
BELIEF = 0.01
_EDGE = 1e-4
# Newton's steps, of which a handful is needed.
_MOST_STEPS = 100

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """Slope and offset of the curve, fitted to so many detections; with 1 and 0 scores stay as they are."""

    slope: float = 1.0
    offset: float = 0.0
    detections: int = 0

    def __call__(self, scores: Any) -> Any:
        """Scores (N,) from 0 to 1 to probabilities: an array of an array, a tensor of a tensor."""
        if self.slope == 1.0 and self.offset == 0.0:
            return scores
        inside = scores.clip(_EDGE, 1 - _EDGE)
        return 1 / (1 + math.exp(-self.offset) * ((1 - inside) / inside) ** self.slope)

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

    def applied(self, detections: Fields) -> list[dict[str, Any]]:
        return [{**one, "scores": self(one["scores"])} for one in detections]


def fit_calibration(detections: Fields, truth: Fields) -> Calibration:
    """The curve of these detections; scores stay as they are where there are too few, or all are alike."""
    scores, hits = hits_of(detections, truth)
    if len(scores) < LEAST_DETECTIONS or hits.min() == hits.max():
        return Calibration()
    inside = scores.clip(_EDGE, 1 - _EDGE)
    terms = np.stack([np.log(inside / (1 - inside)), np.ones(len(scores))], axis=1)
    slope, offset = (float(value) for value in _fitted(terms, hits))
    # A falling curve would turn the order around: such scores say nothing, and stay as they are.
    return Calibration(slope, offset, len(scores)) if slope > 0 else Calibration()


def _fitted(terms: Values, hits: Values) -> Values:
    """Slope and offset (2,) of least cross entropy and disbelief, by Newton's method; the loss is convex."""
    start = np.array([1.0, 0.0])

    def loss(curve: Values) -> float:
        z = terms @ curve
        return float((np.logaddexp(0, z) - hits * z).mean() + BELIEF * ((curve - start) ** 2).sum())

    curve = start
    for _ in range(_MOST_STEPS):
        chance = np.exp(-np.logaddexp(0, -(terms @ curve)))
        gradient = terms.T @ (chance - hits) / len(hits) + 2 * BELIEF * (curve - start)
        curvature = (terms * (chance * (1 - chance))[:, None]).T @ terms / len(hits) + 2 * BELIEF * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        # A whole step can lead too far where the curve is flat.
        while loss(curve - step) > loss(curve) and np.abs(step).max() > 1e-9:
            step = step / 2
        curve = curve - step
        if np.abs(step).max() <= 1e-9:
            break
    return curve


def hits_of(detections: Fields, truth: Fields) -> tuple[Values, Values]:
    """Scores (N,) of all detections and whether each is a cell's (1.0 or 0.0): best first one to one with the cells.
    What lies in ignored regions is left out."""
    scores, hits = [], []
    for found, there in zip(detections, truth, strict=True):
        boxes = as_boxes(found["boxes"])
        overlap = iou(boxes, as_boxes(there["boxes"]))
        ignored = in_ignored(boxes, as_boxes(there["ignored"]))
        own = np.asarray(found["scores"], dtype=float)
        near: dict[int, list[int]] = defaultdict(list)
        for i, j in zip(*(places.tolist() for places in np.nonzero(overlap >= HIT_FROM)), strict=True):
            near[i].append(j)
        taken: set[int] = set()
        for i in np.argsort(-own, kind="stable").tolist():
            free = [j for j in near.get(i, ()) if j not in taken]
            if free:
                taken.add(max(free, key=lambda j: overlap[i, j]))
            elif ignored[i]:
                continue
            scores.append(own[i])
            hits.append(float(bool(free)))
    return np.asarray(scores, dtype=float), np.asarray(hits, dtype=float)
