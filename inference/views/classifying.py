"""The page on which classifiers are let loose on all cells of a study: how far they are, and what they said."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation.access import study_for
from annotation.blind_reading import hidden_cells
from annotation.models import Label, Role, SmearImage, Study
from annotation.views.study_page import study_context
from inference import cell_evidence
from inference.classification import ClassifyProblem, cells_of, rows_of
from inference.classify_jobs import TAKEN, AlreadyClassifying, ask, bundles_for
from inference.diagnosis import DiagnosisProblem
from inference.millie_cells import decisions_of, millie_of
from inference.models import ClassifyJob, EvidenceJob
from inference.told_table import kept_table, lines_of
from training.models import Bundle, JobState


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def classify(request: HttpRequest, study_id: int) -> HttpResponse:
    """POST: ask for a pass, for admins. GET: the page; with ?watching=1 how far it is, for htmx."""
    if request.method == "POST":
        study = study_for(request.user, study_id, Role.ADMIN)
        try:
            ask(study, request.user, request.POST.get("bundle") or None)
        except (AlreadyClassifying, ClassifyProblem) as problem:
            messages.error(request, str(problem))
        return redirect("classify", study.pk)
    study = study_for(request.user, study_id)
    ClassifyJob.bury_dead()
    job = ClassifyJob.objects.filter(study=study).defer("log").first()
    context = study_context(request, study, "gallery") | {"job": job}
    if request.GET.get("watching"):
        response = render(request, "inference/_classifying.html", context)
        if job is None or job.is_ended:
            # What it said stands beside it.
            response["HX-Refresh"] = "true"
        return response
    done = _last_done(study)
    bundles = bundles_for(study, request.user)
    context |= {
        "done": done,
        "bundles": bundles,
        "in_use": [bundle for bundle in bundles if bundle.in_use and bundle.study_id == study.pk],
        "cells": cells_of(study).count(),
        **evidence_context(study, request.user),
        **(_said(done) if done else {}),
    }
    return render(request, "inference/classify.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def evidence(request: HttpRequest, study_id: int) -> HttpResponse:
    """POST: have MILLIE score each cell alone. GET: how far that is, for htmx."""
    study = study_for(request.user, study_id)
    if request.method == "POST":
        try:
            cell_evidence.ask(study, request.user)
        except (cell_evidence.AlreadyScoring, DiagnosisProblem) as problem:
            messages.error(request, str(problem))
        return redirect(f"{reverse('classify', args=[study.pk])}#evidence")
    context = {"study": study} | evidence_context(study, request.user)
    response = render(request, "inference/_scoring.html", context)
    scoring = context["scoring"]
    if scoring is None or scoring.is_ended:
        # The orders that it made possible are offered beside it.
        response["HX-Refresh"] = "true"
    return response


@require_POST
def cancel_evidence(request: HttpRequest, study_id: int) -> HttpResponse:
    """Ask for the end of what is under way; what was scored before it stays."""
    study = study_for(request.user, study_id, Role.REVIEWER)
    for job in EvidenceJob.objects.filter(study=study, state__in=(JobState.QUEUED, JobState.RUNNING)):
        job.cancel(request.user.get_username())
    return redirect(f"{reverse('classify', args=[study.pk])}#evidence")


def evidence_context(study: Study, user: Any) -> dict[str, Any]:
    """What templates/inference/_evidence.html needs. Five queries."""
    EvidenceJob.bury_dead()
    jobs = EvidenceJob.objects.filter(study=study).select_related("bundle", "requested_by").defer("log")
    scored = jobs.filter(state=JobState.SUCCEEDED).first()
    millie = millie_of(study)
    role = study.role_of(user)
    return {
        "may_cancel": role is not None and role.includes(Role.REVIEWER),
        "millie": millie,
        "scoring": jobs.first(),
        "scored": scored,
        "scored_for": [
            (each, cell_evidence.first_of(each)) for each in decisions_of(scored.bundle if scored else None)
        ],
        "is_other_millie": bool(scored and millie and scored.bundle_id != millie.pk),
    }


@require_POST
def cancel(request: HttpRequest, study_id: int) -> HttpResponse:
    """Ask for the end of the pass that is under way; what was said before it stays."""
    study = study_for(request.user, study_id, Role.ADMIN)
    for job in ClassifyJob.objects.filter(study=study, state__in=(JobState.QUEUED, JobState.RUNNING)):
        job.cancel(request.user.get_username())
    return redirect("classify", study.pk)


@never_cache
@require_safe
def table(request: HttpRequest, study_id: int) -> HttpResponseBase:
    """What was said of each cell as CSV; images by the names that somebody of this role reads. Cells that somebody
    reads without being told what models say are left out of theirs."""
    study = study_for(request.user, study_id)
    done = _last_done(study)
    kept = kept_table(done) if done else None
    if kept is None:
        raise Http404("No classification is kept.")
    cells, labels = kept
    role = study.role_of(request.user)
    images = SmearImage.objects.filter(study=study).prefetch_related("names")
    names = {image.pk: image.name_for(role) for image in images}
    hidden = set(hidden_cells(int(request.user.pk or 0), model=True).values_list("cell", flat=True))
    rows = (row for row in rows_of(study, cells, labels, names) if row[1] not in hidden)
    response = StreamingHttpResponse(lines_of(rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="cells-{study.pk}.csv"'
    return response


def _last_done(study: Study) -> ClassifyJob | None:
    return ClassifyJob.objects.filter(study=study, state=JobState.SUCCEEDED).defer("log").first()


def _said(done: ClassifyJob) -> dict[str, Any]:
    """`rows` of labels that enter counts and `uncounted` of those that do not, and the bundles that said it."""
    ids = [row["label"] for row in done.result["labels"] if row["label"] is not None]
    labels = Label.objects.select_related("group").in_bulk(ids)
    rows = [{**row, "row": labels.get(row["label"])} for row in done.result["labels"]]
    rows.sort(key=lambda row: -row["cells"])
    return {
        "rows": [row for row in rows if row["row"] is None or row["row"].counted],
        "uncounted": [row for row in rows if row["row"] is not None and not row["row"].counted],
        "said_by": Bundle.objects.filter(pk__in=done.result["bundles"]).defer("card"),
        "taken": TAKEN,
    }
