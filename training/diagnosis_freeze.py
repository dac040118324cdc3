"""From the patients of a study and their cells to a frozen snapshot that diagnoses are learned from."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction

from annotation.cell_crops import typical_px
from annotation.label_choice import NOTHING_SAID, choices_of
from annotation.models import Cell, Label, LabelGroup, SmearImage, Study
from annotation.revision import still_moment
from training.contract import content_hash
from training.freeze import FrozenSnapshot, RoundRefused, count, image_entry, stored_files, written
from training.selection import ALL, Selection, SelectionError
from training.snapshot import SCHEMA


def freeze_patients(study: Study, selection: Selection | None = None) -> FrozenSnapshot:
    """Write the cells of all patients of the study, or of those selected, as a snapshot folder named by its hash.

    Cells as people see them, labelled or not, proposals among them; of labels what they stand for and whether they
    enter ratios. Images without a patient are left out: nobody has a diagnosis there. Raises RoundRefused as freeze.
    """
    manifest, files, at = _read(study, selection or Selection())
    folder = written(manifest, files)
    counts = count(manifest)
    counts["diagnoses"] = dict(sorted(Counter(each["diagnosis"] for each in counts["patients"]).items()))
    return FrozenSnapshot(folder.name, folder, manifest, counts, lesson_hash(manifest), at)


def lesson_hash(manifest: Mapping[str, Any]) -> str:
    """The hash of what diagnoses are learned from."""
    names = ("sha256", "um_per_pixel", "group", "fold", "sample", "diagnosis")
    return content_hash(
        {
            "labels": manifest["labels"],
            "typical_cell_px": manifest["typical_cell_px"],
            "images": [
                {
                    **{name: image.get(name) for name in names},
                    "cells": [{name: border[name] for name in ("bounds", "choices")} for border in image["borders"]],
                }
                for image in manifest["images"]
            ],
        }
    )


@transaction.atomic
def _read(study: Study, selection: Selection) -> tuple[dict[str, Any], dict[str, Path], datetime]:
    """The manifest of the present, the files of its images by sha256, and when that was. Ten queries."""
    try:
        selection.check(study)
    except SelectionError as error:
        raise RoundRefused(str(error)) from error
    at = still_moment(study)
    chosen = SmearImage.objects.filter(study=study) if selection.state == ALL else selection.images(study)
    chosen = chosen.filter(patient__isnull=False)
    if selection.patients:
        chosen = chosen.filter(patient__code__in=selection.patients)
    shown = Cell.objects.filter(image__in=chosen, ignored=False).shown().exclude(border__kind="point")
    cells = list(shown.order_by("pk"))
    if not cells:
        raise RoundRefused(
            f"The study {study.name} has no patient with cells to learn from: import or detect cells, and say whose "
            "each image is."
        )
    said = choices_of([cell.pk for cell in cells], None)
    scheme = {label.pk: label for label in Label.objects.filter(group__study=study).select_related("group")}
    borders: dict[int, list[dict[str, Any]]] = {}
    for cell in cells:
        choices: dict[str, list[str]] = {}
        for key in said.get(cell.pk, NOTHING_SAID).labels:
            choices.setdefault(scheme[key].group.name, []).append(scheme[key].name)
        borders.setdefault(cell.image_id, []).append(_entry(cell, choices))
    images = list(SmearImage.objects.filter(pk__in=borders).select_related("patient").prefetch_related("names"))
    manifest: dict[str, Any] = {
        "schema": SCHEMA,
        "study": study.name,
        "typical_cell_px": typical_px(study),
        "labels": [_label(group, label) for group in _groups(study) for label in group.labels.all()],
        "images": [
            {**image_entry(image, borders[image.pk]), "sample": image.sample}
            for image in sorted(images, key=lambda image: image.sha256)
        ],
    }
    return manifest, stored_files(images), at


def _groups(study: Study) -> list[LabelGroup]:
    return list(LabelGroup.objects.filter(study=study).prefetch_related("labels"))


def _label(group: LabelGroup, label: Label) -> dict[str, Any]:
    return {
        "group": group.name,
        "name": label.name,
        "multiple": group.multiple,
        "retired": label.retired,
        "counted": label.counted,
        "role": str(label.stands_for),
    }


def _entry(cell: Cell, choices: Mapping[str, list[str]]) -> dict[str, Any]:
    return {
        "id": str(cell.pk),
        "border": cell.border,
        "bounds": [cell.x0, cell.y0, cell.x1, cell.y1],
        "ignored": False,
        "labels": sorted({name for names in choices.values() for name in names}),
        "choices": {group: sorted(names) for group, names in sorted(choices.items())},
    }
