"""Which labelled cells enter counts, as clinical analyzers have it: not those that nobody can name, nor artefacts, nor
what somebody took out of the count; and into shares only what was not picked for its kind."""

from collections.abc import Iterable

from django.db.models import QuerySet

from annotation.label_names import same_name
from annotation.models import CellLabel, Label, SmearImage, Study

# Names of the label for what cannot be named, as schemes and public sets spell it.
_UNIDENTIFIED = {same_name(name) for name in ("Unidentified", "Not identifiable", "Unidentifiable", "NIF", "Unknown")}
# What one key each sets in the gallery.
UNIDENTIFIED, UNCOUNTED = "unidentified", "uncounted"


def counted(study: Study, labels: "QuerySet[CellLabel]") -> "QuerySet[CellLabel]":
    """Those rows of a study's `labels` that a share is told of: a counted label of a group of one choice, on a cell
    that none of `labels` takes out of the count, of an image that represents its patient. Costs a query."""
    outside = list(Label.objects.filter(group__study=study, counted=False).values_list("pk", flat=True))
    representative = SmearImage.objects.filter(study=study).representative().order_by()
    rows = labels.filter(label__counted=True, label__group__multiple=False, cell__image__in=representative)
    return rows.exclude(cell__in=labels.filter(label__in=outside).order_by().values("cell")) if outside else rows


def marks_of(labels: Iterable[Label]) -> dict[int, str]:
    """By the ids of those labels, UNIDENTIFIED of the one for cells that nobody can name, and UNCOUNTED of the one that
    takes a cell out of the count whatever it is: a mark that is not counted. The first of each that is offered."""
    found: dict[str, int] = {}
    for label in labels:
        if label.counted or label.retired:
            continue
        if label.group.multiple:
            found.setdefault(UNCOUNTED, label.pk)
        elif _UNIDENTIFIED & {same_name(name) for name in (label.name, *label.aliases)}:
            found.setdefault(UNIDENTIFIED, label.pk)
    return {pk: mark for mark, pk in found.items()}
