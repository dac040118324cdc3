"""The order of the gallery: the ids of all cells that were asked for, packed into one string of bytes.

A list from which people label must not move under their hands: so the browser is given the whole order at once, 16
bytes a cell, and fetches what it shows of it.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from django.core.exceptions import EmptyResultSet
from django.db.models import ExpressionWrapper, F, FloatField, Max, QuerySet
from django.db.models.functions import Abs, Coalesce
from numpy.typing import NDArray

from annotation.models import Cell, Label, Study
from inference import cell_evidence
from inference.agreement import model_disputes
from inference.cell_looks import alike, looks_of, outlying
from inference.gallery_query import APPLIES, BY_EVIDENCE, BY_LOOKS, BY_MEASURE, BY_PROBABILITY, GalleryQuery
from inference.measured import figures
from inference.models import CellProbability
from inference.packed_ids import Ids, packed, places, unpacked
from inference.shown_labels import shown_probabilities

# No gallery shows more cells at a time: 4 MB of ids.
MOST = 250_000


def order(study: Study, query: GalleryQuery, viewer: int) -> bytes:
    """The packed ids of the cells that were asked for, in their order; at most MOST. Cells of which an order knows
    nothing come last, the newest first."""
    of = query.of_label(study)
    try:
        if query.sort == "disputed" and query.agreement == "model":
            # One look at what is disputed serves both.
            cells = replace(query, agreement="").cells(study, viewer, of)
            disputed = model_disputes(study, viewer, of).filter(figure__gt=APPLIES)
            return _by_figure(cells, disputed.values("cell").annotate(most=Max("figure")), others=False)
        cells = query.cells(study, viewer, of)
        if query.sort in BY_PROBABILITY:
            return _by_figure(cells, _figures(study, query.sort, viewer, of))
        if query.sort in BY_EVIDENCE:
            against = query.sort == "speaks-against"
            return _by_figure(cells, cell_evidence.figures(study, query.decision, viewer, against=against))
        if query.sort in BY_MEASURE:
            return _by_figure(cells, figures(study, query.measure, negative=query.sort == "measure-up"))
        if query.sort in BY_LOOKS:
            return _by_looks(cells, study, query, viewer)
        return _packed(_in_order(cells, query.sort))
    except EmptyResultSet:
        return b""


def _in_order(cells: "QuerySet[Cell]", sort: str) -> "QuerySet[Cell]":
    if sort == "field":
        return cells.order_by("image_id", "y0", "x0", "pk")
    if sort in ("largest", "smallest"):
        px = (F("x1") - F("x0")) * (F("y1") - F("y0"))
        um = Coalesce(F("image__um_per_pixel"), 1.0)
        size = ExpressionWrapper(px * um * um, output_field=FloatField())
        return cells.annotate(size=size).order_by("-size" if sort == "largest" else "size", "pk")
    return cells.order_by("-created_at", "pk")


def _figures(study: Study, sort: str, viewer: int, of: Label | None) -> "QuerySet[Any, Any]":
    """Rows {cell, figure}, one a cell: what cells are sorted by, the highest first."""
    if sort == "disputed":
        rows = model_disputes(study, viewer, of)
        return rows if of else rows.values("cell").annotate(figure=Max("figure"))
    if of is not None:
        probabilities = CellProbability.objects.filter(shown_probabilities(viewer), label=of).order_by()
        figure = {
            "likely": F("probability"),
            "unlikely": -F("probability"),
            "uncertain": -Abs(F("probability") - 0.5),
        }[sort]
        return probabilities.annotate(figure=figure).values("cell", "figure")
    # Of all labels of which a cell has one: how sure the model is of the one that it would choose. Of probabilities
    # that are one together the largest is at least their mean: most rows need not be looked at.
    labels = list(Label.objects.filter(group__study=study, group__multiple=False).values_list("pk", flat=True))
    least = 0.99 / max(1, len(labels))
    choices = CellProbability.objects.filter(
        shown_probabilities(viewer), label__in=labels, probability__gte=least
    ).order_by()
    surest = Max("probability")
    return choices.values("cell").annotate(figure=surest if sort == "likely" else -surest).values("cell", "figure")


def _packed(cells: "QuerySet[Cell]") -> bytes:
    sql, parameters = cells.values("pk")[:MOST].query.sql_with_params()
    return packed(sql, parameters)


def _by_figure(cells: "QuerySet[Cell]", figures: "QuerySet[Any, Any]", *, others: bool = True) -> bytes:
    """Cells by their figures, and the others after them. Joined by hand: as a subquery for each cell it would take ten
    times as long."""
    ours, our_parameters = cells.values("pk", "created_at").query.sql_with_params()
    theirs, their_parameters = figures.query.sql_with_params()
    return packed(
        f"SELECT ours.id FROM ({ours}) AS ours(id, created_at)"
        f" {'LEFT' if others else 'INNER'} JOIN ({theirs}) AS theirs(id, figure) ON theirs.id = ours.id"
        f" ORDER BY theirs.figure DESC NULLS LAST, ours.created_at DESC, ours.id LIMIT {MOST}",
        [*our_parameters, *their_parameters],
    )


def _by_looks(cells: "QuerySet[Cell]", study: Study, query: GalleryQuery, viewer: int) -> bytes:
    newest = _packed(cells.order_by("-created_at", "pk"))
    looks = looks_of(study)
    if looks is None:
        return newest
    figures = alike(looks, query.like) if query.sort == "similar" else outlying(looks, study, viewer)
    return newest if figures is None else ranked(unpacked(newest), looks.ids, figures).tobytes()


def ranked(ids: Ids, known: Ids, figures: NDArray[np.float64]) -> Ids:
    """Ids by the figures of those that are known, the highest first; the others after them, as they were."""
    at = places(known, ids)
    own = np.where(at >= 0, figures[at], -np.inf)
    return ids[np.argsort(-own, kind="stable")]
