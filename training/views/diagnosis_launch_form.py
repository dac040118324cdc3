from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import QueryDict

from annotation.models import Patient, Study
from training.decisions import parse_decisions
from training.diagnosis_settings import POOLINGS, resolve_diagnosis_settings
from training.models import Kind
from training.selection import ALL, Selection
from training.views.round_form import UNTOUCHED, RoundForm, trials_field

_POOLING_WORDS = {
    "cells": "Likely blasts and promyelocytes count most",
    "mean": "All cells alike",
    "max": "The largest value of each unit",
    "gem": "Between mean and largest",
    "attention": "As the network learns to attend",
}


class DiagnosisLaunchForm(RoundForm):
    """What an admin decides about a round that diagnoses; everything else keeps its default."""

    decisions = forms.CharField(
        label="Tell apart",
        required=False,
        help_text="As the study's diagnoses say, unless others are given: {keys}, parted by a stroke. Those that the "
        "patients allow are learned.",
    )
    pooling = forms.ChoiceField(
        label="Cells of a patient",
        choices=[(name, _POOLING_WORDS[name]) for name in POOLINGS],
        initial="cells",
        required=False,
    )
    folds = forms.ChoiceField(
        label="Cross-validate in",
        choices=[(str(k), f"{k} folds") for k in (3, 4, 5, 6, 10)],
        initial="3",
        required=False,
        help_text="By patient: each is judged by models that never saw it, cell classifiers among them.",
    )
    patients = forms.MultipleChoiceField(
        label="Only these patients", required=False, widget=forms.SelectMultiple(attrs={"size": 5})
    )
    seed = forms.IntegerField(min_value=0, max_value=2**31 - 1, initial=0, required=False)
    trials = trials_field()
    other = forms.CharField(
        label="Other settings",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "placeholder": "miss_cost=10"}),
        help_text="One key=value a line; each round lists all settings.",
    )
    again = forms.BooleanField(label="Train anyway", required=False)

    ALWAYS = ("decisions", "folds")

    def __init__(
        self, study: Study, kind: Kind, data: QueryDict | None = None, settings: Mapping[str, Any] | None = None
    ) -> None:
        """`settings` are those that the form begins with."""
        initial = {"decisions": study.decisions} | self.begun_with(settings, ("decisions", "pooling", "folds"))
        super().__init__(data, label_suffix="", initial=initial)
        self.study, self.kind = study, kind
        told = self.fields["decisions"]
        told.help_text = told.help_text.format(keys=", ".join(row.key for row in study.diagnoses))
        if kind != Kind.MIL:
            del self.fields["pooling"]
        if kind == Kind.IMAGE:
            del self.fields["trials"]
            self.fields["folds"].help_text = "By patient: each is judged by a network that never saw it."
        seen = Patient.objects.filter(study=study, images__isnull=False)
        codes = (seen if kind == Kind.IMAGE else seen.filter(images__cells__isnull=False)).distinct()
        self.offer("patients", [(code, code) for code in codes.values_list("code", flat=True)])

    @property
    def more_is_used(self) -> bool:
        pooling = self["pooling"].value() if "pooling" in self.fields else None
        untouched = pooling in (None, "", self.base_fields["pooling"].initial)
        rest = [field for field in self.more if field.name != "pooling"]
        return not untouched or any(field.errors or field.value() not in UNTOUCHED for field in rest)

    def check_settings(self) -> None:
        settings = resolve_diagnosis_settings(self.kind, {"decisions": self.study.decisions, **self.settings()})
        parse_decisions(settings.decisions, self.study.diagnoses)

    def settings(self) -> dict[str, Any]:
        """The settings that differ from the defaults. Raises SettingsError for a line that is none."""
        given = self.written_settings()
        for name in ("decisions", "pooling", "folds"):
            if self.cleaned_data.get(name):
                given[name] = self.cleaned_data[name]
        return given

    def choices(self) -> dict[str, Any]:
        """Of a valid form: what launch_diagnosis() takes beside the settings."""
        data = self.cleaned_data
        return {
            "seed": data["seed"] or 0,
            "selection": Selection(ALL, tuple(data["patients"])),
            "trials": data.get("trials") or 0,
            "again": data["again"],
        }
