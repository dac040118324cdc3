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


MEANINGS = {
    ImageOrder.TEACHES: "Images with many corrections to expect, each unlike those annotated and those before it",
    ImageOrder.UNCERTAIN: "Images with the most corrections to expect, by the scores of their proposals",
    ImageOrder.DISAGREE: "Images on which the last two rounds proposed the most different borders",
    ImageOrder.UNLIKE: "Images that look least like any that is annotated already",
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

    standing: the image of that id keeps the place that it had before people worked on it.
    """
    match ImageOrder(order):
        case ImageOrder.TEACHES:
            rank = _while_open(F("learning_rank"), standing)
            # Before a first order was made, or past its end, by what the scores say.
            annotations = {"rank": rank, "uncertainty": uncertainty(standing)}
            return annotations, [F("rank").asc(nulls_last=True), F("uncertainty").desc(nulls_last=True)]
        case ImageOrder.DISAGREE:
            return {"differs": _while_open(F("disagreement"), standing)}, [F("differs").desc(nulls_last=True)]
        case ImageOrder.UNLIKE:
            return {"unlike": _while_open(F("novelty"), standing)}, [F("unlike").desc(nulls_last=True)]
        case ImageOrder.RANDOM:
            # The same for everybody, and another one in each study; nobody's work changes it.
            drawn = MD5(Concat(Cast("study_id", CharField()), Value(":"), F("sha256"), output_field=CharField()))
            return {"drawn": drawn}, [F("drawn").asc()]
    return {"uncertainty": uncertainty(standing)}, [F("uncertainty").desc(nulls_last=True)]


def _while_open(figure: F, standing: int | None) -> Combinable:
    open_images = Q(state__in=(SmearImage.State.NEW, *WAITING))
    return Case(When(open_images | Q(pk=standing), then=figure), default=None, output_field=FloatField(null=True))
