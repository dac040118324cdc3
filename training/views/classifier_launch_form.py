from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import QueryDict

from annotation.folds import DIVISORS
from annotation.models import Cell, LabelGroup, Patient, Study
from training.classifier_folds import FOLDS
from training.classifier_settings import resolve_classifier_settings
from training.classifier_target import Target, TargetError
from training.selection import ALL, Selection
from training.views.round_form import RoundForm, trials_field


class ClassifierLaunchForm(RoundForm):
    """What an admin decides about a classifier's round; everything else keeps its default."""

    target = forms.ChoiceField(
        label="Tell apart",
        help_text="All labels of a group, or one label from all others. Cells without a label of the group do not "
        "learn.",
    )
    learns = forms.ChoiceField(
        label="What learns",
        choices=[
            ("head", "A head: seconds"),
            ("layers", "Layers: a minute"),
            ("local", "Small things: minutes"),
            ("finetune", "The backbone: hours"),
        ],
        initial="head",
        required=False,
        help_text="A head or layers on stored features; a network that finds small things in a cell, as Auer rods; or "
        "the backbone itself, on the crops, which a GPU makes much faster.",
    )
    backbone = forms.ChoiceField(
        label="Backbone",
        choices=[
            ("efficientnet_lite0", "EfficientNet-Lite0"),
            ("efficientnet_lite2", "EfficientNet-Lite2"),
            ("legacy_xception", "Xception, as in the paper"),
        ],
        initial="efficientnet_lite0",
        required=False,
        help_text="What sees the crops. The weights of Xception are fetched once; the others come with the program.",
    )
    folds = forms.ChoiceField(
        label="Cross-validate in",
        choices=[(str(k), f"{k} folds") for k in DIVISORS if k <= 10],
        initial=str(FOLDS),
        required=False,
        help_text="By patient: each cell is judged by a network that saw none of its patient's cells.",
    )
    images = forms.ChoiceField(
        label="Cells on",
        choices=[(ALL, "All images"), ("reviewed", "Only reviewed"), ("annotated", "Not yet reviewed")],
        initial=ALL,
        required=False,
    )
    patients = forms.MultipleChoiceField(
        label="Only these patients", required=False, widget=forms.SelectMultiple(attrs={"size": 5})
    )
    seed = forms.IntegerField(min_value=0, max_value=2**31 - 1, initial=0, required=False)
    trials = trials_field()
    other = forms.CharField(
        label="Other settings",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "placeholder": "draws=2000"}),
        help_text="One key=value a line; each round lists all settings.",
    )
    again = forms.BooleanField(label="Train anyway", required=False)

    ALWAYS = ("target", "learns", "folds")
    # Settings that have a field; the others are lines.
    OWN = ("learns", "backbone", "folds")

    def __init__(
        self,
        study: Study,
        data: QueryDict | None = None,
        settings: Mapping[str, Any] | None = None,
        target: Target | None = None,
    ) -> None:
        """`settings` and `target` are those that the form begins with."""
        super().__init__(data, label_suffix="", initial=self.begun_with(settings, self.OWN))
        groups = list(LabelGroup.objects.filter(study=study).prefetch_related("labels"))
        self._targets: dict[str, Target] = {}
        offered: list[Any] = []
        for group in groups:
            own = [label for label in group.labels.all() if not label.retired]
            choices = [
                (f"group-{group.pk}", f"All labels of {group.name}" if not group.multiple else "Each on its own")
            ]
            self._targets[f"group-{group.pk}"] = Target(group.name)
            for label in own:
                self._targets[f"label-{label.pk}"] = Target(group.name, label.name)
                choices.append((f"label-{label.pk}", label.name))
            if own:
                offered.append((group.name, choices))
        self.offer("target", offered)
        self.initial["target"] = next((name for name, known in self._targets.items() if known == target), None)
        labelled = Cell.objects.filter(image__study=study, labels__isnull=False).confirmed()
        patients = Patient.objects.filter(study=study, images__cells__in=labelled).distinct()
        self.offer("patients", [(code, code) for code in patients.values_list("code", flat=True)])

    def check_settings(self) -> None:
        resolve_classifier_settings(self.settings())

    def chosen_target(self) -> Target:
        """Of a valid form. Raises TargetError where the label has gone meanwhile."""
        found = self._targets.get(self.cleaned_data["target"])
        if found is None:
            raise TargetError("Choose what the classifier is to tell apart.")
        return found

    def settings(self) -> dict[str, Any]:
        """The settings that differ from the defaults. Raises SettingsError for a line that is none."""
        given = self.written_settings()
        chosen = {name: self.cleaned_data.get(name) for name in self.OWN}
        # What is written in a line is meant, too.
        return {name: value for name, value in chosen.items() if value} | given

    def choices(self) -> dict[str, Any]:
        """Of a valid form: what launch_classifier() takes beside the settings."""
        data = self.cleaned_data
        return {
            "seed": data["seed"] or 0,
            "selection": Selection(data["images"] or ALL, tuple(data["patients"])),
            "trials": data["trials"] or 0,
            "again": data["again"],
        }
