"""From the labelled cells of a study to a frozen snapshot that classifiers learn from."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Q

from annotation.cell_crops import typical_px
from annotation.label_choice import NOTHING_SAID, choices_of
from annotation.models import Cell, Label, LabelGroup, SmearImage, Study
from annotation.revision import still_moment
from training.classifier_target import Target
from training.contract import content_hash
from training.freeze import FrozenSnapshot, RoundRefused, count, image_entry, stored_files, written
from training.selection import ALL, Selection, SelectionError
from training.snapshot import SCHEMA


def freeze_labelled(study: Study, target: Target, selection: Selection | None = None) -> FrozenSnapshot:
    """Write the labelled cells of the study, or of the patients and states selected, as a snapshot folder named by its
    hash; the same data is written once.

    A label is true of its cell whether or not all cells beside it have borders: so images in progress count too, and
    pictures of single cells. Its borders say beside the names of their labels (`labels`) also of which group each is
    (`choices`), the labels of its scheme which are retired and where a cell may have many, its images whether they
    were picked (`sample`), and `typical_cell_px` stands for the scale of images without one.

    Raises RoundRefused as freeze does.
    """
    manifest, files, at = _read(study, selection or Selection())
    folder = written(manifest, files)
    return FrozenSnapshot(folder.name, folder, manifest, _counts(manifest, target), lesson_hash(manifest), at)


def lesson_hash(manifest: Mapping[str, Any]) -> str:
    """The hash of what classifiers learn from: crops, patients, folds and labels."""
    return content_hash(
        {
            "labels": manifest["labels"],
            "typical_cell_px": manifest["typical_cell_px"],
            "images": [
                {
                    **{name: image.get(name) for name in ("sha256", "um_per_pixel", "group", "fold", "sample")},
                    "cells": [
                        {name: border[name] for name in ("bounds", "ignored", "choices")} for border in image["borders"]
                    ],
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
    if selection.patients:
        chosen = chosen.filter(patient__code__in=selection.patients)
    cells = Cell.objects.filter(image__in=chosen, ignored=False).confirmed().exclude(border__kind="point")
    # Of a cell that nobody labelled a reviewer may have decided, too.
    spoken_of = Q(labels__isnull=False) | Q(adjudications__isnull=False)
    labelled = list(cells.filter(spoken_of).order_by("pk").distinct().select_related("image"))
    said = choices_of([cell.pk for cell in labelled], None)
    scheme = {label.pk: label for label in Label.objects.filter(group__study=study).select_related("group")}
    borders: dict[int, list[dict[str, Any]]] = {}
    for cell in labelled:
        choices: dict[str, list[str]] = {}
        for key in said.get(cell.pk, NOTHING_SAID).labels:
            choices.setdefault(scheme[key].group.name, []).append(scheme[key].name)
        if choices:
            borders.setdefault(cell.image_id, []).append(_entry(cell, choices))
    if not borders:
        raise RoundRefused(f"The study {study.name} has no labelled cell to learn from.")
    images = list(SmearImage.objects.filter(pk__in=borders).select_related("patient").prefetch_related("names"))
    manifest: dict[str, Any] = {
        "schema": SCHEMA,
        "study": study.name,
        "typical_cell_px": typical_px(study),
        "labels": [
            {"group": group.name, "name": label.name, "multiple": group.multiple, "retired": label.retired}
            for group in LabelGroup.objects.filter(study=study).prefetch_related("labels")
            for label in group.labels.all()
        ],
        "images": [
            {**image_entry(image, borders[image.pk]), "sample": image.sample}
            for image in sorted(images, key=lambda image: image.sha256)
        ],
    }
    return manifest, stored_files(images), at


def _entry(cell: Cell, choices: Mapping[str, list[str]]) -> dict[str, Any]:
    return {
        "id": str(cell.pk),
        "border": cell.border,
        "bounds": [cell.x0, cell.y0, cell.x1, cell.y1],
        "ignored": False,
        "labels": sorted({name for names in choices.values() for name in names}),
        "choices": {group: sorted(names) for group, names in sorted(choices.items())},
    }


def _counts(manifest: dict[str, Any], target: Target) -> dict[str, Any]:
    """As Round.counts has it; "labels" are those of the target's group alone."""
    own = Counter(
        name
        for image in manifest["images"]
        for border in image["borders"]
        for name in border["choices"].get(target.group, ())
    )
    return count(manifest) | {"labels": dict(sorted(own.items()))}
