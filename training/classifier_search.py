"""The search for settings of heads on stored features, inside the patients that teach them. Free of Django."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.cell_head import HeadError, parts_of
from training.cell_network import Cells
from training.classification_metrics import auroc
from training.classifier_lesson import HeadLesson, Lesson
from training.classifier_settings import ClassifierSettings
from training.classifier_teaching import fit_on_features
from training.crop_features import Stopped
from training.inner_search import ALL, TRIALS, Scope, Searched, search

# Parts of the patients of a search, each of which is judged by heads that were taught on the others.
PARTS = 3

Tell = Callable[[dict[str, Any]], None]
Wanted = Callable[[], bool]
Judge = Callable[[ClassifierSettings], float]


def search_classifier(
    lesson: Lesson,
    cells: Cells,
    settings: ClassifierSettings,
    trials: int,
    *,
    seed: int,
    out: Path,
    identity: Mapping[str, Any],
    tell: Tell,
    wanted: Wanted,
) -> Searched[ClassifierSettings, ClassifierSettings]:
    """For the heads that judge each fold, and for those of all patients: all heads of a round share their settings.
    Raises as training/inner_search.py's search."""
    folds = sorted({fold for head in lesson.heads for fold in head.folds.tolist()})
    scopes = [
        Scope(name, _patients(lesson, without), partial(_judge, lesson, cells, without, seed, wanted))
        for name, without in [*((str(fold), fold) for fold in folds), (ALL, None)]
    ]
    keep = out / TRIALS
    found = search(settings, scopes, trials, seed=seed, keep=keep, identity=identity, tell=tell, wanted=wanted)
    return Searched.of(found, {name: each.settings for name, each in found.items()})


def _patients(lesson: Lesson, without: int | None) -> int:
    return len({cell for head in lesson.heads for cell in _groups(lesson, head)[head.folds != without].tolist()})


def _groups(lesson: Lesson, head: HeadLesson) -> NDArray[Any]:
    return np.array([lesson.cells[row].patient for row in head.rows.tolist()])


def _judge(lesson: Lesson, cells: Cells, without: int | None, seed: int, wanted: Wanted) -> Judge:
    """AUROC of settings, as the mean over all classes and heads, on patients outside a fold by heads that saw neither
    them nor the fold."""
    inner = []
    for head in lesson.heads:
        own = np.ones(len(head.rows), bool) if without is None else head.folds != without
        learns = own & head.taught
        groups = _groups(lesson, head)[learns]
        inner.append(
            (head, head.rows[learns], head.targets[learns], groups, parts_of(groups, head.targets[learns], seed, PARTS))
        )

    def judge(settings: ClassifierSettings) -> float:
        values = []
        for head, rows, targets, groups, parts in inner:
            if parts is None:
                continue
            chances = np.zeros((len(rows), len(head.classes)))
            for part in np.unique(parts).tolist():
                if not wanted():
                    raise Stopped
                held = parts == part
                try:
                    fitted = fit_on_features(
                        settings, cells, rows[~held], targets[~held], groups[~held], seed, len(head.classes)
                    )
                except HeadError:
                    return math.nan
                chances[held] = fitted.probabilities(cells.features[rows[held]])
            shown = [1] if head.of_one_label else range(len(head.classes))
            values += [auroc(chances[:, number], targets == number) for number in shown]
        known = [value for value in values if not math.isnan(value)]
        return float(np.mean(known)) if known else math.nan

    return judge
