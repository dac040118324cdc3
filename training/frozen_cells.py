"""Single cells with their labels as a snapshot lists them: what classifiers and diagnoses are learned from."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from django.db.models import QuerySet

from annotation.cell_crops import typical_px
from annotation.label_choice import NOTHING_SAID, choices_of
from annotation.models import Cell, Label, LabelGroup, SmearImage, Study
from training.freeze import RoundRefused, image_entry, stored_files
from training.selection import ALL, Selection, SelectionError
from training.snapshot import SCHEMA


def images_in(study: Study, selection: Selection) -> QuerySet[SmearImage]:
    """The images of the patients and states selected, finished or not where all are. Raises RoundRefused."""
    try:
        selection.check(study)
    except SelectionError as error:
        raise RoundRefused(str(error)) from error
    chosen = SmearImage.objects.filter(study=study) if selection.state == ALL else selection.images(study)
    return chosen.filter(patient__code__in=selection.patients) if selection.patients else chosen


def cells_manifest(
    study: Study, cells: Sequence[Cell], described: Callable[[Label], dict[str, Any]], *, unlabelled: bool
) -> tuple[dict[str, Any], dict[str, Path]]:
    """The manifest of these cells, those that carry no label among them or not, and the files of their images by
    sha256. `described`: what it says of each label of the scheme. Seven queries.

    Beside what all manifests say, each border says of which group its labels are (`choices`), each image whether it
    was picked (`sample`), and `typical_cell_px` stands for the scale of images without one.
    """
    said = choices_of([cell.pk for cell in cells], None)
    scheme = {label.pk: label for label in Label.objects.filter(group__study=study).select_related("group")}
    borders: dict[int, list[dict[str, Any]]] = {}
    for cell in cells:
        choices: dict[str, list[str]] = {}
        for key in said.get(cell.pk, NOTHING_SAID).labels:
            choices.setdefault(scheme[key].group.name, []).append(scheme[key].name)
        if choices or unlabelled:
            borders.setdefault(cell.image_id, []).append(_entry(cell, choices))
    images = list(SmearImage.objects.filter(pk__in=borders).select_related("patient").prefetch_related("names"))
    manifest: dict[str, Any] = {
        "schema": SCHEMA,
        "study": study.name,
        "typical_cell_px": typical_px(study),
        "labels": [
            described(label)
            for group in LabelGroup.objects.filter(study=study).prefetch_related("labels")
            for label in group.labels.all()
        ],
        "images": [
            {**image_entry(image, borders[image.pk]), "sample": image.sample}
            for image in sorted(images, key=lambda image: image.sha256)
        ],
    }
    return manifest, stored_files(images)


def in_scheme(label: Label) -> dict[str, Any]:
    """What classifiers need to know of a label."""
    group = label.group
    return {"group": group.name, "name": label.name, "multiple": group.multiple, "retired": label.retired}


def _entry(cell: Cell, choices: Mapping[str, list[str]]) -> dict[str, Any]:
    return {
        "id": str(cell.pk),
        "border": cell.border,
        "bounds": [cell.x0, cell.y0, cell.x1, cell.y1],
        "ignored": False,
        "labels": sorted({name for names in choices.values() for name in names}),
        "choices": {group: sorted(names) for group, names in sorted(choices.items())},
    }
