"""Borders, labels and states of images as they were at a moment, read from the history that the database keeps.

Its triggers (django-pghistory) write each version of a cell, a label, a text and an image's state with the time of the
database's clock, under the lock on the image's row (annotation/revision.py). History of a proposal begins when a person
touches it; until then its row holds the original. So what cannot be told of the past are the proposals that nobody
touched and a later run replaced (`proposals_lost`); whether a proposal was shown is judged by what its row says now.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from annotation.borders import Border
from annotation.label_choice import Choice, current_choice
from annotation.label_rules import NO_RULES, rules_as_of
from annotation.models import Cell, CellLabel, CellText, Operation, ProposalRun, SmearImage
from annotation.models.cell import correction_of

Status = Cell.Status
State = SmearImage.State


@dataclass(frozen=True)
class BorderThen:
    """One border at a moment; `shown` says of a proposal whether people see it, and is true of all others."""

    id: UUID
    version: int
    status: str
    origin: str
    border: Border
    proposed_border: Border | None
    shown: bool
    ignored: bool
    ignored_class: str
    score: float | None

    @property
    def correction(self) -> str:
        """As Correction has it; empty where there is none."""
        return correction_of(self.origin, self.status, self.border == self.proposed_border) or ""

    @property
    def stands(self) -> bool:
        return self.status == Status.CONFIRMED

    @property
    def is_open(self) -> bool:
        """A proposal that people see and have neither accepted nor rejected."""
        return self.status == Status.PROPOSED and self.shown


@dataclass(frozen=True)
class StateThen:
    """An image's state at a moment; not recorded: inferred, as it is from before states had a history."""

    state: str
    recorded: bool


def borders_as_of(image_ids: Collection[int], moment: datetime | None) -> dict[int, list[BorderThen]]:
    """The cells of these images at a moment (None: now) by image, in the order in which they came; deleted ones and
    open proposals are among them. Two queries, however many there are."""
    moment = moment or timezone.now()
    # Of what people drew or brought, its history tells since when it is there: Cell.created_at is by another clock.
    cells = (
        Cell.objects.filter(image__in=image_ids)
        .exclude(origin=Cell.Origin.PROPOSAL, created_at__gt=moment)
        .select_related("run")
        .order_by("created_at", "pk")
    )
    versions = _last(Cell, moment, image__in=image_ids)
    then = {
        pk: (version, status, border)
        for pk, version, status, border in versions.values_list("pgh_obj_id", "version", "status", "border")
    }
    found: dict[int, list[BorderThen]] = {image_id: [] for image_id in image_ids}
    for cell in cells:
        as_proposed = (1, Status.PROPOSED, cell.proposed_border) if cell.origin == Cell.Origin.PROPOSAL else None
        was = then.get(cell.pk, as_proposed)
        if was is None:
            continue
        shown = cell.run is None or (not cell.shadowed and (cell.score or 0.0) >= cell.run.score_threshold)
        found[cell.image_id].append(
            BorderThen(
                cell.pk,
                was[0],
                was[1],
                cell.origin,
                was[2],
                cell.proposed_border,
                shown,
                cell.ignored,
                cell.ignored_class,
                cell.score,
            )
        )
    return found


def choices_as_of(image_ids: Collection[int], moment: datetime | None) -> dict[UUID, Choice]:
    """The choice that held for each cell of these images at a moment, where somebody had spoken. Four queries, and
    three more where there were rules (annotation/label_rules.py)."""
    moment = moment or timezone.now()
    labels: dict[UUID, list[CellLabel]] = defaultdict(list)
    texts: dict[UUID, list[CellText]] = defaultdict(list)
    rows: dict[type[CellLabel] | type[CellText], tuple[Any, tuple[str, ...]]] = {
        CellLabel: (labels, ("cell_id", "label_id", "annotator_id", "confidence", "created_at")),
        CellText: (texts, ("cell_id", "attribute_id", "annotator_id", "text", "created_at")),
    }
    for model, (kept, fields) in rows.items():
        for pk, event, *values in _last(model, moment, cell__image__in=image_ids).values_list(
            "pgh_obj_id", "pgh_label", *fields
        ):
            if event != "delete":
                row = model(pk=pk, **dict(zip(fields, values, strict=True)))
                kept[row.cell_id].append(row)
    rules = rules_as_of(image_ids, moment)
    return {
        cell_id: current_choice(labels.get(cell_id, ()), texts.get(cell_id, ()), rules=rules.get(cell_id, NO_RULES))
        for cell_id in labels.keys() | texts.keys() | rules.keys()
    }


def states_as_of(
    image_ids: Collection[int], moment: datetime | None, finished: Collection[int] = ()
) -> dict[int, StateThen]:
    """The states of those of these images that were there at a moment. Two queries, two more where one is inferred.

    finished: images of which it is known otherwise (from a snapshot) that they were finished; it decides where no state
    was recorded yet. The others are then what had been done on them says.
    """
    moment = moment or timezone.now()
    there = set(SmearImage.objects.filter(pk__in=image_ids, created_at__lte=moment).values_list("pk", flat=True))
    recorded = dict(_last(SmearImage, moment, pgh_obj__in=there).values_list("pgh_obj_id", "state"))
    found = {pk: StateThen(recorded[pk], True) for pk in there if pk in recorded}
    unknown = there - found.keys()
    if unknown:
        past = {"image__in": unknown, "created_at__lte": moment}
        touched = set(Operation.objects.filter(**past).order_by().values_list("image_id", flat=True).distinct())
        origins: dict[int, set[str]] = defaultdict(set)
        for pk, origin in Cell.objects.filter(**past).order_by().values_list("image_id", "origin").distinct():
            origins[pk].add(origin)
        for pk in unknown:
            found[pk] = StateThen(_inferred(pk in finished, pk in touched, origins[pk]), False)
    return found


def _inferred(finished: bool, touched: bool, origins: Collection[str]) -> str:
    if finished:
        return State.ANNOTATED
    if touched:
        return State.IN_PROGRESS
    if Cell.Origin.IMPORTED in origins:
        # An import finishes what it brings borders for.
        return State.ANNOTATED
    return State.PROPOSED if Cell.Origin.PROPOSAL in origins else State.NEW


def proposals_lost(image_ids: Collection[int], moment: datetime) -> set[int]:
    """The images on which proposals may have lain open at a moment of which nothing is left: a run that came later
    replaced what nobody had touched. One query."""
    earlier = ProposalRun.objects.filter(created_at__lte=moment).values("study")
    images = SmearImage.objects.filter(pk__in=image_ids, created_at__lte=moment, proposed_by__created_at__gt=moment)
    return set(images.filter(study__in=earlier).values_list("pk", flat=True))


def _last(model: Any, moment: datetime, **lookup: Any) -> Any:
    """The last event of each row up to a moment, of a model whose history is kept."""
    events = model.pgh_event_models["insert"].objects.filter(pgh_created_at__lte=moment, **lookup)
    return events.order_by("pgh_obj_id", F("pgh_id").desc()).distinct("pgh_obj_id")


# --- since then ---

SAME, MOVED, ADDED, REMOVED, ACCEPTED, OPEN = "same", "moved", "added", "removed", "accepted", "open"


@dataclass(frozen=True)
class Difference:
    """What became of one border since a moment; `then` and `now` are None where it was or is not there.

    kind: same, moved, added or removed, of a border that people stood or stand for; of a proposal that lay open then
    accepted, moved, removed or (still) open.
    """

    kind: str
    then: BorderThen | None
    now: BorderThen | None


def differences(then: Iterable[BorderThen], now: Iterable[BorderThen]) -> list[Difference]:
    """The borders of one image at two moments beside each other, cell by cell in the order of their ids.

    Proposals that came since then and are open are nobody's borders, and left out like hidden ones.
    """
    before = {border.id: border for border in then if border.stands or border.is_open}
    after = {border.id: border for border in now if border.stands or border.is_open}
    found = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        kind = _kind(old, new)
        if kind:
            found.append(Difference(kind, old, new))
    return found


def _kind(old: BorderThen | None, new: BorderThen | None) -> str:
    if new is None:
        return REMOVED
    if new.is_open:
        # A border that people stood for and that is a proposal again is one that they no longer stand for.
        return "" if old is None else OPEN if old.is_open else REMOVED
    if old is None:
        return ADDED
    if old.border != new.border:
        return MOVED
    return ACCEPTED if old.is_open else SAME
