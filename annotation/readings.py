"""Readings: asking several people to label the same cells, each on their own; reading them one by one; being done.

A reading is labelled by the operations of the editor and the gallery (annotation/operations.py), which also note in a
reader's part what they said (annotation/batch.py). What a blind one hides is in annotation/blind_reading.py.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import Http404
from django.utils import timezone

from annotation.access import require
from annotation.assignment import NoSuchMember, member
from annotation.blind_reading import shown_labels
from annotation.cell_crops import cells_to_classify
from annotation.models import Cell, CellLabel, CellReading, LabelGroup, Reader, Reading, Role, SmearImage, Study
from annotation.reading_shares import shared_out

# More than anybody reads; the rows of a reading are made while somebody waits.
MOST_CELLS = 5_000
MOST_READERS = 20
_MOST_NAME, _MOST_NOTE = 200, 2_000
_STILL_THERE = Q(cell__status=Cell.Status.CONFIRMED, cell__ignored=False)


class ReadingRefused(Exception):
    """A reading that cannot be asked for, or not be ended so; the message says why in one sentence."""


@dataclass(frozen=True)
class CellsWanted:
    """Which cells are to be read.

    cells: these, if any are named; else a random draw of `number` (None: all) of those on images in a state, of some
    patients (by id), with a label that anybody gave (by id). Empty values ask for everything.
    """

    cells: Sequence[UUID] = ()
    state: str = ""
    patients: Collection[int] = ()
    label: int | None = None
    number: int | None = None


@dataclass(frozen=True)
class Wanted:
    """A reading as a reviewer asks for it: groups and readers by id; each cell is read by `each` of the readers, and
    the share `by_all` of them (0 to 1) by all."""

    name: str
    groups: Collection[int]
    readers: Sequence[int]
    each: int
    cells: CellsWanted
    by_all: float = 0.0
    blind: bool = True
    hides_model: bool = True
    note: str = ""


@dataclass(frozen=True)
class Part:
    """How far one reader is: `cells` are those that are still there, `read` those of them that they have labelled."""

    reader: Reader
    cells: int
    read: int

    @property
    def left(self) -> int:
        return self.cells - self.read

    @property
    def percent(self) -> int:
        """Rounded down: 100 means that none is left."""
        return 100 * self.read // self.cells if self.cells else 100

    @property
    def is_done(self) -> bool:
        return self.reader.finished_at is not None


@dataclass(frozen=True)
class ReadingProgress:
    """A reading with its parts in the order of their readers; `cells` counts each cell once."""

    reading: Reading
    parts: Sequence[Part]
    cells: int

    @property
    def is_over(self) -> bool:
        return self.reading.ended_at is not None or all(part.is_done for part in self.parts)

    def part_of(self, user: Any) -> Part | None:
        return next((part for part in self.parts if part.reader.user_id == user.pk), None)


def reading_for(user: Any, reading_id: int, role: Role = Role.ANNOTATOR) -> Reading:
    """The reading with its study, if the user is a member of the study of at least that role, and a reader of it or a
    reviewer. Raises Http404 or PermissionDenied."""
    reading = Reading.objects.select_related("study").filter(pk=reading_id).first()
    held = reading.study.role_of(user) if reading else None
    if reading is None or held is None or not _may_know(reading, user, held):
        raise Http404("There is no such reading.")
    require(user, reading.study, role)
    return reading


def _may_know(reading: Reading, user: Any, held: Role) -> bool:
    return held.includes(Role.REVIEWER) or reading.readers.filter(user=user.pk).exists()


def reader_for(user: Any, reading_id: int) -> Reader:
    """The user's own part of a reading. Raises Http404."""
    reading = reading_for(user, reading_id)
    found = Reader.objects.select_related("reading__study").filter(reading=reading, user=user.pk).first()
    if found is None:
        raise Http404("You do not take part in this reading.")
    return found


# --- asking ---


@transaction.atomic
def ask(study: Study, user: Any, wanted: Wanted) -> Reading:
    """Have cells of a study read. Raises ReadingRefused where there is nothing to read, or nobody to read it."""
    name = wanted.name.strip()
    if not name:
        raise ReadingRefused("A reading needs a name.")
    if len(name) > _MOST_NAME or len(wanted.note) > _MOST_NOTE:
        raise ReadingRefused(f"A name has {_MOST_NAME} characters at most, a note {_MOST_NOTE:,}.")
    groups = list(LabelGroup.objects.filter(study=study, pk__in=wanted.groups))
    if not groups or len(groups) < len(set(wanted.groups)):
        raise ReadingRefused("Choose at least one label group of this study.")
    readers = list(dict.fromkeys(wanted.readers))
    if not 1 <= len(readers) <= MOST_READERS:
        raise ReadingRefused(f"Choose 1 to {MOST_READERS} readers.")
    try:
        users = [member(study, reader) for reader in readers]
    except NoSuchMember as problem:
        raise ReadingRefused(str(problem)) from None
    cells = cells_of(study, wanted.cells, user)
    if not cells:
        raise ReadingRefused("No cell is as you asked: choose other states, patients or labels.")
    if len(cells) > MOST_CELLS:
        raise ReadingRefused(f"That is {len(cells):,} cells; a reading has {MOST_CELLS:,} at most.")
    reading = Reading.objects.create(
        study=study,
        name=name,
        note=wanted.note.strip(),
        blind=wanted.blind,
        hides_model=wanted.blind and wanted.hides_model,
        asked_by=user,
    )
    reading.groups.set(groups)
    try:
        shares = shared_out(cells, users, wanted.each, wanted.by_all, seed=reading.pk)
    except ValueError as problem:
        raise ReadingRefused(str(problem)) from None
    for reader_user, own in shares.items():
        reader = Reader.objects.create(reading=reading, user=reader_user)
        CellReading.objects.bulk_create(
            (CellReading(reader=reader, cell_id=cell, place=place) for place, cell in enumerate(own)), batch_size=1000
        )
    return reading


def cells_of(study: Study, wanted: CellsWanted, user: Any) -> list[UUID]:
    """The cells that somebody asks for, in an order that tells nothing of them. Two queries.

    Raises ReadingRefused for a number that is none.
    """
    cells = cells_to_classify(study)
    if wanted.cells:
        return list(cells.filter(pk__in=wanted.cells).order_by("pk").values_list("pk", flat=True))
    if wanted.state:
        if wanted.state not in SmearImage.State.values:
            raise ReadingRefused(f"A state is one of {', '.join(SmearImage.State.values)}.")
        cells = cells.filter(image__state=wanted.state)
    if wanted.patients:
        cells = cells.filter(image__patient__in=wanted.patients)
    if wanted.label is not None:
        labels = CellLabel.objects.filter(shown_labels(user.pk), cell=OuterRef("pk"), label=wanted.label)
        cells = cells.filter(Exists(labels))
    found = list(cells.order_by("pk").values_list("pk", flat=True))
    if wanted.number is None:
        return found
    if wanted.number < 1:
        raise ReadingRefused("A number of cells is at least 1.")
    return Random(f"{study.pk} {len(found)}").sample(found, min(wanted.number, len(found)))


# --- reading ---


def progress_of(readings: "QuerySet[Reading]") -> list[ReadingProgress]:
    """How far the readers of some readings are, in their order. Four queries."""
    rows = list(readings.select_related("asked_by", "study").prefetch_related("groups"))
    there = {"there": Count("cells", _still("cells"))}
    done = {"done": Count("cells", _still("cells") & Q(cells__read_at__isnull=False))}
    parts: dict[int, list[Part]] = {row.pk: [] for row in rows}
    readers: Any = Reader.objects.filter(reading__in=parts).select_related("user").annotate(**there, **done)
    for reader in readers.order_by("user__username"):
        parts[reader.reading_id].append(Part(reader, reader.there, reader.done))
    cells = dict(
        CellReading.objects.filter(_STILL_THERE, reader__reading__in=parts)
        .order_by()
        .values_list("reader__reading")
        .annotate(Count("cell", distinct=True))
    )
    return [ReadingProgress(row, parts[row.pk], cells.get(row.pk, 0)) for row in rows]


def _still(path: str) -> Q:
    return Q(**{f"{path}__cell__status": Cell.Status.CONFIRMED, f"{path}__cell__ignored": False})


def cells_to_read(reader: Reader) -> "QuerySet[CellReading]":
    """A reader's cells in their order, without those that somebody has deleted since."""
    return CellReading.objects.filter(_STILL_THERE, reader=reader).select_related("cell__image").order_by("place")


def next_to_read(reader: Reader, after: int = -1) -> CellReading | None:
    """The next cell that waits, from a place on and then from the beginning; None where none is left."""
    waiting = cells_to_read(reader).filter(read_at=None)
    return waiting.filter(place__gt=after).first() or waiting.first()


@transaction.atomic
def finish(reader: Reader) -> None:
    """Say that a part is done: from now on its reader sees what the others said, and what they said stands for good.

    Raises ReadingRefused while cells are left.
    """
    row = Reader.objects.select_for_update().get(pk=reader.pk)
    if row.finished_at is not None:
        return
    left = cells_to_read(reader).filter(read_at=None).count()
    if left:
        cells = "1 cell is" if left == 1 else f"{left:,} cells are"
        raise ReadingRefused(f"{cells} still to be read.")
    row.finished_at = timezone.now()
    row.save(update_fields=["finished_at"])


@transaction.atomic
def end(reading: Reading) -> None:
    """End a reading for all its readers, done or not; what they said so far stands."""
    Reading.objects.filter(pk=reading.pk, ended_at=None).update(ended_at=timezone.now())


def readings_of(study: Study, user: Any) -> "QuerySet[Reading]":
    """The readings of a study that somebody takes part in."""
    return Reading.objects.filter(Exists(Reader.objects.filter(reading=OuterRef("pk"), user=user.pk)), study=study)


def waiting_for(user: Any, study: Study) -> int:
    """Readings of a study that somebody is not done with. One query."""
    parts = Reader.objects.reading_on().filter(user=user.pk, reading__study=study)
    return parts.count()
