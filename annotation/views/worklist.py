from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe
from django_htmx.middleware import HtmxDetails

from annotation.access import study_for
from annotation.assignment import members_of
from annotation.image_order import MEANINGS
from annotation.models import ImageOrder, Role, SmearImage, Study
from annotation.views.study_page import study_context
from annotation.worklist import worklist
from annotation.worklist_query import NOBODY, QUALITIES, SORTS, WorklistQuery


class HtmxRequest(HttpRequest):
    htmx: HtmxDetails


@require_safe
def study(request: HtmxRequest, study_id: int) -> HttpResponse:
    """A study's images; htmx asks for the list alone when somebody filters, sorts or turns the page."""
    found = study_for(request.user, study_id)
    context = list_context(request, found)
    query: WorklistQuery = context["listing"].query
    template = "annotation/_worklist.html"
    if not request.htmx:
        template = "annotation/worklist.html"
        patients = list(found.patients.values_list("pk", "code"))
        context |= {
            "sorts": SORTS,
            "orders": ImageOrder.choices,
            "meanings": MEANINGS,
            "next_meaning": MEANINGS[ImageOrder(found.next_order)],
            "nobody": NOBODY,
            "qualities": QUALITIES,
            "patients": [(str(key), code) for key, code in patients],
            "others": [member for member in context["members"] if member.id != request.user.pk],
        }
    response = render(request, template, context)
    if request.htmx:
        # The address as it would be linked, without the empty fields of the form.
        response["HX-Push-Url"] = request.path + query.address(page=query.page).removesuffix("?")
    # One address, two answers: the browser's cache must not show the list alone as the page.
    patch_vary_headers(response, ["HX-Request"])
    return response


def list_context(request: HttpRequest, study: Study) -> dict[str, Any]:
    """What templates/annotation/_worklist.html needs to show the list that the address asks for."""
    query = WorklistQuery.parse(request.GET, request.user.pk)
    context = assigning_context(request, study)
    listing = worklist(study, query, context["role"])
    return context | {
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
        "order_meaning": MEANINGS[ImageOrder(query.sort)] if query.sort in ImageOrder.values else "",
        "editor_address": query.editor_address(),
        "previous_address": query.address(page=str(listing.page.number - 1)),
        "next_address": query.address(page=str(listing.page.number + 1)),
    }


def assigning_context(request: HttpRequest, study: Study) -> dict[str, Any]:
    """What templates/annotation/_assignee.html needs beside its image, and every page of a study with it."""
    context = study_context(request, study, "worklist")
    members = members_of(study, request.user)
    query = WorklistQuery.parse(request.GET, request.user.pk)
    return context | {
        "members": members,
        "member_ids": {member.id for member in members},
        "is_reviewer": context["role"] is not None and context["role"].includes(Role.REVIEWER),
        # Where an assignment leads back to.
        "address": query.address(page=query.page),
    }
