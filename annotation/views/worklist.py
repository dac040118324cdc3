from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe
from django_htmx.middleware import HtmxDetails

from annotation.access import study_for
from annotation.models import SmearImage
from annotation.views.study_page import study_context
from annotation.worklist import SORTS, WorklistQuery, next_unfinished, worklist


class HtmxRequest(HttpRequest):
    htmx: HtmxDetails


@require_safe
def study(request: HtmxRequest, study_id: int) -> HttpResponse:
    """A study's images; htmx asks for the list alone when somebody filters, sorts or turns the page."""
    found = study_for(request.user, study_id)
    query = WorklistQuery.parse(request.GET)
    listing = worklist(found, query)
    context = {
        "study": found,
        "listing": listing,
        "filters": [
            {
                "value": value,
                "label": label,
                "count": listing.counts[value],
                "address": query.address(state=value),
                "current": value == query.state,
            }
            for value, label in [("", "All"), *SmearImage.State.choices]
        ],
        "previous_address": query.address(page=str(listing.page.number - 1)),
        "next_address": query.address(page=str(listing.page.number + 1)),
    }
    template = "annotation/_worklist.html"
    if not request.htmx:
        template = "annotation/worklist.html"
        context |= study_context(request, found, "worklist")
        context |= {"next_image": next_unfinished(found), "sorts": SORTS}
    response = render(request, template, context)
    # One address, two answers: the browser's cache must not show the list alone as the page.
    patch_vary_headers(response, ["HX-Request"])
    return response
