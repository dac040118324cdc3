"""Every setting of a training that diagnoses, with its range. Free of torch: the web process reads it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from annotation.folds import DIVISORS
from training.classification_metrics import DRAWS
from training.classifier_folds import FOLDS
from training.decisions import USUAL
from training.settings import SettingsError, typed, within

# As training/mil.py has them, which the web process does not load.
POOLINGS = ("cells", "mean", "max", "gem", "attention")
COLOURS = ("own", "reinhard")


@dataclass(frozen=True)
class DiagnosisSettings:
    """What all models of a diagnosis share."""

    decisions: str = field(default=USUAL, metadata={"note": "diagnoses to tell apart; those that patients allow"})
    folds: int = within(FOLDS, 3, 10, "cross-validation by patient in so many folds, then training on all")
    miss_cost: float = within(5.0, 0.01, 1000.0, "so many false alarms are as bad as missing the first diagnosis")
    draws: int = within(DRAWS, 100, 10_000, "draws of patients for the intervals")
    threads: int = within(0, 0, 256, "CPU threads; 0: torch decides")

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class CellsSettings(DiagnosisSettings):
    """Of models that look at cells."""

    backbone: str = field(default="efficientnet_lite0", metadata={"note": "timm's name of what sees the crops"})


@dataclass(frozen=True)
class EnsembleSettings(CellsSettings):
    units: int = within(8, 1, 256, "units of the fully connected layer")
    penalty: float = within(0.01, 1e-6, 10.0, "penalty of the squared weights")
    images: int = within(20, 1, 500, "images that are drawn of each patient's cells to teach with")
    cells: int = within(30, 5, 1000, "cells of each image that is drawn")


@dataclass(frozen=True)
class MilSettings(CellsSettings):
    pooling: str = field(
        default="cells",
        metadata={"note": "cells (by how likely each is a blast or promyelocyte), mean, max, gem or attention"},
    )
    control: float = within(0.4, 0.0, 1.0, "how far a smear's stain, as its mature cells show it, is taken off")
    networks: int = within(3, 1, 50, "networks whose scores are averaged")
    units: int = within(32, 1, 512, "units between the two fully connected layers")
    lr: float = within(5e-3, 1e-5, 0.1, "learning rate of AdamW")
    weight_decay: float = within(0.05, 0.0, 1.0, "weight decay of AdamW")
    dropout: float = within(0.3, 0.0, 0.9, "share of the units that each step leaves out")
    views: int = within(2, 0, 8, "further views of each cell that teach, in other stains and from other sides")
    test_views: int = within(0, 0, 8, "further views of each cell that a diagnosis is the mean of")
    colours: str = field(
        default="own",
        metadata={"note": "own, or reinhard: each patient's cells in the colours of one reference"},
    )


@dataclass(frozen=True)
class ImageSettings(DiagnosisSettings):
    """Of a network that looks at whole images. 0 where a field says "auto" lets the data decide."""

    backbone: str = field(default="efficientnet_lite0", metadata={"note": "timm's name of the network's body"})
    size: int = within(224, 32, 2048, "short side in px that images are brought to; smaller ones stay as they are")
    passes: int = within(0, 0, 1_000_000, "images shown to each network; auto: by their number")
    batch: int = within(16, 1, 256, "images a step")
    lr: float = within(3e-4, 1e-6, 0.1, "highest learning rate of AdamW, which falls to 0")
    weight_decay: float = within(0.05, 0.0, 1.0, "weight decay of AdamW")
    dropout: float = within(0.2, 0.0, 0.9, "share of the features that each step leaves out")
    augmentation: float = within(1.0, 0.0, 2.0, "how strongly colours, turns and sharpness are varied; 0: not at all")


SETTINGS: dict[str, type[DiagnosisSettings]] = {
    "ensemble": EnsembleSettings,
    "mil": MilSettings,
    "image": ImageSettings,
}


def fields_of(kind: str) -> dict[str, "dataclasses.Field[Any]"]:
    return {each.name: each for each in dataclasses.fields(SETTINGS[kind])}


def resolve_diagnosis_settings(kind: str, given: Mapping[str, Any]) -> DiagnosisSettings:
    """Settings from values or text, the defaults for the rest; what the decisions name, a study's diagnoses say
    (training/decisions.py). Raises SettingsError with one sentence."""
    settings = SETTINGS[kind](**typed(fields_of(kind), given))
    if settings.folds not in DIVISORS:
        raise SettingsError(f"The setting folds must be one of {', '.join(map(str, DIVISORS))}, not {settings.folds}.")
    if isinstance(settings, MilSettings) and settings.pooling not in POOLINGS:
        raise SettingsError(f"The setting pooling must be one of {', '.join(POOLINGS)}, not {settings.pooling!r}.")
    if isinstance(settings, MilSettings) and settings.colours not in COLOURS:
        raise SettingsError(f"The setting colours must be own or reinhard, not {settings.colours!r}.")
    return settings
