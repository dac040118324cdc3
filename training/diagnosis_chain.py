"""The chain from a patient's cells to a diagnosis, taught so that no part of it ever judges a patient it was taught on.

Of each fold there is one chain, taught on all other patients, and one is taught on all. Within a chain the cells that
teach its last step are read by readers that had not seen their patient either: for the chain without fold f, those of
fold a are read by a reader taught without f and a. Free of Django.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.cell_reader import CellReader, ReaderError, Reading, teach
from training.decisions import DecisionError
from training.diagnosis_judging import Calibration, calibrate
from training.diagnosis_lesson import DiagnosisLesson

Features = NDArray[np.float32]
Values = NDArray[np.float64]

# The chain that was taught on all patients; the others go by the number of the fold they were taught without.
ALL = "all"


@dataclass(frozen=True)
class PatientCells:
    """The cells (n, C) of one patient that enter a diagnosis, n > 0, with the smear's stain taken off as far as asked,
    and what a reader says of them; None where there is none."""

    features: Features
    reading: Reading | None

    @property
    def weight(self) -> Values:
        """(n,) how likely each is of the cells that leukaemias are made of; all alike where nobody can say."""
        found = None if self.reading is None else self.reading.malignant
        return np.ones(len(self.features)) if found is None else found


class LastStep(Protocol):
    """What makes scores of a patient's cells: an ensemble, or MILLIE."""

    def scores(self, cells: PatientCells) -> Values:
        """(K,)"""
        ...


class Teacher(Protocol):
    """What teaches the last step of a kind of model."""

    @property
    def control(self) -> float:
        """How far the stain is taken off, 0 to 1."""
        ...

    def teach(self, patients: Sequence[PatientCells], targets: NDArray[np.int64], classes: int) -> LastStep: ...


@dataclass(frozen=True)
class Chain:
    """A reader, or None where cells have no labels, and the last step of each decision by its name."""

    reader: CellReader | None
    steps: Mapping[str, LastStep]
    control: float

    def cells(self, features: Features) -> PatientCells:
        """A patient's, of features (n, C)."""
        if self.reader is None:
            return PatientCells(features, None)
        reading = self.reader.read(features)
        stain = self.reader.stain(features, reading, np.zeros(len(features), dtype=np.int64))
        return PatientCells(features - np.float32(self.control) * stain, reading)


@dataclass(frozen=True)
class Taught:
    """chains by fold and ALL. unseen: by decision the scores (p, K) of its patients by the chain that had not seen
    them, and calibrations made of these. notes: what was left out, in sentences."""

    chains: Mapping[str, Chain]
    unseen: Mapping[str, Values]
    calibrations: Mapping[str, Calibration]
    notes: Sequence[str] = field(default=())


def teach_chains(
    lesson: DiagnosisLesson,
    features: Features,
    teacher: Teacher,
    *,
    needs_labels: bool,
    seed: int = 0,
    say: Callable[[str], None] = lambda sentence: None,
) -> Taught:
    """Of features (n, C) of the lesson's cells. Raises DecisionError where the model `needs_labels` of cells and there
    are none that teach."""
    folds = sorted(set(lesson.folds.tolist()))
    readers, notes = _readers(lesson, features, folds, seed, needs_labels)
    for note in notes:
        say(note)
    chains: dict[str, Chain] = {}
    unseen = {each.name: np.zeros((len(lesson.of(each)[0]), len(each.classes))) for each in lesson.decisions}
    for without in [*folds, None]:
        say("Learns from all patients." if without is None else f"Learns without fold {without}, which judges it.")
        taught = _patients(lesson, features, readers, folds, without, teacher.control)
        steps = {}
        for decision in lesson.decisions:
            numbers, targets = lesson.of(decision)
            learns = np.ones(len(numbers), bool) if without is None else lesson.folds[numbers] != without
            steps[decision.name] = teacher.teach(
                [taught[number] for number in numbers[learns].tolist()], targets[learns], len(decision.classes)
            )
        chain = Chain(None if readers is None else readers[_key(without)], steps, teacher.control)
        chains[ALL if without is None else str(without)] = chain
        if without is None:
            continue
        for decision in lesson.decisions:
            numbers, _ = lesson.of(decision)
            for row, number in enumerate(numbers.tolist()):
                if lesson.folds[number] == without:
                    own = chain.cells(features[lesson.counts & (lesson.patient == number)])
                    unseen[decision.name][row] = steps[decision.name].scores(own)
    calibrations = {
        decision.name: calibrate(unseen[decision.name], lesson.of(decision)[1]) for decision in lesson.decisions
    }
    return Taught(chains, unseen, calibrations, notes)


def _key(*without: int | None) -> frozenset[int]:
    return frozenset(each for each in without if each is not None)


def _readers(
    lesson: DiagnosisLesson, features: Features, folds: Sequence[int], seed: int, needed: bool
) -> tuple[dict[frozenset[int], CellReader] | None, list[str]]:
    """Readers by the folds that they were taught without: none, one, and each two."""
    if lesson.classes is None:
        problem = "No cells are labelled in a group of one choice: cells are not weighed by what they are."
        if needed:
            raise DecisionError("Ratios need labelled cells: label the cells of some patients first.")
        return None, [problem]
    of_cell = lesson.folds[lesson.patient]
    patients = np.array(lesson.patients)[lesson.patient]
    sets = {_key(), *(_key(one, other) for one in folds for other in folds)}
    found: dict[frozenset[int], CellReader] = {}
    try:
        for without in sorted(sets, key=sorted):
            rows = ~np.isin(of_cell, sorted(without))
            found[without] = teach(lesson.classes, features, patients, rows, seed)
    except ReaderError as problem:
        if needed:
            raise DecisionError(str(problem)) from problem
        return None, [f"{problem} Cells are not weighed by what they are."]
    return found, []


def _patients(
    lesson: DiagnosisLesson,
    features: Features,
    readers: Mapping[frozenset[int], CellReader] | None,
    folds: Sequence[int],
    without: int | None,
    control: float,
) -> dict[int, PatientCells]:
    """The patients outside a fold, by number, as the last step learns from them."""
    of_cell = lesson.folds[lesson.patient]
    found: dict[int, PatientCells] = {}
    for fold in folds:
        if fold == without:
            continue
        chain = Chain(None if readers is None else readers[_key(without, fold)], {}, control)
        for number in np.unique(lesson.patient[lesson.counts & (of_cell == fold)]).tolist():
            found[number] = chain.cells(features[lesson.counts & (lesson.patient == number)])
    return found
