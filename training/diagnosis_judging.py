"""How well diagnoses are told by models that never saw the patient: ranking, calibration, decisions, each with an
interval that draws patients anew. Free of torch and Django."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from training.classification_metrics import (
    auprc,
    auroc,
    binary_estimates,
    precision_recall_curve,
    roc_curve,
    with_interval,
)
from training.curve_bands import curve_bands
from training.decisions import decided

Values = NDArray[np.float64]

# Weight of the belief that scores are calibrated already, in patients: few should not overthrow it.
_BELIEF = 2.0
# Bins of the plot of what was promised and what came.
_BINS = 5


@dataclass(frozen=True)
class Calibration:
    """Probabilities = softmax(temperature * scores + offset (K,))."""

    temperature: float
    offset: tuple[float, ...]

    def probabilities(self, scores: Values) -> Values:
        """(n, K) of scores (n, K)."""
        logits = self.temperature * scores + np.array(self.offset)
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances: Values = raised / raised.sum(axis=1, keepdims=True)
        return chances

    def as_json(self) -> dict[str, Any]:
        return {"temperature": self.temperature, "offset": list(self.offset)}

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Calibration":
        return cls(float(content["temperature"]), tuple(map(float, content["offset"])))


def calibrate(scores: Values, targets: NDArray[np.int64]) -> Calibration:
    """Of scores (n, K) of patients that the models had not seen, and their classes."""
    classes = scores.shape[1]
    truth = np.eye(classes)[targets]

    def loss(curve: Values) -> float:
        chances = Calibration(float(np.exp(curve[0])), tuple(curve[1:])).probabilities(scores)
        likely = np.log(np.maximum((chances * truth).sum(axis=1), 1e-12)).sum()
        return float(-likely + _BELIEF * (curve**2).sum() / 2)

    found = minimize(loss, np.zeros(1 + classes), method="L-BFGS-B").x
    return Calibration(round(float(np.exp(found[0])), 6), tuple(round(float(each), 6) for each in found[1:]))


def threshold_of(miss_cost: float) -> float:
    """The probability from which on the first diagnosis is suspected: missing it is as bad as so many false alarms."""
    return 1 / (1 + miss_cost)


def judge(
    probabilities: Values,
    targets: NDArray[np.int64],
    folds: NDArray[np.int64] | None,
    *,
    threshold: float,
    draws: int,
    seed: int,
    names: Sequence[str] = (),
) -> dict[str, Any]:
    """For JSON, of probabilities (n, K) and classes (n,) of patients, each by a model that had not seen it: auroc,
    auprc, precision, recall and f1 of the first class, brier and promised (what the probabilities add up to beside
    what is true: 1 is calibrated), each as {value, low, high}; with folds (n,) those of each; curves, and their bands
    (training/curve_bands.py), None where all have one diagnosis. `names` are the patients, for the table of each. Where
    there are more than two diagnoses, each of them against all others under "classes", and under "confusion" how many
    patients of each (row) were said to have each (column)."""
    first, true = probabilities[:, 0], targets == 0
    patients = [str(number) for number in range(len(first))]
    estimates = binary_estimates(first, true, patients, threshold=threshold, draws=draws, seed=seed)
    estimates["brier"] = with_interval(
        lambda counts: float(counts @ (first - true) ** 2 / counts.sum()), patients, draws=draws, seed=seed
    )
    estimates["promised"] = with_interval(
        lambda counts: float(counts @ first / (counts @ true)) if (counts @ true) > 0 else math.nan,
        patients,
        draws=draws,
        seed=seed,
    )
    found: dict[str, Any] = {name: each.as_dict() for name, each in estimates.items()}
    found |= {"patients": len(first), "positives": int(true.sum())}
    found["roc"], found["pr"] = _points(roc_curve(first, true)), _points(precision_recall_curve(first, true))
    found["bands"] = curve_bands(first, true, patients, folds, draws=draws, seed=seed)
    found["reliability"] = _reliability(first, true)
    if folds is not None:
        found["folds"] = [_fold(int(fold), first[folds == fold], true[folds == fold]) for fold in np.unique(folds)]
    said = np.array([decided(chances, threshold) for chances in probabilities.tolist()], dtype=np.int64)
    if names:
        found["by_patient"] = [
            {"patient": name, "truth": int(target), "probability": round(float(chance), 6), "said": int(place)}
            for name, target, chance, place in zip(names, targets, first, said, strict=True)
        ]
    if probabilities.shape[1] > 2:
        found |= _several(probabilities, targets, said, draws, seed)
        for row, chances in zip(found.get("by_patient", ()), probabilities, strict=bool(names)):
            row["probabilities"] = [round(float(chance), 6) for chance in chances]
    return found


def _several(
    probabilities: Values, targets: NDArray[np.int64], said: NDArray[np.int64], draws: int, seed: int
) -> dict[str, Any]:
    patients, count = [str(number) for number in range(len(targets))], probabilities.shape[1]
    classes = []
    for number in range(count):
        own = binary_estimates(probabilities[:, number], targets == number, patients, draws=draws, seed=seed)
        figures = {name: own[name].as_dict() for name in ("auroc", "auprc")}
        classes.append({"class": number, "patients": int((targets == number).sum()), **figures})
    table = np.zeros((count, count), dtype=int)
    np.add.at(table, (targets, said), 1)
    return {"classes": classes, "confusion": table.tolist()}


def _fold(number: int, scores: Values, true: NDArray[np.bool_]) -> dict[str, Any]:
    entry: dict[str, Any] = {"fold": number, "patients": len(true)}
    for name, value in (("auroc", auroc(scores, true)), ("auprc", auprc(scores, true))):
        entry[name] = None if math.isnan(value) else round(value, 4)
    return entry


def _points(curve: Any) -> dict[str, list[float]]:
    return {"x": curve.x, "y": curve.y}


def _reliability(scores: Values, true: NDArray[np.bool_]) -> list[dict[str, float]]:
    """By bins of as many patients each: how many, what was promised on the mean, and what share it was."""
    order = np.argsort(scores, kind="stable")
    return [
        {
            "patients": len(own),
            "promised": round(float(scores[own].mean()), 4),
            "true": round(float(true[own].mean()), 4),
        }
        for own in np.array_split(order, min(_BINS, len(order)))
        if len(own)
    ]
