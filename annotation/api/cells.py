"""A cell as the API gives it."""

from typing import Any

from django.db.models import F

from annotation.label_choice import NOTHING_SAID, Choice, choices_on
from annotation.models import Cell, SmearImage

_FIELDS = ("id", "version", "revision", "status", "origin", "border", "score", "ignored", "ignored_class")
_BOUNDS = ("x0", "y0", "x1", "y1")


def shown_cells_json(image: SmearImage, viewer_id: int | None) -> list[dict[str, Any]]:
    """Every border that the editor draws, ignored regions first (they lie beneath the others). Three queries.

    From bare rows: making five thousand objects of them takes longer than reading them.
    """
    choices = choices_on(image, viewer_id)
    shown = Cell.objects.shown().filter(image=image).order_by(F("ignored").desc(), "created_at", "pk")
    rows: Any = shown.values_list(*_FIELDS, *_BOUNDS, named=True)
    return [cell_json(row, choices.get(row.id, NOTHING_SAID)) for row in rows]


def cell_json(cell: Cell, choice: Choice) -> dict[str, Any]:
    """CELL: border and bounds (x0, y0, x1, y1) in image pixels; labels, confidence and texts of the choice by ids."""
    return {
        "id": str(cell.id),
        "version": cell.version,
        "revision": cell.revision,
        "status": cell.status,
        "origin": cell.origin,
        "border": cell.border,
        "score": cell.score,
        "ignored": cell.ignored,
        "ignored_class": cell.ignored_class,
        "labels": choice.labels,
        "confidence": {str(label_id): value for label_id, value in choice.confidence.items()},
        "texts": {str(attribute_id): text for attribute_id, text in choice.texts.items()},
        "bounds": [cell.x0, cell.y0, cell.x1, cell.y1],
    }
