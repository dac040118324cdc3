"""Changes to the cells of an image: each is an operation with an id of the client's and the version it was based on.

A batch is applied in order, in one transaction and a number of queries that does not grow with the number of
cells. The image's row is locked first, then its cells by id: two batches for one image run one after the other,
and whatever else writes cells that people may be editing takes the same lock first.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.db.models import F

from annotation.borders import BorderError, clean
from annotation.label_choice import current_choice
from annotation.models import Cell, CellLabel, Label, Operation, SmearImage

APPLIED, REPLAYED, STALE, REFUSED = "applied", "replayed", "stale", "refused"
Kind = Operation.Kind
Status = Cell.Status


class Refusal(Exception):
    """An operation that cannot be applied; the message says why in one sentence."""


@dataclass(frozen=True)
class Change:
    """What a client asks for: one change to one cell.

    version: the cell's version that the client had seen, 0 for a create.
    border: for create and reshape. labels: for label, the whole choice of this annotator, as label ids.
    status: for restore, what the cell becomes: confirmed, or proposed (as it was proposed); None lets the
    cell's own past decide.
    """

    id: UUID
    kind: str
    cell: UUID
    version: int
    border: Mapping[str, Any] | None = None
    labels: Sequence[int] | None = None
    status: str | None = None

    def digest(self) -> str:
        """Names the content, so that an id sent again with other content is noticed."""
        content = [self.kind, str(self.cell), self.version, self.border, self.labels, self.status]
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=list).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Result:
    """What became of one operation: applied, replayed, stale or refused, and the cell as it is now, if known here."""

    id: UUID
    status: str
    cell: Cell | None
    reason: str = ""


@dataclass
class Outcome:
    """Results in the order of the batch, the image's state after it, and the current choice of labels by cell."""

    results: list[Result]
    image_state: str
    labels: dict[UUID, list[int]]

    @property
    def stale(self) -> bool:
        return any(result.status == STALE for result in self.results)


@dataclass
class _Batch:
    """What one batch needs to know of the database, read in a few queries, and what it will write."""

    image: SmearImage
    user: Any
    cells: dict[UUID, Cell]
    foreign: set[UUID]
    labels: dict[int, Label]
    touched_before: set[UUID]
    earlier: dict[UUID, Operation]
    made: dict[UUID, Cell] = field(default_factory=dict)
    changed: dict[UUID, Cell] = field(default_factory=dict)
    choices: dict[UUID, list[int]] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)


def apply(image_id: int, user: Any, changes: Sequence[Change]) -> Outcome:
    """Apply a batch to the cells of an image in the given order; what is refused or stale leaves the others standing.

    Sending an operation again answers "replayed" and changes nothing. A stale one (the cell has another version
    by now) is never merged: its result holds the cell as it is.
    """
    try:
        return _apply(image_id, user, changes)
    except IntegrityError:
        # An id of this batch was taken in the same moment through another image: the second look sees it.
        return _apply(image_id, user, changes)


@transaction.atomic
def _apply(image_id: int, user: Any, changes: Sequence[Change]) -> Outcome:
    image = SmearImage.objects.select_for_update().get(pk=image_id)
    batch = _read(image, user, changes)
    results = [_one(batch, change) for change in changes]
    _write(batch)
    cells = {result.cell.pk for result in results if result.cell is not None}
    return Outcome(results, image.state, choices_of(cells, user.pk))


def choices_of(cell_ids: set[UUID], viewer_id: int | None) -> dict[UUID, list[int]]:
    """The current choice of labels of each of the cells that has one. One query."""
    rows: dict[UUID, list[CellLabel]] = {}
    for row in CellLabel.objects.filter(cell__in=cell_ids):
        rows.setdefault(row.cell_id, []).append(row)
    return {cell_id: current_choice(of_one, viewer_id) for cell_id, of_one in rows.items()}


def _read(image: SmearImage, user: Any, changes: Sequence[Change]) -> _Batch:
    ids = {change.cell for change in changes}
    created = {change.cell for change in changes if change.kind == Kind.CREATE}
    label_ids = {label for change in changes for label in change.labels or ()}
    asked = {change.cell for change in changes if change.kind == Kind.RESTORE and change.status is None}
    touched = Operation.objects.filter(cell__in=asked, kind__in=[Kind.ACCEPT, Kind.RESHAPE]) if asked else None
    return _Batch(
        image=image,
        user=user,
        cells={
            cell.pk: cell for cell in Cell.objects.select_for_update().filter(image=image, pk__in=ids).order_by("pk")
        },
        foreign=set(Cell.objects.filter(pk__in=created).exclude(image=image).values_list("pk", flat=True))
        if created
        else set(),
        labels={
            label.pk: label
            for label in Label.objects.filter(pk__in=label_ids, group__study_id=image.study_id).select_related("group")
        }
        if label_ids
        else {},
        touched_before=set(touched.values_list("cell_id", flat=True)) if touched is not None else set(),
        earlier=Operation.objects.in_bulk([change.id for change in changes]),
    )


def _one(batch: _Batch, change: Change) -> Result:
    cell = batch.cells.get(change.cell)
    earlier = batch.earlier.get(change.id)
    if earlier is not None:
        if (
            earlier.image_id == batch.image.pk
            and earlier.user_id == batch.user.pk
            and earlier.payload.get("digest") == change.digest()
        ):
            return Result(change.id, REPLAYED, cell)
        return Result(change.id, REFUSED, cell, "This operation's id was used for another change.")
    try:
        if batch.image.state == SmearImage.State.REVIEWED:
            raise Refusal("The image is reviewed; it must be reopened before it can be changed.")
        if change.kind == Kind.CREATE:
            cell = _create(batch, change)
        else:
            if cell is None:
                raise Refusal("There is no such cell in this image.")
            if cell.version != change.version:
                return Result(change.id, STALE, cell, "The cell was changed by somebody else in the meantime.")
            _CHANGES[change.kind](batch, cell, change)
            cell.version += 1
            if cell.pk not in batch.made:
                batch.changed[cell.pk] = cell
    except (Refusal, BorderError) as refusal:
        return Result(change.id, REFUSED, cell, str(refusal))
    _record(batch, cell, change)
    return Result(change.id, APPLIED, cell)


def _record(batch: _Batch, cell: Cell, change: Change) -> None:
    payload: dict[str, Any] = {"digest": change.digest(), "status": cell.status}
    if change.kind in (Kind.CREATE, Kind.RESHAPE, Kind.RESTORE):
        payload["border"] = cell.border
    if change.kind == Kind.LABEL:
        payload["labels"] = batch.choices[cell.pk]
    operation = Operation(
        id=change.id,
        image=batch.image,
        cell=cell,
        user=batch.user,
        kind=change.kind,
        based_on=change.version,
        version=cell.version,
        payload=payload,
    )
    batch.earlier[change.id] = operation
    batch.operations.append(operation)
    if batch.image.state in SmearImage.UNTOUCHED:
        batch.image.state = SmearImage.State.IN_PROGRESS
    elif batch.image.state == SmearImage.State.ANNOTATED and cell.status == Status.PROPOSED:
        # An annotated image has no open proposals: bringing one back opens the image again.
        batch.image.state = SmearImage.State.IN_PROGRESS


def _create(batch: _Batch, change: Change) -> Cell:
    if change.cell in batch.cells or change.cell in batch.foreign:
        raise Refusal("There is a cell of this id already.")
    if change.version != 0:
        raise Refusal("A new cell is based on version 0.")
    cell = Cell(id=change.cell, image=batch.image, origin=Cell.Origin.DRAWN, status=Status.CONFIRMED, version=1)
    cell.place(_border(batch, change), batch.image)
    batch.cells[cell.pk] = batch.made[cell.pk] = cell
    return cell


def _reshape(batch: _Batch, cell: Cell, change: Change) -> None:
    if cell.status == Status.DELETED:
        raise Refusal("The cell is deleted; restore it before reshaping it.")
    cell.place(_border(batch, change), batch.image)
    cell.status = Status.CONFIRMED


def _accept(batch: _Batch, cell: Cell, change: Change) -> None:
    if cell.status != Status.PROPOSED:
        raise Refusal("Only a proposal can be accepted.")
    cell.status = Status.CONFIRMED


def _delete(batch: _Batch, cell: Cell, change: Change) -> None:
    if cell.status == Status.DELETED:
        raise Refusal("The cell is deleted already.")
    cell.status = Status.DELETED


def _restore(batch: _Batch, cell: Cell, change: Change) -> None:
    """Bring a deleted cell back, or make an accepted or moved proposal the proposal that it was."""
    target = change.status
    if target is None:
        untouched = cell.border == cell.proposed_border and cell.pk not in batch.touched_before
        target = Status.PROPOSED if untouched else Status.CONFIRMED
    if target == Status.PROPOSED:
        if cell.origin != Cell.Origin.PROPOSAL or cell.proposed_border is None:
            raise Refusal("The cell never was a proposal.")
        if cell.status == Status.PROPOSED:
            raise Refusal("The cell is a proposal already.")
        cell.place(cell.proposed_border, batch.image)
    elif target != Status.CONFIRMED:
        raise Refusal("A cell is restored as confirmed or proposed.")
    elif cell.status != Status.DELETED:
        raise Refusal("The cell is not deleted.")
    cell.status = Status(target)


def _label(batch: _Batch, cell: Cell, change: Change) -> None:
    if change.labels is None:
        raise Refusal("A label operation names the labels.")
    if cell.status == Status.DELETED:
        raise Refusal("The cell is deleted; restore it before labelling it.")
    chosen = list(dict.fromkeys(change.labels))
    single: set[int] = set()
    for label_id in chosen:
        label = batch.labels.get(label_id)
        if label is None:
            raise Refusal("There is no such label in this study.")
        if not label.group.multiple:
            if label.group_id in single:
                raise Refusal(f"A cell has one label of the group {label.group.name} at most.")
            single.add(label.group_id)
    batch.choices[cell.pk] = chosen


def _border(batch: _Batch, change: Change) -> dict[str, Any]:
    if change.border is None:
        raise Refusal(f"A {change.kind} operation needs a border.")
    return clean(change.border, batch.image.width, batch.image.height)


_CHANGES: dict[str, Callable[[_Batch, Cell, Change], None]] = {
    Kind.RESHAPE: _reshape,
    Kind.ACCEPT: _accept,
    Kind.DELETE: _delete,
    Kind.RESTORE: _restore,
    Kind.LABEL: _label,
}


def _write(batch: _Batch) -> None:
    if not batch.operations:
        return
    Cell.objects.bulk_create(batch.made.values())
    # An upsert of rows that exist and are locked: one statement, where bulk_update builds a CASE a row and field.
    Cell.objects.bulk_create(
        batch.changed.values(),
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["version", "status", "border", "x0", "y0", "x1", "y1", "changed_at"],
    )
    _write_labels(batch)
    Operation.objects.bulk_create(batch.operations)
    SmearImage.objects.filter(pk=batch.image.pk).exclude(state=batch.image.state).update(state=batch.image.state)


def _write_labels(batch: _Batch) -> None:
    """The annotator's choice takes the place of their earlier one and of an imported one (the history keeps both)."""
    if not batch.choices:
        return
    replaced = CellLabel.objects.filter(cell__in=batch.choices)
    own = replaced.filter(annotator=batch.user)
    confidence = {
        (cell_id, label_id): value for cell_id, label_id, value in own.values_list("cell", "label", "confidence")
    }
    (own | replaced.filter(annotator__isnull=True)).delete()
    CellLabel.objects.bulk_create(
        CellLabel(
            cell_id=cell_id,
            label_id=label_id,
            annotator=batch.user,
            confidence=confidence.get((cell_id, label_id)),
        )
        for cell_id, chosen in batch.choices.items()
        for label_id in chosen
    )


def shown_proposals(image: SmearImage) -> list[Cell]:
    """The proposals of an image that people see and have neither accepted nor rejected."""
    return list(Cell.objects.shown().filter(image=image, status=Status.PROPOSED).order_by("pk"))


def settle_proposals(image: SmearImage, user: Any, kind: str) -> int:
    """Accept or delete every shown proposal of an image; the count. Call with the image's row locked.

    The records are the same as if a person had done it one by one.
    """
    changes = [Change(id=uuid4(), kind=kind, cell=cell.pk, version=cell.version) for cell in shown_proposals(image)]
    if changes:
        _apply(image.pk, user, changes)
        image.refresh_from_db(fields=["state"])
    return len(changes)


def cells_shown(image: SmearImage) -> list[Cell]:
    """Every border that the editor draws, ignored regions first (they lie beneath the others)."""
    return list(Cell.objects.shown().filter(image=image).order_by(F("ignored").desc(), "created_at", "pk"))
