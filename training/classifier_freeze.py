"""From the labelled cells of a study to a frozen snapshot that classifiers learn from."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Q

from annotation.models import Cell, Study
from annotation.revision import still_moment
from training.classifier_target import Target
from training.contract import content_hash
from training.freeze import FrozenSnapshot, RoundRefused, count, written
from training.frozen_cells import cells_manifest, images_in, in_scheme
from training.selection import Selection


def freeze_labelled(study: Study, target: Target, selection: Selection | None = None) -> FrozenSnapshot:
    """Write the labelled cells of the study, or of the patients and states selected, as a snapshot folder named by its
    hash; the same data is written once.

    A label is true of its cell whether or not all cells beside it have borders: so images in progress count too, and
    pictures of single cells. The labels of its scheme say which are retired and of which a cell may have many.

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
    at = still_moment(study)
    cells = Cell.objects.filter(image__in=images_in(study, selection), ignored=False).confirmed()
    # Of a cell that nobody labelled a reviewer may have decided, too.
    spoken_of = Q(labels__isnull=False) | Q(adjudications__isnull=False)
    labelled = list(cells.filter(spoken_of).exclude(border__kind="point").order_by("pk").distinct())
    manifest, files = cells_manifest(study, labelled, in_scheme, unlabelled=False)
    if not manifest["images"]:
        raise RoundRefused(f"The study {study.name} has no labelled cell to learn from.")
    return manifest, files, at


def _counts(manifest: dict[str, Any], target: Target) -> dict[str, Any]:
    """As Round.counts has it; "labels" are those of the target's group alone."""
    own = Counter(
        name
        for image in manifest["images"]
        for border in image["borders"]
        for name in border["choices"].get(target.group, ())
    )
    return count(manifest) | {"labels": dict(sorted(own.items()))}
