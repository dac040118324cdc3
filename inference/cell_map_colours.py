"""By what the points of a map of cells are coloured: what people and models say of each cell, and where it is from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models import BigIntegerField, Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Cast, Round
from numpy.typing import NDArray

from annotation.cell_crops import cells_to_classify
from annotation.models import CellLabel, Label, LabelGroup, Patient, SmearImage, Study
from inference.cell_evidence import decisions_kept, first_of
from inference.gallery_models import spoken_of
from inference.models import CellEvidence, CellProbability
from inference.packed_ids import Ids, packed_rows, places
from inference.shown_labels import shown_labels, shown_probabilities

Codes = NDArray[np.uint16]

# Of a cell of which nothing is known in this respect, and of one that is no longer shown.
NOTHING, GONE = 65_534, 65_535


@dataclass(frozen=True)
class Colours:
    """codes: (n,) places in `legend`, NOTHING or GONE; by probability (`scale`) whole hundredths. legend: {name,
    colour}, where the colour may be empty; `nothing` says what cells without a code are."""

    codes: Codes
    legend: list[dict[str, str]]
    nothing: str
    scale: bool = False


def choices(study: Study) -> list[dict[str, Any]]:
    """What cells can be coloured by: {name, group, words}, `name` is what colours() takes. Five queries."""
    labels = spoken_of(study)
    found = [
        *({"name": f"label-{group.pk}", "group": "What people say", "words": group.name} for group in _groups(study)),
        {"name": "patient", "group": "Where they are from", "words": "Patient"},
        {"name": "diagnosis", "group": "Where they are from", "words": "Diagnosis of the patient"},
        {"name": "state", "group": "Where they are from", "words": "State of the image"},
    ]
    for label in Label.objects.filter(pk__in=labels).select_related("group").order_by("group__order", "order"):
        found.append({"name": f"probability-{label.pk}", "group": "Probability of", "words": label.name})
    for place, decision in enumerate(decisions_kept(study)):
        words = f"{decision}, by MILLIE"
        found.append({"name": f"evidence-{place}", "group": "What a cell alone speaks for", "words": words})
    return found


def colours(study: Study, ids: Ids, by: str, viewer: int) -> Colours | None:
    """The colours of cells by one of choices(); None where `by` is none of them. Four queries at most."""
    kind, _, key = by.partition("-")
    number = int(key) if key.isdecimal() and len(key) < 19 else 0
    cells = cells_to_classify(study).order_by()
    codes = np.full(len(ids), GONE, dtype=np.uint16)
    there, _ = packed_rows(cells.values("pk", "image_id"))
    at = places(ids, there)
    codes[at[at >= 0]] = NOTHING
    if kind == "label" and (group := _groups(study).filter(pk=number).first()) is not None:
        return _by_label(study, ids, codes, group, viewer)
    if kind == "probability" and (label := Label.objects.filter(pk=number, group__study=study).first()) is not None:
        said = CellProbability.objects.filter(shown_probabilities(viewer), label=label).order_by()
        hundredths = Cast(Round(F("probability") * 100.0), BigIntegerField())
        _put(codes, ids, said.annotate(number=hundredths).values("cell", "number"))
        return Colours(codes, [{"name": label.name, "colour": label.colour}], "No model has said", scale=True)
    if kind == "evidence" and number < len(decisions := decisions_kept(study)):
        scored = CellEvidence.objects.filter(shown_probabilities(viewer), decision=decisions[number]).order_by()
        hundredths = Cast(Round(F("probability") * 100.0), BigIntegerField())
        _put(codes, ids, scored.filter(cell__in=cells).annotate(number=hundredths).values("cell", "number"))
        return Colours(
            codes,
            [{"name": f"{first_of(decisions[number])}, by each cell alone", "colour": ""}],
            "Not scored",
            scale=True,
        )
    if by == "patient":
        known = list(Patient.objects.filter(study=study).order_by("code").values_list("pk", "code"))
        _put(codes, ids, cells.exclude(image__patient=None).values("pk", "image__patient"), [pk for pk, _ in known])
        return Colours(codes, [{"name": code, "colour": ""} for _, code in known], "No patient")
    if by in ("diagnosis", "state"):
        options = study.diagnoses.options if by == "diagnosis" else SmearImage.State.choices
        field = "image__patient__diagnosis" if by == "diagnosis" else "image__state"
        whens = [When(Q(**{field: value}), then=Value(place)) for place, (value, _) in enumerate(options)]
        rows = cells.exclude(image__patient=None) if by == "diagnosis" else cells
        _put(codes, ids, rows.annotate(number=Case(*whens, output_field=BigIntegerField())).values("pk", "number"))
        return Colours(codes, [{"name": str(words), "colour": ""} for _, words in options], "No patient")
    return None


def _by_label(study: Study, ids: Ids, codes: Codes, group: LabelGroup, viewer: int) -> Colours:
    labels = list(group.labels.all())
    own_last = Case(When(annotator=viewer, then=Value(1)), default=Value(0))
    rows = CellLabel.objects.filter(shown_labels(study, viewer), label__group=group).order_by(own_last, "pk")
    _put(codes, ids, rows.values("cell", "label"), [label.pk for label in labels])
    return Colours(codes, [{"name": each.name, "colour": each.colour} for each in labels], "No label")


def _put(codes: Codes, ids: Ids, rows: "QuerySet[Any, Any]", order: list[int] | None = None) -> None:
    """Write numbers by cell into codes, as places in `order` where there is one; of several rows of a cell the last
    holds."""
    found, numbers = packed_rows(rows)
    at = places(ids, found)
    if order is not None:
        place = {number: index for index, number in enumerate(order)}
        numbers = np.array([place.get(number, NOTHING) for number in numbers.tolist()], dtype=np.int64)
    there = (at >= 0) & (codes[at] != GONE)
    codes[at[there]] = numbers[there]


def _groups(study: Study) -> "QuerySet[LabelGroup]":
    return LabelGroup.objects.filter(study=study)
