"""A cell as the API gives it."""

from typing import Any

from annotation.models import Cell


def cell_json(cell: Cell, labels: list[int]) -> dict[str, Any]:
    """CELL: border and bounds (x0, y0, x1, y1) in image pixels, labels as the ids of the current choice."""
    return {
        "id": str(cell.pk),
        "version": cell.version,
        "status": cell.status,
        "origin": cell.origin,
        "border": cell.border,
        "score": cell.score,
        "ignored": cell.ignored,
        "ignored_class": cell.ignored_class,
        "labels": labels,
        "bounds": [cell.x0, cell.y0, cell.x1, cell.y1],
    }
