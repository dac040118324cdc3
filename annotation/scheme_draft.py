"""A study's label scheme while it is changed: what stands in the database, what somebody made of it, and its problems.

Nothing that was labelled is lost: a label that cells carry, or ever carried, is retired and never deleted, a renamed
one keeps its old name for imports, and a group whose cells hold several labels keeps them.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Count, F

from annotation.formats.records import plain_text
from annotation.label_changes import tell_labels_changed
from annotation.label_roles import CellRole
from annotation.models import Adjudication, CellLabel, Label, LabelGroup, Study

# As many as a name, a description and a list of further names hold.
_NAME, _TEXT, _ALIASES = 100, 2000, 20
_COLOUR = re.compile(r"#[0-9a-f]{6}")
KEYS = "1234567890"
# For labels that people add; those that the scheme has least come first.
COLOURS = (
    "#4477aa",
    "#ee6677",
    "#228833",
    "#ccbb44",
    "#66ccee",
    "#aa3377",
    "#44aa99",
    "#ee7733",
    "#882255",
    "#332288",
    "#999933",
    "#888888",
)


class SchemeError(Exception):
    """Changes that cannot be kept; `problems` are sentences for the person who made them."""

    def __init__(self, *problems: str) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class LabelEdit:
    id: int
    name: str
    description: str
    key: str
    colour: str
    counted: bool
    aliases: Sequence[str]
    # What it stands for in a diagnosis, "" for what its name says; None leaves it as it is.
    role: str | None = None


@dataclass(frozen=True)
class GroupEdit:
    """A group as somebody left it, its labels in their new order; `added` are names of labels that it gets."""

    id: int
    name: str
    description: str
    multiple: bool
    aliases: Sequence[str]
    labels: Sequence[LabelEdit]
    added: Sequence[str] = ()


@dataclass
class DraftGroup:
    """A group with its labels: those that are offered and those that are retired, in their order."""

    row: LabelGroup
    offered: list[Label] = field(default_factory=list)
    retired: list[Label] = field(default_factory=list)

    @property
    def labels(self) -> list[Label]:
        return [*self.offered, *self.retired]


class Draft:
    """The scheme of a study with changes that are not saved; the rows are changed in memory only."""

    def __init__(self, study: Study) -> None:
        """Five queries."""
        self.study = study
        self.groups = [
            DraftGroup(
                row,
                [label for label in row.labels.all() if not label.retired],
                [label for label in row.labels.all() if label.retired],
            )
            for row in LabelGroup.objects.filter(study=study).prefetch_related("labels")
        ]
        self.fingerprint = self._fingerprint()
        self._names = {(type(row), row.pk): row.name for row in self._rows()}
        self._offered = {label.pk for group in self.groups for label in group.offered}
        self._multiple = {group.row.pk for group in self.groups if group.row.multiple}
        self._deleted: list[Label | LabelGroup] = []
        # Cells by label, and the labels that any cell ever had, or that a reviewer ever decided on.
        held = CellLabel.objects.filter(label__group__study=study).values_list("label")
        self.cells: dict[int, int] = dict(held.annotate(Count("cell", distinct=True)))
        events: Any = CellLabel.pgh_event_model  # type: ignore[attr-defined]
        ever = events.objects.filter(label__group__study=study).values_list("label", flat=True).distinct()
        decisions: Any = Adjudication.pgh_event_model  # type: ignore[attr-defined]
        decided = decisions.objects.filter(group__study=study).values_list("labels", flat=True)
        self.used = {*self.cells, *ever, *(label for labels in decided for label in labels)}

    # --- changes ---

    def take(self, edits: Sequence[GroupEdit]) -> None:
        """Make of the scheme what somebody left on the page. What the page did not have yet stays behind its rest."""
        groups = {group.row.pk: group for group in self.groups}
        self.groups = _reordered(groups, [edit.id for edit in edits])
        for edit in edits:
            group = groups.get(edit.id)
            if group is None:
                continue
            _rename(group.row, edit.name, edit.aliases)
            group.row.description, group.row.multiple = edit.description.strip(), edit.multiple
            labels = {label.pk: label for label in group.offered}
            group.offered = _reordered(labels, [each.id for each in edit.labels])
            for each in edit.labels:
                label = labels.get(each.id)
                if label is not None:
                    _rename(label, each.name, each.aliases)
                    label.description, label.key = each.description.strip(), each.key.strip()
                    label.colour, label.counted = each.colour.casefold(), each.counted
                    label.role = label.role if each.role is None else each.role
            for name in edit.added:
                self.add_label(group, name)

    def add_group(self, name: str, multiple: bool) -> DraftGroup:
        group = DraftGroup(LabelGroup(study=self.study, name=_text(name), multiple=multiple))
        self.groups.append(group)
        return group

    def add_label(self, group: DraftGroup, name: str) -> Label:
        taken = Counter(label.colour for label in group.offered)
        colour = min(COLOURS, key=lambda each: taken[each])
        label = Label(group=group.row, name=_text(name), colour=colour)
        group.offered.append(label)
        return label

    def move(self, label_id: int, step: int) -> None:
        """One place up (-1) or down (1) within its group."""
        group, label = self._find(label_id)
        place = group.offered.index(label)
        group.offered.insert(max(0, place + step), group.offered.pop(place))

    def move_group(self, group_id: int, step: int) -> None:
        group = self._group(group_id)
        place = self.groups.index(group)
        self.groups.insert(max(0, place + step), self.groups.pop(place))

    def retire(self, label_id: int) -> Label:
        group, label = self._find(label_id)
        label.retired, label.key = True, ""
        group.offered.remove(label)
        group.retired.append(label)
        return label

    def bring_back(self, label_id: int) -> Label:
        group = next((group for group in self.groups for label in group.retired if label.pk == label_id), None)
        if group is None:
            raise SchemeError("There is no such retired label in this study.")
        label = next(label for label in group.retired if label.pk == label_id)
        group.retired.remove(label)
        group.offered.append(label)
        label.retired = False
        return label

    def delete(self, label_id: int) -> Label:
        """Take out a label that no cell ever had. Raises SchemeError for any other."""
        for group in self.groups:
            for labels in (group.offered, group.retired):
                for label in labels:
                    if label.pk == label_id:
                        if label_id in self.used:
                            raise SchemeError(f"Cells were labelled {label.name}: it can be retired, not deleted.")
                        labels.remove(label)
                        self._deleted.append(label)
                        return label
        raise SchemeError("There is no such label in this study.")

    def delete_group(self, group_id: int) -> LabelGroup:
        group = self._group(group_id)
        if group.labels:
            raise SchemeError(f"The group {group.row.name} still has labels; only an empty one can be deleted.")
        self.groups.remove(group)
        self._deleted.append(group.row)
        return group.row

    # --- what stands against it ---

    def problems(self) -> list[str]:
        """Sentences; none where the draft can be saved."""
        found = [*self._problems_of_groups()]
        for group in self.groups:
            found += _problems_of_names([label.name for label in group.labels], "label", f" of {group.row.name}")
            found += _problems_of_aliases(group.labels, f"labels of {group.row.name}")
            for label in group.offered:
                found += self._problems_of(label)
        return [*dict.fromkeys([*found, *self.key_clashes()])]

    def key_clashes(self) -> list[str]:
        """A sentence for each key that several labels have: it could set only one of them."""
        by_key: dict[str, list[str]] = {}
        for group in self.groups:
            for label in group.offered:
                if label.key:
                    by_key.setdefault(label.key, []).append(label.name)
        return [
            f"The key {key} is given to {' and '.join(names)}; a key sets one label."
            for key, names in sorted(by_key.items())
            if len(names) > 1
        ]

    def _problems_of_groups(self) -> Iterator[str]:
        yield from _problems_of_names([group.row.name for group in self.groups], "group")
        yield from _problems_of_aliases([group.row for group in self.groups], "groups")
        for group in self.groups:
            if len(group.row.description) > _TEXT:
                yield f"The description of {group.row.name} has more than {_TEXT:,} characters."
            now_one = group.row.pk in self._multiple and not group.row.multiple
            if now_one and (several := _with_several(group.row)):
                cells = "1 cell holds" if several == 1 else f"{several:,} cells hold"
                yield f"{group.row.name} stays a group of any number of choices: {cells} several of its labels."

    def _problems_of(self, label: Label) -> Iterator[str]:
        if label.key and label.key not in KEYS:
            yield f"The key of {label.name} is {label.key!r}; a key is a digit from 0 to 9, or nothing."
        if not _COLOUR.fullmatch(label.colour):
            yield f"The colour of {label.name} is not one such as #4477aa."
        if len(label.description) > _TEXT:
            yield f"The description of {label.name} has more than {_TEXT:,} characters."
        if label.role and label.role not in CellRole.values:
            yield f"{label.name} stands for nothing that is called {label.role!r}."

    # --- keeping it ---

    def save(self) -> None:
        """Write the draft. Raises SchemeError with all its problems. Call it where the study's row is locked."""
        if problems := self.problems():
            raise SchemeError(*problems)
        with transaction.atomic():
            self._write()

    def _write(self) -> None:
        for gone in self._deleted:
            gone.delete()
        # Two names may be exchanged: for a moment nobody has either.
        for model in (LabelGroup, Label):
            rows = [row for row in self._rows() if isinstance(row, model)]
            renamed = [row.pk for row in rows if row.pk and self._names[model, row.pk] != row.name]
            model.objects.filter(pk__in=renamed).update(name=F("pk"))
        for order, group in enumerate(self.groups):
            group.row.order = order
            group.row.aliases = _own_aliases(group.row, [each.row for each in self.groups])
            group.row.save()
            for place, label in enumerate(group.labels):
                label.group, label.order = group.row, place
                label.aliases = _own_aliases(label, group.labels)
                label.save()
        # What is offered again or no more, heads learn or forget.
        offered = {label.pk for group in self.groups for label in group.offered}
        tell_labels_changed((self._offered ^ offered) & self.cells.keys())

    # --- its parts ---

    def _rows(self) -> Iterator[Any]:
        for group in self.groups:
            yield group.row
            yield from group.labels

    def _fingerprint(self) -> str:
        """Names the scheme as it stands, so that changes of two people at once are noticed."""
        rows = [{name: value for name, value in vars(row).items() if name[0] != "_"} for row in self._rows()]
        return hashlib.sha256(json.dumps(rows, sort_keys=True, default=str).encode()).hexdigest()[:16]

    def _group(self, group_id: int) -> DraftGroup:
        found = next((group for group in self.groups if group.row.pk == group_id), None)
        if found is None:
            raise SchemeError("There is no such group in this study.")
        return found

    def _find(self, label_id: int) -> tuple[DraftGroup, Label]:
        for group in self.groups:
            for label in group.offered:
                if label.pk == label_id:
                    return group, label
        raise SchemeError("There is no such label in this study.")


def _reordered(rows: dict[int, Any], order: Sequence[int]) -> list[Any]:
    wanted = [key for key in dict.fromkeys(order) if key in rows]
    return [rows[key] for key in [*wanted, *(key for key in rows if key not in wanted)]]


def _rename(row: Any, name: str, aliases: Sequence[str]) -> None:
    """Give a group or label its new name and further names; the old one stays among these."""
    name = _text(name)
    further = [_text(alias) for alias in aliases]
    if row.name.casefold() != name.casefold():
        further.append(row.name)
    row.name = name
    row.aliases = list({alias.casefold(): alias for alias in further if alias}.values())


def _text(text: str) -> str:
    return " ".join(plain_text(text).split())


def _own_aliases(row: Any, beside: Sequence[Any]) -> list[str]:
    """Without those that are the name of a row: a name counts before what something is called elsewhere."""
    names = {each.name.casefold() for each in beside}
    return [alias for alias in row.aliases if alias.casefold() not in names]


def _problems_of_names(names: Sequence[str], noun: str, where: str = "") -> Iterator[str]:
    for name in names:
        if not name:
            yield f"Each {noun}{where} needs a name."
        if len(name) > _NAME:
            yield f"The name {name[:40]}… has more than {_NAME} characters."
    for name, count in Counter(name.casefold() for name in names if name).items():
        if count > 1:
            shown = next(each for each in names if each.casefold() == name)
            yield f"{'Two' if count == 2 else count} {noun}s{where} are called {shown}."


def _problems_of_aliases(rows: Sequence[Any], what: str) -> Iterator[str]:
    own: dict[str, list[str]] = {}
    for row in rows:
        if len(row.aliases) > _ALIASES:
            yield f"{row.name} has more than {_ALIASES} further names."
        for alias in _own_aliases(row, rows):
            own.setdefault(alias.casefold(), []).append(row.name)
            if len(alias) > _NAME:
                yield f"A further name of {row.name} has more than {_NAME} characters."
    for alias, names in own.items():
        if len(names) > 1:
            yield f"The {what} {' and '.join(names)} are both also called {alias}."


def _with_several(group: LabelGroup) -> int:
    """Cells of which one person, or one import, gave several labels of the group."""
    choices = CellLabel.objects.filter(label__group=group).order_by().values("cell", "annotator")
    several = choices.annotate(number=Count("pk")).filter(number__gt=1)
    return several.values("cell").distinct().count()
