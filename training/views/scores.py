"""What a round's scores are worth, as a part that its page fetches: it takes too long to be waited for."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from training.access import round_for
from training.views.scores_page import scores_context


@never_cache
@require_safe
def round_scores(request: HttpRequest, round_id: int) -> HttpResponse:
    return render(request, "training/_round_scores.html", scores_context(round_for(request.user, round_id)))
