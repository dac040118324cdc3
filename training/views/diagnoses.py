"""Changing the diagnoses that a study knows, on their page (training/views/decisions.py)."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from annotation.access import study_for
from annotation.models import Role
from training.views.decisions import decisions_page
from training.views.diagnoses_form import DiagnosesForm


@require_POST
def diagnoses(request: HttpRequest, study_id: int) -> HttpResponse:
    """Add, rename and retire, for admins; all of it or nothing."""
    study = study_for(request.user, study_id, Role.ADMIN)
    form = DiagnosesForm(study, request.POST.dict())
    if not form.save():
        return decisions_page(request, study, diagnoses=form, status=400)
    messages.success(request, f"This study knows {study.diagnoses.words}.")
    return redirect("study-decisions", study.pk)
