"""The curves in a bundle's card, by decision or by label, whichever kind of model was judged. Free of Django."""

from collections.abc import Mapping
from typing import Any

KINDS = ("roc", "pr")


def curves_in(card: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """By decision (of models that diagnose) or label (of classifiers): "roc" and "pr" as {"x", "y"} of all patients or
    cells, and "bands" as training/curve_bands.py makes them, None where there are none."""
    judged = card.get("judged") or {}
    if isinstance(judged, Mapping):
        return {
            name: {kind: each[kind] for kind in KINDS} | {"bands": each.get("bands")} for name, each in judged.items()
        }
    found = {}
    for each in (each for head in judged for each in head["classes"]):
        of_all: Mapping[str, Any] = next((curve for curve in each["curves"] if curve["fold"] is None), {})
        found[each["name"]] = {kind: _in_columns(of_all.get(kind) or []) for kind in KINDS}
        found[each["name"]]["bands"] = each.get("bands")
    return found


def _in_columns(points: list[list[float]]) -> dict[str, list[float]]:
    return {"x": [x for x, _ in points], "y": [y for _, y in points]}
