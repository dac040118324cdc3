"""The page of a study's map of cells; what it shows comes by the API."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from annotation.access import study_for
from annotation.cell_crops import cells_to_classify
from annotation.views.study_page import study_context
from inference.cell_map_colours import choices
from inference.gallery_scheme import scheme_json
from inference.millie_cells import decisions_of, millie_of


@require_safe
@ensure_csrf_cookie
def cell_map(request: HttpRequest, study_id: int) -> HttpResponse:
    study = study_for(request.user, study_id)
    context = study_context(request, study, "map") | {
        "choices": choices(study),
        "spaces": decisions_of(millie_of(study)),
        "setup": {"groups": scheme_json(study)},
        "has_cells": cells_to_classify(study).exists(),
    }
    return render(request, "inference/cell_map.html", context)
