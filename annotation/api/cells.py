"""A cell as the API gives it."""

from typing import Any

from annotation.label_choice import Choice
from annotation.models import Cell


def cell_json(cell: Cell, choice: Choice) -> dict[str, Any]:
    """CELL: border and bounds (x0, y0, x1, y1) in image pixels; labels, confidence and texts of the choice by ids."""
    return {
        "id": str(cell.pk),
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
