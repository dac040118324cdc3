"""An image with its borders as of a round, beside what became of them: to look at, not to work on."""

from typing import Any

from django.db.models import Exists, OuterRef
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotation.access import image_for
from annotation.models import Cell, SmearImage
from annotation.moments import MomentError, moment_of
from annotation.views.study_page import study_context
from training.access import round_for
from training.moments import moment_of_round
from training.views.past_page import past_of, rounds_of


@never_cache
@require_safe
def image_past(request: HttpRequest, image_id: int) -> HttpResponse:
    """The image as of `?at=`, the number of a round or a time; of the last round where nothing is asked for."""
    image = image_for(request.user, image_id)
    rounds = rounds_of(image)
    asked = request.GET.get("at", "").strip()
    problem, moment, status = "", None, 200
    viewer: Any = request.user.pk
    try:
        if asked:
            moment = moment_of(image.study, asked)
            if moment.at < image.created_at:
                raise MomentError(f"The image came after {moment.name}.")
        elif rounds:
            moment = moment_of_round(rounds[-1])
    except MomentError as error:
        problem, moment, status = str(error), None, 400
    beside = SmearImage.objects.filter(study=image.study_id)
    if moment is not None:
        beside = beside.filter(created_at__lte=moment.at)
    context = {
        **study_context(request, image.study, "worklist"),
        "image": image,
        "rounds": rounds,
        "past": past_of(image, moment, viewer) if moment else None,
        "problem": problem,
        "asked": asked or (rounds[-1].number if rounds else ""),
        "shown_round": next((each for each in rounds if moment and each.created_at == moment.at), None),
        "previous": beside.filter(pk__lt=image.pk).order_by("-pk").values_list("pk", flat=True).first(),
        "next": beside.filter(pk__gt=image.pk).order_by("pk").values_list("pk", flat=True).first(),
    }
    return render(request, "training/past.html", context, status=status)


@require_safe
def round_borders(request: HttpRequest, round_id: int) -> HttpResponse:
    """To the first image that had a border when the round was launched, as of it."""
    round_ = round_for(request.user, round_id)
    cells = Cell.objects.filter(image=OuterRef("pk"), created_at__lte=round_.created_at)
    images = SmearImage.objects.filter(Exists(cells), study=round_.study_id).order_by("pk")
    first = images.values_list("pk", flat=True).first()
    if first is None:
        raise Http404("No image had a border when this round was launched.")
    return redirect(f"{reverse('image-past', args=[first])}?at={round_.number}")
