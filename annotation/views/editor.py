from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from annotation.access import image_for
from annotation.views.study_page import study_context


@require_safe
@ensure_csrf_cookie
def image(request: HttpRequest, image_id: int) -> HttpResponse:
    """The border editor, opened at an image; its cells come by the API, and so do the images after it."""
    found = image_for(request.user, image_id)
    context = study_context(request, found.study, "worklist") | {"image": found}
    return render(request, "annotation/editor.html", context)
