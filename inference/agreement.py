"""Where people do not agree about a cell, and where a model does not agree with people."""

from typing import Any

from django.db.models import Case, Count, F, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce

from annotation.models import CellLabel, Label, Study
from inference.models import CellProbability
from inference.shown_labels import shown_labels, shown_probabilities

Rows = QuerySet[Any, Any]


def people_disagree(study: Study, viewer: int) -> Q:
    """A condition on cells: two people chose different labels of a group of one choice, or one gave a mark that another
    one, who labelled the cell too, did not give."""
    said = CellLabel.objects.filter(
        shown_labels(study, viewer), label__group__study=study, annotator__isnull=False
    ).order_by()
    choices = (
        said.filter(label__group__multiple=False)
        .values("cell", "label__group")
        .annotate(choices=Count("label", distinct=True))
        .filter(choices__gt=1)
    )
    speakers = (
        CellLabel.objects.filter(shown_labels(study, viewer), cell=OuterRef("cell"), annotator__isnull=False)
        .order_by()
        .values("cell")
        .annotate(people=Count("annotator", distinct=True))
        .values("people")
    )
    marks = (
        said.filter(label__group__multiple=True)
        .values("cell", "label")
        .annotate(people=Count("annotator", distinct=True))
        .filter(people__lt=Coalesce(Subquery(speakers), 0))
    )
    return Q(pk__in=choices.values("cell")) | Q(pk__in=marks.values("cell"))


def model_disputes(study: Study, viewer: int, of: Label | None) -> Rows:
    """Rows {cell, figure} of cells of which both people and a model have spoken: how far the model is from what people
    say, 0 to 1.

    Without `of` a row for each label that was chosen: one minus its probability. With it the one label counts, also
    on cells that people labelled otherwise: in a group of one choice by another label of it, else by any label.
    """
    said = CellLabel.objects.filter(shown_labels(study, viewer)).order_by()
    if of is None:
        # Label by label, each by its index: to read a million probabilities for tens of thousands of labels takes twice
        # as long. Of a label on which no model has spoken the figure is null.
        told = CellProbability.objects.filter(
            shown_probabilities(viewer), cell=OuterRef("cell"), label=OuterRef("label")
        )
        own = list(Label.objects.filter(group__study=study).values_list("pk", flat=True))
        probability = Subquery(told.order_by().values("probability")[:1])
        return said.filter(label__in=own).annotate(figure=1.0 - probability).values("cell", "figure")
    # Labels by their ids, which tell the database how many rows to expect.
    group = Label.objects.filter(group__study=study) if of.group.multiple else Label.objects.filter(group=of.group_id)
    spoken = said.filter(label__in=list(group.values_list("pk", flat=True)))
    says_so = Q(cell__in=said.filter(label=of).values("cell"))
    figure = Case(When(says_so, then=1.0 - F("probability")), default=F("probability"))
    rows = CellProbability.objects.filter(
        shown_probabilities(viewer), label=of, cell__in=spoken.values("cell")
    ).order_by()
    return rows.annotate(figure=figure).values("cell", "figure")
