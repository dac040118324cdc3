"""Every setting of a classifier's training in one place, with its range. Free of torch: the web process reads it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from annotation.folds import DIVISORS
from training.classification_metrics import DRAWS
from training.classifier_folds import FOLDS
from training.settings import SettingsError, typed, within


@dataclass(frozen=True)
class ClassifierSettings:
    """Settings of heads on the features of a frozen backbone."""

    backbone: str = field(default="efficientnet_lite0", metadata={"note": "timm's name of what sees the crops"})
    views: int = within(2, 0, 8, "views of each crop that heads learn from too, in other stains and from other sides")
    folds: int = within(FOLDS, 2, 60, "cross-validation by patient in so many folds, then heads on all")
    draws: int = within(DRAWS, 100, 10_000, "draws of patients for the intervals")
    threads: int = within(0, 0, 256, "CPU threads; 0: torch decides")

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


FIELDS = {f.name: f for f in dataclasses.fields(ClassifierSettings)}


def resolve_classifier_settings(given: Mapping[str, Any]) -> ClassifierSettings:
    """Settings from values or text, the defaults for the rest. Raises SettingsError with one sentence."""
    settings = ClassifierSettings(**typed(FIELDS, given))
    if settings.folds not in DIVISORS:
        raise SettingsError(f"The setting folds must be one of {', '.join(map(str, DIVISORS))}, not {settings.folds}.")
    return settings
