"""One round of a classifier, from a snapshot to its bundle: features, heads by fold, heads on all. Free of Django."""

import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.cell_head import Head, fit_head
from training.classifier_bundle import write_classifier
from training.classifier_judging import judge
from training.classifier_lesson import HeadLesson, LabelledCell, lesson_of
from training.classifier_settings import ClassifierSettings
from training.classifier_target import Target
from training.crop_features import NAME, VIEWS, Extractor, Stopped, features_of, read_features, view_features
from training.judged import NAME as JUDGED
from training.judged_chances import judged_part, write_judged_chances
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
    known: Path | None = None,
    views: Path | None = None,
    tell: Tell = lambda event: None,
    wanted: Callable[[], bool] = lambda: True,
) -> dict[str, Any]:
    """Train and judge the heads of a target, and write OUT/bundle: {"bundle", "seconds", "folds", "peak_memory"}.

    `known`: a file of features that need not be computed (training/crop_features.py); `views`: one of the features of
    views, which is written too. The same inputs give the same bytes. Raises FoldsError where nothing can be learned
    and judged, Stopped where it is no longer `wanted`.
    """
    begun = time.monotonic()
    lesson = lesson_of(snapshot.manifest, target, settings.folds)
    stored = read_features(known, extractor.name) if known is not None else {}
    _say(tell, f"Learns {target.words} from {len(lesson.cells)} cells of {_patients(lesson.cells)} patients.")
    for name, reason in lesson.left_out.items():
        _say(tell, f"{name} is left out: {reason}")
    features = features_of(snapshot, lesson.cells, extractor, stored, out / NAME, tell, wanted)
    others = view_features(snapshot, lesson.cells, settings.views, extractor, views or out / VIEWS, tell, wanted)
    taught = _Taught(features, others)
    judged, parts, heads = [], [], []
    for number, head in enumerate(lesson.heads, start=1):
        _say(tell, f"Head {number} of {len(lesson.heads)}, {head.name}.")
        patients = np.array([lesson.cells[row].patient for row in head.rows])
        probabilities = _of_unseen(head, taught, patients, seed, wanted)
        judged.append(judge(head, probabilities, lesson.cells, draws=settings.draws, seed=seed))
        parts.append(_judged_part(head, lesson.cells, probabilities))
        heads.append((head, taught.head(head, head.taught, patients, seed)))
    metrics = summary_of(judged)
    folds = folds_of(judged)
    write_judged_chances(out / JUDGED, parts)
    bundle = write_classifier(
        out / "bundle",
        heads,
        extractor.name,
        features.shape[1],
        snapshot,
        target,
        lesson,
        settings,
        {"seed": seed, "folds": {"by": "patient", "k": settings.folds}, "metrics": metrics, "judged": judged},
    )
    return {
        "bundle": bundle.id,
        "seconds": round(time.monotonic() - begun, 1),
        "folds": folds,
        "peak_memory": _peak_memory(),
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


@dataclass(frozen=True)
class _Taught:
    """What heads learn from: features (n, C) of all cells, and those of each view of them."""

    features: NDArray[np.float32]
    views: Sequence[NDArray[np.float32]]

    def head(self, lesson: HeadLesson, learns: NDArray[np.bool_], patients: NDArray[Any], seed: int) -> Head:
        """Taught on those of the lesson's cells that learn (n,), and on their views: whoever is set aside to choose a
        penalty, or judges, is so with all views, as they have their cell's patient."""
        rows, count = lesson.rows[learns], 1 + len(self.views)
        table = np.concatenate([each[rows] for each in (self.features, *self.views)])
        targets, groups = np.tile(lesson.targets[learns], count), np.tile(patients[learns], count)
        return fit_head(table, targets, None, groups, seed=seed)


def _of_unseen(
    head: HeadLesson,
    taught: _Taught,
    patients: NDArray[Any],
    seed: int,
    wanted: Callable[[], bool],
) -> NDArray[np.float64]:
    """(n, K) of each cell, as it is, by a head that saw neither cells nor views of its patient."""
    found = np.zeros((len(head.rows), len(head.classes)))
    for fold in np.unique(head.folds):
        if not wanted():
            raise Stopped
        held = head.folds == fold
        fitted = taught.head(head, ~held & head.taught, patients, seed)
        found[held] = fitted.probabilities(taught.features[head.rows[held]])
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
