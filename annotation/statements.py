"""What each person says of cells in one label group: what agreement is measured on, and what reviewers decide between.

Of a reading it is what its readers said before they were done; of a whole study what people say now. Whoever labelled a
cell, or read it, has spoken of a group of many choices: a mark that they did not give is a no.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from annotation.blind_reading import Sight, sight_of
from annotation.models import Cell, CellLabel, CellReading, Label, LabelGroup, Reading

_STILL_THERE = Q(cell__status=Cell.Status.CONFIRMED, cell__ignored=False)


@dataclass(frozen=True)
class Statement:
    """One person's word on one cell in one group: label ids, none where they found none; confidence 0 to 1 by label id,
    where they said how sure they are."""

    labels: frozenset[int]
    confidence: Mapping[int, float] = field(default_factory=dict)


# By cell, by user id.
Statements = dict[UUID, dict[int, Statement]]


def statements(group: LabelGroup, viewer_id: int, reading: Reading | None = None) -> Statements:
    """What people say in a group of the cells of which two or more have spoken, as far as the viewer may know: of those
    that they are reading blind nothing, as nobody's word but their own is theirs to see. Five queries at most."""
    sight = sight_of(viewer_id)
    own = set(Label.objects.filter(group=group).values_list("pk", flat=True))
    found = _read(group, sight, viewer_id, own, reading) if reading else _said(group, sight, viewer_id, own)
    return {cell: by_user for cell, by_user in found.items() if len(by_user) > 1}


def _read(group: LabelGroup, sight: Sight, viewer_id: int, own: set[int], reading: Reading | None) -> Statements:
    """From what readers said; without `reading` only where they found nothing at all, of which no label tells."""
    rows = CellReading.objects.filter(_STILL_THERE, read_at__isnull=False, reader__reading__groups=group).filter(
        sight.others | Q(reader__user=viewer_id) if sight.others else Q()
    )
    rows = rows.filter(reader__reading=reading) if reading else rows.filter(labels=[])
    found: Statements = defaultdict(dict)
    for cell, user, labels, confidence in rows.order_by("read_at").values_list(
        "cell", "reader__user", "labels", "confidence"
    ):
        chosen = frozenset(labels) & own
        found[cell][user] = Statement(
            chosen, {int(key): value for key, value in confidence.items() if int(key) in chosen}
        )
    return found


def _said(group: LabelGroup, sight: Sight, viewer_id: int, own: set[int]) -> Statements:
    rows = _of_people(group, sight)
    several = rows.values("cell").annotate(people=Count("annotator", distinct=True)).filter(people__gt=1)
    nothing = _read(group, sight, viewer_id, own, None)
    rows = rows.filter(Q(cell__in=several.values("cell")) | Q(cell__in=list(nothing)))
    labels: dict[tuple[UUID, int], dict[int, float | None]] = defaultdict(dict)
    for cell, user, label, confidence in rows.values_list("cell", "annotator", "label", "confidence"):
        labels[cell, user][label] = confidence
    found: Statements = defaultdict(dict)
    for cell, by_user in nothing.items():
        found[cell].update(by_user)
    for (cell, user), chosen in labels.items():
        sure = {key: value for key, value in chosen.items() if key in own and value is not None}
        found[cell][user] = Statement(frozenset(chosen) & own, sure)
    return found


def _of_people(group: LabelGroup, sight: Sight) -> "QuerySet[CellLabel, Any]":
    """Rows of labels that make somebody a speaker on the group."""
    rows = CellLabel.objects.filter(sight.labels, _STILL_THERE, annotator__isnull=False).order_by()
    if group.multiple:
        return rows.filter(cell__image__study=group.study_id)
    return rows.filter(label__group=group)
