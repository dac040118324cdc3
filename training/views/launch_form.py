from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import Prefetch
from django.http import QueryDict

from annotation.folds import DIVISORS
from annotation.models import Label, Patient, SmearImage, Study
from training.models import Bundle, Round
from training.parent_choice import AUTO
from training.selection import ALL, Selection
from training.settings import resolve_settings
from training.views.round_form import RoundForm

NONE = "none"
# Values of the choice that cross-validates begin so; the number of folds follows.
CROSS = "folds-"
# How many folds people choose among; the command line takes every divisor of 60.
FOLDS = [k for k in DIVISORS if k <= 10]
# Bundles that are offered as a start, the newest; the command line and the API take any.
OFFERED = 20


class LaunchForm(RoundForm):
    """What an admin decides about a round; everything else keeps its default."""

    images = forms.ChoiceField(
        choices=[(ALL, "All annotated images"), ("reviewed", "Only reviewed"), ("annotated", "Not yet reviewed")],
        initial=ALL,
        required=False,
    )
    validation = forms.ChoiceField(
        choices=[
            ("fold", "Hold out one fold of 5"),
            ("Cross-validate", [(f"{CROSS}{k}", f"Cross-validate in {k} folds") for k in FOLDS]),
            (NONE, "None: train on everything"),
        ],
        initial="fold",
        help_text="Held-out patients judge the round. Cross-validation trains once a fold and once on all.",
    )
    parent = forms.ChoiceField(
        label="Start from",
        required=False,
        help_text="Without one in use here, that of another of your studies. Never one that saw the patients who judge "
        "this round.",
    )
    patients = forms.MultipleChoiceField(
        label="Only these patients", required=False, widget=forms.SelectMultiple(attrs={"size": 5})
    )
    labels = forms.MultipleChoiceField(
        label="Only images with a cell labelled", required=False, widget=forms.SelectMultiple(attrs={"size": 5})
    )
    epochs = forms.IntegerField(
        min_value=1,
        max_value=10_000,
        required=False,
        help_text="Passes over the images. Empty: as many as suit their number.",
    )
    seed = forms.IntegerField(min_value=0, max_value=2**31 - 1, initial=0, required=False)
    trials = forms.IntegerField(
        label="Search trials",
        min_value=0,
        max_value=100_000,
        initial=0,
        required=False,
        help_text="So many trials look for better settings first. 0: none.",
    )
    other = forms.CharField(
        label="Other settings",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "placeholder": "lr=0.005"}),
        help_text="One key=value a line; each round lists all settings.",
    )
    again = forms.BooleanField(label="Train anyway", required=False)

    ALWAYS = ("images", "validation", "parent")

    def __init__(
        self, study: Study, user: Any, data: QueryDict | None = None, settings: Mapping[str, Any] | None = None
    ) -> None:
        """`settings` are those that the text of other settings begins with."""
        super().__init__(data, label_suffix="", initial=self.begun_with(settings, ()))
        self.offer("parent", [(AUTO, "The bundle in use"), (NONE, "Scratch"), *_starts(study, user)])
        patients = Patient.objects.filter(study=study, images__state__in=SmearImage.FINISHED).distinct()
        self.offer("patients", [(code, code) for code in patients.values_list("code", flat=True)])
        labels = Label.objects.filter(group__study=study).order_by("group__order", "order", "pk")
        self.offer("labels", [(name, name) for name in dict.fromkeys(labels.values_list("name", flat=True))])

    def check_settings(self) -> None:
        # Those of the fields above win over the same ones in the text.
        resolve_settings(self.settings())

    def settings(self) -> dict[str, Any]:
        """Of a valid form: the settings that differ from the defaults. Raises SettingsError for a line that is none."""
        given = self.written_settings()
        validation = self.cleaned_data.get("validation", "fold")
        if validation.startswith(CROSS):
            given["folds"] = int(validation.removeprefix(CROSS))
        elif validation == NONE:
            given["validation"] = NONE
        if self.cleaned_data.get("epochs"):
            given["epochs"] = self.cleaned_data["epochs"]
        return given

    def choices(self) -> dict[str, Any]:
        """Of a valid form: what launch() takes beside the settings."""
        data = self.cleaned_data
        parent = data["parent"] or AUTO
        return {
            "seed": data["seed"] or 0,
            "parent": None if parent == NONE else parent,
            "selection": Selection(data["images"] or ALL, tuple(data["patients"]), tuple(data["labels"])),
            "trials": data["trials"] or 0,
            "again": data["again"],
        }


def _starts(study: Study, user: Any) -> list[Any]:
    """Choices of bundles: the study's own, and those of each other study that the user is a member of, by its name."""
    rounds = Prefetch("rounds", Round.objects.defer("log", "curve"))
    bundles = Bundle.for_start_of(study, user).defer("card").prefetch_related(rounds).order_by("-created_at")
    own = [_start(bundle) for bundle in bundles.filter(study=study)[:OFFERED]]
    others: dict[str, list[tuple[str, str]]] = {}
    for bundle in bundles.exclude(study=study)[:OFFERED]:
        others.setdefault(bundle.study.name, []).append(_start(bundle))
    return [*own, *others.items()]


def _start(bundle: Bundle) -> tuple[str, str]:
    round_ = bundle.made_by
    return bundle.pk, f"{f'Round {round_.number}, ' if round_ else ''}bundle {bundle.pk}"
