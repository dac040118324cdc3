from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from annotation.access import image_for
from annotation.api.studies import scheme_json, texts_json
from annotation.key_bindings import keys_of
from annotation.views.study_page import study_context


@require_safe
@ensure_csrf_cookie
def image(request: HttpRequest, image_id: int) -> HttpResponse:
    """The border editor, opened at an image; its cells come by the API, and so do the images after it."""
    found = image_for(request.user, image_id)
    # In the page itself, so that the editor stands before the image comes.
    setup = {
        "groups": scheme_json(found.study),
        "texts": texts_json(found.study),
        "keys": keys_of(request.user),
    }
    context = study_context(request, found.study, "worklist") | {"image": found, "setup": setup}
    context["image_name"] = found.name_for(context["role"])
    return render(request, "annotation/editor.html", context)
