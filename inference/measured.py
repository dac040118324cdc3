"""Measures of a study's cells as the gallery and the page of measures compare them: in one unit of length.

Lengths of cells whose image has no known scale cannot be compared with those in µm: where any image of the study has a
known scale, they are left out, and else all are in px.
"""

from typing import Any

from django.db.models import F, QuerySet

from annotation.measure_table import BY_NAME, GROUPS, PLACES, RECIPE, Measure
from annotation.models import CellMeasures, SmearImage, Study

# What is sorted by where nobody says which measure.
USUAL = "area"


def in_um(study: Study) -> bool:
    """Whether the study's lengths are compared in µm. One query."""
    return SmearImage.objects.filter(study=study, um_per_pixel__isnull=False).exists()


def is_measured(study: Study) -> bool:
    """Whether any cell of the study has been measured. One query."""
    return CellMeasures.objects.filter(cell__image__study=study, recipe=RECIPE).exists()


def figures(study: Study, name: str, *, negative: bool = False) -> "QuerySet[Any, Any]":
    """Rows {cell, figure}: the cells of which a measure is known, of any study, and its values, or these with the other
    sign. One query of its own for a length."""
    rows: QuerySet[Any, Any] = CellMeasures.objects.filter(recipe=RECIPE).order_by()
    if BY_NAME[name].power:
        rows = rows.filter(in_um=in_um(study))
    rows = rows.annotate(value=F(f"values__{PLACES[name]}")).filter(value__isnull=False)
    return rows.annotate(figure=-F("value") if negative else F("value")).values("cell", "figure")


def measured_within(study: Study, name: str, low: float | None, high: float | None) -> "QuerySet[Any, Any]":
    """The cells whose measure lies in a range, ends included, None for an open end."""
    at = {"figure__gte": low, "figure__lte": high}
    rows = figures(study, name).filter(**{end: value for end, value in at.items() if value is not None})
    return rows.values("cell")


def filter_context(study: Study) -> dict[str, Any]:
    """What templates/inference/_measure_filter.html needs; empty where nothing was measured. Two queries."""
    if not is_measured(study):
        return {}
    scale = in_um(study)
    return {
        "usual_measure": _words(BY_NAME[USUAL], scale),
        "measure_groups": [
            (group, [(each.name, _words(each, scale)) for each in measures if each.name != USUAL])
            for group, measures in GROUPS.items()
        ],
    }


def _words(measure: Measure, scale: bool) -> str:
    unit = measure.unit(scale)
    return f"{measure.label} ({unit})" if unit else measure.label
