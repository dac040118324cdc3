"""The page of a study's diagnoses: which it knows, and which of them it tells apart."""

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
from training.settings import SettingsError
from training.study_decisions import decide, decided_by
from training.views.diagnoses_form import DiagnosesForm


class _AnyDecision(forms.MultipleChoiceField):
    def valid_value(self, value: str) -> bool:
        """training/decisions.py knows what a decision is."""
        return True


class DecisionsForm(forms.Form):
    """Those that stay, and one more: the probability of `first` against others."""

    decisions = _AnyDecision(required=False, widget=forms.CheckboxSelectMultiple)
    first = forms.ChoiceField(required=False, label="Add the probability of")
    against = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, study: Study, data: Any = None) -> None:
        now = decided_by(study)
        super().__init__(data, label_suffix="", initial={"decisions": [each.text for each in now]})
        named = [(row.key, row.name) for row in study.diagnoses]
        self.fields["decisions"].choices = [(each.text, each.name) for each in now]  # type: ignore[attr-defined]
        self.fields["first"].choices = [("", "–"), *named]  # type: ignore[attr-defined]
        self.fields["against"].choices = named  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        first, against = data.get("first", ""), [each for each in data.get("against", ()) if each != data.get("first")]
        if bool(first) != bool(against):
            raise forms.ValidationError("A decision takes a diagnosis and at least one that it is told from.")
        data["text"] = ", ".join([*data.get("decisions", ()), *(["/".join([first, *against])] if first else [])])
        return data


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def decisions(request: HttpRequest, study_id: int) -> HttpResponse:
    """GET: what the study knows and decides, for its members. POST: set what it decides, for its admins."""
    if request.method == "POST":
        study = study_for(request.user, study_id, Role.ADMIN)
        form = DecisionsForm(study, request.POST)
        if form.is_valid():
            try:
                decide(study, form.cleaned_data["text"])
            except SettingsError as error:
                form.add_error(None, str(error))
            else:
                told = " and ".join(decision.name for decision in decided_by(study))
                messages.success(request, f"This study tells apart {told}.")
                return redirect("study-decisions", study.pk)
        return decisions_page(request, study, form=form, status=400)
    return decisions_page(request, study_for(request.user, study_id))


def decisions_page(
    request: HttpRequest,
    study: Study,
    *,
    form: DecisionsForm | None = None,
    diagnoses: DiagnosesForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page, with a form that was refused."""
    context = {
        **study_context(request, study, "reports"),
        "form": form or DecisionsForm(study),
        "diagnoses": diagnoses or DiagnosesForm(study),
        "names": [decision.name for decision in decided_by(study)],
    }
    return render(request, "training/decisions.html", context, status=status)
