"""Cells on which a confident model contradicts what people say: for a second look, as some of these labels are wrong.

Noise of labels is found so by confident learning (Northcutt, Jiang and Chuang 2021), here without its thresholds by
class, as the order is what people work along. A model that learned from the very labels finds fewer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, QuerySet

from annotation.blind_reading import sight_of
from annotation.cell_crops import cells_to_classify
from annotation.label_choice import NOTHING_SAID, choices_of
from annotation.models import Adjudication, Cell, CellLabel, Label, LabelGroup, Study
from inference.models import CellProbability
from inference.shown_labels import shown_labels, shown_probabilities

# From here on a model is called confident.
CONFIDENT = 0.8
MOST = 200


@dataclass(frozen=True)
class Doubt:
    """A cell whose label a model contradicts. labels: what counts in the group, by ids; model: the label that the model
    would set, or take off where `applies` is false; probability: how sure it is of that, 0 to 1."""

    cell: UUID
    version: int
    image: int
    patient: str | None
    labels: Sequence[int]
    model: int
    applies: bool
    probability: float


def doubts(study: Study, group: LabelGroup, viewer: int, least: float = CONFIDENT) -> list[Doubt]:
    """The cells of a group on which nobody has decided and a model is at least so sure of another label, the surest
    first, MOST at most. Nothing of what the viewer is reading blind. A dozen queries at most."""
    found: dict[UUID, tuple[int, bool, float]] = {}
    for rows, applies in _contradictions(study, group, viewer, least):
        for cell, label, sure in rows.values_list("cell", "label", "sure"):
            if cell not in found or found[cell][2] < sure:
                found[cell] = (label, applies, sure)
    surest = sorted(found, key=lambda cell: (-found[cell][2], cell))[:MOST]
    cells = Cell.objects.select_related("image__patient").in_bulk(surest)
    own = set(group.labels.values_list("pk", flat=True))
    said = choices_of(surest, None)
    doubted = []
    for key in surest:
        label, applies, sure = found[key]
        counts = [one for one in said.get(key, NOTHING_SAID).labels if one in own]
        if (label in counts) == applies:
            # Somebody said otherwise, but what counts is what the model says.
            continue
        patient = cells[key].image.patient
        code = patient.code if patient else None
        doubted.append(Doubt(key, cells[key].version, cells[key].image_id, code, counts, label, applies, sure))
    return doubted


def _contradictions(
    study: Study, group: LabelGroup, viewer: int, least: float
) -> list[tuple["QuerySet[Any, Any]", bool]]:
    """Rows of probabilities with `sure`, and whether the model would set the label or take it off."""
    said = CellLabel.objects.filter(shown_labels(study, viewer), cell=OuterRef("cell")).order_by()
    offered = list(Label.objects.offered().filter(group=group).values_list("pk", flat=True))
    rows = CellProbability.objects.filter(
        shown_probabilities(viewer), label__in=offered, cell__in=cells_to_classify(study).order_by().values("pk")
    )
    # What counts is told with each, so that nothing of a cell that is read blind may come.
    rows = rows.filter(sight_of(viewer).others)
    rows = rows.exclude(Exists(Adjudication.objects.filter(cell=OuterRef("cell"), group=group)))
    # In a group of many choices whoever labelled the cell has said of each mark whether it applies.
    speaks = said if group.multiple else said.filter(label__group=group)
    missed = rows.filter(Exists(speaks), ~Exists(said.filter(label=OuterRef("label"))), probability__gte=least)
    lists = [(_surest(missed.annotate(sure=F("probability"))), True)]
    if group.multiple:
        given = rows.filter(Exists(said.filter(label=OuterRef("label"))), probability__lte=1 - least)
        lists.append((_surest(given.annotate(sure=1.0 - F("probability"))), False))
    return lists


def _surest(rows: "QuerySet[Any, Any]") -> "QuerySet[Any, Any]":
    return rows.order_by("-sure", "cell")[: 2 * MOST]
