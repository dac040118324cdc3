from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from annotation.access import image_for
from annotation.models import SmearImage
from annotation.views.study_page import study_context


@require_safe
@ensure_csrf_cookie
def image(request: HttpRequest, image_id: int) -> HttpResponse:
    """The border editor of one image; its cells come by the API."""
    found = image_for(request.user, image_id)
    siblings = SmearImage.objects.filter(study=found.study_id)
    following = siblings.filter(pk__gt=found.pk).order_by("pk").values_list("pk", flat=True).first()
    preceding = siblings.filter(pk__lt=found.pk).order_by("-pk").values_list("pk", flat=True).first()
    context = study_context(request, found.study, "worklist") | {
        "image": found,
        "next_url": reverse("image", args=[following]) if following else "",
        "previous_url": reverse("image", args=[preceding]) if preceding else "",
    }
    return render(request, "annotation/editor.html", context)
