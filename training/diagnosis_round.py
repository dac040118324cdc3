"""One round of a model that diagnoses by cells, from a snapshot to its bundle: features, chains, judgement. Free of
Django."""

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.crop_features import NAME, Extractor, features_of, read_features
from training.decisions import NAMES, Decision, parse_decisions
from training.diagnosis_bundle import write_diagnosis
from training.diagnosis_chain import Taught, Teacher, teach_chains
from training.diagnosis_judging import calibrate, judge, threshold_of
from training.diagnosis_lesson import DiagnosisLesson, diagnosis_lesson
from training.diagnosis_settings import CellsSettings, EnsembleSettings, MilSettings
from training.diagnosis_teachers import EnsembleStep, EnsembleTeacher, MilTeacher
from training.judged import NAME as JUDGED
from training.judged_chances import judged_part, write_judged_chances
from training.snapshot import Snapshot

Tell = Callable[[dict[str, Any]], None]


def carry_out(
    snapshot: Snapshot,
    kind: str,
    settings: CellsSettings,
    seed: int,
    extractor: Extractor,
    out: Path,
    *,
    known: Path | None = None,
    tell: Tell = lambda event: None,
    wanted: Callable[[], bool] = lambda: True,
) -> dict[str, Any]:
    """Teach and judge, and write OUT/bundle: {"bundle", "seconds", "folds", "peak_memory"}.

    `known`: a file of features that need not be computed. The same inputs give the same bytes. Raises DecisionError
    where nothing can be learned and judged, Stopped where it is no longer `wanted`.
    """
    begun = time.monotonic()
    lesson = diagnosis_lesson(snapshot.manifest, parse_decisions(settings.decisions), settings.folds)
    stored = read_features(known, extractor.name) if known is not None else {}
    _say(tell, f"Learns {_words(lesson)} from {int(lesson.counts.sum())} cells of {len(lesson.patients)} patients.")
    for name, reason in lesson.left_out.items():
        _say(tell, f"{name} is left out: {reason}")
    features = features_of(snapshot, lesson.cells, extractor, stored, out / NAME, tell, wanted)
    taught = teach_chains(
        lesson,
        features,
        teacher_of(kind, settings, seed),
        needs_labels=kind == "ensemble",
        seed=seed,
        say=lambda sentence: _say(tell, sentence),
    )
    judged = {each.name: _judged(lesson, each, taught, settings, seed) for each in lesson.decisions}
    if kind == "ensemble":
        for decision in lesson.decisions:
            judged[decision.name]["logistic"] = _logistic(lesson, features, decision, taught, settings, seed)
    write_judged_chances(out / JUDGED, [_judged_part(lesson, each, taught) for each in lesson.decisions])
    metrics = summary_of(lesson, judged)
    bundle = write_diagnosis(
        out / "bundle",
        kind,
        taught,
        extractor.name,
        features.shape[1],
        snapshot,
        lesson,
        settings,
        {
            "seed": seed,
            "folds": {"by": "patient", "k": settings.folds, "images": dict(sorted(lesson.images.items()))},
            "metrics": metrics,
            "judged": judged,
            "notes": list(taught.notes),
        },
    )
    return {
        "bundle": bundle.id,
        "seconds": round(time.monotonic() - begun, 1),
        "folds": judged[lesson.decisions[0].name]["folds"],
        "peak_memory": _peak_memory(),
    }


def teacher_of(kind: str, settings: CellsSettings, seed: int) -> Teacher:
    if isinstance(settings, MilSettings):
        return MilTeacher(settings, seed)
    assert isinstance(settings, EnsembleSettings), kind
    return EnsembleTeacher(settings, seed)


def summary_of(lesson: DiagnosisLesson, judged: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What rounds are listed and compared by: the estimates of the first decision, and those of each by its name."""
    short = ("auroc", "auprc", "precision", "recall", "f1", "brier", "promised", "patients", "positives")
    by_name = {name: {key: each[key] for key in short} for name, each in judged.items()}
    for name, each in judged.items():
        if "logistic" in each:
            by_name[name]["logistic"] = {key: each["logistic"][key] for key in short}
    first = lesson.decisions[0].name
    return {**by_name[first], "cells": int(lesson.counts.sum()), "decisions": by_name}


def _judged(
    lesson: DiagnosisLesson, decision: Decision, taught: Taught, settings: CellsSettings, seed: int
) -> dict[str, Any]:
    numbers, targets = lesson.of(decision)
    chances = taught.calibrations[decision.name].probabilities(taught.unseen[decision.name])
    return judge(
        chances,
        targets,
        lesson.folds[numbers],
        threshold=threshold_of(settings.miss_cost),
        draws=settings.draws,
        seed=seed,
        names=[lesson.patients[number] for number in numbers.tolist()],
    )


def _judged_part(lesson: DiagnosisLesson, decision: Decision, taught: Taught) -> dict[str, Any]:
    numbers, targets = lesson.of(decision)
    chances = taught.calibrations[decision.name].probabilities(taught.unseen[decision.name])
    patients = [lesson.patients[number] for number in numbers.tolist()]
    classes = [NAMES[each] for each in decision.classes]
    return judged_part(decision.name, classes, patients, patients, targets.tolist(), chances)


def _logistic(
    lesson: DiagnosisLesson,
    features: NDArray[np.float32],
    decision: Decision,
    taught: Taught,
    settings: CellsSettings,
    seed: int,
) -> dict[str, Any]:
    """Logistic regression on the same ratios of the same patients, judged alike."""
    numbers, targets = lesson.of(decision)
    scores = np.zeros((len(numbers), len(decision.classes)))
    for row, number in enumerate(numbers.tolist()):
        chain = taught.chains[str(lesson.folds[number])]
        step = chain.steps[decision.name]
        assert isinstance(step, EnsembleStep)
        scores[row] = step.logistic_scores(chain.cells(features[lesson.counts & (lesson.patient == number)]))
    chances = calibrate(scores, targets).probabilities(scores)
    threshold = threshold_of(settings.miss_cost)
    return judge(chances, targets, lesson.folds[numbers], threshold=threshold, draws=settings.draws, seed=seed)


def _words(lesson: DiagnosisLesson) -> str:
    return " and ".join(decision.name for decision in lesson.decisions)


def _say(tell: Tell, sentence: str) -> None:
    tell({"event": "log", "message": sentence})


def _peak_memory() -> int:
    """Bytes that the process had resident at most."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
