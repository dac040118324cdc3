"""Adjudication: cells on which readers do not agree, and a reviewer's word on which label counts.

A decision is an operation on the cell (annotation/operations.py): it has a version that it was based on, stands in the
cell's history with who, when and why, and can be taken back. What it changes is said in annotation/label_rules.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404

from annotation.access import require
from annotation.batch import Change
from annotation.blind_reading import hidden_cells, sight_of
from annotation.models import Adjudication, Cell, CellReading, LabelGroup, Operation, Reader, Reading, Role, Study
from annotation.operations import Result, apply
from annotation.statements import Statement, statements


@dataclass(frozen=True)
class Word:
    """What one reader says: label ids in the order of the scheme, or none of them; confidence by label id."""

    reader: str
    labels: Sequence[int]
    confidence: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """What stands, or stood, for a cell in a group; labels None: the decision before was taken back."""

    group: int
    labels: list[int] | None
    by: str
    at: datetime
    note: str


@dataclass(frozen=True)
class Dispute:
    """A cell on which readers differ in a group. waiting: readers who were asked about it and have not read it yet."""

    cell: UUID
    version: int
    image: int
    patient: str | None
    group: int
    words: Sequence[Word]
    waiting: int = 0
    decision: Decision | None = None

    @property
    def answers(self) -> list[tuple[list[int], int]]:
        """The different answers and how many gave each, the most frequent first."""
        counts: dict[tuple[int, ...], int] = {}
        for word in self.words:
            counts[tuple(word.labels)] = counts.get(tuple(word.labels), 0) + 1
        return [(list(labels), number) for labels, number in sorted(counts.items(), key=lambda each: -each[1])]


def disputes(
    group: LabelGroup, viewer_id: int, reading: Reading | None = None, *, decided: bool = False
) -> list[Dispute]:
    """The cells on which people differ in a group and nobody has decided; with `decided` those on which somebody has.

    Those that everybody has read come first, then as they lie in the study. What the viewer is reading blind is not
    among them. Nine queries at most, however many cells there are.
    """
    said = statements(group, viewer_id, reading)
    standing = {
        row.cell_id: row
        for row in Adjudication.objects.filter(sight_of(viewer_id).others, group=group).select_related("decided_by")
    }
    wanted = {
        cell
        for cell, by_user in said.items()
        if (cell in standing) == decided and len({word.labels for word in by_user.values()}) > 1
    }
    if decided and reading is None:
        # Also where nobody differs, or no longer does.
        wanted |= standing.keys()
    rows = Cell.objects.filter(pk__in=wanted).confirmed().select_related("image__patient").order_by("image", "pk")
    place = {label: index for index, label in enumerate(group.labels.values_list("pk", flat=True))}
    names = dict(
        User.objects.filter(pk__in={user for cell in wanted for user in said.get(cell, ())}).values_list(
            "pk", "username"
        )
    )
    waiting = _waiting(wanted, reading)
    found = [
        Dispute(
            cell=row.pk,
            version=row.version,
            image=row.image_id,
            patient=row.image.patient.code if row.image.patient else None,
            group=group.pk,
            words=_words(said.get(row.pk, {}), names, place),
            waiting=waiting.get(row.pk, 0),
            decision=_decision(standing[row.pk]) if row.pk in standing else None,
        )
        for row in rows
    ]
    if decided:
        return sorted(found, key=lambda each: each.decision.at if each.decision else datetime.min, reverse=True)
    return sorted(found, key=lambda each: each.waiting > 0)


def _words(by_user: dict[int, Statement], names: dict[int, str], place: dict[int, int]) -> list[Word]:
    return [
        Word(names[user], sorted(word.labels, key=lambda label: place.get(label, -1)), dict(word.confidence))
        for user, word in sorted(by_user.items(), key=lambda each: names[each[0]])
    ]


def _decision(row: Adjudication) -> Decision:
    return Decision(row.group_id, row.labels, row.decided_by.get_username(), row.decided_at, row.note)


def _waiting(cells: set[UUID], reading: Reading | None) -> dict[UUID, int]:
    """By cell how many have still to read it. One query."""
    rows = CellReading.objects.filter(cell__in=cells, read_at=None, reader__in=Reader.objects.reading_on())
    if reading:
        rows = rows.filter(reader__reading=reading)
    found: dict[UUID, int] = {}
    for cell in rows.order_by().values_list("cell", flat=True):
        found[cell] = found.get(cell, 0) + 1
    return found


def decisions_on(cell_id: UUID) -> list[Decision]:
    """All that reviewers ever decided on a cell and took back, the last first. One query."""
    rows = Operation.objects.filter(cell=cell_id, kind=Operation.Kind.ADJUDICATE).select_related("user")
    return [
        Decision(
            row.payload["group"],
            row.payload["labels"],
            row.user.get_username() if row.user else "",
            row.created_at,
            row.payload["note"],
        )
        for row in rows.order_by("-version")
    ]


def cell_for(user: Any, cell_id: UUID, role: Role = Role.REVIEWER) -> Cell:
    """The cell with its image and study, if the user is a member of the study of at least that role. Raises Http404, or
    PermissionDenied, also for a cell that they are reading blind."""
    cells = Cell.objects.select_related("image__study", "image__patient")
    cell = cells.filter(pk=cell_id, image__study__in=Study.objects.visible_to(user)).first()
    if cell is None:
        raise Http404("There is no such cell.")
    require(user, cell.image.study, role)
    if hidden_cells(user.pk).filter(cell=cell).exists():
        raise PermissionDenied("You are reading this cell blind: be done with your reading first.")
    return cell


def decide(
    cell: Cell, user: Any, *, id: UUID, version: int, group: int, labels: Sequence[int] | None, note: str = ""
) -> Result:
    """Decide which labels of a group count for a cell, or with None take that back. What is stale or cannot be is
    answered, not raised, as operations are. Asks nobody's role: cell_for does."""
    change = Change(
        id=id,
        kind=Operation.Kind.ADJUDICATE,
        cell=cell.pk,
        version=version,
        group=group,
        labels=None if labels is None else list(labels),
        note=note.strip(),
    )
    return apply(cell.image_id, user, [change]).results[0]
