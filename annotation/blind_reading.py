"""What a blind reading hides, said in one place: of its cells, everybody else's labels, texts and decisions, and with
`hides_model` also what models say, from each of its readers until they are done.

Whatever shows labels to somebody asks here: the choices of annotation/label_choice.py, the history of a cell, the past
of an image, the gallery with its filters, orders and counts, agreement, adjudication.
"""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet

from annotation.models import CellReading, Reader, Study


@dataclass(frozen=True)
class Sight:
    """What one person may know of cells: `labels` is a condition on rows of CellLabel and CellText, `others` one on
    rows of anything else with a `cell` that tells of labels, or of what models say. Empty where nothing is hidden."""

    labels: Q
    others: Q


def sight_of(viewer_id: int | None, *, model: bool = False) -> Sight:
    """What somebody may see; None is nobody in particular (exports of the command line, rounds) and sees everything.
    One query where somebody asks."""
    if viewer_id is None:
        return Sight(Q(), Q())
    hidden = hidden_cells(viewer_id, model=model)
    # Without a condition the large queries of the gallery stay as fast as they were.
    if not hidden.exists():
        return Sight(Q(), Q())
    others = ~Q(cell__in=hidden)
    return Sight(Q(annotator=viewer_id) | others, others)


def shown_labels(viewer_id: int | None) -> Q:
    """A condition on rows of CellLabel and CellText: those that somebody may know of. One query."""
    return sight_of(viewer_id).labels


def hidden_cells(viewer_id: int, *, model: bool = False) -> "QuerySet[CellReading, Any]":
    """Rows {cell}: the cells that somebody is reading blind; with `model` only those where probabilities are hidden."""
    parts = Reader.objects.reading_on().filter(user=viewer_id, reading__blind=True)
    if model:
        parts = parts.filter(reading__hides_model=True)
    return CellReading.objects.filter(reader__in=parts.order_by()).order_by().values("cell")


def hidden_of(study: Study, viewer_id: int) -> int:
    """How many cells of a study somebody is reading blind: for pages that leave them out, to say so. One query."""
    return (
        hidden_cells(viewer_id)
        .filter(cell__image__study=study)
        .aggregate(number=Count("cell", distinct=True))["number"]
    )
