"""What templates/training/_diagnosis_judged.html shows of one decision on patients that judged it: curves, each
diagnosis, each patient."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.views.classifier_page import Figure, confusion_table
from training.views.diagnosis_curves import curve_plots


def judged_context(judged: Mapping[str, Any], names: Sequence[str], threshold: float) -> dict[str, Any]:
    """Of what training/diagnosis_judging.py found for a decision between diagnoses of such `names`."""
    return {
        "threshold": threshold,
        "first": names[0],
        "curve_plots": curve_plots(judged, names[0]),
        "judged_patients": [
            {
                "patient": one["patient"].removeprefix("p:"),
                "truth": names[one["truth"]],
                "probability": one["probability"],
                "says": _says(one, names, threshold),
                "others": _others(one, names),
                "right": _is_right(one, threshold),
            }
            for one in sorted(judged.get("by_patient", []), key=lambda one: -one["probability"])
        ],
        **_several(judged, names),
    }


def _says(one: Mapping[str, Any], names: Sequence[str], threshold: float) -> str:
    if len(names) > 2:
        return names[one["said"]]
    return names[0] if one["probability"] >= threshold else f"not {names[0]}"


def _is_right(one: Mapping[str, Any], threshold: float) -> bool:
    """Of more than two diagnoses the very one; of two, in rounds made before there were more, by the threshold."""
    if "probabilities" in one:
        return bool(one["said"] == one["truth"])
    return bool((one["probability"] >= threshold) == (one["truth"] == 0))


def _others(one: Mapping[str, Any], names: Sequence[str]) -> list[tuple[str, float]]:
    """Names and probabilities of the diagnoses after the first, of three or more."""
    told = one.get("probabilities", [])
    return list(zip(names[1:], told[1:], strict=False))


def _several(judged: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Of three or more diagnoses: the figures of each against all others, and who was said to have which."""
    if "classes" not in judged:
        return {}
    return {
        "class_rows": [
            (names[each["class"]], each["patients"], [Figure.of(name, each[name]) for name in ("auroc", "auprc")])
            for each in judged["classes"]
        ],
        "confusion": confusion_table({"names": names, "cells": judged["confusion"]}),
    }
