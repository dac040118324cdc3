"""The page that says which diagnoses a study tells apart."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from annotation.access import study_for
from annotation.models import Role, Study
from annotation.views.study_page import study_context
from training.decisions import names_of, offered
from training.settings import SettingsError
from training.study_decisions import decide
from training.views.diagnosis_page import diagnosed_by_now


class DecisionsForm(forms.Form):
    decisions = forms.MultipleChoiceField(
        choices=offered,
        required=True,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose one at least."},
    )

    def __init__(self, study: Study, data: Any = None) -> None:
        kept = [each.strip() for each in study.decisions.split(",")]
        super().__init__(data, label_suffix="", initial={"decisions": kept})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def decisions(request: HttpRequest, study_id: int) -> HttpResponse:
    """GET: what the study decides, for its members. POST: set it, for its admins."""
    if request.method == "POST":
        study = study_for(request.user, study_id, Role.ADMIN)
        form = DecisionsForm(study, request.POST)
        if form.is_valid():
            try:
                decide(study, ", ".join(form.cleaned_data["decisions"]))
            except SettingsError as error:
                form.add_error("decisions", str(error))
            else:
                messages.success(request, f"This study tells apart {' and '.join(names_of(study.decisions))}.")
                return redirect("study-decisions", study.pk)
        return _page(request, study, form, status=400)
    study = study_for(request.user, study_id)
    return _page(request, study, DecisionsForm(study))


def _page(request: HttpRequest, study: Study, form: DecisionsForm, status: int = 200) -> HttpResponse:
    context = {
        **study_context(request, study, "reports"),
        "form": form,
        "chosen": form["decisions"].value() or [],
        "groups": offered(),
        "names": names_of(study.decisions),
        "patients": diagnosed_by_now(study).by_diagnosis,
    }
    return render(request, "training/decisions.html", context, status=status)
