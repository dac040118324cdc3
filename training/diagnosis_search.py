"""The search for settings of an ensemble or of MILLIE, inside the patients that teach it. Free of Django."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from training.classification_metrics import auroc
from training.crop_features import Stopped
from training.decisions import DecisionError
from training.diagnosis_chain import ALL, Own, Teacher, no_scores, score_unseen, teach_chain
from training.diagnosis_judging import calibrate
from training.diagnosis_lesson import DiagnosisLesson
from training.diagnosis_readings import Readings, Values, read_patients
from training.inner_search import TRIALS, Found, Judge, Scope, Searched, search
from training.search_space import SearchError

# Parts of the patients outside a fold, each of which is judged by what was taught on the others.
PARTS = 3

S = TypeVar("S")


def search_diagnosis(
    read: Readings,
    settings: S,
    teacher_of: Callable[[S], Teacher],
    trials: int,
    *,
    needs_labels: bool,
    seed: int,
    out: Path,
    identity: Mapping[str, Any],
    tell: Callable[[dict[str, Any]], None],
    wanted: Callable[[], bool],
) -> Searched[S, Own]:
    """Search for each chain of a round. Raises as training/inner_search.py's search."""
    run = DiagnosisSearch(read, teacher_of, needs_labels=needs_labels, seed=seed, wanted=wanted)
    found = search(
        settings, run.scopes, trials, seed=seed, keep=out / TRIALS, identity=identity, tell=tell, wanted=wanted
    )
    return Searched.of(found, run.own(found))


class DiagnosisSearch(Generic[S]):
    """Searches of a round: one for each fold, in the patients outside it, and one in all, whose parts are the round's
    own folds. `teacher_of` makes the teacher of settings."""

    def __init__(
        self,
        read: Readings,
        teacher_of: Callable[[S], Teacher],
        *,
        needs_labels: bool,
        seed: int,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._read, self._teacher_of, self._needs_labels = read, teacher_of, needs_labels
        self._seed, self._wanted = seed, wanted
        self._inner: dict[str, Readings] = {ALL: read}

    @property
    def scopes(self) -> list[Scope[S]]:
        lesson = self._read.lesson
        outside = {str(fold): lesson.folds != fold for fold in self._read.folds}
        outside[ALL] = np.ones(len(lesson.patients), dtype=bool)
        return [Scope(name, _patients(lesson, own), partial(self._judge, name)) for name, own in outside.items()]

    def own(self, found: Mapping[str, Found[S]]) -> dict[str, Own]:
        """By chain what it is taught with, and what brings its scores to one scale with those of other settings."""
        return {name: self._own(name, each.settings) for name, each in found.items()}

    def _own(self, name: str, settings: S) -> Own:
        lesson, scores = self._read_in(name).lesson, self._unseen(name, settings)
        curves = {each.name: calibrate(scores[each.name], lesson.of(each)[1]) for each in lesson.decisions}
        return Own(self._teacher_of(settings), curves)

    def _judge(self, name: str) -> Judge[S]:
        read = self._read_in(name)

        def judge(settings: S) -> float:
            scores = self._unseen(name, settings)
            return float(
                np.mean([_auroc(scores[each.name], read.lesson.of(each)[1]) for each in read.lesson.decisions])
            )

        return judge

    def _unseen(self, name: str, settings: S) -> Mapping[str, Values]:
        """By decision scores (p, K) of its patients by chains of these settings that had not seen them."""
        read = self._read_in(name)
        teacher, scores = self._teacher_of(settings), no_scores(read.lesson)
        for part in read.folds:
            if not self._wanted():
                raise Stopped
            score_unseen(read, teach_chain(read, teacher, part), part, scores)
        return scores

    def _read_in(self, name: str) -> Readings:
        if name not in self._inner:
            self._inner[name] = inner_readings(self._read, int(name), self._needs_labels, self._seed)
        return self._inner[name]


def inner_readings(read: Readings, fold: int, needs_labels: bool, seed: int) -> Readings:
    """What readers say that saw neither the fold nor the part that they read. Raises SearchError."""
    lesson, rows = inner_lesson(read.lesson, fold, seed)
    try:
        return read_patients(
            lesson,
            read.features[rows],
            needs_labels=needs_labels,
            seed=seed,
            whole=False,
            views=[view[rows] for view in read.views],
        )
    except DecisionError as problem:
        raise SearchError(f"Too few patients are left to search without fold {fold}: {problem}") from problem


def inner_lesson(lesson: DiagnosisLesson, fold: int, seed: int) -> tuple[DiagnosisLesson, NDArray[np.bool_]]:
    """The lesson of the patients outside a fold, in PARTS of their own, and which rows of the features it has (n,).
    Those of the fold keep their numbers and have no cell."""
    rows = lesson.folds[lesson.patient] != fold
    parts = np.zeros(len(lesson.patients), dtype=np.int64)
    present = np.unique(lesson.patient[rows])
    shuffled = np.random.default_rng([seed, fold]).permutation(present)
    # In turn, diagnosis by diagnosis, so that each part has its share of each.
    dealt = sorted(shuffled.tolist(), key=lambda number: lesson.diagnoses[number])
    for place, number in enumerate(dealt):
        parts[number] = place % PARTS
    classes = lesson.classes
    inner = replace(
        lesson,
        cells=tuple(cell for cell, own in zip(lesson.cells, rows.tolist(), strict=False) if own),
        patient=lesson.patient[rows],
        counts=lesson.counts[rows],
        folds=parts,
        classes=None if classes is None else replace(classes, targets=classes.targets[rows], auer=classes.auer[rows]),
    )
    if set(inner.patient.tolist()) & set(np.flatnonzero(lesson.folds == fold).tolist()):
        raise AssertionError("A patient who judges the fold would take part in choosing its settings.")
    return inner, rows


def _auroc(scores: Values, targets: NDArray[np.int64]) -> float:
    """Of scores (p, K): the mean over the diagnoses, each against all others; of two it is the same of both."""
    chances = calibrate(scores, targets).probabilities(scores)
    classes: Sequence[int] = range(chances.shape[1] if chances.shape[1] > 2 else 1)
    return float(np.mean([auroc(chances[:, number], targets == number) for number in classes]))


def _patients(lesson: DiagnosisLesson, chosen: NDArray[np.bool_]) -> int:
    return len({number for number in lesson.patient[lesson.counts].tolist() if chosen[number]})
