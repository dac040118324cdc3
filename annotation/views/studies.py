from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from annotation.models import Study
from annotation.progress import progress_of_studies
from annotation.scheme import DEFAULT, SCHEMES, give_scheme


class StudyForm(forms.ModelForm):
    scheme = forms.ChoiceField(
        label="Labels",
        choices=[(scheme.key, f"{scheme.title}") for scheme in SCHEMES.values()],
        initial=DEFAULT,
        required=False,
        help_text=" ".join(
            [*(f"{scheme.title}: {scheme.summary}" for scheme in SCHEMES.values()), "It can be changed at any time."]
        ),
    )

    class Meta:
        model = Study
        fields = ["name", "um_per_pixel"]
        labels = {"um_per_pixel": "µm per pixel (optional)"}
        help_texts = {"um_per_pixel": "For images that bring no size of their own. Empty: sizes are shown in pixels."}
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "off"}),
            "um_per_pixel": forms.NumberInput(attrs={"step": "any", "min": "0"}),
        }

    def clean_um_per_pixel(self) -> float | None:
        value = self.cleaned_data["um_per_pixel"]
        if value is not None and not 0 < value < 1000:
            raise forms.ValidationError("µm per pixel is a number above 0.")
        return value


@require_http_methods(["GET", "POST"])
def studies(request: HttpRequest) -> HttpResponse:
    """The user's studies; superusers make new ones here."""
    form = StudyForm(request.POST or None)
    if request.method == "POST":
        if not request.user.is_superuser:
            raise PermissionDenied("Only an administrator of this server makes studies.")
        if form.is_valid():
            study = form.save()
            give_scheme(study, form.cleaned_data["scheme"] or DEFAULT)
            messages.success(request, f"The study {study.name} is there. Upload its images next.")
            return redirect("upload", study.pk)
    status = 400 if form.is_bound else 200
    return render(
        request,
        "annotation/studies.html",
        {"progress": progress_of_studies(request.user), "form": form},
        status=status,
    )
