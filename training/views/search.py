"""The page of a round's search for settings, which can be watched live."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotation.views.study_page import study_context
from training.access import round_for
from training.models import Round
from training.views.search_page import search_context


@never_cache
@require_safe
def search(request: HttpRequest, round_id: int) -> HttpResponse:
    """The trials of a round's search, for members of its study. 404 where the round made none."""
    Round.bury_dead()
    round_ = round_for(request.user, round_id)
    if not round_.trials:
        raise Http404("This round did not search for settings.")
    context = {**study_context(request, round_.study, "rounds"), **search_context(round_, request.GET.get("scope", ""))}
    if request.headers.get("HX-Request"):
        if request.GET.get("state") != round_.state:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return render(request, "training/_search_live.html", context)
    return render(request, "training/search.html", context)
