"""The page of an image on which parts of it speak for a diagnosis; what it shows comes by the API."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from annotation.views.study_page import study_context
from inference.api.field_why import choices_json, image_to_explain
from inference.field_why_jobs import BLOCKS, RESOLUTIONS


@require_safe
@ensure_csrf_cookie
def field_why(request: HttpRequest, image_id: int) -> HttpResponse:
    image = image_to_explain(request.user, image_id)
    context = study_context(request, image.study, "reports")
    context |= {
        "image": image,
        "name": image.name_for(context["role"]),
        "choices": choices_json(image),
        "resolutions": [(columns, max(1, round(columns * image.height / image.width))) for columns in RESOLUTIONS],
        "blocks": BLOCKS,
    }
    return render(request, "inference/field_why.html", context)
