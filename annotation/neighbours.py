"""The images before and after one in the worklist: where the editor's previous and next lead."""

from collections.abc import Mapping

from django.db.models import Q, Window
from django.db.models.functions import Lag, Lead

from annotation.models import SmearImage
from annotation.worklist_query import PARAMETERS, WorklistQuery, ordering


def neighbours(
    image: SmearImage, parameters: Mapping[str, str], viewer: int | None = None
) -> tuple[int | None, int | None]:
    """The ids of the previous and the next image in the list that a worklist's address asks for. One query.

    An image that is no longer in that list (its state has just changed, say) has the neighbours of the place where
    it would stand. No parameters of the worklist ask for all images in the order of arrival. viewer: the user's id,
    whom "me" means.
    """
    if any(name in parameters for name in PARAMETERS):
        query = WorklistQuery.parse(parameters, viewer)
    else:
        query = WorklistQuery(sort="arrival")
    images = SmearImage.objects.filter(study=image.study_id).order_by()
    if query.is_filtered:
        images = images.filter(Q(pk=image.pk) | query.condition())
    annotations, order = ordering(query.sort, standing=image.pk)
    beside = images.annotate(**annotations).annotate(
        before=Window(Lag("pk"), order_by=order), after=Window(Lead("pk"), order_by=order)
    )
    previous = following = None
    for key, after in beside.filter(Q(before=image.pk) | Q(after=image.pk)).values_list("pk", "after"):
        if after == image.pk:
            previous = key
        else:
            following = key
    return previous, following
