"""What bears on which label of a cell counts, besides who spoke last: what a reviewer decided, and readings that asked
for some label groups only."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F

from annotation.blind_reading import Sight
from annotation.models import Adjudication, CellReading, Label, LabelGroup, Reading


@dataclass(frozen=True)
class Rules:
    """The rules of one cell.

    decided: by group the label ids that a reviewer decided on. asked: by reader the groups that they were asked about,
    of those who were not asked about all. group_of: the group of each label of the study.
    """

    decided: Mapping[int, list[int]] = field(default_factory=dict)
    asked: Mapping[int, Collection[int]] = field(default_factory=dict)
    group_of: Mapping[int, int] = field(default_factory=dict)

    def speaks_of_all(self, speaker: int | None) -> bool:
        return speaker not in self.asked

    def speaks_of(self, speaker: int | None, labels: Iterable[int]) -> set[int]:
        """The groups that somebody speaks of who was not asked about all, and gave these labels."""
        asked = self.asked[speaker] if speaker is not None else ()
        return {*asked, *(self.group_of[label] for label in labels)}


NO_RULES = Rules()


def rules_of(lookup: Mapping[str, Any], sight: Sight | None = None) -> dict[UUID, Rules]:
    """The rules of the cells that have any, of those of a lookup on rows with a `cell`: {"cell__image": image}, say.

    Two queries, and three more where there are rules.
    """
    decisions = Adjudication.objects.filter(*([sight.others] if sight else []), **lookup).order_by()
    read = CellReading.objects.filter(read_at__isnull=False, **lookup).order_by()
    return _rules(
        decisions.values_list("cell", "group", "labels"), read.values_list("cell", "reader__user", "reader__reading")
    )


def rules_as_of(image_ids: Collection[int], moment: datetime) -> dict[UUID, Rules]:
    """The rules that held at a moment for the cells of these images. As many queries as rules_of."""
    events = Adjudication.pgh_event_model.objects.filter(  # type: ignore[attr-defined]
        cell__image__in=image_ids, pgh_created_at__lte=moment
    )
    last = events.order_by("pgh_obj_id", F("pgh_id").desc()).distinct("pgh_obj_id")
    decisions = [
        (cell, group, labels)
        for event, cell, group, labels in last.values_list("pgh_label", "cell", "group", "labels")
        if event != "delete"
    ]
    read = CellReading.objects.filter(read_at__lte=moment, cell__image__in=image_ids).order_by()
    return _rules(decisions, read.values_list("cell", "reader__user", "reader__reading"))


def _rules(decisions: Iterable[tuple[Any, ...]], read: Iterable[tuple[Any, ...]]) -> dict[UUID, Rules]:
    decided: dict[UUID, dict[int, list[int]]] = defaultdict(dict)
    for cell, group, labels in decisions:
        decided[cell][group] = labels
    readings: dict[UUID, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for cell, user, reading in read:
        readings[cell][user].add(reading)
    if not decided and not readings:
        return {}
    of_some = _groups_of_some({one for by_user in readings.values() for parts in by_user.values() for one in parts})
    asked: dict[UUID, dict[int, set[int]]] = {}
    for cell, by_user in readings.items():
        # Who was asked about everything once speaks of everything.
        narrow = {
            user: set().union(*(of_some[one] for one in parts))
            for user, parts in by_user.items()
            if all(one in of_some for one in parts)
        }
        if narrow:
            asked[cell] = narrow
    touched = [*decided.values(), *of_some.values()]
    studies = LabelGroup.objects.filter(pk__in={group for groups in touched for group in groups}).values("study")
    group_of = dict(Label.objects.filter(group__study__in=studies).order_by().values_list("pk", "group"))
    return {cell: Rules(decided.get(cell, {}), asked.get(cell, {}), group_of) for cell in decided.keys() | asked.keys()}


def _groups_of_some(readings: Collection[int]) -> dict[int, set[int]]:
    """The groups of those of these readings that do not ask about all groups of their study. Two queries."""
    if not readings:
        return {}
    groups: dict[int, set[int]] = defaultdict(set)
    for reading, group in Reading.groups.through.objects.filter(reading__in=readings).values_list(
        "reading", "labelgroup"
    ):
        groups[reading].add(group)
    everything: dict[int, set[int]] = defaultdict(set)
    for reading, group in Reading.objects.filter(pk__in=readings).values_list("pk", "study__label_groups"):
        everything[reading].add(group)
    return {reading: own for reading, own in groups.items() if own != everything[reading]}
