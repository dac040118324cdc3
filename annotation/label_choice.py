"""Which of a cell's labels and texts hold: the choice that its readers see and that exports and rounds take."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from annotation.blind_reading import sight_of
from annotation.label_rules import NO_RULES, Rules, rules_of
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


def current_choice(
    labels: Iterable[CellLabel],
    texts: Iterable[CellText] = (),
    viewer_id: int | None = None,
    rules: Rules = NO_RULES,
) -> Choice:
    """The current choice among one cell's rows: labels and texts of one and the same annotator.

    A viewer who has said something of the cell sees their own choice; anyone else sees that of the annotator who
    spoke last, and an imported one only where no annotator has spoken. `viewer_id` None asks for the latter.

    With `rules`: what a reviewer decided for a group takes the place of what was said of it, but for a viewer who
    sees their own choice; and of groups about which a reader was not asked they say nothing, unless they labelled
    them: there the choice of whoever spoke before them holds.
    """
    labels_of: dict[int | None, list[CellLabel]] = {}
    texts_of: dict[int | None, list[CellText]] = {}
    for row in labels:
        labels_of.setdefault(row.annotator_id, []).append(row)
    for text in texts:
        texts_of.setdefault(text.annotator_id, []).append(text)
    speakers = labels_of.keys() | texts_of.keys()
    people = sorted(
        speakers - {None}, key=lambda one: _last(labels_of.get(one, []), texts_of.get(one, [])), reverse=True
    )
    own = viewer_id is not None and viewer_id in speakers
    if own:
        people.insert(0, people.pop(people.index(viewer_id)))
    chosen: list[CellLabel] = []
    written: list[CellText] = []
    spoken_of: set[int] = set()
    for speaker in [*people, *([None] if None in speakers else [])]:
        said = labels_of.get(speaker, [])
        # None of it where nobody was asked about some groups only: the first speaker says all.
        chosen += [row for row in said if not spoken_of or rules.group_of[row.label_id] not in spoken_of]
        written = written or texts_of.get(speaker, [])
        if rules.speaks_of_all(speaker):
            break
        spoken_of |= rules.speaks_of(speaker, (row.label_id for row in said))
    decided = {} if own else rules.decided
    chosen = sorted(
        (row for row in chosen if not decided or rules.group_of[row.label_id] not in decided), key=lambda row: row.pk
    )
    return Choice(
        [*(row.label_id for row in chosen), *(label for labels in decided.values() for label in labels)],
        {row.label_id: row.confidence for row in chosen if row.confidence is not None},
        {text.attribute_id: text.text for text in sorted(written, key=lambda text: text.pk)},
    )


def _last(labels: list[CellLabel], texts: list[CellText]) -> Any:
    # By the clock, as labels and texts are numbered apart; one choice is written in one moment, so that numbers
    # decide between two choices of the same one.
    return max([*((row.created_at, row.pk) for row in labels), *((text.created_at, text.pk) for text in texts)])


def choices_of(cell_ids: Iterable[UUID], viewer_id: int | None) -> dict[UUID, Choice]:
    """The current choice of each of the cells that has one. Five queries, a few more where there are rules."""
    return _choices({"cell__in": list(cell_ids)}, viewer_id)


def choices_on(image: SmearImage, viewer_id: int | None) -> dict[UUID, Choice]:
    """The current choice of each cell of an image that has one, with as many queries."""
    return _choices({"cell__image": image}, viewer_id)


def choices_in(images: Iterable[SmearImage]) -> dict[UUID, Choice]:
    """The choice that counts of each cell of some images that has one, with as many queries."""
    return _choices({"cell__image__in": list(images)}, None)


def _choices(lookup: dict[str, Any], viewer_id: int | None) -> dict[UUID, Choice]:
    sight = sight_of(viewer_id)
    labels: dict[UUID, list[CellLabel]] = {}
    texts: dict[UUID, list[CellText]] = {}
    for row in CellLabel.objects.filter(sight.labels, **lookup).order_by():
        labels.setdefault(row.cell_id, []).append(row)
    for text in CellText.objects.filter(sight.labels, **lookup).order_by():
        texts.setdefault(text.cell_id, []).append(text)
    rules = rules_of(lookup, sight)
    found = {
        cell_id: current_choice(
            labels.get(cell_id, ()), texts.get(cell_id, ()), viewer_id, rules.get(cell_id, NO_RULES)
        )
        for cell_id in labels.keys() | texts.keys() | rules.keys()
    }
    return {cell_id: choice for cell_id, choice in found.items() if choice.labels or choice.texts}
