"""The chain from a patient's cells to a diagnosis, taught so that no part of it ever judges a patient it was taught on.

Of each fold there is one chain, taught on all other patients, and one is taught on all. Within a chain the cells that
teach its last step are read by readers that had not seen their patient either (training/diagnosis_readings.py). Free of
Django.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.cell_reader import CellReader
from training.diagnosis_judging import Calibration, calibrate
from training.diagnosis_lesson import DiagnosisLesson
from training.diagnosis_readings import Features, PatientCells, Readings, Values, read_cells, read_patients

__all__ = ["ALL", "Chain", "LastStep", "Own", "PatientCells", "Taught", "Teacher", "chain_name", "teach_chains"]

# The chain that was taught on all patients; the others go by the number of the fold they were taught without.
ALL = "all"


class LastStep(Protocol):
    """What makes scores of a patient's cells: an ensemble, or MILLIE."""

    def scores(self, cells: PatientCells) -> Values:
        """(K,)"""
        ...

    def scaled(self, curve: Calibration) -> "LastStep":
        """One whose scores are temperature * scores + offset of these."""
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

    def cells(self, features: Features, views: Sequence[Features] = ()) -> PatientCells:
        """A patient's, of features (n, C), and of views of the same cells."""
        return read_cells(self.reader, features, views).controlled(self.control)


@dataclass(frozen=True)
class Own:
    """What a chain is taught with by itself, where a search found each chain its settings: its teacher, and by decision
    the curve that brings its scores to one scale with those of chains that learn otherwise."""

    teacher: Teacher
    curves: Mapping[str, Calibration]


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
    readings: Readings | None = None,
    own: Mapping[str, Own] | None = None,
) -> Taught:
    """Of features (n, C) of the lesson's cells. `readings` of the same are not made again; `own`: by the names of
    chains, in place of the teacher of all. Raises DecisionError where the model `needs_labels` of cells and there are
    none that teach."""
    read = readings or read_patients(lesson, features, needs_labels=needs_labels, seed=seed)
    for note in read.notes:
        say(note)
    chains: dict[str, Chain] = {}
    unseen = no_scores(lesson)
    for without in [*read.folds, None]:
        say("Learns from all patients." if without is None else f"Learns without fold {without}, which judges it.")
        name = chain_name(without)
        given = (own or {}).get(name, Own(teacher, {}))
        chains[name] = teach_chain(read, given.teacher, without, given.curves)
        if without is not None:
            score_unseen(read, chains[name], without, unseen)
    calibrations = {
        decision.name: calibrate(unseen[decision.name], lesson.of(decision)[1]) for decision in lesson.decisions
    }
    return Taught(chains, unseen, calibrations, read.notes)


def chain_name(without: int | None) -> str:
    return ALL if without is None else str(without)


def teach_chain(
    read: Readings, teacher: Teacher, without: int | None, curves: Mapping[str, Calibration] | None = None
) -> Chain:
    """The chain of all patients outside a fold; `curves` by decision, as Own has them."""
    lesson, steps = read.lesson, {}
    taught = {number: cells.controlled(teacher.control) for number, cells in read.taught(without).items()}
    for decision in lesson.decisions:
        numbers, targets = lesson.of(decision)
        learns = np.ones(len(numbers), bool) if without is None else lesson.folds[numbers] != without
        step = teacher.teach(
            [taught[number] for number in numbers[learns].tolist()], targets[learns], len(decision.classes)
        )
        curve = (curves or {}).get(decision.name)
        steps[decision.name] = step if curve is None else step.scaled(curve)
    return Chain(read.reader(without), steps, teacher.control)


def no_scores(lesson: DiagnosisLesson) -> dict[str, Values]:
    """By decision (p, K) zeros for its patients."""
    return {each.name: np.zeros((len(lesson.of(each)[0]), len(each.classes))) for each in lesson.decisions}


def score_unseen(read: Readings, chain: Chain, fold: int, scores: Mapping[str, Values]) -> None:
    """Fill in `scores` (p, K) by decision what a chain taught without a fold says of the patients of that fold."""
    for decision in read.lesson.decisions:
        numbers, _ = read.lesson.of(decision)
        for row, number in enumerate(numbers.tolist()):
            if read.lesson.folds[number] == fold:
                cells = read.judged(fold, number).controlled(chain.control)
                scores[decision.name][row] = chain.steps[decision.name].scores(cells)
