"""A study of synthetic smears: the generator's fields as images, its truth as imported borders and labels."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from annotation.borders import BorderError, bounds, clean
from annotation.formats.records import ImageRecord, LabelGroupRecord, Region, Selection
from annotation.formats.rows import CellRow, Choice, Group, ImageRow
from annotation.formats.via_project import write
from annotation.imported_borders import LabelBook, add_record
from annotation.importing import take_file
from annotation.models import Patient, Study
from annotation.scheme import CELL_TYPE_GROUP, CHARACTERISTICS_GROUP, study_named
from annotation.synthetic import (
    DIAGNOSES,
    GENERATOR_VERSION,
    SyntheticCell,
    SyntheticPatient,
    SyntheticSmear,
    draw_patient,
    draw_smear,
)

# The scheme does not part neutrophils by their nucleus.
_CELL_TYPE_LABELS = {"band_neutrophil": "Neutrophil", "segmented_neutrophil": "Neutrophil"}
# What the generator knows beyond these ("abnormal") is no label of the scheme.
_CHARACTERISTIC_LABELS = {"auer_rod": "Auer rod", "faggot_cell": "Faggot cell"}


@dataclass(frozen=True)
class Demo:
    """What to draw: patients × images of width × height pixels; the first `annotated` of all carry their truth."""

    patients: int
    images_per_patient: int
    width: int
    height: int
    seed: int
    annotated: int | None = None

    @property
    def images(self) -> int:
        return self.patients * self.images_per_patient


class DemoError(ValueError):
    """A demo study that cannot be made; the message says why in one sentence."""


def make_demo(study_name: str, demo: Demo, say: Callable[[str], None], truth: Path | None = None) -> dict[str, object]:
    """Make the study, or complete it; the same arguments again change nothing. Raises DemoError, OSError.

    truth: a VIA project with the borders of all images is written there, also of those that stay unannotated.
    """
    existing = Study.objects.filter(name=study_name).first()
    if existing and not existing.synthetic and existing.images.exists():
        raise DemoError(f"The study {study_name!r} holds real images; synthetic ones are not mixed into it.")
    study = study_named(study_name, synthetic=True)
    missing = [each for each in DIAGNOSES if each not in study.diagnoses]
    if missing:
        raise DemoError(f"The study {study_name!r} has no diagnosis {missing[0]!r}, which synthetic patients have.")
    if not study.synthetic:
        study.synthetic = True
        study.save(update_fields=["synthetic"])
    book = LabelBook(study, [LabelGroupRecord(CELL_TYPE_GROUP, False, own=True)])
    cells = 0
    truths: list[ImageRow] = []
    for index, (patient, smear) in enumerate(_smears(demo)):
        row = _truth(smear, patient, index)
        truths.append(row)
        stored = Patient.arrive(study, patient.code, patient.diagnosis)
        # The store and its checks are those of every image.
        file = BytesIO()
        Image.fromarray(smear.pixels).save(file, "BMP")
        taken = take_file(study, file, smear.name, um_per_pixel=smear.um_per_pixel, patient=stored, synthetic=True)
        if demo.annotated is None or index < demo.annotated:
            add_record(taken.image, _record(row), Selection(), book)
            cells += sum(not cell.ignored for cell in row.cells)
        say(f"{index + 1} of {demo.images}: {smear.name}")
    if truth:
        with truth.open("w", encoding="utf-8") as stream:
            write(stream, study_name, _groups(study), truths)
    return {
        "study": study_name,
        "images": demo.images,
        "cells": cells,
        "patients": demo.patients,
        "generator": GENERATOR_VERSION,
    }


def _smears(demo: Demo) -> Iterator[tuple[SyntheticPatient, SyntheticSmear]]:
    # Field by field over all patients, so that the first images are of all three diagnoses.
    patients = [draw_patient(demo.seed, index) for index in range(demo.patients)]
    for image in range(demo.images_per_patient):
        for patient in patients:
            yield patient, draw_smear(patient, image, demo.width, demo.height)


def _groups(study: Study) -> list[Group]:
    return [
        Group(group.name, group.multiple, tuple(group.labels.values_list("name", flat=True)))
        for group in study.label_groups.all()
    ]


def _truth(smear: SyntheticSmear, patient: SyntheticPatient, index: int) -> ImageRow:
    height, width = np.shape(smear.pixels)[:2]
    cells = []
    for number, cell in enumerate(smear.cells):
        try:
            border = clean(cell.border, width, height)
        except BorderError:
            continue  # A sliver of a cell at the image's edge.
        cells.append(
            CellRow(
                str(number),
                border,
                bounds(border),
                () if cell.ignored else _choices(cell),
                "confirmed",
                cell.ignored,
                cell.ignored_class,
                "imported",
                "",
            )
        )
    return ImageRow(
        index, smear.name, width, height, smear.um_per_pixel, "annotated", patient.code, patient.diagnosis, cells
    )


def _choices(cell: SyntheticCell) -> tuple[Choice, ...]:
    kind = _CELL_TYPE_LABELS.get(cell.cell_type, cell.cell_type.capitalize())
    seen = tuple(_CHARACTERISTIC_LABELS[name] for name in cell.characteristics if name in _CHARACTERISTIC_LABELS)
    choices = [Choice(CELL_TYPE_GROUP, False, (kind,))]
    return (*choices, Choice(CHARACTERISTICS_GROUP, True, seen)) if seen else tuple(choices)


def _record(row: ImageRow) -> ImageRecord:
    regions = [
        Region(
            f"Cell {cell.id}",
            cell.border,
            (cell.ignored_class,) if cell.ignored else (),
            cell.ignored,
            tuple((choice.group, name) for choice in cell.choices for name in choice.names),
        )
        for cell in row.cells
    ]
    return ImageRecord(row.name, regions=regions)
