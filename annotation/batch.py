"""What one batch of operations reads and writes: a number of queries that does not grow with the number of cells."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from annotation.label_changes import tell_labels_changed
from annotation.label_choice import Choice
from annotation.models import (
    Adjudication,
    Cell,
    CellLabel,
    CellReading,
    CellText,
    Label,
    Operation,
    Reader,
    SmearImage,
    TextAttribute,
)
from annotation.revision import next_revision

Kind = Operation.Kind
# Made once: an encoder of its own for each of a thousand operations costs more than its work.
_ENCODER = json.JSONEncoder(sort_keys=True, default=list)


@dataclass(frozen=True)
class Change:
    """What a client asks for: one change to one cell.

    version: the cell's version that the client had seen, 0 for a create.
    border: for create and reshape. labels: for label, the whole choice of this annotator, as label ids; confidence
    (0 to 1 by label id) and texts (by the id of the text attribute) belong to it, and None is none of them.
    status: for restore, what the cell becomes: confirmed, or proposed (as it was proposed); None lets the
    cell's own past decide. group, labels and note: for adjudicate, the labels of a group that count and why; labels
    None takes the decision back.
    """

    id: UUID
    kind: str
    cell: UUID
    version: int
    border: Mapping[str, Any] | None = None
    labels: Sequence[int] | None = None
    status: str | None = None
    confidence: Mapping[int, float] | None = None
    texts: Mapping[int, str] | None = None
    group: int | None = None
    note: str = ""

    def digest(self) -> str:
        """Names the content, so that an id sent again with other content is noticed."""
        content: list[Any] = [self.kind, str(self.cell), self.version, self.border, self.labels, self.status]
        # Only where given: what was sent before these two existed keeps its name when it is sent again.
        if self.confidence is not None or self.texts is not None:
            content += [self.confidence, self.texts]
        if self.group is not None:
            content += [self.group, self.note]
        return hashlib.sha256(_ENCODER.encode(content).encode()).hexdigest()[:16]


@dataclass
class Batch:
    """What one batch needs to know of the database, and what it will write."""

    image: SmearImage
    user: Any
    cells: dict[UUID, Cell]
    # Ids of cells of other images that this batch would create.
    foreign: set[UUID]
    labels: dict[int, Label]
    text_attributes: set[int]
    # Cells that somebody accepted or reshaped before, of those to be restored to whatever they were.
    touched_before: set[UUID]
    earlier: dict[UUID, Operation]
    # The user's parts of readings that they are not done with, by cell.
    read: dict[UUID, list[CellReading]]
    # Cells and groups for which a reviewer's decision stands.
    settled: set[tuple[UUID, int]]
    # Cells that somebody else changed: what follows on them in this batch was meant for another border, even where
    # its version happens to be the one that the cell has by now.
    overtaken: set[UUID] = field(default_factory=set)
    made: dict[UUID, Cell] = field(default_factory=dict)
    changed: dict[UUID, Cell] = field(default_factory=dict)
    choices: dict[UUID, Choice] = field(default_factory=dict)
    # By cell and group; None takes a decision back.
    decisions: dict[tuple[UUID, int], Adjudication | None] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)


def read_batch(image: SmearImage, user: Any, changes: Sequence[Change]) -> Batch:
    """Lock the cells that the changes name, in the order of their ids, and read what deciding on them takes.

    Call with the image's row locked.
    """
    ids = {change.cell for change in changes}
    created = {change.cell for change in changes if change.kind == Kind.CREATE}
    label_ids = {label for change in changes for label in change.labels or ()}
    text_ids = {attribute for change in changes for attribute in change.texts or ()}
    asked = {change.cell for change in changes if change.kind == Kind.RESTORE and change.status is None}
    cells = Cell.objects.select_for_update().filter(image=image, pk__in=ids).order_by("pk")
    foreign = Cell.objects.filter(pk__in=created).exclude(image=image).values_list("pk", flat=True)
    labels = Label.objects.filter(pk__in=label_ids, group__study_id=image.study_id).select_related("group")
    attributes = TextAttribute.objects.filter(pk__in=text_ids, study_id=image.study_id).values_list("pk", flat=True)
    touched = Operation.objects.filter(cell__in=asked, kind__in=[Kind.ACCEPT, Kind.RESHAPE])
    labelled = {change.cell for change in changes if change.kind == Kind.LABEL}
    read: dict[UUID, list[CellReading]] = {}
    for part in CellReading.objects.filter(
        cell__in=labelled, cell__image=image, reader__in=Reader.objects.reading_on().filter(user=user.pk)
    ).select_related("reader"):
        read.setdefault(part.cell_id, []).append(part)
    decided = {change.cell for change in changes if change.kind == Kind.ADJUDICATE}
    settled = Adjudication.objects.filter(cell__in=decided).values_list("cell", "group")
    return Batch(
        image=image,
        user=user,
        # Django asks nothing where a set of ids is empty.
        cells={cell.pk: cell for cell in cells},
        foreign=set(foreign),
        labels={label.pk: label for label in labels},
        text_attributes=set(attributes),
        touched_before=set(touched.values_list("cell_id", flat=True)),
        earlier=Operation.objects.in_bulk([change.id for change in changes]),
        read=read,
        settled=set(settled),
    )


def write_batch(batch: Batch) -> None:
    """Write what was changed as the next revision of the image; nothing at all where nothing was."""
    if not batch.operations:
        return
    revision = next_revision(batch.image, "state")
    for cell in (*batch.made.values(), *batch.changed.values()):
        cell.revision = revision
    _insert_cells(batch)
    _update_cells(list(batch.changed.values()))
    _write_choices(batch)
    _write_readings(batch)
    _write_decisions(batch)
    _insert_operations(batch)


# The rows go as one JSON document: Django's ways (bulk_create, bulk_update) take a parameter for each field of each
# row, and several times as long for the 170 cells of a field.


def _cell_row(cell: Cell) -> dict[str, Any]:
    names = ("version", "revision", "status", "border", "x0", "y0", "x1", "y1")
    return {"id": str(cell.pk), **{name: getattr(cell, name) for name in names}}


def _insert_cells(batch: Batch) -> None:
    """Save the cells that were drawn, in their order: one microsecond after another."""
    if not batch.made:
        return
    now = timezone.now()
    rows = []
    for place, cell in enumerate(batch.made.values()):
        cell.created_at = cell.changed_at = now + timedelta(microseconds=place)
        rows.append({**_cell_row(cell), "at": cell.created_at.isoformat()})
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO {Cell._meta.db_table}
                (id, image_id, version, revision, status, origin, border, x0, y0, x1, y1,
                 ignored, ignored_class, shadowed, created_at, changed_at)
            SELECT new.id, %s, new.version, new.revision, new.status, %s, new.border, new.x0, new.y0, new.x1, new.y1,
                false, '', false, new.at, new.at
            FROM jsonb_to_recordset(%s::jsonb) AS new(
                id uuid, version integer, revision integer, status text, border jsonb,
                x0 double precision, y0 double precision, x1 double precision, y1 double precision, at timestamptz)
            """,
            [batch.image.pk, Cell.Origin.DRAWN, json.dumps(rows)],
        )
    for cell in batch.made.values():
        cell._state.adding = False
        cell._state.db = connection.alias


def _update_cells(cells: Sequence[Cell]) -> None:
    """Save cells that exist and are locked, all in one statement."""
    if not cells:
        return
    now = timezone.now()
    for cell in cells:
        cell.changed_at = now
    rows = [_cell_row(cell) for cell in cells]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE {Cell._meta.db_table} AS cell
            SET version = new.version, revision = new.revision, status = new.status, border = new.border,
                x0 = new.x0, y0 = new.y0, x1 = new.x1, y1 = new.y1, changed_at = %s
            FROM jsonb_to_recordset(%s::jsonb) AS new(
                id uuid, version integer, revision integer, status text, border jsonb,
                x0 double precision, y0 double precision, x1 double precision, y1 double precision)
            WHERE cell.id = new.id
            """,
            [now, json.dumps(rows)],
        )


def _insert_operations(batch: Batch) -> None:
    """Save the operations in their order."""
    now = timezone.now()
    rows = [
        {
            "id": str(operation.pk),
            "at": (now + timedelta(microseconds=place)).isoformat(),
            "cell": str(operation.cell_id),
            "kind": operation.kind,
            "based_on": operation.based_on,
            "version": operation.version,
            "payload": operation.payload,
        }
        for place, operation in enumerate(batch.operations)
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO {Operation._meta.db_table}
                (id, image_id, cell_id, user_id, kind, based_on, version, payload, created_at)
            SELECT new.id, %s, new.cell, %s, new.kind, new.based_on, new.version, new.payload, new.at
            FROM jsonb_to_recordset(%s::jsonb) AS new(
                id uuid, at timestamptz, cell uuid, kind text, based_on integer, version integer, payload jsonb)
            """,
            [batch.image.pk, batch.user.pk, json.dumps(rows)],
        )


def _write_choices(batch: Batch) -> None:
    """The annotator's choice takes the place of their earlier one and of an imported one (the history keeps both)."""
    if not batch.choices:
        return
    before = _take_labels_off(batch)
    after = {(cell_id, label_id) for cell_id, choice in batch.choices.items() for label_id in choice.labels}
    tell_labels_changed(label_id for _, label_id in before ^ after)
    CellText.objects.filter(cell__in=batch.choices, annotator=batch.user).delete()
    CellLabel.objects.bulk_create(
        CellLabel(cell_id=cell_id, label_id=label_id, annotator=batch.user, confidence=choice.confidence.get(label_id))
        for cell_id, choice in batch.choices.items()
        for label_id in choice.labels
    )
    CellText.objects.bulk_create(
        CellText(cell_id=cell_id, attribute_id=attribute_id, annotator=batch.user, text=text)
        for cell_id, choice in batch.choices.items()
        for attribute_id, text in choice.texts.items()
    )


def _take_labels_off(batch: Batch) -> set[tuple[UUID, int]]:
    """The cells and labels of what was taken off: one statement, where Django would ask before it deletes."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            DELETE FROM {CellLabel._meta.db_table}
            WHERE cell_id = ANY(%s) AND (annotator_id = %s OR annotator_id IS NULL AND cell_id <> ALL(%s))
            RETURNING cell_id, label_id
            """,
            # A reader may have been asked about some groups only: label_choice knows what of an imported one holds.
            [list(batch.choices), batch.user.pk, list(batch.read)],
        )
        return set(cursor.fetchall())


def _write_readings(batch: Batch) -> None:
    """What a reader says of a cell of theirs, for as long as they are not done."""
    parts = [part for cell_id in batch.choices for part in batch.read.get(cell_id, ())]
    for part in parts:
        choice = batch.choices[part.cell_id]
        part.labels, part.confidence = choice.labels, choice.confidence
        part.read_at = Now()
    CellReading.objects.bulk_update(parts, ["labels", "confidence", "read_at"])


def _write_decisions(batch: Batch) -> None:
    """A decision takes the place of the one before; what was decided before stands in the operations."""
    changed: set[int] = set()
    for (cell_id, group_id), decision in batch.decisions.items():
        own: set[int] = set()
        before = Adjudication.objects.filter(cell=cell_id, group=group_id).first()
        if before is not None:
            own.update(before.labels)
            before.delete()
        if decision is not None:
            own.update(decision.labels)
            decision.save()
        if not own:
            # "None of these" stands against what people said.
            own.update(CellLabel.objects.filter(cell=cell_id, label__group=group_id).values_list("label", flat=True))
        changed |= own
    tell_labels_changed(changed)
