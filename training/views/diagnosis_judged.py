"""What templates/training/_diagnosis_judged.html shows of one decision on patients that judged it: curves, each
diagnosis, each patient."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.decisions import NAMES
from training.views.classifier_page import Figure, confusion_table
from training.views.diagnosis_curves import curve_plots


def judged_context(judged: Mapping[str, Any], classes: Sequence[str], threshold: float) -> dict[str, Any]:
    """Of what training/diagnosis_judging.py found for a decision between `classes`."""
    return {
        "threshold": threshold,
        "first": NAMES[classes[0]],
        "curve_plots": curve_plots(judged, NAMES[classes[0]]),
        "judged_patients": [
            {
                "patient": one["patient"].removeprefix("p:"),
                "truth": NAMES[classes[one["truth"]]],
                "probability": one["probability"],
                "says": _says(one, classes, threshold),
                "others": _others(one, classes),
                "right": _is_right(one, threshold),
            }
            for one in sorted(judged.get("by_patient", []), key=lambda one: -one["probability"])
        ],
        **_several(judged, classes),
    }


def _says(one: Mapping[str, Any], classes: Sequence[str], threshold: float) -> str:
    if len(classes) > 2:
        return NAMES[classes[one["said"]]]
    return NAMES[classes[0]] if one["probability"] >= threshold else f"not {NAMES[classes[0]]}"


def _is_right(one: Mapping[str, Any], threshold: float) -> bool:
    """Of more than two diagnoses the very one; of two, in rounds made before there were more, by the threshold."""
    if "probabilities" in one:
        return bool(one["said"] == one["truth"])
    return bool((one["probability"] >= threshold) == (one["truth"] == 0))


def _others(one: Mapping[str, Any], classes: Sequence[str]) -> list[tuple[str, float]]:
    """Names and probabilities of the diagnoses after the first, of three or more."""
    told = one.get("probabilities", [])
    return [(NAMES[name], value) for name, value in zip(classes[1:], told[1:], strict=False)]


def _several(judged: Mapping[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    """Of three or more diagnoses: the figures of each against all others, and who was said to have which."""
    if "classes" not in judged:
        return {}
    names = [NAMES[name] for name in classes]
    return {
        "class_rows": [
            (names[each["class"]], each["patients"], [Figure.of(name, each[name]) for name in ("auroc", "auprc")])
            for each in judged["classes"]
        ],
        "confusion": confusion_table({"names": names, "cells": judged["confusion"]}),
    }
