"""Changes to the cells of an image: each is an operation with an id of the client's and the version it was based on.

A batch is applied in order, in one transaction and a number of queries that does not grow with the number of
cells. The image's row is locked first, then its cells by id: two batches for one image run one after the other,
and whatever else writes cells that people may be editing takes the same lock first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.db.models import Q

from annotation.batch import Batch, Change, read_batch, write_batch
from annotation.borders import BorderError, clean
from annotation.label_choice import Choice, choices_of
from annotation.models import Adjudication, Cell, LabelGroup, Operation, SmearImage

__all__ = ["APPLIED", "REFUSED", "REPLAYED", "STALE", "Change", "Outcome", "Result", "apply", "settle_proposals"]

APPLIED, REPLAYED, STALE, REFUSED = "applied", "replayed", "stale", "refused"
MAX_TEXT = 2_000
Kind = Operation.Kind
Status = Cell.Status


class Refusal(Exception):
    """An operation that cannot be applied; the message says why in one sentence."""


@dataclass(frozen=True)
class Result:
    """What became of one operation: applied, replayed, stale or refused, and the cell as it is now, if known here."""

    id: UUID
    status: str
    cell: Cell | None
    reason: str = ""


@dataclass
class Outcome:
    """Results in the order of the batch, the image's state and revision after it, and by cell the choice that holds
    for the user."""

    results: list[Result]
    image_state: str
    revision: int
    choices: dict[UUID, Choice]

    @property
    def stale(self) -> bool:
        return any(result.status == STALE for result in self.results)


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
    batch = read_batch(image, user, changes)
    results = [_one(batch, change) for change in changes]
    write_batch(batch)
    cells = {result.cell.pk for result in results if result.cell is not None}
    return Outcome(results, image.state, image.revision, choices_of(cells, user.pk))


def _one(batch: Batch, change: Change) -> Result:
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
        if batch.image.state == SmearImage.State.REVIEWED and not _is_second_look(batch, change):
            raise Refusal("The image is reviewed; it must be reopened before it can be changed.")
        if change.kind == Kind.CREATE:
            cell = _create(batch, change)
        else:
            if cell is None:
                raise Refusal("There is no such cell in this image.")
            if cell.pk in batch.overtaken or (cell.version != change.version and not _still_holds(batch, cell, change)):
                batch.overtaken.add(cell.pk)
                return Result(change.id, STALE, cell, "The cell was changed by somebody else in the meantime.")
            _CHANGES[change.kind](batch, cell, change)
            cell.version += 1
            if cell.pk not in batch.made:
                batch.changed[cell.pk] = cell
    except (Refusal, BorderError) as refusal:
        return Result(change.id, REFUSED, cell, str(refusal))
    _record(batch, cell, change)
    return Result(change.id, APPLIED, cell)


def _is_second_look(batch: Batch, change: Change) -> bool:
    """Whether a change is a reading that somebody was asked for, or a reviewer's decision: of finished cells, too."""
    return change.kind == Kind.ADJUDICATE or (change.kind == Kind.LABEL and change.cell in batch.read)


def _still_holds(batch: Batch, cell: Cell, change: Change) -> bool:
    """Whether a reader's label is based on the border as it is, though others have labelled the cell meanwhile.

    Readers judge each on their own: what others say is none of their business, and rows of its own.
    """
    if change.kind != Kind.LABEL or change.cell not in batch.read or change.version > cell.version:
        return False
    since = Operation.objects.filter(cell=cell, version__gt=change.version)
    return not since.exclude(Q(kind=Kind.ADJUDICATE) | Q(kind=Kind.LABEL) & ~Q(user=batch.user)).exists()


def _record(batch: Batch, cell: Cell, change: Change) -> None:
    payload: dict[str, Any] = {"digest": change.digest(), "status": cell.status}
    if change.kind in (Kind.CREATE, Kind.RESHAPE, Kind.RESTORE):
        payload["border"] = cell.border
    if change.kind == Kind.LABEL:
        choice = batch.choices[cell.pk]
        payload["labels"] = choice.labels
        if choice.confidence:
            payload["confidence"] = choice.confidence
        if choice.texts:
            payload["texts"] = choice.texts
    if change.kind == Kind.ADJUDICATE:
        payload |= {"group": change.group, "labels": change.labels, "note": change.note}
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


def _create(batch: Batch, change: Change) -> Cell:
    if change.cell in batch.cells or change.cell in batch.foreign:
        raise Refusal("There is a cell of this id already.")
    if change.version != 0:
        raise Refusal("A new cell is based on version 0.")
    cell = Cell(id=change.cell, image=batch.image, origin=Cell.Origin.DRAWN, status=Status.CONFIRMED, version=1)
    cell.place(_border(batch, change), batch.image)
    batch.cells[cell.pk] = batch.made[cell.pk] = cell
    return cell


def _reshape(batch: Batch, cell: Cell, change: Change) -> None:
    if cell.status == Status.DELETED:
        raise Refusal("The cell is deleted; restore it before reshaping it.")
    cell.place(_border(batch, change), batch.image)
    cell.status = Status.CONFIRMED


def _accept(batch: Batch, cell: Cell, change: Change) -> None:
    if cell.status != Status.PROPOSED:
        raise Refusal("Only a proposal can be accepted.")
    cell.status = Status.CONFIRMED


def _delete(batch: Batch, cell: Cell, change: Change) -> None:
    if cell.status == Status.DELETED:
        raise Refusal("The cell is deleted already.")
    cell.status = Status.DELETED


def _restore(batch: Batch, cell: Cell, change: Change) -> None:
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


def _label(batch: Batch, cell: Cell, change: Change) -> None:
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
    batch.choices[cell.pk] = Choice(chosen, _confidence(change, chosen), _texts(batch, change))


def _adjudicate(batch: Batch, cell: Cell, change: Change) -> None:
    """Decide which labels of a group count, or take back what was decided. Asks nobody's role: adjudication.py does."""
    if change.group is None:
        raise Refusal("An adjudication names a label group.")
    if cell.status == Status.DELETED:
        raise Refusal("The cell is deleted; restore it before deciding on it.")
    place = (cell.pk, change.group)
    if change.labels is None:
        if batch.decisions.get(place) is None and place not in batch.settled - batch.decisions.keys():
            raise Refusal("Nothing was decided here that could be taken back.")
        batch.decisions[place] = None
        return
    chosen = list(dict.fromkeys(change.labels))
    labels = [batch.labels.get(label_id) for label_id in chosen]
    if any(label is None or label.group_id != change.group for label in labels):
        raise Refusal("There is no such label in this group.")
    if len(labels) > 1 and any(label and not label.group.multiple for label in labels):
        raise Refusal("A cell has one label of this group at most.")
    if not _is_group(batch, change.group):
        raise Refusal("There is no such label group in this study.")
    batch.decisions[place] = Adjudication(
        cell=cell, group_id=change.group, labels=chosen, decided_by=batch.user, note=change.note[:MAX_TEXT]
    )


def _is_group(batch: Batch, group_id: int) -> bool:
    return LabelGroup.objects.filter(pk=group_id, study=batch.image.study_id).exists()


def _confidence(change: Change, chosen: Sequence[int]) -> dict[int, float]:
    given = change.confidence or {}
    for label_id, value in given.items():
        if label_id not in chosen:
            raise Refusal("A confidence belongs to a label that is chosen.")
        if not 0 <= value <= 1:
            raise Refusal("A confidence lies between 0 and 1.")
    return {label_id: float(value) for label_id, value in given.items()}


def _texts(batch: Batch, change: Change) -> dict[int, str]:
    kept = {}
    for attribute_id, text in (change.texts or {}).items():
        if attribute_id not in batch.text_attributes:
            raise Refusal("There is no such text attribute in this study.")
        if len(text) > MAX_TEXT:
            raise Refusal(f"A text has at most {MAX_TEXT:,} characters; this one has {len(text):,}.")
        # PostgreSQL stores no NUL, and UTF-8 no half of a surrogate pair.
        if "\x00" in text or any(0xD800 <= ord(c) <= 0xDFFF for c in text):
            raise Refusal("The text holds characters that cannot be stored.")
        if text:
            kept[attribute_id] = text
    return kept


def _border(batch: Batch, change: Change) -> dict[str, Any]:
    if change.border is None:
        raise Refusal(f"A {change.kind} operation needs a border.")
    return clean(change.border, batch.image.width, batch.image.height)


_CHANGES: dict[str, Callable[[Batch, Cell, Change], None]] = {
    Kind.RESHAPE: _reshape,
    Kind.ACCEPT: _accept,
    Kind.DELETE: _delete,
    Kind.RESTORE: _restore,
    Kind.LABEL: _label,
    Kind.ADJUDICATE: _adjudicate,
}


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
        image.refresh_from_db(fields=["state", "revision"])
    return len(changes)
