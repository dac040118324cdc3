"""What somebody asked the gallery for: which of a study's cells, in which order, as the page's address says it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from annotation.cell_crops import cells_to_classify
from annotation.measure_table import BY_NAME
from annotation.models import Cell, CellLabel, CellReading, Label, SmearImage, Study
from inference import kept_choice
from inference.agreement import model_disputes, people_disagree
from inference.measured import USUAL, measured_within
from inference.models import CellProbability
from inference.shown_labels import shown_labels, shown_probabilities

# The words of the address, and what people read.
SORTS = {
    "newest": "Newest first",
    "field": "Field by field",
    "likely": "Most likely first",
    "unlikely": "Least likely first",
    "uncertain": "Most uncertain first",
    "disputed": "Model and people disagree",
    "similar": "Most alike first",
    "outliers": "Least like their class",
    "largest": "Largest first",
    "smallest": "Smallest first",
    "measure-down": "By measure, highest first",
    "measure-up": "By measure, lowest first",
    "speaks-for": "Speaks most for the diagnosis",
    "speaks-against": "Speaks least for the diagnosis",
}
# Orders by what a model says of a label, and by what the cells look like to a backbone.
BY_PROBABILITY = ("likely", "unlikely", "uncertain", "disputed")
BY_LOOKS = ("similar", "outliers")
BY_MEASURE = ("measure-down", "measure-up")
BY_EVIDENCE = ("speaks-for", "speaks-against")
AGREEMENTS = {"people": "People disagree", "model": "Model and people disagree"}
# How sure somebody is of a label, by what is stored (static/src/editor/panel/labelling.js): from one bound to below the
# other.
CERTAINTIES = {"unsure": "Unsure", "likely": "Likely", "sure": "Sure", "unsaid": "Not said how sure"}
_CERTAIN = {"unsure": (0.0, 0.55), "likely": (0.55, 0.9), "sure": (0.9, 1.1)}
NONE, ME, NOT_ME, IMPORTED = "none", "me", "not-me", "imported"
PARAMETERS = (
    "label",
    "annotator",
    "certainty",
    "patient",
    "state",
    "reading",
    "of",
    "least",
    "most",
    "measure",
    "low",
    "high",
    "decision",
    "agreement",
    "sort",
    "like",
    "among",
)
# So many cells at most are asked for others that look like them.
MOST_LIKE = 200
# A model says that a label applies from this probability on.
APPLIES = 0.5


@dataclass(frozen=True)
class GalleryQuery:
    """What somebody asked to see. An empty value asks for everything.

    label: a label's id, "none" (no label at all), or "none-" and a group's id. annotator: a user's id, "not-me" (the
    viewer has said nothing of the cell) or "imported". certainty: one of CERTAINTIES, of that label by that annotator
    where they are asked for, else of any. patient: a patient's id or "none". reading: the id of one in which the viewer
    reads or has read the cells. of: the label whose probability counts, as an id; least and most: its range. measure: a
    name of annotation/measure_table.py; low and high: its range. decision: the name of one for which MILLIE has scored
    cells, for the sorts BY_EVIDENCE. agreement: one of AGREEMENTS. like: the cells that others are compared with, for
    the sort "similar". among: cells that somebody picked out, by their name (inference/kept_choice.py).
    """

    label: str = ""
    annotator: str = ""
    certainty: str = ""
    patient: str = ""
    state: str = ""
    reading: str = ""
    of: str = ""
    least: float | None = None
    most: float | None = None
    measure: str = USUAL
    low: float | None = None
    high: float | None = None
    decision: str = ""
    agreement: str = ""
    sort: str = "newest"
    like: tuple[UUID, ...] = ()
    among: str = ""

    @classmethod
    def parse(cls, parameters: Mapping[str, str], viewer: int) -> "GalleryQuery":
        """From the address; what is unknown there means everything, newest first. "me" is the viewer."""
        label = parameters.get("label", "")
        group = _id(label.removeprefix("none-")) if label.startswith("none-") else ""
        annotator = parameters.get("annotator", "")
        if annotator == ME:
            annotator = str(viewer)
        state, agreement, sort, certainty = (
            parameters.get(name, "") for name in ("state", "agreement", "sort", "certainty")
        )
        measure = parameters.get("measure", "")
        return cls(
            label=NONE if label == NONE else f"none-{group}" if group else _id(label),
            annotator=annotator if annotator in (NOT_ME, IMPORTED) else _id(annotator),
            certainty=certainty if certainty in CERTAINTIES else "",
            patient=NONE if parameters.get("patient") == NONE else _id(parameters.get("patient", "")),
            state=state if state in SmearImage.State.values else "",
            reading=_id(parameters.get("reading", "")),
            of=_id(parameters.get("of", "")),
            least=_probability(parameters.get("least", "")),
            most=_probability(parameters.get("most", "")),
            measure=measure if measure in BY_NAME else USUAL,
            low=_number(parameters.get("low", "")),
            high=_number(parameters.get("high", "")),
            decision=parameters.get("decision", "")[:200],
            agreement=agreement if agreement in AGREEMENTS else "",
            sort=sort if sort in SORTS else "newest",
            like=_uuids(parameters.get("like", "")),
            among=parameters.get("among", "") if kept_choice.is_name(parameters.get("among", "")) else "",
        )

    def of_label(self, study: Study) -> Label | None:
        """The label whose probability counts. One query where there is one."""
        if not self.of:
            return None
        return Label.objects.filter(pk=int(self.of), group__study=study).select_related("group").first()

    def cells(self, study: Study, viewer: int, of: Label | None) -> "QuerySet[Cell]":
        """The cells that were asked for, in no order. `of` is of_label(study)."""
        cells = cells_to_classify(study).order_by().filter(self._said(study, viewer))
        if self.among:
            cells = cells.filter(pk__in=kept_choice.cells_of(study, self.among))
        if self.patient:
            nobodys = self.patient == NONE
            cells = cells.filter(image__patient=None) if nobodys else cells.filter(image__patient=int(self.patient))
        if self.state:
            cells = cells.filter(image__state=self.state)
        if self.reading:
            part = CellReading.objects.filter(reader__user=viewer, reader__reading=int(self.reading))
            cells = cells.filter(pk__in=part.order_by().values("cell"))
        if of is not None and (self.least is not None or self.most is not None):
            at = {"probability__gte": self.least, "probability__lte": self.most}
            within = {name: value for name, value in at.items() if value is not None}
            said = CellProbability.objects.filter(shown_probabilities(viewer), label=of, **within)
            cells = cells.filter(pk__in=said.order_by().values("cell"))
        if self.low is not None or self.high is not None:
            cells = cells.filter(pk__in=measured_within(study, self.measure, self.low, self.high))
        if self.agreement == "people":
            cells = cells.filter(people_disagree(study, viewer))
        elif self.agreement == "model":
            cells = cells.filter(pk__in=model_disputes(study, viewer, of).filter(figure__gt=APPLIES).values("cell"))
        return cells

    def _said(self, study: Study, viewer: int) -> Q:
        """What was said of a cell, by whom, and how sure: one row fulfils all of it."""
        labels = CellLabel.objects.filter(shown_labels(study, viewer), cell=OuterRef("pk")).order_by()
        condition = Q()
        if self.annotator == NOT_ME:
            condition = ~Q(Exists(labels.filter(annotator=viewer)))
        elif self.annotator == IMPORTED:
            labels = labels.filter(annotator=None)
        elif self.annotator:
            labels = labels.filter(annotator=int(self.annotator))
        if self.label == NONE:
            return condition & ~Q(Exists(labels))
        if self.label.startswith("none-"):
            return condition & ~Q(Exists(labels.filter(label__group=int(self.label.removeprefix("none-")))))
        if self.certainty == "unsaid":
            labels = labels.filter(confidence=None)
        elif self.certainty:
            low, high = _CERTAIN[self.certainty]
            labels = labels.filter(confidence__gte=low, confidence__lt=high)
        if self.label:
            return condition & Q(Exists(labels.filter(label=int(self.label))))
        any_row = self.certainty or self.annotator not in ("", NOT_ME)
        return condition & Q(Exists(labels)) if any_row else condition


def _id(text: str) -> str:
    """A row's id as it stands in an address; empty where it cannot be one."""
    return str(int(text)) if text.isascii() and text.isdecimal() and len(text) <= 18 else ""


def _probability(text: str) -> float | None:
    value = _number(text)
    return value if value is not None and 0 <= value <= 1 else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _uuids(text: str) -> tuple[UUID, ...]:
    found = []
    for each in text.split(",")[:MOST_LIKE]:
        try:
            found.append(UUID(each))
        except ValueError:
            continue
    return tuple(found)
