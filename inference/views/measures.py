"""The page of measures: plots of what was measured of a study's cells, a table by patient, the button to measure."""

import csv
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import slugify
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from annotation.access import study_for
from annotation.cell_crops import cells_to_classify
from annotation.formats.csv import safe_text
from annotation.measure_table import RECIPE
from annotation.models import CellMeasures, Study
from annotation.views.study_page import study_context
from inference.cell_measure_jobs import launch
from inference.measures_page import MeasuresQuery, page_context, patient_table
from inference.models import CellMeasureJob


@require_safe
def measures(request: HttpRequest, study_id: int) -> HttpResponse:
    study = study_for(request.user, study_id)
    query = MeasuresQuery.parse(request.GET)
    viewer = int(request.user.pk or 0)
    context = study_context(request, study, "measures") | page_context(study, query, viewer) | _progress(study)
    return render(request, "inference/measures.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def measuring(request: HttpRequest, study_id: int) -> HttpResponse:
    """POST: measure the cells that are due. GET: the line that says how far that is, for htmx."""
    study = study_for(request.user, study_id)
    if request.method == "POST":
        launch(study, request.user)
        return redirect("measures", study.pk)
    CellMeasureJob.bury_dead()
    context = {"study": study} | _progress(study)
    response = render(request, "inference/_measuring.html", context)
    if request.GET.get("watching") and context["job"] is not None and context["job"].is_ended:
        # The plots that are on the screen lack the new measures.
        response["HX-Refresh"] = "true"
    return response


@require_safe
def patients(request: HttpRequest, study_id: int) -> HttpResponse:
    """All measures by patient as CSV, of the cells that the page shows."""
    study = study_for(request.user, study_id)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    name = slugify(study.name) or f"study-{study.pk}"
    response["Content-Disposition"] = f'attachment; filename="measures-{name}.csv"'
    writer = csv.writer(response)
    for row in patient_table(study, MeasuresQuery.parse(request.GET), int(request.user.pk or 0)):
        writer.writerow([safe_text(row[0]), *row[1:]])
    return response


def _progress(study: Study) -> dict[str, Any]:
    """How many cells there are and how many were measured, and the last job. Three queries."""
    cells = cells_to_classify(study)
    return {
        "all_cells": cells.count(),
        "measured_cells": CellMeasures.objects.filter(cell__in=cells.order_by(), recipe=RECIPE).count(),
        "job": CellMeasureJob.objects.filter(study=study).order_by("-pk").first(),
    }
