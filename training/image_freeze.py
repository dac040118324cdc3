"""From the patients of a study and their images to a frozen snapshot that whole-image diagnoses are learned from."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction

from annotation.models import SmearImage, Study
from annotation.revision import still_moment
from training.contract import content_hash
from training.diagnosis_freeze import diagnoses_counted
from training.freeze import FrozenSnapshot, RoundRefused, image_entry, stored_files, written
from training.frozen_cells import images_in
from training.selection import Selection
from training.snapshot import SCHEMA


def freeze_images(study: Study, selection: Selection | None = None) -> FrozenSnapshot:
    """Write the images of all patients of the study, or of those selected, as a snapshot folder named by its hash: with
    or without cells, which it does not tell of. Those that were picked for their cells are left out, and those without
    a patient. Raises RoundRefused as freeze."""
    manifest, files, at = _read(study, selection or Selection())
    folder = written(manifest, files)
    return FrozenSnapshot(folder.name, folder, manifest, diagnoses_counted(manifest), lesson_hash(manifest), at)


def lesson_hash(manifest: Mapping[str, Any]) -> str:
    """The hash of what diagnoses are learned from."""
    names = ("sha256", "group", "fold", "diagnosis")
    return content_hash({"images": [{name: image[name] for name in names} for image in manifest["images"]]})


@transaction.atomic
def _read(study: Study, selection: Selection) -> tuple[dict[str, Any], dict[str, Path], datetime]:
    """The manifest of the present, the files of its images by sha256, and when that was."""
    at = still_moment(study)
    chosen = SmearImage.objects.filter(pk__in=images_in(study, selection)).representative()
    images = list(chosen.filter(patient__isnull=False).select_related("patient").prefetch_related("names"))
    if not images:
        raise RoundRefused(
            f"The study {study.name} has no patient with images to learn from: import images, and say whose each is."
        )
    manifest: dict[str, Any] = {
        "schema": SCHEMA,
        "study": study.name,
        "labels": [],
        "diagnoses": study.diagnoses.as_json(),
        "images": [
            {**image_entry(image, []), "sample": image.sample}
            for image in sorted(images, key=lambda image: image.sha256)
        ],
    }
    return manifest, stored_files(images), at
