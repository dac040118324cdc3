"""Every setting of a detector's training in one place, with its range. Free of torch: the web process reads it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from annotation.folds import DIVISORS

# A round holds out fold 0 of so many, unless it is told otherwise.
HOLDOUT_FOLDS = 5
AMP = ("auto", "off", "bf16", "fp16")


class SettingsError(ValueError):
    """A setting that is unknown or out of range; the message names it in one sentence."""


def within(default: Any, least: float, most: float, note: str) -> Any:
    return field(default=default, metadata={"least": least, "most": most, "note": note})


@dataclass(frozen=True)
class DetectorSettings:
    """Settings of a Faster R-CNN round. 0 where a field says "auto" lets the data decide."""

    backbone: str = field(default="efficientnet_lite0", metadata={"note": "timm's name of the network's body"})
    size: int = within(0, 0, 4096, "long side in px that images are trained and predicted at; auto: by cell size")
    epochs: int = within(0, 0, 10_000, "passes over the images; auto: by their number")
    batch: int = within(4, 1, 64, "images a step")
    lr: float = within(0.01, 1e-6, 1.0, "highest learning rate of the one-cycle schedule")
    momentum: float = within(0.9, 0.0, 0.999, "momentum of SGD")
    weight_decay: float = within(1e-4, 0.0, 0.1, "weight decay of SGD")
    warmup: float = within(0.15, 0.0, 0.9, "share of the steps before the highest learning rate")
    frozen_stages: int = within(2, 0, 7, "stages of the body, from the input, that keep their ImageNet weights")
    pyramid: int = within(96, 16, 512, "channels of the feature pyramid")
    scale: float = within(0.2, 0.0, 0.7, "scale augmentation: sizes from 1 - scale to 1 + scale")
    colour: float = within(1.0, 0.0, 3.0, "strength of colour augmentation (gamma a channel, saturation)")
    brightness: float = within(1.0, 0.0, 3.0, "strength of brightness and contrast augmentation")
    nms: float = within(0.5, 0.1, 0.95, "IoU above which the lower of two proposals goes")
    validation: str = field(
        default="auto", metadata={"note": "fold that judges (0 to 4), none, or auto: fold 0 where it has cells"}
    )
    folds: int = within(0, 0, 60, "cross-validation in so many folds, then a refit on all; 0: none")
    amp: str = field(default="auto", metadata={"note": "mixed precision: auto (on a GPU), off, bf16 or fp16"})
    threads: int = within(0, 0, 256, "CPU threads; 0: torch decides")

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @property
    def validation_fold(self) -> int | None:
        return int(self.validation) if self.validation.isdigit() else None


FIELDS = {f.name: f for f in dataclasses.fields(DetectorSettings)}


def resolve_settings(given: Mapping[str, Any]) -> DetectorSettings:
    """Settings from values or text, the defaults for the rest. Raises SettingsError with one sentence."""
    settings = DetectorSettings(**typed(FIELDS, given))
    if settings.folds and settings.folds not in DIVISORS:
        raise SettingsError(f"The setting folds must be one of {', '.join(map(str, DIVISORS))}, not {settings.folds}.")
    if settings.validation not in ("auto", "none", *map(str, range(HOLDOUT_FOLDS))):
        raise SettingsError(f"The setting validation must be auto, none, or 0 to 4, not {settings.validation!r}.")
    if settings.amp not in AMP:
        raise SettingsError(f"The setting amp must be one of {', '.join(AMP)}, not {settings.amp!r}.")
    if settings.folds and settings.validation != "auto":
        raise SettingsError("The settings folds and validation exclude each other.")
    return settings


def typed(fields: Mapping[str, "dataclasses.Field[Any]"], given: Mapping[str, Any]) -> dict[str, Any]:
    """Values or text as the types of these fields, by name. Raises SettingsError for a name that is not among them, and
    for a value out of its range."""
    for name in given:
        if name not in fields:
            raise SettingsError(f"There is no setting {name!r}; there are {', '.join(fields)}.")
    return {name: _parse(fields[name], value) for name, value in given.items()}


def parse_assignments(pairs: list[str]) -> dict[str, str]:
    """`key=value` texts of the command line as a mapping."""
    given: dict[str, str] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name.strip():
            raise SettingsError(f"A setting is given as key=value, not {pair!r}.")
        given[name.strip()] = value.strip()
    return given


def _parse(wanted: "dataclasses.Field[Any]", value: Any) -> Any:
    name = wanted.name
    kind: type = type(wanted.default)
    if kind is str:
        return str(value).strip()
    try:
        if isinstance(value, bool):
            raise ValueError
        number = kind(str(value).strip())
    except ValueError:
        noun = "whole number" if kind is int else "number"
        raise SettingsError(f"The setting {name} must be a {noun}, not {value!r}.") from None
    least, most = wanted.metadata["least"], wanted.metadata["most"]
    # Written so that NaN is refused too.
    if not least <= number <= most:
        raise SettingsError(f"The setting {name} must be from {least:g} to {most:g}, not {number:g}.")
    return number
