"""Measuring the cells of a study, image by image, and only those that were not measured as they are."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from numpy.typing import NDArray
from PIL import Image

from annotation.cell_measures import measure
from annotation.measure_table import MEASURES, RECIPE
from annotation.models import Cell, CellMeasures, MeasuredImage, SmearImage, Study
from annotation.models.cell_measures import shape_of_cell
from annotation.models.image import ImageQuerySet
from annotation.store import ImageStore


@dataclass(frozen=True)
class Measured:
    """How many cells were measured, and the images whose pixels are gone from the store."""

    cells: int
    missing: tuple[SmearImage, ...] = ()


def measurable() -> QuerySet[Cell]:
    """The cells that are measured: those that somebody stands for, and no ignored regions."""
    return Cell.objects.filter(ignored=False).confirmed().order_by()


def images_due() -> ImageQuerySet:
    """Images that changed since their cells were last measured, or never were."""
    return SmearImage.objects.filter(~MeasuredImage.up_to_date())


def cells_due(cells: QuerySet[Cell]) -> "QuerySet[Any, Any]":
    """Of cells those that were not measured as they are: `shape` is what they are."""
    known = CellMeasures.objects.filter(cell=OuterRef("pk"), shape=OuterRef("shape"))
    return cells.annotate(shape=shape_of_cell()).filter(~Exists(known))


def measure_study(study: Study, progress: Callable[[int, int], bool] | None = None) -> Measured:
    """Measure all cells of a study that are due. `progress` is told how many of how many images are done, before the
    first and after each, and ends the pass by returning False."""
    images = list(images_due().filter(study=study).order_by("pk"))
    cells = 0
    missing: list[SmearImage] = []
    if progress is not None and not progress(0, len(images)):
        return Measured(0)
    for number, image in enumerate(images, start=1):
        try:
            cells += measure_image(image)
        except OSError:
            missing.append(image)
        if progress is not None and not progress(number, len(images)):
            break
    return Measured(cells, tuple(missing))


def measure_image(image: SmearImage) -> int:
    """Measure the cells of an image that are due; how many. Raises OSError where its pixels cannot be read.

    Costs a few queries, and decoding the image where a cell is due.
    """
    # Read before the cells: what changes meanwhile is due again.
    image.refresh_from_db(fields=["revision", "um_per_pixel"])
    due = list(cells_due(measurable().filter(image=image)).values_list("pk", "border", "shape"))
    if due:
        pixels = pixels_of(image)
        _keep([_row(key, shape, measure(pixels, border, image.um_per_pixel), image) for key, border, shape in due])
    settle([image])
    return len(due)


def settle(images: list[SmearImage]) -> None:
    """Say that all cells of images are measured, as of the revisions at hand. One query."""
    MeasuredImage.objects.bulk_create(
        [
            MeasuredImage(image=image, revision=image.revision, um_per_pixel=image.um_per_pixel, recipe=RECIPE)
            for image in images
        ],
        update_conflicts=True,
        unique_fields=["image"],
        update_fields=["revision", "um_per_pixel", "recipe"],
    )


def measures_of(cell: Cell) -> tuple[dict[str, float | None], bool]:
    """The measures of a cell by name, as its border is now, and whether lengths are in µm: as they are stored, else
    measured here and now. Raises OSError where its image cannot be read."""
    image = cell.image
    stored = CellMeasures.objects.filter(cell=cell).first()
    if stored is not None:
        (shape,) = Cell.objects.filter(pk=cell.pk).annotate(shape=shape_of_cell()).values_list("shape", flat=True)
        if stored.shape == shape:
            return stored.by_name(), stored.in_um
    return measure(pixels_of(image), cell.border, image.um_per_pixel), image.um_per_pixel is not None


def pixels_of(image: SmearImage) -> NDArray[np.uint8]:
    """(h, w, 3). Raises OSError."""
    with Image.open(ImageStore(Path(settings.IMAGE_STORE)).pixels(image.sha256)) as file:
        return np.asarray(file.convert("RGB"))


def _row(key: Any, shape: str, values: dict[str, float | None], image: SmearImage) -> CellMeasures:
    return CellMeasures(
        cell_id=key,
        shape=shape,
        recipe=RECIPE,
        in_um=image.um_per_pixel is not None,
        values=[values[each.name] for each in MEASURES],
    )


def _keep(rows: list[CellMeasures]) -> None:
    """Store measures in place of earlier ones. Two statements."""
    with transaction.atomic():
        # A cell may have gone meanwhile; the others stay until this is written.
        there = Cell.objects.filter(pk__in=[each.cell_id for each in rows]).order_by("pk")
        kept = set(there.select_for_update(no_key=True).values_list("pk", flat=True))
        CellMeasures.objects.bulk_create(
            [each for each in rows if each.cell_id in kept],
            update_conflicts=True,
            unique_fields=["cell"],
            update_fields=["shape", "recipe", "in_um", "values"],
        )
