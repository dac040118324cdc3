"""Pictures of single cells with a class a file, as most public sets come: each becomes an image with one cell.

Its border is found in the picture, around what lies in the middle; its class is a label of the group Cell type that
came with an import. The names of such files may say the class, so that the order of arrival must not follow them.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string
from PIL import Image

from annotation.borders import Border
from annotation.cells_csv import CellRow, read_cells
from annotation.diagnoses import UNKNOWN
from annotation.folder_import import Report, arrive
from annotation.formats.records import ImageRecord, Region, Selection, Skipped
from annotation.imported_borders import COLOURS, LabelBook, add_record
from annotation.importing import STORED, take_image
from annotation.intake import IntakeError, read_image
from annotation.label_changes import tell_labels_changed
from annotation.label_names import readable, same_name
from annotation.models import Cell, CellLabel, ImageName, Label, LabelGroup, Patient, SmearImage, Study
from annotation.patients_csv import PatientTable, read_patients
from annotation.points import median_size
from annotation.scheme import CELL_TYPE_GROUP, DEFAULT, SCHEMES, diagnoses_in, study_named
from annotation.shipped_schemes import SchemeLabel

# Where no border is found in any picture: the share of the shorter side that a cell takes.
_SHARE = 0.5


class CentreFinder(Protocol):
    """What finds the border of a picture's cell; settings.CENTRE_BORDER names the class, which is made of a study."""

    def find(self, image: Image.Image) -> Border | None:
        """The border nearest the centre of an RGB image, in its pixels; None where there is none near it."""
        ...


@dataclass(frozen=True)
class CellsImport:
    """What to import: a folder, the table of its pictures, and a table of patients for their diagnoses."""

    folder: Path
    cells: Path
    patients: Path | None = None
    um_per_pixel: float | None = None
    limit: int | None = None
    # The key of the scheme that a study which this import makes begins with.
    scheme: str = DEFAULT


@dataclass
class CellsReport(Report):
    """labelled: cells that got a label now. borders_guessed: cells whose border is a circle of the typical size, as
    none was found. contradictions: cells without a label since pictures with the same pixels say different things."""

    labelled: int = 0
    borders_guessed: int = 0
    contradictions: int = 0

    def as_json(self) -> dict[str, Any]:
        counts = {"labelled": self.labelled, "borders_guessed": self.borders_guessed}
        return {**counts, "contradictions": self.contradictions, **super().as_json()}


@dataclass
class _Run:
    study: Study
    asked: CellsImport
    report: CellsReport
    diagnoses: dict[str, str]
    cohorts: dict[str, str]
    finder: CentreFinder
    book: LabelBook
    patients: dict[str, Patient] = field(default_factory=dict)
    # Rows by image, of those that were taken; and the images in whose picture no border was found.
    rows: dict[int, list[CellRow]] = field(default_factory=lambda: defaultdict(list))
    without_border: list[int] = field(default_factory=list)


def import_cells(study_name: str, asked: CellsImport, say: Callable[[str], None]) -> CellsReport:
    """Import, and report one entry for each row that was not taken or not wholly. A second run adds nothing.

    Both tables are read before the first row is written. Raises IntakeError or FormatError where the folder or a table
    cannot be used, OSError where the disk cannot take the pixels. `say` receives progress.
    """
    if not asked.folder.is_dir():
        raise IntakeError(f"There is no folder {asked.folder}.")
    table = read_cells(asked.cells)
    diagnoses = read_patients(asked.patients, diagnoses_in(study_name)) if asked.patients else PatientTable()
    report = CellsReport(skipped=[*table.skipped, *diagnoses.skipped], notes=table.notes)
    rows = [row for row in table.rows if _is_there(asked.folder, row, report)][: asked.limit]
    study = study_named(study_name, scheme=asked.scheme)
    finder = import_string(settings.CENTRE_BORDER)(study)
    run = _Run(study, asked, report, diagnoses.diagnoses, diagnoses.cohorts, finder, LabelBook(study))
    # Patients in the order of the table; their pictures in one that says nothing.
    for row in rows:
        if row.patient and row.patient not in run.patients:
            diagnosis = run.diagnoses.get(row.patient, UNKNOWN)
            run.patients[row.patient] = arrive(study, row.patient, diagnosis, report, run.cohorts.get(row.patient, ""))
    for done, row in enumerate(sorted(rows, key=lambda row: hashlib.sha256(row.name.encode()).digest()), start=1):
        _take(run, row)
        if done % 100 == 0:
            say(f"{done} of {len(rows)} pictures")
    _guess_borders(run)
    _label(run)
    return report


def _is_there(folder: Path, row: CellRow, report: CellsReport) -> bool:
    path = folder / row.name
    if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
        return True
    reason = "The file is a link that leads out of the folder." if path.is_file() else "There is no such file."
    report.skipped.append(Skipped(row.name, f"Row {row.row}: {reason}"))
    return False


def _take(run: _Run, row: CellRow) -> None:
    report = run.report
    patient = run.patients.get(row.patient)
    try:
        clean = read_image(run.asked.folder / row.name, settings.PIXEL_BUDGET)
        scale, sample = run.asked.um_per_pixel, row.sample
        taken = take_image(
            run.study, clean, row.name, um_per_pixel=scale, patient=patient, single_cell=True, sample=sample
        )
    except IntakeError as fault:
        report.skipped.append(Skipped(row.name, f"Row {row.row}: {fault}"))
        return
    report.notes += [f"{row.name}: {note}" for note in clean.notes]
    report.skipped += [Skipped(row.name, f"Row {row.row}: {note}") for note in taken.notes[len(clean.notes) :]]
    image = taken.image
    if taken.status == STORED:
        report.images += 1
    else:
        report.duplicates += 1
    if not image.single_cell and not _becomes_single(image, row, report):
        return
    run.rows[image.pk].append(row)
    if image.sample != row.sample:
        said = {sample.value: sample.label.lower() for sample in SmearImage.Sample}
        reason = f"The same picture is in the study as {said[image.sample]}, not as {said[row.sample]}, and stays so."
        report.skipped.append(Skipped(row.name, f"Row {row.row}: {reason}"))
    if image.cells.filter(origin=Cell.Origin.IMPORTED).exists() or image.pk in run.without_border:
        return
    border = run.finder.find(clean.pixels)
    if border is None:
        run.without_border.append(image.pk)
    else:
        _add(run, image, border)


def _becomes_single(image: SmearImage, row: CellRow, report: CellsReport) -> bool:
    """Make a field that nobody has touched the picture of a single cell."""
    if image.state not in SmearImage.UNTOUCHED or image.cells.exclude(status=Cell.Status.PROPOSED).exists():
        reason = "The study has it as a field that people have worked on; it stays as it is."
        report.skipped.append(Skipped(row.name, f"Row {row.row}: {reason}"))
        return False
    image.single_cell, image.sample = True, row.sample
    image.save(update_fields=["single_cell", "sample"])
    return True


def _add(run: _Run, image: SmearImage, border: Border) -> None:
    record = ImageRecord(image.file_name, regions=[Region("Its cell", border)])
    added = add_record(image, record, Selection(), run.book)
    run.report.cells += added.cells
    run.report.skipped += added.skipped


def _guess_borders(run: _Run) -> None:
    """A circle of the size of the study's other single cells in the middle of each picture without a border."""
    if not run.without_border:
        return
    found = Cell.objects.confirmed().filter(image__study=run.study, image__single_cell=True, ignored=False)
    size = median_size(found.values_list("x0", "y0", "x1", "y1"))
    for image in SmearImage.objects.filter(pk__in=run.without_border):
        short = min(image.width, image.height)
        radius = min(size or _SHARE * short, short) / 2
        circle = {"kind": "circle", "cx": image.width / 2, "cy": image.height / 2, "r": round(radius, 2)}
        before = run.report.cells
        _add(run, image, circle)
        run.report.borders_guessed += run.report.cells - before


@transaction.atomic
def _label(run: _Run) -> None:
    """Give the imported cells of this run their classes, all at once; none where the same pixels have several.

    An imported label that is there already stays, unless this table says otherwise: then it goes, and no later import
    brings one back, for nobody can know which of the two is right.
    """
    types = _CellTypes(run.study)
    _note_classes(run)
    # As whoever changes what is on an image: a round that reads meanwhile sees all of these labels or none.
    list(SmearImage.objects.select_for_update().filter(pk__in=list(run.rows)).order_by("pk").values_list("pk"))
    cells = {
        cell.image_id: cell
        for cell in Cell.objects.filter(image__in=list(run.rows), origin=Cell.Origin.IMPORTED).order_by("-pk")
    }
    labels: dict[Any, CellLabel] = {}
    for each in CellLabel.objects.filter(cell__in=cells.values(), annotator=None, label__group=types.group):
        labels[each.cell_id] = each
    taken_back = set(
        CellLabel.pgh_event_model.objects.filter(  # type: ignore[attr-defined]
            pgh_label="delete", annotator=None, cell__in=cells.values(), label__group=types.group
        ).values_list("cell_id", flat=True)
    )
    new, changed = [], []
    for image_id, cell in cells.items():
        rows = [row for row in run.rows[image_id] if row.cell_class]
        chosen = {label.pk: label for row in rows if (label := types.label(row.cell_class))}
        there = labels.get(cell.pk)
        if there is not None and chosen:
            chosen[there.label_id] = there.label
        if len(chosen) > 1 or (chosen and cell.pk in taken_back):
            _contradict(run, rows, cell, there)
            changed += [there] if there is not None else []
        elif chosen and there is None:
            new.append(CellLabel(cell=cell, label=next(iter(chosen.values()))))
    CellLabel.objects.bulk_create(new, batch_size=1000)
    tell_labels_changed(label.label_id for label in [*new, *changed])
    run.report.labelled += len(new)


def _note_classes(run: _Run) -> None:
    """Keep with each file what the table says of it, for whoever looks into contradictions later."""
    said = {(image, row.name): row.cell_class for image, rows in run.rows.items() for row in rows if row.cell_class}
    changed = []
    for name in ImageName.objects.filter(image__in=list(run.rows)):
        cell_class = said.get((name.image_id, name.name))
        if cell_class and cell_class not in name.classes:
            name.classes.append(cell_class)
            changed.append(name)
    ImageName.objects.bulk_update(changed, ["classes"], batch_size=500)


def _contradict(run: _Run, rows: list[CellRow], cell: Cell, there: CellLabel | None) -> None:
    run.report.contradictions += 1
    said = sorted({row.cell_class for row in rows} | ({there.label.name} if there else set()))
    files = ", ".join(row.name for row in rows)
    what = f"as {' and as '.join(said)}" if len(said) > 1 else "in several ways"
    reason = f"Pictures with the same pixels are labelled {what} ({files}): their cell gets no label."
    run.report.skipped += [Skipped(row.name, f"Row {row.row}: {reason}") for row in rows]
    if there is not None:
        there.delete()


# Cell types of the shipped schemes by all their spellings: so a class that a study lacks is described, and counted or
# not, as there.
_SHIPPED = {
    same_name(spelling): label
    for scheme in SCHEMES.values()
    for group in scheme.groups
    if group.name == CELL_TYPE_GROUP
    for label in group.labels
    for spelling in (*label.aliases, label.name)
}


class _CellTypes:
    """The study's group of cell types, and its label for a class as a table spells it; adds what is missing."""

    def __init__(self, study: Study) -> None:
        groups = list(study.label_groups.prefetch_related("labels"))
        wanted = same_name(CELL_TYPE_GROUP)
        found = next((group for group in groups if same_name(group.name) == wanted), None)
        found = found or next((g for g in groups if wanted in map(same_name, g.aliases)), None)
        self.group = found or LabelGroup.objects.create(study=study, name=CELL_TYPE_GROUP, order=len(groups))
        own = list(self.group.labels.all())
        self._order = len(own)
        self._labels = {same_name(alias): label for label in own for alias in label.aliases}
        self._labels |= {same_name(label.name): label for label in own}

    def label(self, cell_class: str) -> Label | None:
        """None of a class without a letter or digit."""
        key = same_name(cell_class)
        if key and key not in self._labels:
            shipped = _SHIPPED.get(key)
            known = same_name(shipped.name) if shipped else key
            if known not in self._labels:
                self._labels[known] = self._add(readable(cell_class), shipped)
            self._labels[key] = self._labels[known]
        return self._labels.get(key)

    def _add(self, name: str, shipped: SchemeLabel | None) -> Label:
        label = Label(group=self.group, name=name, colour=COLOURS[self._order % len(COLOURS)], order=self._order)
        if shipped is not None:
            label.name, label.colour = shipped.name, shipped.colour
            label.description, label.counted, label.aliases = shipped.description, shipped.counted, [*shipped.aliases]
        label.save()
        self._order += 1
        return label
