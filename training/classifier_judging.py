"""How a classifier did on cells of patients that its heads had not seen: for the card, the pages and the command line.

All estimates pool the folds; intervals resample patients. Free of Django and of torch.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.classification_metrics import (
    DECIDED_FROM,
    Metric,
    auprc,
    auroc,
    binary_estimates,
    by_patient,
    confusion,
    multiclass_estimates,
    precision_recall_curve,
    precision_recall_f1,
    roc_curve,
    with_interval,
)
from training.classifier_folds import LEAST_JUDGED, classes_of
from training.classifier_lesson import HeadLesson, LabelledCell
from training.curve_bands import curve_bands
from training.reliability import reliability

# Of one class against all others, and of all classes together as their mean.
ESTIMATES = ("auroc", "auprc", "f1", "precision", "recall")
DIGITS = 4
# Points of a curve in the card: twenty classes have four curves each.
CURVE_POINTS = 80


def judge(
    lesson: HeadLesson,
    probabilities: NDArray[np.float64],
    cells: Sequence[LabelledCell],
    *,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """{"name", "metrics", "classes", "confusion", "left_out", ...} of one head, of probabilities (n, K) that heads gave
    which had not seen the cells' patients.

    Each entry of "classes" is one class against all others: its numbers of cells and patients, ESTIMATES, the same by
    fold, curves and their bands, reliability and patients. "metrics" are those of the label, or of all classes
    together: the means over "judged", the classes that LEAST_JUDGED patients have.
    """
    own = [cells[row] for row in lesson.rows]
    patients = [cell.patient for cell in own]
    extra = np.array([cell.extra for cell in own])
    names = (*lesson.classes, *lesson.untaught)
    predicted = (
        (probabilities[:, 1] >= DECIDED_FROM).astype(int) if lesson.of_one_label else decided(lesson, probabilities)
    )
    shown = [1] if lesson.of_one_label else list(range(len(lesson.classes)))
    classes = [
        _of_class(names[number], number, lesson, probabilities, predicted, patients, extra, draws, seed)
        for number in shown
    ]
    matrix = confusion(lesson.targets, predicted, len(names))
    found: dict[str, Any] = {
        "name": lesson.name,
        "cells": len(own),
        "patients": len(set(patients)),
        "classes": classes,
        "confusion": {"names": list(names), "cells": matrix.astype(int).tolist()},
    }
    if lesson.of_one_label:
        return found | {"judged": [lesson.name], "metrics": {name: classes[0][name] for name in ESTIMATES}}
    judged = [number for number in classes_of(lesson.targets, patients, LEAST_JUDGED) if number < len(lesson.classes)]
    judged = judged or shown
    return found | {
        "judged": [names[number] for number in judged],
        "metrics": _of_all(lesson, probabilities, predicted, patients, judged, draws, seed),
    }


def decided(lesson: HeadLesson, probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) the class of each cell, as if rare classes were less rare: the largest of its probabilities over the root of
    the class's share among the cells that taught its head. The likeliest class alone is hardly ever a rare one: on
    apl-patients that cost 0.05 of macro F1. Probabilities stay as they are."""
    found = np.zeros(len(probabilities), dtype=np.int64)
    for fold in np.unique(lesson.folds):
        held = lesson.folds == fold
        counts = np.bincount(lesson.targets[~held & lesson.taught], minlength=probabilities.shape[1])
        found[held] = (probabilities[held] / np.sqrt(np.maximum(counts, 1))).argmax(axis=1)
    return found


def _of_class(
    name: str,
    number: int,
    lesson: HeadLesson,
    probabilities: NDArray[np.float64],
    predicted: NDArray[np.int64],
    patients: Sequence[str],
    extra: NDArray[np.bool_],
    draws: int,
    seed: int,
) -> dict[str, Any]:
    scores, truth = probabilities[:, number], lesson.targets == number
    found: dict[str, Any] = {
        "name": name,
        "cells": int(truth.sum()),
        "patients": len({patient for patient, own in zip(patients, truth, strict=True) if own}),
        **_estimates(scores, truth, predicted == number, patients, draws, seed),
        "folds": [],
    }
    if extra.any() and truth[~extra].any():
        # Cells that were picked for their kind make a class look commoner than it is.
        rest = ~extra
        own = [patient for patient, kept in zip(patients, rest, strict=True) if kept]
        found["representative"] = _estimates(scores[rest], truth[rest], predicted[rest] == number, own, draws, seed)
    curves = [_curves(None, scores, truth)]
    for fold in np.unique(lesson.folds).tolist():
        held = lesson.folds == fold
        of_fold = {"auroc": auroc(scores[held], truth[held]), "auprc": auprc(scores[held], truth[held])}
        of_fold["f1"] = float(precision_recall_f1(confusion(truth[held], (predicted == number)[held], 2))[2][1])
        found["folds"].append(
            {"fold": fold, "cells": int(held.sum()), "positives": int(truth[held].sum()), **_plain(of_fold)}
        )
        curves.append(_curves(fold, scores[held], truth[held]))
    stated = reliability(scores.astype(float), truth.astype(float))
    found["curves"] = curves
    found["bands"] = curve_bands(scores, truth, patients, lesson.folds, draws=draws, seed=seed)
    found["reliability"] = _plain(
        {
            "error": stated.error,
            "promised": stated.promised,
            "share": stated.share,
            "bins": [asdict(each) for each in stated.bins],
        }
    )
    rest = ~extra
    found["by_patient"] = [
        _plain(asdict(each))
        for each in by_patient(scores[rest], truth[rest], [p for p, own in zip(patients, rest, strict=True) if own])
    ]
    return found


def _estimates(
    scores: NDArray[np.float64],
    truth: NDArray[np.bool_],
    taken: NDArray[np.bool_],
    patients: Sequence[str],
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """ESTIMATES of one class, as JSON; what is `taken` decides, as the likeliest of many may lie below a half."""
    found = binary_estimates(scores, truth, patients, draws=draws, seed=seed)

    def decided(place: int) -> Metric:
        return lambda counts: float(precision_recall_f1(confusion(truth, taken, 2, counts))[place][1])

    if not np.array_equal(taken, scores >= DECIDED_FROM):
        for place, name in enumerate(("precision", "recall", "f1")):
            found[name] = with_interval(decided(place), patients, draws=draws, seed=seed)
    return {name: found[name].as_dict(DIGITS) for name in ESTIMATES}


def _of_all(
    lesson: HeadLesson,
    probabilities: NDArray[np.float64],
    predicted: NDArray[np.int64],
    patients: Sequence[str],
    judged: Sequence[int],
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """The means over the judged classes."""
    names = (*lesson.classes, *lesson.untaught)

    # Sorted once: each draw sorts again, which is quick where nothing is to be done.
    order = {number: np.argsort(-probabilities[:, number], kind="stable") for number in judged}
    ranked = {
        number: (probabilities[order[number], number], lesson.targets[order[number]] == number) for number in judged
    }

    def mean(metric: Any) -> Any:
        def of(counts: NDArray[np.float64]) -> float:
            values = [metric(*ranked[number], counts[order[number]]) for number in judged]
            known = [value for value in values if not math.isnan(value)]
            return sum(known) / len(known) if known else math.nan

        return with_interval(of, patients, draws=draws, seed=seed).as_dict(DIGITS)

    def at(place: int) -> Any:
        def of(counts: NDArray[np.float64]) -> float:
            values = precision_recall_f1(confusion(lesson.targets, predicted, len(names), counts))[place][list(judged)]
            known = values[~np.isnan(values)]
            return float(known.mean()) if len(known) else math.nan

        return with_interval(of, patients, draws=draws, seed=seed).as_dict(DIGITS)

    macro = multiclass_estimates(
        lesson.targets, predicted, patients, {n: names[n] for n in judged}, len(names), draws=draws, seed=seed
    )["macro_f1"]
    return {
        "auroc": mean(auroc),
        "auprc": mean(auprc),
        "f1": macro.as_dict(DIGITS),
        "precision": at(0),
        "recall": at(1),
    }


def _curves(fold: int | None, scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> dict[str, Any]:
    """Points [x, y] of the ROC and the precision-recall curve; empty where there is one class alone."""
    if truth.all() or not truth.any():
        return {"fold": fold, "roc": [], "pr": []}
    roc, pr = roc_curve(scores, truth), precision_recall_curve(scores, truth)
    return {"fold": fold, "roc": _points(roc.x, roc.y), "pr": _points(pr.x, pr.y)}


def _points(x: Sequence[float], y: Sequence[float]) -> list[list[float]]:
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), CURVE_POINTS)).round().astype(int))
    return [[round(x[place], 3), round(y[place], 3)] for place in kept]


def _plain(value: Any) -> Any:
    """As JSON has it: rounded, and null for what cannot be said."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, DIGITS)
    return value
