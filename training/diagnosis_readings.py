"""What cell classifiers say of the patients that a diagnosis is learned from, taught once for all that look at it.

Of each fold the cells are read by readers that had not seen their patients: for whatever is taught without fold f,
those of fold a are read by a reader taught without f and a. Readers depend neither on the kind of model nor on its
settings, so that an ensemble, MILLIE and all trials of a search share them. Free of Django and of torch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.cell_reader import CellReader, ReaderError, Reading, teach
from training.decisions import DecisionError
from training.diagnosis_lesson import DiagnosisLesson

Features = NDArray[np.float32]
Values = NDArray[np.float64]

# The folds that a reader was taught without.
Without = frozenset[int]
# What keeps readers from one round to the next (training/kept_readers.py): teaches those that it does not hold.
Keep = Callable[[Without, Callable[[], CellReader]], CellReader]


@dataclass(frozen=True)
class PatientCells:
    """The cells (n, C) of one patient that enter a diagnosis, n > 0, with the smear's stain taken off as far as asked,
    and what a reader says of them; None where there is none."""

    features: Features
    reading: Reading | None
    # The same cells in other stains and from other sides, alike (n, C) each.
    views: tuple[Features, ...] = ()

    @property
    def weight(self) -> Values:
        """(n,) how likely each is of the cells that leukaemias are made of; all alike where nobody can say."""
        found = None if self.reading is None else self.reading.malignant
        return np.ones(len(self.features)) if found is None else found


@dataclass(frozen=True)
class ReadCells:
    """The cells (n, C) of one patient as they are, what a reader says of them, and the smear's stain (C,), or None; of
    each view the same cells and the stain there."""

    features: Features
    reading: Reading | None
    stain: Features | None
    views: tuple[tuple[Features, Features | None], ...] = ()

    def controlled(self, control: float) -> PatientCells:
        """With so much of the stain taken off, 0 to 1."""

        def without(features: Features, stain: Features | None) -> Features:
            return features if stain is None or not control else features - np.float32(control) * stain

        views = tuple(without(*each) for each in self.views)
        return PatientCells(without(self.features, self.stain), self.reading, views)


def read_cells(reader: CellReader | None, features: Features, views: Sequence[Features] = ()) -> ReadCells:
    """A patient's, of features (n, C), n > 0, and of views of the same cells: they are read as they are."""
    if reader is None:
        return ReadCells(features, None, None, tuple((view, None) for view in views))
    reading, alone = reader.read(features), np.zeros(len(features), dtype=np.int64)
    stains = [reader.stain(each, reading, alone)[0] for each in (features, *views)]
    return ReadCells(features, reading, stains[0], tuple(zip(views, stains[1:], strict=True)))


@dataclass(frozen=True)
class Readings:
    """readers: by the folds that they were taught without (none, one, and each two); None where cells have no labels
    that teach. notes: what was left out, in sentences."""

    lesson: DiagnosisLesson
    features: Features
    readers: Mapping[Without, CellReader] | None
    notes: Sequence[str]
    # Of the same cells, (n, C) each.
    views: Sequence[Features] = ()
    _seen: dict[int | None, dict[int, ReadCells]] = field(default_factory=dict, init=False, repr=False)

    @property
    def folds(self) -> list[int]:
        return sorted(set(self.lesson.folds.tolist()))

    def reader(self, *without: int | None) -> CellReader | None:
        """The one that was taught without these folds."""
        return None if self.readers is None else self.readers[key_of(*without)]

    def own(self, number: int) -> tuple[Features, list[Features]]:
        """(n, C) the cells of one patient, by number, that enter a diagnosis, and their views."""
        rows = self.lesson.counts & (self.lesson.patient == number)
        return self.features[rows], [view[rows] for view in self.views]

    def taught(self, without: int | None) -> Mapping[int, ReadCells]:
        """The patients outside a fold, by number, as a last step learns from them; read once."""
        if without not in self._seen:
            of_cell = self.lesson.folds[self.lesson.patient]
            self._seen[without] = {
                number: read_cells(self.reader(without, fold), *self.own(number))
                for fold in self.folds
                if fold != without
                for number in np.unique(self.lesson.patient[self.lesson.counts & (of_cell == fold)]).tolist()
            }
        return self._seen[without]

    def judged(self, fold: int, number: int) -> ReadCells:
        """A patient of a fold as the chain without the fold sees it."""
        return read_cells(self.reader(fold), *self.own(number))


def read_patients(
    lesson: DiagnosisLesson,
    features: Features,
    *,
    needs_labels: bool,
    seed: int = 0,
    whole: bool = True,
    views: Sequence[Features] = (),
    keep: Keep = lambda without, made: made(),
) -> Readings:
    """Of features (n, C) of the lesson's cells, and of `views` of them; not `whole`: without the reader of all,
    which judges nobody. Raises DecisionError where the model `needs_labels` of cells and there are none that teach."""
    folds = sorted(set(lesson.folds.tolist()))
    if lesson.classes is None:
        if needs_labels:
            raise DecisionError("Ratios need labelled cells: label the cells of some patients first.")
        problem = "No cells are labelled in a group of one choice: cells are not weighed by what they are."
        return Readings(lesson, features, None, [problem], views)
    classes, of_cell = lesson.classes, lesson.folds[lesson.patient]
    patients: NDArray[Any] = np.array(lesson.patients)[lesson.patient]

    def teacher(without: Without) -> Callable[[], CellReader]:
        return lambda: teach(classes, features, patients, ~np.isin(of_cell, sorted(without)), seed)

    sets = {key_of(one, other) for one in folds for other in folds} | ({key_of()} if whole else set())
    try:
        readers = {without: keep(without, teacher(without)) for without in sorted(sets, key=sorted)}
        return Readings(lesson, features, readers, [], views)
    except ReaderError as problem_:
        if needs_labels:
            raise DecisionError(str(problem_)) from problem_
        return Readings(lesson, features, None, [f"{problem_} Cells are not weighed by what they are."], views)


def key_of(*without: int | None) -> Without:
    return frozenset(each for each in without if each is not None)
