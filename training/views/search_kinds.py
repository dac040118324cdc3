"""What a search is called and measured by, which depends on what is trained."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from training import inner_space, search_space
from training.classifier_settings import FIELDS as CLASSIFIER_FIELDS
from training.diagnosis_settings import fields_of
from training.models import Kind, Round
from training.settings import FIELDS

# The search in all patients, as training/inner_search.py names it, which would load Optuna.
ALL = "all"


@dataclass(frozen=True)
class Searched:
    """titles: of settings by name, in the order of the space; measure: what the value of a trial is; nested: whether
    each fold had a search of its own."""

    titles: Mapping[str, str]
    logarithmic: frozenset[str]
    measure: str
    compared_on: str
    nested: bool = False
    fields: Mapping[str, Any] = field(default_factory=dict)


DETECTOR = Searched(
    search_space.TITLES,
    search_space.LOGARITHMIC,
    "mAP@[.5:.95]",
    "on the images that compare them",
    fields=FIELDS,
)


def searched_of(round_: Round) -> Searched:
    if round_.kind == Kind.DETECTOR:
        return DETECTOR
    return Searched(
        inner_space.TITLES,
        inner_space.LOGARITHMIC,
        "AUROC",
        "on patients that were set aside",
        nested=True,
        fields=CLASSIFIER_FIELDS if round_.kind == Kind.CLASSIFIER else fields_of(round_.kind),
    )


def scope_words(name: str) -> str:
    return "All patients" if name == ALL else f"Without fold {name}"
