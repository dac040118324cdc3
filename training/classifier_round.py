"""One round of a classifier, from a snapshot to its bundle: features, heads by fold, heads on all. Free of Django."""

import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.classifier_bundle import write_classifier
from training.classifier_judging import judge
from training.classifier_lesson import HeadLesson, LabelledCell, lesson_of
from training.classifier_settings import ClassifierSettings
from training.classifier_target import Target
from training.classifier_teaching import Teaching, folder_of
from training.code_version import VERSION
from training.crop_features import Extractor, known_features
from training.judged import NAME as JUDGED
from training.judged_chances import judged_part, write_judged_chances
from training.lesson_cells import LessonCells
from training.snapshot import Snapshot

Tell = Callable[[dict[str, Any]], None]


def carry_out(
    snapshot: Snapshot,
    target: Target,
    settings: ClassifierSettings,
    seed: int,
    extractor: Extractor,
    out: Path,
    *,
    known: Sequence[Path] = (),
    views: Path | None = None,
    trials: int = 0,
    tell: Tell = lambda event: None,
    wanted: Callable[[], bool] = lambda: True,
) -> dict[str, Any]:
    """Train and judge the heads of a target, and write OUT/bundle: {"bundle", "seconds", "folds", "peak_memory"}, and
    "searched" where `trials` looked for settings first, for each fold among the patients that teach it.

    `known`: files of features that need not be computed, of cells or of their views (training/crop_features.py);
    `views`: one of views, which is written too. The same inputs give the same bytes. Raises FoldsError where nothing
    can be learned and judged, SearchError where nothing can be searched, Stopped where it is no longer `wanted`.
    """
    begun = time.monotonic()
    lesson = lesson_of(snapshot.manifest, target, settings.folds)
    stored = known_features(known, extractor.name)
    cells = LessonCells(
        snapshot,
        lesson.cells,
        extractor,
        settings.views,
        out,
        known=stored,
        seen_views=views,
        tell=tell,
        wanted=wanted,
    )
    _say(tell, f"Learns {target.words} from {len(lesson.cells)} cells of {_patients(lesson.cells)} patients.")
    for name, reason in lesson.left_out.items():
        _say(tell, f"{name} is left out: {reason}")
    searched, own = None, dict[int, ClassifierSettings]()
    if trials:
        # Imported late: a round without a search needs no Optuna.
        from training.classifier_search import search_classifier

        identity = {"snapshot": snapshot.hash, "target": target.as_json(), "backbone": extractor.name}
        searched = search_classifier(
            lesson, cells, settings, trials, seed=seed, out=out, identity=identity, tell=tell, wanted=wanted
        )
        own = {int(name): each for name, each in searched.own.items() if name.isdecimal()}
        settings = searched.settings
    kept = folder_of(out, snapshot.hash, target, settings, seed, extractor.name, VERSION)
    teaching = Teaching(settings, cells, seed, len(lesson.heads), kept, tell, wanted, own)
    judged, parts, heads = [], [], []
    for number, head in enumerate(lesson.heads, start=1):
        _say(tell, f"Head {number} of {len(lesson.heads)}, {head.name}.")
        patients = np.array([lesson.cells[row].patient for row in head.rows])
        probabilities = teaching.of_unseen(head, number, patients)
        judged.append(judge(head, probabilities, lesson.cells, draws=settings.draws, seed=seed))
        parts.append(_judged_part(head, lesson.cells, probabilities))
        heads.append((head, teaching.taught(head, head.taught, patients)))
    metrics = summary_of(judged)
    folds = folds_of(judged)
    write_judged_chances(out / JUDGED, parts)
    bundle = write_classifier(
        out / "bundle",
        heads,
        extractor.name,
        snapshot,
        target,
        lesson,
        settings,
        {
            "seed": seed,
            "folds": {"by": "patient", "k": settings.folds},
            "metrics": metrics,
            "judged": judged,
            **({"searched": searched.told, "trials": searched.trials} if searched else {}),
        },
    )
    return {
        "bundle": bundle.id,
        "seconds": round(time.monotonic() - begun, 1),
        "folds": folds,
        "peak_memory": _peak_memory(),
        **({"searched": searched.told} if searched else {}),
    }


def summary_of(judged: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What rounds are listed and compared by: the estimates of the label, of all labels of a group, or of each label
    where a cell may have many, and then none for all together."""
    found: dict[str, Any] = {"cells": judged[0]["cells"], "patients": judged[0]["patients"]}
    if len(judged) == 1:
        found |= {**judged[0]["metrics"], "judged": judged[0]["judged"]}
    classes = [each for head in judged for each in head["classes"]]
    found["classes"] = {
        each["name"]: {
            **{name: each[name] for name in ("cells", "patients", "auroc", "auprc", "f1", "precision", "recall")},
            **({"representative": each["representative"]} if "representative" in each else {}),
        }
        for each in classes
    }
    return found


def folds_of(judged: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """By fold the means over the classes that are judged; one that has no cell in a fold says nothing there."""
    classes = [each for head in judged for each in head["classes"] if each["name"] in head["judged"]]
    found = []
    for number in sorted({fold["fold"] for each in classes for fold in each["folds"]}):
        own = [fold for each in classes for fold in each["folds"] if fold["fold"] == number]
        entry: dict[str, Any] = {"fold": number, "cells": max(fold["cells"] for fold in own)}
        for name in ("auroc", "auprc", "f1"):
            known = [fold[name] for fold in own if fold[name] is not None]
            entry[name] = round(sum(known) / len(known), 4) if known else None
        found.append(entry)
    return found


def _judged_part(head: HeadLesson, cells: Sequence[LabelledCell], probabilities: NDArray[np.float64]) -> dict[str, Any]:
    own = [cells[row] for row in head.rows]
    return judged_part(
        head.name,
        head.classes,
        [cell.id for cell in own],
        [cell.patient for cell in own],
        head.targets.tolist(),
        probabilities,
    )


def _patients(cells: Sequence[LabelledCell]) -> int:
    return len({cell.patient for cell in cells})


def _say(tell: Tell, sentence: str) -> None:
    tell({"event": "log", "message": sentence})


def _peak_memory() -> int:
    """Bytes that the process had resident at most."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
