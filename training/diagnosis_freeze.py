"""From the patients of a study and their cells to a frozen snapshot that diagnoses are learned from."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction

from annotation.models import Cell, Label, Study
from annotation.revision import still_moment
from training.contract import content_hash
from training.freeze import FrozenSnapshot, RoundRefused, count, written
from training.frozen_cells import cells_manifest, images_in, in_scheme
from training.selection import Selection


def freeze_patients(study: Study, selection: Selection | None = None) -> FrozenSnapshot:
    """Write the cells of all patients of the study, or of those selected, as a snapshot folder named by its hash.

    Cells as people see them, labelled or not, proposals among them; of labels what they stand for and whether they
    enter ratios. Images without a patient are left out: nobody has a diagnosis there. Raises RoundRefused as freeze.
    """
    manifest, files, at = _read(study, selection or Selection())
    folder = written(manifest, files)
    return FrozenSnapshot(folder.name, folder, manifest, diagnoses_counted(manifest), lesson_hash(manifest), at)


def diagnoses_counted(manifest: dict[str, Any]) -> dict[str, Any]:
    """What a manifest holds, and how many patients have which diagnosis."""
    counts = count(manifest)
    counts["diagnoses"] = dict(sorted(Counter(each["diagnosis"] for each in counts["patients"]).items()))
    return counts


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
    at = still_moment(study)
    chosen = images_in(study, selection).filter(patient__isnull=False)
    shown = Cell.objects.filter(image__in=chosen, ignored=False).shown().exclude(border__kind="point")
    cells = list(shown.order_by("pk"))
    if not cells:
        raise RoundRefused(
            f"The study {study.name} has no patient with cells to learn from: import or detect cells, and say whose "
            "each image is."
        )
    manifest, files = cells_manifest(study, cells, _in_diagnoses, unlabelled=True)
    return manifest | {"diagnoses": study.diagnoses.as_json()}, files, at


def _in_diagnoses(label: Label) -> dict[str, Any]:
    return in_scheme(label) | {"counted": label.counted, "role": str(label.stands_for)}
