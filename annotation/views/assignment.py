"""Assigning images from the worklist, and the next image for whoever asks."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from annotation.access import image_for, study_for
from annotation.assignment import (
    AssignmentRefused,
    NoSuchMember,
    assign,
    member,
    take_next,
    why_nothing_is_left,
)
from annotation.models import Study
from annotation.views.worklist import HtmxRequest, assigning_context, list_context
from annotation.worklist_query import NOBODY, WorklistQuery


@require_POST
def assign_images(request: HtmxRequest, study_id: int) -> HttpResponse:
    """Assign the images selected in the worklist (POST: image, many; user: an id or "nobody"). The address carries
    the list's query, so that the answer is the same list, with a sentence about what was done."""
    study = study_for(request.user, study_id)
    keys = [int(key) for key in request.POST.getlist("image") if key.isascii() and key.isdecimal() and len(key) < 19]
    try:
        assignee = _assignee(request, study)
        if not keys:
            raise AssignmentRefused("No image is selected.")
        assign(study, request.user, keys, assignee)
        level, said = "success", _done(len(set(keys)), assignee)
    except (AssignmentRefused, PermissionDenied) as refused:
        level, said = "error", str(refused)
    if not request.htmx:
        messages.add_message(request, messages.SUCCESS if level == "success" else messages.ERROR, said)
        return _back(request, study)
    context = list_context(request, study) | {"said": said, "said_level": level}
    return render(request, "annotation/_worklist_said.html", context)


@require_POST
def assign_image(request: HtmxRequest, image_id: int) -> HttpResponse:
    """Assign one image from its card; htmx gets that part of the card as it is now, and a sentence where it is
    refused."""
    image = image_for(request.user, image_id)
    said = ""
    try:
        assign(image.study, request.user, [image.pk], _assignee(request, image.study))
    except (AssignmentRefused, PermissionDenied) as refused:
        said = str(refused)
    if not request.htmx:
        if said:
            messages.error(request, said)
        return _back(request, image.study)
    image.refresh_from_db(fields=["assignee"])
    context = assigning_context(request, image.study) | {"image": image, "said": said, "said_level": "error"}
    return render(request, "annotation/_assignee_said.html", context)


@require_POST
def next_image(request: HttpRequest, study_id: int) -> HttpResponse:
    """Open the next image for whoever asks, which is theirs from now on; the editor then walks along theirs.

    POST `after`: the id of the image one comes from, which is not given again."""
    study = study_for(request.user, study_id)
    after = request.POST.get("after", "")
    came_from = int(after) if after.isascii() and after.isdecimal() and len(after) < 19 else 0
    image = take_next(study, request.user, came_from)
    if image is None:
        messages.info(request, why_nothing_is_left(study, request.user))
        return redirect("study", study.pk)
    own = WorklistQuery(assignee=str(request.user.pk), sort="arrival")
    return redirect(reverse("image", args=[image.pk]) + own.editor_address())


def _assignee(request: HttpRequest, study: Study) -> User | None:
    asked = request.POST.get("user", "")
    if asked == NOBODY:
        return None
    if not (asked.isascii() and asked.isdecimal() and len(asked) < 10):
        raise NoSuchMember("Choose the person to whom the images are assigned.")
    return member(study, int(asked))


def _done(images: int, assignee: User | None) -> str:
    what = "1 image is" if images == 1 else f"{images} images are"
    return f"{what} now assigned to {assignee}." if assignee else f"{what} now assigned to nobody."


def _back(request: HttpRequest, study: Study) -> HttpResponse:
    query = WorklistQuery.parse(request.GET, request.user.pk)
    return redirect(reverse("study", args=[study.pk]) + query.address(page=query.page).removesuffix("?"))
