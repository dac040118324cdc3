"""How far scores can be read as probabilities: the share of detections that are cells, against what scores promise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.calibration import Values

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Detections whose scores lie from `low` to `high`: how many, their mean score, and the share that are cells with
    its 95 % interval (Wilson's)."""

    low: float
    high: float
    detections: int
    promised: float
    share: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Reliability:
    """The bins that hold any, and over all detections: mean score, share of cells, and the mean distance of the two in
    a bin, weighted by its detections (the expected calibration error)."""

    bins: Sequence[Bin]
    detections: int
    promised: float
    share: float
    error: float


def reliability(scores: Values, hits: Values, bins: int = BINS) -> Reliability:
    """Of scores (N,) from 0 to 1 and whether each is a cell's (N,), as hits_of gives them; all 0 without any."""
    if not len(scores):
        return Reliability([], 0, 0.0, 0.0, 0.0)
    of_bin = (scores * bins).astype(int).clip(max=bins - 1)
    held = [_bin(each / bins, (each + 1) / bins, scores[of_bin == each], hits[of_bin == each]) for each in set(of_bin)]
    held.sort(key=lambda each: each.low)
    error = sum(abs(each.promised - each.share) * each.detections for each in held) / len(scores)
    return Reliability(held, len(scores), float(scores.mean()), float(hits.mean()), error)


def _bin(low: float, high: float, scores: Values, hits: Values) -> Bin:
    share = float(hits.mean())
    return Bin(float(low), float(high), len(scores), float(np.mean(scores)), share, share_interval(share, len(hits)))


def share_interval(share: float, count: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share among so many; they may be few, and the share 0 or 1."""
    z = 1.96
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    reach = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, centre - reach), min(1.0, centre + reach)
