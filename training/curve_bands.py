"""Bands around ROC and precision-recall curves by drawing patients anew, and the mean of the curves of folds.

Every curve is read at the same places, of the false-positive rate or of recall. Between two thresholds a ROC curve runs
straight. Precision does not: between two points the false positives grow in step with the true ones, and precision is
what follows from both (Davis and Goadrich, The relationship between precision-recall and ROC curves, 2006); a straight
line would flatter. The band holds 95 % of the draws at each place by itself, as in vertical averaging (Fawcett, An
introduction to ROC analysis, 2006): it is no promise that a whole curve lies within. Free of torch and Django.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.classification_metrics import DRAWS, LEVEL

Values = NDArray[np.float64]

PLACES: Values = np.linspace(0, 1, 51)
DIGITS = 4
# Of many thresholds the first ones, where each cell changes precision, and others at even steps along the ROC curve;
# scores between two of them are taken together.
_FIRST_THRESHOLDS, _STEPS = 200, 400
# Shares nearer to each other than this are the same one.
_NEAR = 1e-9


def curve_bands(
    scores: ArrayLike,
    truth: ArrayLike,
    patients: Sequence[str],
    folds: ArrayLike | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Any] | None:
    """For JSON, of n cells or patients (n,): by "roc" and "pr" the places "x" (51,), the band "low" and "high" there
    and with folds the "mean" of their curves; "folds", of how many of them, as those of one class alone have no curve;
    and the "draws" and "seed" of the band. "low" and "high" are None for one patient alone and where most draws have
    one class alone. None where all are of one class. The curve of all lies within the band."""
    values, true = np.asarray(scores, dtype=float), np.asarray(truth, dtype=bool)
    if true.all() or not true.any():
        return None
    names, of_patient = np.unique(np.asarray(patients), return_inverse=True)
    threshold = _thresholds(values, true)
    shape = (len(names), int(threshold.max()) + 1)
    hits, misses = np.zeros(shape), np.zeros(shape)
    np.add.at(hits, (of_patient[true], threshold[true]), 1)
    np.add.at(misses, (of_patient[~true], threshold[~true]), 1)
    bands = dict(zip(("roc", "pr"), _bands(hits, misses, draws, seed), strict=True))
    found: dict[str, Any] = {"draws": draws, "seed": seed, "folds": 0}
    if folds is not None:
        number = np.asarray(folds)
        of_fold = [_one(threshold[own], true[own], shape[1]) for own in (number == each for each in np.unique(number))]
        curves = [_curves(*each) for each in of_fold if all(each_kind.any() for each_kind in each)]
        found["folds"] = len(curves)
        for place, band in enumerate(bands.values()):
            mean = np.mean([each[place][0] for each in curves], axis=0) if curves else None
            band["mean"] = None if mean is None else _listed(mean)
    return found | bands


def _thresholds(scores: Values, true: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(n,) the number of the threshold, from the highest down, that each is first taken at."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.append(np.diff(ranked) != 0, True))
    if len(last) > _FIRST_THRESHOLDS + _STEPS:
        along = (np.cumsum(true[order]) / true.sum() + np.cumsum(~true[order]) / (~true).sum())[last]
        steps = np.searchsorted(along, np.linspace(0, 2, _STEPS + 1)[1:] - _NEAR).clip(max=len(last) - 1)
        last = last[np.union1d(steps, np.arange(_FIRST_THRESHOLDS))]
    found = np.empty(len(scores), dtype=np.intp)
    found[order] = np.searchsorted(last, np.arange(len(scores)))
    return found


def _one(threshold: NDArray[np.intp], true: NDArray[np.bool_], count: int) -> tuple[Values, Values]:
    """Those of the class and the others (1, count) first taken at each threshold."""
    return (
        np.bincount(threshold[true], minlength=count)[None].astype(float),
        np.bincount(threshold[~true], minlength=count)[None].astype(float),
    )


def _bands(hits: Values, misses: Values, draws: int, seed: int) -> list[dict[str, Any]]:
    """Of the ROC and the precision-recall curve, of counts (p, t) by patient and threshold."""
    count = len(hits)
    # As with_interval() draws them, so that figures and curves tell of the same draws.
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=draws).astype(float)
    drawn_hits, drawn_misses = drawn @ hits, drawn @ misses
    told = drawn_hits.any(axis=1) & drawn_misses.any(axis=1)
    if count < 2 or told.sum() < draws / 2:
        return [{"x": _listed(PLACES), "low": None, "high": None} for _ in range(2)]
    of_all = _curves(hits.sum(axis=0)[None], misses.sum(axis=0)[None])
    found = []
    for own, of_draws in zip(of_all, _curves(drawn_hits[told], drawn_misses[told]), strict=True):
        low, high = np.quantile(of_draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        # With few patients draws can all lie on one side of the curve.
        low, high = np.minimum(low, own[0]), np.maximum(high, own[0])
        found.append({"x": _listed(PLACES), "low": _listed(low), "high": _listed(high)})
    return found


def _curves(hits: Values, misses: Values) -> tuple[Values, Values]:
    """The ROC and the precision-recall curve at PLACES, (d, 51) each, of counts (d, t) first taken at a threshold."""
    hits, misses = (np.pad(np.cumsum(each, axis=1), ((0, 0), (1, 0))) for each in (hits, misses))
    found, others = hits / hits[:, -1:], misses / misses[:, -1:]
    # Where the curve rises straight up, its upper end.
    after = _first(others, PLACES + _NEAR)
    part = _part(others, after, PLACES)
    roc = _between(found, after, part)
    # Where precision falls straight down, its upper end.
    recall = np.maximum(PLACES, _NEAR)
    after = _first(found, recall - _NEAR / 2)
    wrong = _between(misses, after, _part(found, after, recall))
    right = recall * hits[:, -1:]
    return roc, right / (right + wrong)


def _first(shares: Values, wanted: Values) -> NDArray[np.intp]:
    """(d, w) the first place after 0 of each rising row of shares (d, t) that holds more than `wanted` (w,), or the
    last one."""
    rows = 2.0 * np.arange(len(shares))[:, None]
    # One search in all rows, laid end to end: each goes from 0 to 1, and they lie 2 apart.
    flat = np.searchsorted((shares + rows).ravel(), (wanted + rows).ravel(), side="right").reshape(len(shares), -1)
    width = shares.shape[1]
    first: NDArray[np.intp] = (flat - width * np.arange(len(shares))[:, None]).clip(1, width - 1)
    return first


def _part(shares: Values, after: NDArray[np.intp], wanted: Values) -> Values:
    """How much of the way to the place `after`, from the one before, (d, w)."""
    begin, end = (np.take_along_axis(shares, each, axis=1) for each in (after - 1, after))
    way = end - begin
    return np.divide(wanted - begin, way, out=np.ones_like(way), where=way > 0).clip(0, 1)


def _between(values: Values, after: NDArray[np.intp], part: Values) -> Values:
    begin, end = (np.take_along_axis(values, each, axis=1) for each in (after - 1, after))
    return np.asarray(begin + part * (end - begin))


def _listed(values: Values) -> list[float]:
    return [round(float(each), DIGITS) for each in values]
