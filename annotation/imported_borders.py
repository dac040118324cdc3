"""Annotation records become borders and labels of an image, without touching what people have made there."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import transaction

from annotation.formats.records import (
    ImageRecord,
    LabelGroupRecord,
    PlacedRegion,
    Selection,
    Skipped,
    border_key,
    place,
)
from annotation.formats.via import normal_id
from annotation.label_changes import tell_labels_changed
from annotation.models import Cell, CellLabel, Label, LabelGroup, Operation, SmearImage, Study
from annotation.revision import next_revision

_State = SmearImage.State
# For labels that a source brings along; after Paul Tol's scheme, as those of the default scheme.
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#44aa99", "#882255")
_LONGEST = 100


class LabelBook:
    """The labels of a study as a source spells them, by their names and further names (`aliases`), retired ones among
    them; adds the missing ones where the source defines its groups."""

    def __init__(self, study: Study, groups: Iterable[LabelGroupRecord] = ()) -> None:
        self._study = study
        self._groups: dict[str, LabelGroup] = {}
        self._labels: dict[int, dict[str, Label]] = {}
        for group in study.label_groups.prefetch_related("labels"):
            self._keep(group, list(group.labels.all()))
        # A group's own name counts before what another one is called elsewhere.
        for group in list(self._groups.values()):
            for alias in group.aliases:
                self._groups.setdefault(normal_id(alias), group)
        self._defined: set[str] = set()
        self.unknown: dict[str, set[str]] = {}
        for record in groups:
            # A group of our own export is made where it is missing; another tool's attribute never makes one.
            group_found = self._groups.get(normal_id(record.name))
            if group_found is None and record.own and len(record.name) <= _LONGEST:
                group_found = LabelGroup.objects.create(
                    study=study, name=record.name, multiple=record.multiple, order=len(self._groups)
                )
                self._keep(group_found, [])
            if group_found is not None:
                self._defined.add(normal_id(group_found.name))
                if record.own:
                    for name in record.labels:
                        self._label(group_found, name)

    def of(self, placed: PlacedRegion) -> list[Label]:
        """The labels of a region: what its attributes say, and its class where that is the name of a label."""
        found: dict[int, Label] = {}
        single: set[int] = set()
        for group_name, name in placed.region.labels:
            group = self._groups.get(normal_id(group_name))
            if group is None:
                continue
            label = self._label(group, name)
            if label is None:
                self.unknown.setdefault(group.name, set()).add(name)
                continue
            self._choose(label, found, single)
        if not placed.ignored:
            for name in placed.region.classes:
                for labels in self._labels.values():
                    if name.casefold() in labels:
                        self._choose(labels[name.casefold()], found, single)
                        break
        return list(found.values())

    def _choose(self, label: Label, found: dict[int, Label], single: set[int]) -> None:
        if not label.group.multiple:
            if label.group_id in single:
                return
            single.add(label.group_id)
        found[label.pk] = label

    def _label(self, group: LabelGroup, name: str) -> Label | None:
        labels = self._labels[group.pk]
        found = labels.get(name.casefold())
        if found is None:
            # A tool's option ids are spelt with underscores where the label has blanks.
            found = next((label for known, label in labels.items() if normal_id(known) == normal_id(name)), None)
        if found is None and normal_id(group.name) in self._defined and name and len(name) <= _LONGEST:
            order = len({label.pk for label in labels.values()})
            found = Label.objects.create(group=group, name=name, colour=COLOURS[order % len(COLOURS)], order=order)
            labels[name.casefold()] = found
        return found

    def _keep(self, group: LabelGroup, labels: list[Label]) -> None:
        self._groups[normal_id(group.name)] = group
        known = {label.name.casefold(): label for label in labels}
        for label in labels:
            for alias in label.aliases:
                known.setdefault(alias.casefold(), label)
        self._labels[group.pk] = known


@dataclass
class Added:
    """What one record added to its image, and what it could not add."""

    cells: int = 0
    ignored: int = 0
    left_out: int = 0
    annotated: bool = False
    skipped: list[Skipped] = field(default_factory=list)


@transaction.atomic
def add_record(image: SmearImage, record: ImageRecord, selection: Selection, book: LabelBook) -> Added:
    """Add a record's borders to its image and mark it as annotated.

    A border that an import brought before is not doubled. Where people have worked on the image, nothing is added:
    each border that is not there is reported. Proposals that nobody has looked at are no longer shown: the record
    says what the image holds. An image of which nothing at all could be read stays as it is.
    """
    image = SmearImage.objects.select_for_update().get(pk=image.pk)
    placed = place(record, image.width, image.height, selection)
    added = Added(left_out=placed.left_out, skipped=placed.skipped)
    imported = Cell.objects.filter(image=image, origin=Cell.Origin.IMPORTED).values_list("border", "ignored")
    present = {border_key(border, ignored) for border, ignored in imported}
    new = [region for region in placed.regions if border_key(region.border, region.ignored) not in present]
    refusal = _refusal(image, bool(present)) if new else ""
    if refusal:
        added.skipped.extend(Skipped(record.name, f"{region.region.where}: {refusal}") for region in new)
        return added
    too_long = [region for region in new if len(region.class_name) > 200]
    added.skipped.extend(Skipped(record.name, f"{region.region.where}: Its class is too long.") for region in too_long)
    new = [region for region in new if len(region.class_name) <= 200]
    target = _target(record, bool(placed.regions))
    unreadable = bool(placed.skipped) and not placed.regions
    added.annotated = image.state in SmearImage.UNTOUCHED and target != image.state and not unreadable
    if added.annotated:
        image.state = target
    if new or added.annotated:
        revision = next_revision(image, "state")
        _write(image, new, book, added)
    if added.annotated and Cell.objects.filter(image=image, status=Cell.Status.PROPOSED).update(shadowed=True):
        # Proposals that vanish have no change of their own: whoever has the image open reads it anew.
        image.replaced_in = revision
        image.save(update_fields=["replaced_in"])
    return added


def _refusal(image: SmearImage, imported_before: bool) -> str:
    if image.state not in SmearImage.UNTOUCHED:
        touched = image.state != _State.ANNOTATED or Operation.objects.filter(image=image).exists()
        others = Cell.objects.filter(image=image).exclude(origin=Cell.Origin.IMPORTED)
        if touched or others.exclude(status=Cell.Status.PROPOSED).exists():
            return "People have worked on this image; nothing of theirs is overwritten."
        if not imported_before:
            return "The image is annotated already, as one without such borders."
    return ""


def _target(record: ImageRecord, regions: bool) -> str:
    state = record.state
    if state in SmearImage.UNTOUCHED and not regions:
        return _State.NEW
    if state in (_State.IN_PROGRESS, _State.REVIEWED):
        return str(state)
    return _State.ANNOTATED


def _write(image: SmearImage, regions: list[PlacedRegion], book: LabelBook, added: Added) -> None:
    cells: list[Cell] = []
    labels: list[CellLabel] = []
    for region in regions:
        ignored_class = region.class_name if region.ignored else ""
        cell = Cell(
            image=image,
            origin=Cell.Origin.IMPORTED,
            ignored=region.ignored,
            ignored_class=ignored_class,
            revision=image.revision,
        )
        cell.place(region.border, image)
        cells.append(cell)
        labels.extend(CellLabel(cell=cell, label=label) for label in book.of(region))
        added.ignored += region.ignored
        added.cells += not region.ignored
    Cell.objects.bulk_create(cells, batch_size=1000)
    CellLabel.objects.bulk_create(labels, batch_size=1000)
    tell_labels_changed(label.label_id for label in labels)
