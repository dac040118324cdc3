"""In which order images are given to people: what the model would learn most from, or chance as the comparison.

The figures are plain numbers on the image, written by whoever proposes borders (SmearImage.disagreement, .novelty,
.learning_rank); here they are only sorted by. Finished images have nothing to teach any more and come last.
"""

from typing import Any

from django.db.models import Case, CharField, F, FloatField, Q, Value, When
from django.db.models.expressions import Combinable, OrderBy
from django.db.models.functions import MD5, Cast, Concat

from annotation.models import ImageOrder, SmearImage, Study
from annotation.uncertainty import WAITING, uncertainty


class OrderRefused(Exception):
    """An order that there is not; the message says so in one sentence."""


# The figure on the image that an order goes by: a place, 1 first, in that of teaching; else the highest first.
_FIGURES = {
    ImageOrder.TEACHES: "learning_rank",
    ImageOrder.DISAGREE: "disagreement",
    ImageOrder.UNLIKE: "novelty",
}
MEANINGS = {
    ImageOrder.TEACHES: "Images with many corrections to expect, each unlike those annotated and those before it",
    ImageOrder.UNCERTAIN: (
        "Images with the most corrections to expect, by how sure the detector is of its cells and of their borders"
    ),
    ImageOrder.DISAGREE: (
        "Images on which the last two rounds proposed the most different borders; until there are two, those with the "
        "most corrections to expect"
    ),
    ImageOrder.UNLIKE: (
        "Images that look least like any that is annotated already; until one is, those with the most corrections to "
        "expect"
    ),
    ImageOrder.RANDOM: "Images drawn by lot: the comparison for the other orders",
}


def choose_order(study: Study, order: str) -> ImageOrder:
    """Have the study give out its images in an order from now on. Raises OrderRefused."""
    if order not in ImageOrder.values:
        raise OrderRefused(f"An order is one of {', '.join(ImageOrder.values)}.")
    study.next_order = order
    study.save(update_fields=["next_order"])
    return ImageOrder(order)


def order_key(order: str, standing: int | None = None) -> tuple[dict[str, Any], list[OrderBy]]:
    """What a queryset of images is annotated with for an ImageOrder, and ordered by; ties are left to the caller.

    Images that an order by a figure says nothing of (before a first round, or until two have proposed borders) come
    after the others, by the corrections to expect. standing: the image of that id keeps the place that it had before
    people worked on it.
    """
    if order == ImageOrder.RANDOM:
        # The same for everybody, and another one in each study; nobody's work changes it.
        drawn = MD5(Concat(Cast("study_id", CharField()), Value(":"), F("sha256"), output_field=CharField()))
        return {"drawn": drawn}, [F("drawn").asc()]
    annotations: dict[str, Any] = {"uncertainty": uncertainty(standing)}
    keys = [F("uncertainty").desc(nulls_last=True)]
    if (figure := _FIGURES.get(ImageOrder(order))) is not None:
        annotations["figure"] = _while_open(F(figure), standing)
        ranked = order == ImageOrder.TEACHES
        keys.insert(0, F("figure").asc(nulls_last=True) if ranked else F("figure").desc(nulls_last=True))
    return annotations, keys


def _while_open(figure: F, standing: int | None) -> Combinable:
    open_images = Q(state__in=(SmearImage.State.NEW, *WAITING))
    return Case(When(open_images | Q(pk=standing), then=figure), default=None, output_field=FloatField(null=True))
