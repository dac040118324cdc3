"""A study's borders, labels and states as a file for other tools. Open proposals are nobody's truth and stay here."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from annotation.borders import is_point
from annotation.formats import coco, csv, via_project
from annotation.formats.rows import CellRow, Choice, Group, ImageRow, Measured
from annotation.label_choice import Choice as CurrentChoice
from annotation.label_choice import current_choice
from annotation.label_rules import NO_RULES, Rules, rules_of
from annotation.measure_table import MEASURES, RECIPE
from annotation.models import Cell, CellMeasures, ImageName, Label, SmearImage, Study
from annotation.models.cell_measures import shape_of_cell

FORMATS = ("via", "coco", "csv")
IMAGES_AT_ONCE = 100


@dataclass(frozen=True)
class Exported:
    """What was written (`cells` without the ignored regions), and what was left out and why, in short sentences."""

    images: int
    cells: int
    ignored: int
    notes: tuple[str, ...] = ()


def export(study: Study, format: str, target: Path, *, deleted: bool = False) -> Exported:
    """Write the study to a file, under another name until it is whole. Raises OSError; the target is then as before.

    COCO has no place for images that nobody has annotated, nor for points, and leaves both out; `deleted` adds the
    borders that people rejected to the CSV table.
    """
    if format not in FORMATS:
        raise ValueError(f"The format is one of {', '.join(FORMATS)}, not {format!r}.")
    plain = format == "coco"
    rows = StudyRows(study, touched_only=plain, points=not plain, deleted=deleted and format == "csv")
    return write_file(study, format, target, rows)


def write_file(study: Study, format: str, target: Path, rows: "StudyRows") -> Exported:
    """Write rows of a study to a file, whole or not at all. Raises OSError."""
    handle, name = tempfile.mkstemp(dir=target.absolute().parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            _write(stream, study, format, rows)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Exported(rows.images, rows.cells, rows.ignored, tuple(rows.notes()))


def _write(stream: TextIO, study: Study, format: str, rows: "StudyRows") -> None:
    if format == "via":
        via_project.write(stream, study.name, rows.groups, rows, rows.texts)
    elif format == "coco":
        coco.write(stream, study.name, rows.categories(), rows)
    else:
        csv.write(stream, rows.groups, rows, rows.texts, rows.measures)


class StudyRows:
    """The images of a study with their cells, in order of arrival, a few at a time; may be iterated again."""

    def __init__(self, study: Study, *, touched_only: bool = False, points: bool = True, deleted: bool = False) -> None:
        self.study = study
        self._points = points
        self.points_left_out = 0
        attributes = study.text_attributes.all()
        self._texts = {attribute.pk: attribute.name for attribute in attributes}
        self.texts = list(self._texts.values())
        self._images = SmearImage.objects.filter(study=study)
        self._untouched = self._images.unannotated().count() if touched_only else 0
        if touched_only:
            self._images = self._images.exclude(state__in=SmearImage.UNTOUCHED)
        self._status = [Cell.Status.CONFIRMED, *([Cell.Status.DELETED] if deleted else [])]
        groups = list(study.label_groups.prefetch_related("labels"))
        self._labels: dict[int, Label] = {label.pk: label for group in groups for label in group.labels.all()}
        self.groups = [
            Group(group.name, group.multiple, tuple(label.name for label in group.labels.all())) for group in groups
        ]
        measured = CellMeasures.objects.filter(cell__image__study=study, recipe=RECIPE).exists()
        # The names of what was measured; nothing where no cell was.
        self.measures: list[str] = [measure.name for measure in MEASURES] if measured else []
        self.images = self.cells = self.ignored = 0
        self._names: dict[str, int] = {}
        self._rules: dict[UUID, Rules] = {}

    def categories(self) -> list[str]:
        """Names for COCO: labels of single choices, and the classes of ignored regions."""
        ignored = Cell.objects.filter(image__study=self.study, ignored=True, status=Cell.Status.CONFIRMED)
        names = ignored.exclude(ignored_class="").order_by("ignored_class").values_list("ignored_class", flat=True)
        return [*(label for group in self.groups if not group.multiple for label in group.labels), *names.distinct()]

    def __iter__(self) -> Iterator[ImageRow]:
        self.images = self.cells = self.ignored = self.points_left_out = 0
        self._names = {}
        for row in self._rows():
            self.images += 1
            ignored = sum(cell.ignored for cell in row.cells)
            self.ignored += ignored
            self.cells += len(row.cells) - ignored
            self._names[row.name] = self._names.get(row.name, 0) + 1
            yield row

    def _rows(self) -> Iterator[ImageRow]:
        cells = Cell.objects.filter(status__in=self._status).with_correction().prefetch_related("labels", "texts")
        if self.measures:
            cells = cells.select_related("measures").annotate(shape=shape_of_cell())
        self._rules = rules_of({"cell__image__study": self.study})
        for image in self._with_names().prefetch_related(Prefetch("cells", cells)).iterator(IMAGES_AT_ONCE):
            yield self._row(image, image.state, [self._cell(cell) for cell in self._cells(image)])

    def _with_names(self) -> QuerySet[SmearImage]:
        names = Prefetch("names", ImageName.objects.order_by("pk"))
        return self._images.select_related("patient").order_by("pk").prefetch_related(names)

    def _row(self, image: SmearImage, state: str, cells: list[CellRow]) -> ImageRow:
        return ImageRow(
            image.pk,
            # The command line is the admins': by the name of its file an image is found again.
            image.file_name,
            image.width,
            image.height,
            image.um_per_pixel,
            state,
            image.patient.code if image.patient else None,
            image.patient.diagnosis if image.patient else None,
            cells,
        )

    def _cells(self, image: SmearImage) -> list[Cell]:
        cells = list(image.cells.all())
        if self._points:
            return cells
        drawn = [cell for cell in cells if not is_point(cell.border)]
        self.points_left_out += len(cells) - len(drawn)
        return drawn

    def _cell(self, cell: Cell) -> CellRow:
        rules = self._rules.get(cell.pk, NO_RULES)
        current = current_choice(cell.labels.all(), cell.texts.all(), rules=rules)
        return CellRow(
            str(cell.pk),
            cell.border,
            (cell.x0, cell.y0, cell.x1, cell.y1),
            self.named(current),
            cell.status,
            cell.ignored,
            cell.ignored_class,
            cell.origin,
            getattr(cell, "correction", None) or "",
            {self._texts[attribute_id]: text for attribute_id, text in current.texts.items()},
            self._measured(cell),
        )

    def _measured(self, cell: Cell) -> Measured | None:
        """What was measured of a cell as it is, None where nothing was."""
        stored: CellMeasures | None = getattr(cell, "measures", None) if self.measures else None
        if stored is None or stored.shape != getattr(cell, "shape", None):
            return None
        return Measured("µm" if stored.in_um else "px", stored.by_name())

    def named(self, current: CurrentChoice) -> tuple[Choice, ...]:
        """A cell's choice by groups and names; raises KeyError for a label that the study does not have."""
        by_group: dict[str, list[Label]] = {}
        for label_id in current.labels:
            label = self._labels[label_id]
            by_group.setdefault(label.group.name, []).append(label)
        return tuple(
            Choice(
                group,
                labels[0].group.multiple,
                tuple(label.name for label in labels),
                tuple(current.confidence.get(label.pk) for label in labels),
            )
            for group, labels in by_group.items()
        )

    def notes(self) -> Iterator[str]:
        """What the file does not hold, once it has been written."""
        open_ = Cell.objects.filter(image__study=self.study, status=Cell.Status.PROPOSED).shown().count()
        if open_:
            yield f"{open_} proposals that nobody has accepted or rejected are not exported."
        if self._untouched:
            yield f"{self._untouched} images that nobody has annotated are not exported."
        yield from self._notes_of_all()

    def _notes_of_all(self) -> Iterator[str]:
        if self.points_left_out:
            points = "1 point is" if self.points_left_out == 1 else f"{self.points_left_out} points are"
            yield f"{points} not exported: COCO holds no cell without a border."
        for name, count in self._names.items():
            if count > 1:
                yield f"{count} images are named {name}: the export cannot tell them apart."
