"""The label scheme as the gallery shows it, and how many cells have each label."""

from dataclasses import replace
from typing import Any

from django.db.models import Count, QuerySet

from annotation.counting import counted, marks_of
from annotation.models import CellLabel, LabelGroup, Study
from inference.gallery_query import GalleryQuery
from inference.shown_labels import shown_labels


def scheme_json(study: Study) -> list[dict[str, Any]]:
    """The label groups in their order, with their labels; retired labels too, as cells may have them. `mark`: what one
    key sets (annotation/counting.py). Two queries."""
    groups = list(LabelGroup.objects.filter(study=study).prefetch_related("labels__group"))
    marks = marks_of(label for group in groups for label in group.labels.all())
    return [
        {
            "id": group.pk,
            "name": group.name,
            "multiple": group.multiple,
            "labels": [
                {
                    "id": label.pk,
                    "name": label.name,
                    "description": label.description,
                    "key": "" if label.retired else label.key,
                    "colour": label.colour,
                    "counted": label.counted,
                    "retired": label.retired,
                    "mark": marks.get(label.pk, ""),
                }
                for label in group.labels.all()
            ],
        }
        for group in groups
    ]


def counts(study: Study, query: GalleryQuery, viewer: int) -> dict[str, Any]:
    """Of the cells that were asked for, whatever their label: how many have each label, `counted` of them enter shares,
    of `none` nobody has said anything. Six queries."""
    any_label = replace(query, label="", annotator="", certainty="")
    cells = any_label.cells(study, viewer, any_label.of_label(study))
    labels = CellLabel.objects.filter(shown_labels(study, viewer), cell__in=cells.values("pk")).order_by()
    total, labelled = cells.count(), labels.aggregate(number=Count("cell", distinct=True))["number"]
    return {
        "labels": _by_label(labels),
        "counted": _by_label(counted(study, labels)),
        "none": total - labelled,
        "all": total,
    }


def _by_label(labels: "QuerySet[CellLabel]") -> dict[str, int]:
    rows = labels.values_list("label").annotate(number=Count("cell", distinct=True))
    return {str(key): number for key, number in rows}
