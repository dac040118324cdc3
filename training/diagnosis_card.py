"""What all models that diagnose share of their rounds and bundles, whether they look at cells or at whole images: how
they are judged, and a card that says what they decide and which of their chains had not seen which image."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from training.classifier_bundle import versions
from training.decisions import Decision
from training.diagnosis_chain import ALL
from training.diagnosis_judging import Calibration, judge, threshold_of
from training.diagnosis_settings import DiagnosisSettings
from training.judged_chances import judged_part
from training.snapshot import Snapshot

Values = NDArray[np.float64]

_SHORT = ("auroc", "auprc", "precision", "recall", "f1", "brier", "promised", "patients", "positives")


class PatientsLesson(Protocol):
    """What is learned of patients, by their numbers, and judged in folds. images: by sha256 the fold."""

    @property
    def patients(self) -> tuple[str, ...]: ...
    @property
    def folds(self) -> NDArray[np.int64]: ...
    @property
    def images(self) -> Mapping[str, int]: ...
    @property
    def decisions(self) -> tuple[Decision, ...]: ...
    @property
    def left_out(self) -> Mapping[str, str]: ...
    def of(self, decision: Decision) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The numbers of the patients that a decision is about, and their classes."""
        ...


def judged_of(
    lesson: PatientsLesson,
    decision: Decision,
    unseen: Values,
    calibration: Calibration,
    settings: DiagnosisSettings,
    seed: int,
) -> dict[str, Any]:
    """Of scores (p, K) of the decision's patients by a model that had not seen them."""
    numbers, targets = lesson.of(decision)
    return judge(
        calibration.probabilities(unseen),
        targets,
        lesson.folds[numbers],
        threshold=threshold_of(settings.miss_cost),
        draws=settings.draws,
        seed=seed,
        names=[lesson.patients[number] for number in numbers.tolist()],
    )


def chances_of(lesson: PatientsLesson, decision: Decision, unseen: Values, calibration: Calibration) -> dict[str, Any]:
    """What the same scores say of each patient, for a later round to be compared with (training/judged_chances.py)."""
    numbers, targets = lesson.of(decision)
    patients = [lesson.patients[number] for number in numbers.tolist()]
    chances = calibration.probabilities(unseen)
    return judged_part(decision.name, list(decision.names), patients, patients, targets.tolist(), chances)


def summary_of(judged: Mapping[str, Mapping[str, Any]], counts: Mapping[str, int]) -> dict[str, Any]:
    """What rounds are listed and compared by: the estimates of the first decision, and those of each by its name."""
    by_name = {name: {key: each[key] for key in _SHORT} for name, each in judged.items()}
    for name, each in judged.items():
        if "logistic" in each:
            by_name[name]["logistic"] = {key: each["logistic"][key] for key in _SHORT}
    return {**next(iter(by_name.values())), **counts, "decisions": by_name}


def card_of(
    kind: str,
    architecture: Mapping[str, Any],
    described: Sequence[Mapping[str, Any]],
    calibrations: Mapping[str, Calibration],
    inputs: Mapping[str, Any],
    snapshot: Snapshot,
    lesson: PatientsLesson,
    settings: DiagnosisSettings,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """`described`: what the last step of each decision says of itself; `facts`: the rest of the card."""
    threshold = threshold_of(settings.miss_cost)
    return {
        "kind": kind,
        "architecture": {
            "name": kind,
            **architecture,
            "decisions": [
                {
                    "name": decision.name,
                    "classes": list(decision.classes),
                    "calibration": calibrations[decision.name].as_json(),
                    "threshold": threshold,
                    **own,
                }
                for decision, own in zip(lesson.decisions, described, strict=True)
            ],
        },
        "inputs": dict(inputs),
        "classes": sorted({each for decision in lesson.decisions for each in decision.classes}),
        "left_out": dict(lesson.left_out),
        "snapshot": snapshot.hash,
        "study": snapshot.manifest["study"],
        "folds": {"by": "patient", "k": settings.folds, "images": dict(sorted(lesson.images.items()))},
        "groups": list(lesson.patients),
        "images": sorted(lesson.images),
        "settings": settings.as_dict(),
        "versions": versions(),
        "score_threshold": threshold,
        "parent": None,
        "history": [],
        **facts,
    }


def decisions_of(card: Mapping[str, Any]) -> tuple[Decision, ...]:
    return tuple(Decision.stated(each) for each in card["architecture"]["decisions"])


def calibrations_of(card: Mapping[str, Any]) -> dict[str, Calibration]:
    return {each["name"]: Calibration.of(each["calibration"]) for each in card["architecture"]["decisions"]}


def threshold_in(card: Mapping[str, Any], decision: Decision) -> float:
    """The probability from which on a bundle suspects the decision's first diagnosis."""
    stated = card["architecture"]["decisions"]
    return float(next(each["threshold"] for each in stated if each["name"] == decision.name))


def chain_in(card: Mapping[str, Any], images: set[str]) -> str:
    """The name of the chain for a patient with images of these sha256: of a patient that the bundle was taught on the
    one that had never seen it, else the one taught on all."""
    fold_of: Mapping[str, int] = card["folds"]["images"]
    folds = {fold_of[sha256] for sha256 in images if sha256 in fold_of}
    return str(min(folds)) if folds else ALL
