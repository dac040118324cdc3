"""How well cells are told apart: ranking (AUROC, AUPRC), decisions (precision, recall, F1), confusion, each with an
interval that resamples patients.

Cells of one patient resemble each other, so 40 cells of one patient are not 40 trials: intervals draw patients with
replacement (percentile bootstrap), and every metric takes `counts`, how often a cell is drawn. What cannot be said,
such as AUROC of one class alone, is NaN. Free of torch and Django.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]
Metric = Callable[[Values], float]

DRAWS = 1000
LEVEL = 0.95
# From this probability on a cell counts as one of the class.
DECIDED_FROM = 0.5
# Points of a curve to be drawn: more than a screen can tell apart.
MOST_POINTS = 400


@dataclass(frozen=True)
class Estimate:
    """A metric and its interval by patients; NaN where it cannot be said."""

    value: float
    low: float = math.nan
    high: float = math.nan

    def as_dict(self, digits: int = 4) -> dict[str, float | None]:
        """For JSON, which knows no NaN."""
        stated = {"value": self.value, "low": self.low, "high": self.high}
        return {name: None if math.isnan(each) else round(each, digits) for name, each in stated.items()}


@dataclass(frozen=True)
class Curve:
    """Points (x, y) of a curve, and the threshold from which cells are taken at each; the first point takes none."""

    x: list[float]
    y: list[float]
    thresholds: list[float | None]


@dataclass(frozen=True)
class PatientScore:
    """One patient's cells: how many, how many of the class, how many were taken for it and rightly so, and what share
    the probabilities promise (their mean), which ratios are made of."""

    patient: str
    cells: int
    positives: int
    taken: int
    hits: int
    share: float
    promised: float


def auroc(scores: ArrayLike, truth: ArrayLike, counts: ArrayLike | None = None) -> float:
    """The chance that a cell of the class scores above one that is not; equal scores count half. Inputs (n,)."""
    return _auroc(*_passed(scores, truth, counts)[:2])


def auprc(scores: ArrayLike, truth: ArrayLike, counts: ArrayLike | None = None) -> float:
    """Average precision: the mean over the cells of the class of the precision at their score. Inputs (n,)."""
    return _auprc(*_passed(scores, truth, counts)[:2])


def roc_curve(scores: ArrayLike, truth: ArrayLike) -> Curve:
    """x: share of others taken, y: share of the class taken."""
    hits, misses, thresholds = _passed(scores, truth, None)
    return _curve(_share(misses), _share(hits), thresholds)


def precision_recall_curve(scores: ArrayLike, truth: ArrayLike) -> Curve:
    """x: recall, y: precision; the first point repeats the precision of the second."""
    hits, misses, thresholds = _passed(scores, truth, None)
    precision = hits[1:] / (hits[1:] + misses[1:])
    return _curve(_share(hits), np.concatenate([precision[:1], precision]), thresholds)


def confusion(truth: ArrayLike, predicted: ArrayLike, classes: int, counts: ArrayLike | None = None) -> Values:
    """(K, K) cells by class (rows: truth; columns: predicted), of class numbers (n,) from 0 to K - 1."""
    place = np.asarray(truth, dtype=int) * classes + np.asarray(predicted, dtype=int)
    weights = None if counts is None else np.asarray(counts, dtype=float)
    return np.bincount(place, weights, classes * classes).astype(float).reshape(classes, classes)


def precision_recall_f1(matrix: Values) -> tuple[Values, Values, Values]:
    """Of each class (K,), from a confusion matrix (K, K). Precision is NaN for a class that was never predicted, recall
    and F1 for one that has no cells."""
    hits, true, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = np.where(true > 0, 2 * hits / (true + predicted), math.nan)
        return hits / predicted, hits / true, f1


def macro_f1(matrix: Values, classes: Sequence[int]) -> float:
    """The mean F1 of these classes; those that have no cells are left out."""
    f1 = precision_recall_f1(matrix)[2][list(classes)]
    return float(f1[~np.isnan(f1)].mean()) if (~np.isnan(f1)).any() else math.nan


def with_interval(metric: Metric, patients: Sequence[str], *, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """The metric of all cells, and the interval that holds 95 % of its values where patients are drawn anew.

    `metric` takes how often each cell is drawn, counts (n,). Draws of which it cannot be said are left out; where they
    are most of them, or there is one patient, there is no interval.
    """
    names, of_cell = np.unique(np.asarray(patients), return_inverse=True)
    value = metric(np.ones(len(of_cell)))
    if len(names) < 2 or math.isnan(value):
        return Estimate(value)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws).astype(float)
    values = np.array([metric(each[of_cell]) for each in drawn])
    values = values[~np.isnan(values)]
    if len(values) < draws / 2:
        return Estimate(value)
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    # With few patients draws can all lie on one side of the value.
    return Estimate(value, min(float(low), value), max(float(high), value))


def binary_estimates(
    probabilities: ArrayLike,
    truth: ArrayLike,
    patients: Sequence[str],
    *,
    threshold: float = DECIDED_FROM,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Estimate]:
    """auroc, auprc, precision, recall and f1 of one class against all others, of probabilities and truth (n,)."""
    scores, true = np.asarray(probabilities, dtype=float), np.asarray(truth, dtype=bool)
    order = np.argsort(-scores, kind="stable")
    ranked, ranked_true, groups = scores[order], true[order], np.asarray(patients)[order].tolist()
    ends = _ends(ranked)
    taken = (ranked >= threshold).astype(int)

    def decided(which: int) -> Metric:
        return lambda counts: float(precision_recall_f1(confusion(ranked_true, taken, 2, counts))[which][1])

    metrics: dict[str, Metric] = {
        "auroc": lambda counts: _auroc(*_cumulated(ranked_true, counts, ends)),
        "auprc": lambda counts: _auprc(*_cumulated(ranked_true, counts, ends)),
        "precision": decided(0),
        "recall": decided(1),
        "f1": decided(2),
    }
    return {name: with_interval(metric, groups, draws=draws, seed=seed) for name, metric in metrics.items()}


def multiclass_estimates(
    truth: ArrayLike,
    predicted: ArrayLike,
    patients: Sequence[str],
    judged: Mapping[int, str],
    classes: int,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Any]:
    """macro_f1 over the judged classes ({class number: name}) and the F1 of each ({name: Estimate}). Cells of classes
    that are not judged count as false where they are taken for one that is."""
    true, guess = np.asarray(truth, dtype=int), np.asarray(predicted, dtype=int)

    def f1(which: Sequence[int]) -> Estimate:
        return with_interval(
            lambda counts: macro_f1(confusion(true, guess, classes, counts), which), patients, draws=draws, seed=seed
        )

    return {"macro_f1": f1(list(judged)), "f1": {name: f1([number]) for number, name in judged.items()}}


def by_patient(
    probabilities: ArrayLike, truth: ArrayLike, patients: Sequence[str], threshold: float = DECIDED_FROM
) -> list[PatientScore]:
    """One entry a patient, in the order of their names."""
    scores, true, groups = np.asarray(probabilities, dtype=float), np.asarray(truth, dtype=bool), np.asarray(patients)
    taken = scores >= threshold
    found = []
    for name in np.unique(groups):
        own = groups == name
        found.append(
            PatientScore(
                patient=str(name),
                cells=int(own.sum()),
                positives=int(true[own].sum()),
                taken=int(taken[own].sum()),
                hits=int((taken & true)[own].sum()),
                share=float(true[own].mean()),
                promised=float(scores[own].mean()),
            )
        )
    return found


def _passed(scores: ArrayLike, truth: ArrayLike, counts: ArrayLike | None) -> tuple[Values, Values, Values]:
    """Cells of the class and others (m + 1,) that score at least the threshold (m + 1,); the first takes none."""
    values, true = np.asarray(scores, dtype=float), np.asarray(truth, dtype=bool)
    order = np.argsort(-values, kind="stable")
    ranked = values[order]
    ends = _ends(ranked)
    drawn = np.ones(len(values)) if counts is None else np.asarray(counts, dtype=float)[order]
    hits, misses = _cumulated(true[order], drawn, ends)
    return hits, misses, np.concatenate([[math.inf], ranked[ends]])


def _ends(ranked: Values) -> NDArray[np.intp]:
    """Where runs of equal scores end: cells of one score are taken together."""
    return np.flatnonzero(np.append(np.diff(ranked) != 0, True)) if len(ranked) else np.zeros(0, dtype=np.intp)


def _cumulated(true: NDArray[np.bool_], counts: Values, ends: NDArray[np.intp]) -> tuple[Values, Values]:
    hits, all_taken = np.cumsum(counts * true)[ends], np.cumsum(counts)[ends]
    return np.concatenate([[0.0], hits]), np.concatenate([[0.0], all_taken - hits])


def _auroc(hits: Values, misses: Values) -> float:
    pairs = hits[-1] * misses[-1]
    if not pairs:
        return math.nan
    return float((np.diff(misses) * (hits[1:] + hits[:-1])).sum() / 2 / pairs)


def _auprc(hits: Values, misses: Values) -> float:
    if not hits[-1]:
        return math.nan
    taken = hits[1:] + misses[1:]
    precision = np.divide(hits[1:], taken, out=np.zeros_like(taken), where=taken > 0)
    return float((np.diff(hits) * precision).sum() / hits[-1])


def _share(cumulated: Values) -> Values:
    if not cumulated[-1]:
        return np.full_like(cumulated, math.nan)
    share: Values = cumulated / cumulated[-1]
    return share


def _curve(x: Values, y: Values, thresholds: Values) -> Curve:
    keep = np.arange(len(x))
    if len(x) > MOST_POINTS:
        # Corners are where curves have their shape: points at even steps along the curve, both ends among them.
        along = np.cumsum(np.hypot(np.diff(x, prepend=x[0]), np.diff(y, prepend=y[0])))
        keep = np.unique(np.searchsorted(along, np.linspace(0, along[-1], MOST_POINTS)).clip(max=len(x) - 1))
        keep = np.unique(np.concatenate([[0], keep, [len(x) - 1]]))
    cuts = [None if math.isinf(each) else float(each) for each in thresholds[keep]]
    return Curve(np.round(x[keep], 5).tolist(), np.round(y[keep], 5).tolist(), cuts)
