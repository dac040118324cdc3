from typing import Any

from django import forms
from django.db.models import Prefetch

from annotation.folds import DIVISORS
from annotation.models import Study
from training.models import Bundle, Round
from training.rounds import AUTO

NONE = "none"
# How many folds people choose among; the command line takes every divisor of 60.
FOLDS = [k for k in DIVISORS if k <= 10]


class LaunchForm(forms.Form):
    """What an admin decides about a round; everything else keeps its default."""

    validation = forms.ChoiceField(
        choices=[
            ("fold", "Hold out one fold"),
            ("folds", "Cross-validate"),
            (NONE, "None: train on everything"),
        ],
        initial="fold",
        help_text="Held-out patients judge the round. Without validation it reports no metrics of its own.",
    )
    folds = forms.TypedChoiceField(
        label="Folds",
        choices=[(k, f"{k} folds") for k in FOLDS],
        coerce=int,
        initial=4,
        required=False,
        help_text="Only for cross-validation, which trains once a fold and once on all.",
    )
    epochs = forms.IntegerField(
        min_value=1,
        max_value=1000,
        required=False,
        help_text="At most so many passes over the images. Empty: the default.",
    )
    seed = forms.IntegerField(min_value=0, max_value=2**31 - 1, initial=0, required=False)
    parent = forms.ChoiceField(label="Start from", required=False)

    def __init__(self, study: Study, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        bundles = (
            Bundle.objects.filter(study=study)
            .defer("card")
            .prefetch_related(Prefetch("rounds", Round.objects.defer("log", "curve")))[:20]
        )
        parent = self.fields["parent"]
        assert isinstance(parent, forms.ChoiceField)
        parent.choices = [
            (AUTO, "Automatic: the bundle in use, where its patients allow it"),
            (NONE, "Nothing: from scratch"),
            *((bundle.pk, f"{_made_by(bundle)}bundle {bundle.pk}") for bundle in bundles),
        ]

    def settings(self) -> dict[str, Any]:
        """Of a valid form: the settings that differ from the defaults."""
        given: dict[str, Any] = {}
        validation = self.cleaned_data["validation"]
        if validation == "folds":
            given["folds"] = self.cleaned_data["folds"] or 4
        elif validation == NONE:
            given["validation"] = NONE
        if self.cleaned_data["epochs"]:
            given["epochs"] = self.cleaned_data["epochs"]
        return given

    def seed_chosen(self) -> int:
        return self.cleaned_data["seed"] or 0

    def parent_chosen(self) -> str | None:
        chosen = self.cleaned_data["parent"] or AUTO
        return None if chosen == NONE else chosen


def _made_by(bundle: Bundle) -> str:
    round_ = bundle.made_by
    return f"Round {round_.number}, " if round_ else ""
