"""The crops of a study's cells: which square of which image shows a cell, and by what name its features are kept."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db.models import F, FloatField, QuerySet
from django.db.models.aggregates import Aggregate
from django.db.models.functions import Greatest

from annotation.crop import Square, crop_hash, crop_square
from annotation.models import Cell, Study

# The typical cell is taken in steps of so much: one more cell must not move the median by a hair and with it every
# crop of the study.
_STEP = 1.1


@dataclass(frozen=True)
class CellCrop:
    """Where a cell is shown: a square, in px, of the image that lies in the store under `sha256`."""

    cell: UUID
    sha256: str
    square: Square

    @property
    def hash(self) -> str:
        return crop_hash(self.sha256, self.square)


class _Median(Aggregate):
    function = "PERCENTILE_CONT"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


def typical_px(study: Study) -> float | None:
    """The longer side of the study's median cell in px, in steps of a tenth; None where there is no border yet. Costs
    one query."""
    longer = Greatest(F("x1") - F("x0"), F("y1") - F("y0"))
    cells = Cell.objects.filter(image__study=study, ignored=False).confirmed().exclude(border__kind="point")
    median = cells.order_by().aggregate(median=_Median(longer))["median"]
    return stepped(median) if median else None


def stepped(px: float) -> float:
    """A size in px as the nearest of a ladder of sizes, each a tenth above the one before."""
    return round(_STEP ** round(math.log(px, _STEP)), 2)


def cells_to_classify(study: Study) -> QuerySet[Cell]:
    """The cells that classifiers look at: those that somebody stands for, and no ignored regions."""
    return Cell.objects.filter(image__study=study, ignored=False).confirmed()


def crops_of(cells: QuerySet[Cell], typical: float | None) -> Iterator[CellCrop]:
    """The crops of cells, image by image. A point of which no scale is known has none. `typical` is typical_px of
    their study. Costs one query."""
    rows: Iterable[tuple[UUID, str, float | None, float, float, float, float]] = cells.order_by(
        "image_id", "pk"
    ).values_list("pk", "image__sha256", "image__um_per_pixel", "x0", "y0", "x1", "y1")
    for key, sha256, um_per_pixel, *bounds in rows:
        x0, y0, x1, y1 = bounds
        try:
            yield CellCrop(key, sha256, crop_square((x0, y0, x1, y1), um_per_pixel, typical))
        except ValueError:
            continue
