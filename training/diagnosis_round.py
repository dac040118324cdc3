"""One round of a model that diagnoses by cells, from a snapshot to its bundle: features, chains, judgement. Free of
Django."""

import contextlib
import resource
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.crop_features import VIEWS, Extractor, known_features
from training.decisions import Decision, asked_of
from training.diagnosis_bundle import write_diagnosis
from training.diagnosis_card import chances_of, judged_of, summary_of
from training.diagnosis_chain import Taught, Teacher, teach_chains
from training.diagnosis_judging import calibrate, judge, threshold_of
from training.diagnosis_lesson import DiagnosisLesson, diagnosis_lesson
from training.diagnosis_looks import lesson_features
from training.diagnosis_readings import read_patients
from training.diagnosis_settings import CellsSettings, EnsembleSettings, MilSettings
from training.diagnosis_teachers import EnsembleStep, EnsembleTeacher, MilTeacher
from training.judged import NAME as JUDGED
from training.judged_chances import write_judged_chances
from training.kept_readers import KeptReaders
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
    known: Sequence[Path] = (),
    views: Path | None = None,
    readers: Path | None = None,
    trials: int = 0,
    tell: Tell = lambda event: None,
    wanted: Callable[[], bool] = lambda: True,
) -> dict[str, Any]:
    """Teach and judge, and write OUT/bundle: {"bundle", "seconds", "folds", "peak_memory"}, and "searched" where
    `trials` looked for settings first, for each fold among the patients that teach it.

    `known`: files of features that need not be computed, of cells or of their views; `views`: one of views, `readers`:
    one of cell classifiers that need not be taught again, both of which are written too. The same inputs give the same
    bytes. Raises DecisionError where nothing can be learned and judged, SearchError where nothing can be searched,
    Stopped where it is no longer `wanted`.
    """
    begun = time.monotonic()
    lesson = diagnosis_lesson(snapshot.manifest, asked_of(snapshot.manifest, settings.decisions), settings.folds)
    stored = known_features(known, extractor.name)
    _say(tell, f"Learns {_words(lesson)} from {int(lesson.counts.sum())} cells of {len(lesson.patients)} patients.")
    for name, reason in lesson.left_out.items():
        _say(tell, f"{name} is left out: {reason}")
    features, shown = lesson_features(
        snapshot, lesson, settings, extractor, stored, out, views or out / VIEWS, tell, wanted
    )
    needs_labels = kind == "ensemble"
    kept = KeptReaders(readers, lesson, features, seed)
    read = read_patients(lesson, features, needs_labels=needs_labels, seed=seed, views=shown, keep=kept)
    with contextlib.suppress(OSError):
        # The next round teaches them again.
        kept.save()
    searched = None
    if trials:
        # Imported late: a round without a search needs no Optuna.
        from training.diagnosis_search import search_diagnosis

        identity = {"snapshot": snapshot.hash, "kind": kind, "backbone": extractor.name}
        searched = search_diagnosis(
            read,
            settings,
            partial(teacher_of, kind, seed=seed),
            trials,
            needs_labels=needs_labels,
            seed=seed,
            out=out,
            identity=identity,
            tell=tell,
            wanted=wanted,
        )
        settings = searched.settings
    taught = teach_chains(
        lesson,
        features,
        teacher_of(kind, settings, seed),
        needs_labels=needs_labels,
        seed=seed,
        say=lambda sentence: _say(tell, sentence),
        readings=read,
        own=searched.own if searched else None,
    )
    unseen, calibrations = taught.unseen, taught.calibrations
    judged = {
        each.name: judged_of(lesson, each, unseen[each.name], calibrations[each.name], settings, seed)
        for each in lesson.decisions
    }
    if kind == "ensemble":
        for decision in lesson.decisions:
            judged[decision.name]["logistic"] = _logistic(lesson, features, decision, taught, settings, seed)
    write_judged_chances(
        out / JUDGED,
        [chances_of(lesson, each, unseen[each.name], calibrations[each.name]) for each in lesson.decisions],
    )
    metrics = summary_of(judged, {"cells": int(lesson.counts.sum())})
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
            "metrics": metrics,
            "judged": judged,
            "notes": list(taught.notes),
            **({"searched": searched.told, "trials": searched.trials} if searched else {}),
        },
    )
    return {
        "bundle": bundle.id,
        "seconds": round(time.monotonic() - begun, 1),
        "folds": judged[lesson.decisions[0].name]["folds"],
        "peak_memory": _peak_memory(),
        **({"searched": searched.told} if searched else {}),
    }


def teacher_of(kind: str, settings: CellsSettings, seed: int) -> Teacher:
    if isinstance(settings, MilSettings):
        return MilTeacher(settings, seed)
    assert isinstance(settings, EnsembleSettings), kind
    return EnsembleTeacher(settings, seed)


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
