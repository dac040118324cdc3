"""Pictures of the same pixels that came under names with different classes: reported to admins, not chosen between."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Func, IntegerField, Max, Q, QuerySet

from annotation.label_choice import choices_of
from annotation.label_names import readable, same_name
from annotation.models import Cell, ImageName, Label, SmearImage, Study


@dataclass(frozen=True)
class Contradiction:
    """One picture: the files it came as, each with the classes that tables gave it, how many classes these are in all,
    and what the cell is labelled now; empty where nobody has labelled it since."""

    image: SmearImage
    files: list[tuple[str, str]]
    classes: int
    cell: Cell | None
    labels: str


def contradictions(study: Study) -> list[Contradiction]:
    """Those of a study, in the order in which the pictures came. Their names may say the class: only admins are told.

    Two queries where there are none, eight at most.
    """
    images = SmearImage.objects.filter(pk__in=_suspects(study)).select_related("patient").prefetch_related("names")
    spelt = _spelt(study)
    found: list[tuple[SmearImage, list[tuple[str, str]], int]] = []
    for image in images.order_by("pk"):
        names: list[ImageName] = list(image.names.all())
        classes = {spelt.get(same_name(each), each) for name in names for each in name.classes}
        if len(classes) > 1:
            files = [(name.name, ", ".join(map(readable, name.classes))) for name in names]
            found.append((image, files, len(classes)))
    if not found:
        return []
    cells: dict[int, Cell] = {}
    for cell in Cell.objects.filter(image__in=[image for image, *_ in found], ignored=False).confirmed():
        cells.setdefault(cell.image_id, cell)
    choices = choices_of([cell.pk for cell in cells.values()], None)
    labels = dict(Label.objects.filter(group__study=study).values_list("pk", "name"))
    told = []
    for image, files, count in found:
        own = cells.get(image.pk)
        chosen = choices[own.pk].labels if own and own.pk in choices else []
        told.append(Contradiction(image, files, count, own, ", ".join(labels[each] for each in chosen)))
    return told


def _suspects(study: Study) -> "QuerySet[ImageName, Any]":
    """Rows {image}: pictures of which the tables say more than one thing, be it in two spellings."""
    names = ImageName.objects.filter(image__study=study, image__single_cell=True).exclude(classes=[])
    longest = Max(Func("classes", function="jsonb_array_length", output_field=IntegerField()))
    counted = names.order_by().values("image").annotate(kinds=Count("classes", distinct=True), longest=longest)
    return counted.filter(Q(kinds__gt=1) | Q(longest__gt=1)).values("image")


def _spelt(study: Study) -> dict[str, str]:
    """By each spelling of a label's name the name: two spellings of one class are no contradiction."""
    spelt: dict[str, str] = {}
    for label in Label.objects.filter(group__study=study):
        for name in (label.name, *label.aliases):
            spelt.setdefault(same_name(name), label.name)
    return spelt
