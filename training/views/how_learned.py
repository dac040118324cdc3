"""What learned in a classifier's round, in words."""

from collections.abc import Mapping
from typing import Any

from training.models import Round


def how_learned(round_: Round) -> str:
    """One sentence, or two where its bundle sees crops by itself. Rounds of before there was a choice had heads."""
    settings: Mapping[str, Any] = round_.settings
    backbone, learns = settings.get("backbone", "a backbone"), settings.get("learns", "head")
    if learns == "layers":
        return f"{_layers(settings)} on the features of {backbone}, which stays as it is."
    if learns == "local":
        return (
            f"a small convolution on the finest map of {backbone}: what small things lie anywhere in a cell. "
            "Its bundle sees crops by itself."
        )
    if learns == "finetune":
        blocks = settings.get("blocks", 0)
        tuned = f"the {_last(blocks)} of {backbone} and " if blocks else ""
        passes = _counted(settings.get("epochs", 0), "pass", "passes")
        return (
            f"{tuned}{_layers(settings)}, on the crops, in up to {passes}, always in other views. "
            "Its bundle sees crops by itself."
        )
    return f"a linear head on the features of {backbone}, which stays as it is."


def _layers(settings: Mapping[str, Any]) -> str:
    layers = _counted(settings.get("layers", 0), "layer")
    return f"{layers} of {settings.get('units')} units with {settings.get('dropout', 0):.0%} dropout"


def _counted(count: int, noun: str, many: str = "") -> str:
    return f"{count} {noun if count == 1 else many or noun + 's'}"


def _last(blocks: int) -> str:
    return "last block" if blocks == 1 else f"last {blocks} blocks"
