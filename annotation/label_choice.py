"""Which of a cell's labels and texts hold: the choice that its readers see and that exports and rounds take."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from annotation.models import CellLabel, CellText, SmearImage


@dataclass(frozen=True)
class Choice:
    """What one annotator says about a cell.

    labels: label ids in the order in which they were made. confidence: 0 to 1 by label id, for those where the
    annotator said how sure they are. texts: by the id of the text attribute, never empty ones.
    """

    labels: list[int] = field(default_factory=list)
    confidence: dict[int, float] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)


NOTHING_SAID = Choice()


def current_choice(labels: Iterable[CellLabel], texts: Iterable[CellText] = (), viewer_id: int | None = None) -> Choice:
    """The current choice among one cell's rows: labels and texts of one and the same annotator.

    A viewer who has said something of the cell sees their own choice; anyone else sees that of the annotator who
    spoke last, and an imported one only where no annotator has spoken. `viewer_id` None asks for the latter.
    """
    labels_of: dict[int | None, list[CellLabel]] = {}
    texts_of: dict[int | None, list[CellText]] = {}
    for row in labels:
        labels_of.setdefault(row.annotator_id, []).append(row)
    for text in texts:
        texts_of.setdefault(text.annotator_id, []).append(text)
    speakers = labels_of.keys() | texts_of.keys()
    if not speakers:
        return NOTHING_SAID
    people = speakers - {None}
    if viewer_id is not None and viewer_id in speakers:
        speaker: int | None = viewer_id
    elif len(people) > 1:
        speaker = max(people, key=lambda one: _last(labels_of.get(one, []), texts_of.get(one, [])))
    else:
        speaker = next(iter(people), None)
    chosen = sorted(labels_of.get(speaker, []), key=lambda row: row.pk)
    return Choice(
        [row.label_id for row in chosen],
        {row.label_id: row.confidence for row in chosen if row.confidence is not None},
        {text.attribute_id: text.text for text in sorted(texts_of.get(speaker, []), key=lambda text: text.pk)},
    )


def _last(labels: list[CellLabel], texts: list[CellText]) -> Any:
    # By the clock, as labels and texts are numbered apart; one choice is written in one moment, so that numbers
    # decide between two choices of the same one.
    return max([*((row.created_at, row.pk) for row in labels), *((text.created_at, text.pk) for text in texts)])


def choices_of(cell_ids: Iterable[UUID], viewer_id: int | None) -> dict[UUID, Choice]:
    """The current choice of each of the cells that has one. Two queries."""
    return _choices({"cell__in": list(cell_ids)}, viewer_id)


def choices_on(image: SmearImage, viewer_id: int | None) -> dict[UUID, Choice]:
    """The current choice of each cell of an image that has one. Two queries, however many cells there are."""
    return _choices({"cell__image": image}, viewer_id)


def _choices(lookup: dict[str, Any], viewer_id: int | None) -> dict[UUID, Choice]:
    labels: dict[UUID, list[CellLabel]] = {}
    texts: dict[UUID, list[CellText]] = {}
    for row in CellLabel.objects.filter(**lookup).order_by():
        labels.setdefault(row.cell_id, []).append(row)
    for text in CellText.objects.filter(**lookup).order_by():
        texts.setdefault(text.cell_id, []).append(text)
    return {
        cell_id: current_choice(labels.get(cell_id, ()), texts.get(cell_id, ()), viewer_id)
        for cell_id in labels.keys() | texts.keys()
    }
