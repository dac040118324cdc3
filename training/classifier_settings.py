"""Every setting of a classifier's training in one place, with its range. Free of torch: the web process reads it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from annotation.folds import DIVISORS
from training.classification_metrics import DRAWS
from training.classifier_folds import FOLDS
from training.settings import SettingsError, typed, within

# What learns, and how it is put on a page.
LEARNS = {
    "head": "a linear head on the features of a frozen backbone: seconds",
    "layers": "one to three layers on the same features: a minute",
    "local": "small things anywhere in a cell, as Auer rods, by a small convolution on the crops: minutes",
    "finetune": "the last blocks of the backbone too, on the crops: hours",
}


def _within(of: tuple[str, ...], default: Any, least: float, most: float, note: str) -> Any:
    """A setting that is one of some kinds of learning alone."""
    made = within(default, least, most, note)
    return field(default=default, metadata={**made.metadata, "of": of})


@dataclass(frozen=True)
class ClassifierSettings:
    """Settings of heads on the features of a frozen backbone, and of networks that see crops themselves. Those whose
    metadata say `of` decide something only where one of these learns."""

    backbone: str = field(default="efficientnet_lite0", metadata={"note": "timm's name of what sees the crops"})
    learns: str = field(default="head", metadata={"note": f"what learns: {', '.join(LEARNS)}"})
    views: int = within(2, 0, 8, "views of each crop that heads learn from too, in other stains and from other sides")
    penalty: float = _within(("head",), 0.0, 0.0, 1.0, "penalty of the squared weights; auto: by patients set aside")
    directions: int = _within(("head",), 200, 5, 2000, "main directions of the features that heads look at")
    balance: float = _within(("head",), 0.5, 0.0, 1.0, "how far rare classes weigh as much as common ones")
    layers: int = _within(("layers", "finetune"), 1, 1, 3, "fully connected layers before the last")
    units: int = _within(("layers", "finetune"), 128, 8, 1024, "units of each of these layers")
    dropout: float = _within(("layers", "finetune"), 0.5, 0.0, 0.9, "share of units that are left out at each step")
    blocks: int = _within(("finetune",), 2, 0, 8, "last blocks of the backbone that learn")
    epochs: int = _within(("finetune",), 4, 1, 100, "times that each cell is seen, at most; always in other views")
    rate: float = _within(("finetune",), 0.0003, 1e-6, 0.1, "highest learning rate of the blocks")
    batch: int = _within(("finetune",), 16, 2, 256, "crops a step")
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
    if settings.learns not in LEARNS:
        raise SettingsError(f"The setting learns must be one of {', '.join(LEARNS)}, not {settings.learns!r}.")
    for name in given:
        if not decides(name, settings.learns) and getattr(settings, name) != FIELDS[name].default:
            raise SettingsError(
                f"The setting {name} decides nothing where learns is {settings.learns}: it is of "
                f"{' and '.join(FIELDS[name].metadata['of'])}."
            )
    return settings


def decides(name: str, learns: str) -> bool:
    """Whether a setting decides anything where `learns` is so; one that nobody knows any more is shown."""
    return name not in FIELDS or learns in FIELDS[name].metadata.get("of", (learns,))
