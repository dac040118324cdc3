from typing import Any

from django import forms
from django.db.models import Prefetch
from django.http import QueryDict

from annotation.folds import DIVISORS
from annotation.models import Study
from training.models import Bundle, Round
from training.rounds import AUTO

NONE = "none"
# Values of the choice that cross-validates begin so; the number of folds follows.
CROSS = "folds-"
# How many folds people choose among; the command line takes every divisor of 60.
FOLDS = [k for k in DIVISORS if k <= 10]


class LaunchForm(forms.Form):
    """What an admin decides about a round; everything else keeps its default."""

    validation = forms.ChoiceField(
        choices=[
            ("fold", "Hold out one fold of 5"),
            ("Cross-validate", [(f"{CROSS}{k}", f"Cross-validate in {k} folds") for k in FOLDS]),
            (NONE, "None: train on everything"),
        ],
        initial="fold",
        help_text="Held-out patients judge the round. Cross-validation trains once a fold and once on all.",
    )
    epochs = forms.IntegerField(
        min_value=1,
        max_value=10_000,
        required=False,
        help_text="Passes over the images. Empty: as many as suit their number.",
    )
    seed = forms.IntegerField(min_value=0, max_value=2**31 - 1, initial=0, required=False)
    parent = forms.ChoiceField(
        label="Start from",
        required=False,
        help_text="A bundle that saw the patients who judge this round is never its start.",
    )

    def __init__(self, study: Study, data: QueryDict | None = None) -> None:
        super().__init__(data, label_suffix="")
        bundles = (
            Bundle.objects.filter(study=study)
            .defer("card")
            .prefetch_related(Prefetch("rounds", Round.objects.defer("log", "curve")))[:20]
        )
        parent = self.fields["parent"]
        assert isinstance(parent, forms.ChoiceField)
        parent.choices = [
            (AUTO, "The bundle in use, if allowed"),
            (NONE, "Scratch"),
            *((bundle.pk, f"{_made_by(bundle)}bundle {bundle.pk}") for bundle in bundles),
        ]

    def settings(self) -> dict[str, Any]:
        """Of a valid form: the settings that differ from the defaults."""
        given: dict[str, Any] = {}
        validation = self.cleaned_data["validation"]
        if validation.startswith(CROSS):
            given["folds"] = int(validation.removeprefix(CROSS))
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
