"""What people say of cells, as classes for the heads of a label group."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from annotation.cell_crops import cells_to_classify
from annotation.label_choice import choices_of
from annotation.models import LabelGroup, Study

# Fewer labelled cells of a class tell nothing of it.
LEAST_CELLS = 3


@dataclass(frozen=True)
class Lesson:
    """What one head learns: rows of the table of features, their classes 0..K-1, and the label ids whose probabilities
    it gives, by column of the head's answer."""

    rows: NDArray[np.int64]
    targets: NDArray[np.int64]
    columns: Mapping[int, int]


def groups_of(study: Study) -> dict[UUID, str]:
    """By cell what never crosses a split: its patient, or its image where there is none. One query."""
    rows = cells_to_classify(study).order_by().values_list("pk", "image__patient__code", "image__sha256")
    return {cell: f"i:{sha256}" if code is None else f"p:{code}" for cell, code, sha256 in rows}


def labels_said(cells: Sequence[UUID]) -> dict[UUID, list[int]]:
    """The label ids that hold for each cell of which somebody has said something. Two queries."""
    return {cell: choice.labels for cell, choice in choices_of(cells, None).items()}


def lessons_of(group: LabelGroup, cells: Sequence[UUID], said: Mapping[UUID, Sequence[int]]) -> list[Lesson]:
    """What the heads of a group learn from the labelled cells: one head for a group of one choice, one a label where a
    cell may have many.

    Retired labels teach nothing: a cell that has one is neither of a class nor among the others. Classes of fewer than
    LEAST_CELLS cells wait for more. Empty where there is nothing to tell apart.
    """
    offered = group.labels.offered()
    if group.multiple:
        # What takes a cell out of the count says nothing of how it looks.
        offered = offered.filter(counted=True)
    own = list(offered.values_list("pk", flat=True))
    retired = set(group.labels.filter(retired=True).values_list("pk", flat=True))
    at = {cell: row for row, cell in enumerate(cells)}
    labelled = {at[cell]: set(labels) for cell, labels in said.items() if labels and cell in at}
    labelled = {row: labels for row, labels in labelled.items() if not labels & retired}
    return _one_head_each(own, labelled) if group.multiple else _one_head(own, labelled)


def _one_head(own: Sequence[int], labelled: Mapping[int, set[int]]) -> list[Lesson]:
    class_of = {row: next(iter(chosen)) for row, labels in labelled.items() if (chosen := labels & set(own))}
    counts = Counter(class_of.values())
    classes = [label for label in own if counts[label] >= LEAST_CELLS]
    if len(classes) < 2:
        return []
    column = {label: index for index, label in enumerate(classes)}
    rows = sorted(row for row, label in class_of.items() if label in column)
    return [Lesson(np.array(rows), np.array([column[class_of[row]] for row in rows]), column)]


def _one_head_each(own: Sequence[int], labelled: Mapping[int, set[int]]) -> list[Lesson]:
    """Each label against all cells that somebody has labelled, in whatever group, without giving it this one: who
    looked at a cell and named its type has seen that it has no Auer rod."""
    rows = sorted(labelled)
    lessons = []
    for label in own:
        targets = np.array([int(label in labelled[row]) for row in rows], dtype=np.int64)
        if LEAST_CELLS <= targets.sum() <= len(rows) - LEAST_CELLS:
            lessons.append(Lesson(np.array(rows), targets, {label: 1}))
    return lessons
