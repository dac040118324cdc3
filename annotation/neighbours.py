"""The images before and after one in the worklist: where the editor's previous and next lead, and its jumps."""

from collections.abc import Mapping
from typing import Any, Literal

from django.db.models import Q, QuerySet, Window
from django.db.models.expressions import OrderBy
from django.db.models.functions import Lag, Lead

from annotation.models import SmearImage
from annotation.worklist_query import PARAMETERS, WorklistQuery, ordering

Jump = Literal["first", "last", "forward", "backward"]
JUMPS: tuple[Jump, ...] = ("first", "last", "forward", "backward")

# In a list shorter than the first number a jump goes as far as the second: VIA's steps of PgUp and PgDn.
_STRIDES = ((20, 2), (100, 10), (1_000, 25), (5_000, 50))
_LONGEST_STRIDE = 100


def neighbours(
    image: SmearImage, parameters: Mapping[str, str], viewer: int | None = None
) -> tuple[int | None, int | None]:
    """The ids of the previous and the next image in the list that a worklist's address asks for. One query.

    An image that is no longer in that list (its state has just changed, say) has the neighbours of the place where
    it would stand. No parameters of the worklist ask for all images in the order of arrival. viewer: the user's id,
    whom "me" means.
    """
    images, order = _list(image, parameters, viewer)
    beside = images.annotate(before=Window(Lag("pk"), order_by=order), after=Window(Lead("pk"), order_by=order))
    previous = following = None
    for key, after in beside.filter(Q(before=image.pk) | Q(after=image.pk)).values_list("pk", "after"):
        if after == image.pk:
            previous = key
        else:
            following = key
    return previous, following


def jump(image: SmearImage, parameters: Mapping[str, str], to: Jump, viewer: int | None = None) -> int:
    """The id of the first or last image of that list, or of one several places on; at its ends the last there is.
    The image itself where it stands there already. One query, of ids alone."""
    images, order = _list(image, parameters, viewer)
    keys = list(images.order_by(*order).values_list("pk", flat=True))
    here = keys.index(image.pk)
    stride = next((step for below, step in _STRIDES if len(keys) < below), _LONGEST_STRIDE)
    places = {"first": 0, "last": len(keys) - 1, "forward": here + stride, "backward": here - stride}
    return keys[max(0, min(len(keys) - 1, places[to]))]


def _list(image: SmearImage, parameters: Mapping[str, str], viewer: int | None) -> tuple[QuerySet[Any], list[OrderBy]]:
    """The images that a worklist's address asks for, in no order yet and with the one at hand, and their order."""
    if any(name in parameters for name in PARAMETERS):
        query = WorklistQuery.parse(parameters, viewer)
    else:
        query = WorklistQuery(sort="arrival")
    images = SmearImage.objects.filter(study=image.study_id).order_by()
    if query.is_filtered:
        images = images.filter(Q(pk=image.pk) | query.condition())
    annotations, order = ordering(query.sort, standing=image.pk)
    return images.annotate(**annotations), order
