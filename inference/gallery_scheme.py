"""The label scheme as the gallery shows it, how many cells have each label, and of which labels a model speaks."""

from dataclasses import replace
from typing import Any

from django.db.models import Count, Exists, OuterRef

from annotation.models import CellLabel, Label, LabelGroup, Study
from inference.gallery_query import GalleryQuery
from inference.models import CellProbability
from inference.shown_labels import shown_labels


def scheme_json(study: Study) -> list[dict[str, Any]]:
    """The label groups in their order, with their labels; retired labels too, as cells may have them. Two queries."""
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
                }
                for label in group.labels.all()
            ],
        }
        for group in LabelGroup.objects.filter(study=study).prefetch_related("labels")
    ]


def modelled_labels(study: Study) -> set[int]:
    """The labels of which a model has said how probable they are. One query."""
    said = CellProbability.objects.filter(label=OuterRef("pk"))
    return set(Label.objects.filter(Exists(said), group__study=study).values_list("pk", flat=True))


def counts(study: Study, query: GalleryQuery, viewer: int) -> dict[str, Any]:
    """How many of the cells that were asked for, whatever their label, have each label; and of how many nobody has
    said anything. Three queries."""
    any_label = replace(query, label="", annotator="")
    cells = any_label.cells(study, viewer, any_label.of_label(study))
    labels = CellLabel.objects.filter(shown_labels(study, viewer), cell__in=cells.values("pk")).order_by()
    by_label = dict(labels.values_list("label").annotate(number=Count("cell", distinct=True)))
    total, labelled = cells.count(), labels.aggregate(number=Count("cell", distinct=True))["number"]
    return {"labels": {str(key): number for key, number in by_label.items()}, "none": total - labelled, "all": total}
