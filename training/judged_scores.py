"""What a round's scores are worth on the images that judged it: how often they are right before and after calibration,
and the corrections that each score threshold asks for. From the images of judged.json; free of torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.calibration import Calibration, hits_of
from training.corrections import THRESHOLDS, Corrections, corrections, fewest
from training.reliability import Reliability, reliability


@dataclass(frozen=True)
class JudgedScores:
    """`before` and `after` calibration of all detections; `shown` of those at or above the threshold, after it.

    `by_threshold` are the corrections at each of THRESHOLDS, `best` the threshold among them with the fewest.
    """

    images: int
    cells: int
    before: Reliability
    after: Reliability
    shown: Reliability
    threshold: float
    at_threshold: Corrections
    by_threshold: Sequence[tuple[float, Corrections]]
    best: float

    @property
    def fewest(self) -> Corrections:
        return dict(self.by_threshold)[self.best]


def judged_scores(images: Sequence[Mapping[str, Any]], calibration: Calibration, threshold: float) -> JudgedScores:
    """Of the images of judged.json, whose scores are not calibrated, and of what the bundle's card says of them."""
    truth = [{"boxes": image["truth"], "ignored": image["ignored"]} for image in images]
    raw, hits = hits_of(images, truth)
    scores = calibration(raw)
    found = calibration.applied([{**image, "scores": np.asarray(image["scores"], dtype=float)} for image in images])
    *costs, at_threshold = corrections(found, truth, [*THRESHOLDS, threshold])
    seen = scores >= threshold
    return JudgedScores(
        images=len(images),
        cells=sum(len(image["truth"]) for image in images),
        before=reliability(raw, hits),
        after=reliability(scores, hits),
        shown=reliability(scores[seen], hits[seen]),
        threshold=threshold,
        at_threshold=at_threshold,
        by_threshold=list(zip(THRESHOLDS, costs, strict=True)),
        best=fewest(THRESHOLDS, costs),
    )
