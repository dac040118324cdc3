"""A folder of images, its annotations and its table of patients become part of a study, in one run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import transaction

from annotation.diagnoses import UNKNOWN, DiagnosesError
from annotation.formats.arguments import FormatOptions
from annotation.formats.detect import read_records
from annotation.formats.matching import ImageNames, match
from annotation.formats.records import ImageRecord, Records, Skipped
from annotation.imported_borders import LabelBook, add_record
from annotation.importing import STORED, FoundFile, find_files, take_file
from annotation.intake import IntakeError
from annotation.models import Patient, SmearImage, Study
from annotation.patients_csv import PatientTable, read_patients
from annotation.scheme import DEFAULT, diagnoses_in, study_named


@dataclass(frozen=True)
class FolderImport:
    """What to import: a file or folder, and how to read what belongs to it."""

    path: Path
    annotations: Path | None = None
    options: FormatOptions = field(default_factory=FormatOptions)
    patients: Path | None = None
    um_per_pixel: float | None = None
    limit: int | None = None
    # The key of the scheme that a study which this import makes begins with.
    scheme: str = DEFAULT


@dataclass
class Report:
    """images, cells and ignored count what is new in the study; duplicates are images that were there before."""

    images: int = 0
    cells: int = 0
    ignored: int = 0
    duplicates: int = 0
    left_out: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        counts = {"images": self.images, "cells": self.cells, "ignored": self.ignored, "duplicates": self.duplicates}
        return {**counts, "skipped": [skipped.as_json() for skipped in self.skipped]}


@dataclass
class _Run:
    study: Study
    asked: FolderImport
    report: Report
    records: dict[str, ImageRecord]
    book: LabelBook
    patients: dict[str, str]
    diagnoses: dict[str, str]
    cohorts: dict[str, str]
    met: dict[str, Patient] = field(default_factory=dict)


def import_folder(study_name: str, asked: FolderImport, say: Callable[[str], None]) -> Report:
    """Import, and report one entry for each file or record that was not taken.

    Everything is read before the first row is written: a source that cannot be used leaves no study behind.
    Raises IntakeError or FormatError where the path, the annotations or the table cannot be used, OSError where
    the disk cannot take the pixels. `say` receives progress.
    """
    report = Report()
    source = Records("none")
    if asked.annotations:
        options = asked.options
        source = read_records(asked.annotations, options.format, options.class_names, options.class_attribute)
        report.notes += [*source.notes, *options.selection.check(source)]
    table = read_patients(asked.patients, diagnoses_in(study_name)) if asked.patients else PatientTable()
    lists = {path.resolve() for path in (asked.patients, asked.options.class_names) if path}
    files, elsewhere, hidden = find_files(asked.path, source.files | lists)
    if hidden:
        report.notes.append(f"{hidden} hidden files and folders were passed over.")
    # Names beyond the limit count as known: a record of theirs is no fault.
    names = [file.name for file in files]
    pairs, unmatched = match(source.images, ImageNames(names))
    patients = table.by_image(
        names, asked.path.resolve().name if asked.path.is_dir() else asked.path.resolve().parent.name
    )
    report.skipped += [*elsewhere, *source.skipped, *unmatched, *table.skipped]

    study = study_named(study_name, scheme=asked.scheme)
    with transaction.atomic():
        book = LabelBook(study, source.groups)
    records = {name: record for record, name in pairs}
    run = _Run(study, asked, report, records, book, patients, table.diagnoses, table.cohorts)
    taken: set[int] = set()
    for file in files:
        if asked.limit is not None and len(taken) >= asked.limit:
            break
        image = _take(run, file)
        if image is not None:
            taken.add(image.pk)
            if len(taken) % 100 == 0:
                say(f"{len(taken)} images")
    for group, values in book.unknown.items():
        some = ", ".join(sorted(values)[:5])
        report.notes.append(f"{group}: {len(values)} values are no labels of the study and were left out ({some}).")
    if report.left_out:
        report.notes.append(f"{report.left_out} regions of other classes were left out.")
    return report


def _take(run: _Run, file: FoundFile) -> SmearImage | None:
    report, record = run.report, run.records.get(file.name)
    patient = _patient(run, file.name, record)
    scale = run.asked.um_per_pixel
    if scale is None and record and record.um_per_pixel and record.um_per_pixel > 0:
        scale = record.um_per_pixel
    try:
        taken = take_file(run.study, file.path, file.name, um_per_pixel=scale, patient=patient)
    except IntakeError as fault:
        report.skipped.append(Skipped(file.name, str(fault)))
        if record and record.regions:
            reason = f"Its image could not be taken; {len(record.regions)} regions are left out."
            report.skipped.append(Skipped(record.name, reason))
        return None
    report.notes += [f"{file.name}: {note}" for note in taken.notes]
    if taken.status == STORED:
        report.images += 1
    else:
        report.duplicates += 1
    if record:
        added = add_record(taken.image, record, run.asked.options.selection, run.book)
        report.cells += added.cells
        report.ignored += added.ignored
        report.left_out += added.left_out
        report.skipped += added.skipped
    return taken.image


def _patient(run: _Run, name: str, record: ImageRecord | None) -> Patient | None:
    """The patient of a file: from the table, else from our own export. Arrives in the study with its first file."""
    code = run.patients.get(name)
    diagnosis = run.diagnoses.get(code or "", UNKNOWN)
    if code is None and record and record.patient:
        code = record.patient[:200]
        diagnosis = _read(run, code, record.diagnosis or "")
    if code is None:
        return None
    if code not in run.met:
        run.met[code] = arrive(run.study, code, diagnosis, run.report, run.cohorts.get(code, ""))
    return run.met[code]


def _read(run: _Run, code: str, diagnosis: str) -> str:
    """What a record says, as the study reads it."""
    try:
        return run.study.diagnoses.read(diagnosis)
    except DiagnosesError as fault:
        if code not in run.met:
            run.report.skipped.append(Skipped(code, f"{fault} It counts as unknown."))
        return UNKNOWN


def arrive(study: Study, code: str, diagnosis: str, report: Report, cohort: str = "") -> Patient:
    """The study's patient of that code, with the diagnosis and the cohort where none was known; others are reported."""
    patient = Patient.arrive(study, code, diagnosis)
    if cohort and not patient.cohort:
        patient.cohort = cohort
        patient.save(update_fields=["cohort"])
    elif cohort not in ("", patient.cohort):
        report.skipped.append(Skipped(code, f"The patient's cohort here is {patient.cohort} and stays so."))
    if diagnosis not in (UNKNOWN, patient.diagnosis):
        known = patient.diagnosis_title
        report.skipped.append(Skipped(code, f"The patient's diagnosis here is {known} and stays so."))
    return patient
