"""What the page of a classifier's round shows: figures with intervals, curves, confusion, reliability, patients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotation.models import Cell, CellLabel, Study
from training.models import Round
from training.reliability import Bin, Reliability
from training.views.curve_plot import curve_plot
from training.views.how_learned import how_learned
from training.views.plot import Plot
from training.views.score_plots import AFTER, promises_plot

FIGURES = {"auroc": "AUROC", "auprc": "AUPRC", "f1": "F1", "precision": "Precision", "recall": "Recall"}
FOLD_FIGURES = ("auroc", "auprc", "f1")
# Steps of the shades that a confusion table's cells have in classifier.css.
SHADES = 5
_CHANCE = "Where cells are taken at random"


@dataclass(frozen=True)
class Labelled:
    """What classifiers of a study can learn from now."""

    cells: int
    patients: int


def labelled_by_now(study: Study) -> Labelled:
    """Costs two queries."""
    cells = Cell.objects.filter(image__study=study, ignored=False, labels__isnull=False).confirmed()
    labels = CellLabel.objects.filter(cell__image__study=study, cell__status=Cell.Status.CONFIRMED)
    patients = labels.filter(cell__image__patient__isnull=False).values("cell__image__patient").distinct().count()
    return Labelled(cells.order_by().values("pk").distinct().count(), patients)


@dataclass(frozen=True)
class Figure:
    """A metric with its interval, as text; `value` None where it cannot be said."""

    name: str
    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, name: str, stated: Mapping[str, Any] | None) -> "Figure":
        stated = stated or {}
        return cls(name, stated.get("value"), stated.get("low"), stated.get("high"))


def figures(stated: Mapping[str, Any] | None) -> list[Figure]:
    return [Figure.of(name, (stated or {}).get(key)) for key, name in FIGURES.items()]


def classifier_context(round_: Round, wanted: str = "") -> dict[str, Any]:
    """Everything of templates/training/classifier_round.html beside what all rounds have; `wanted` is the label whose
    curves are shown."""
    metrics = round_.metrics or {}
    judged: Sequence[Mapping[str, Any]] = round_.bundle.card.get("judged", []) if round_.bundle else []
    classes = [(head, each) for head in judged for each in head["classes"]]
    chosen = next((pair for pair in classes if pair[1]["name"] == wanted), None) or _first_judged(classes)
    context: dict[str, Any] = {
        "how_learned": how_learned(round_),
        "figures": figures(metrics) if metrics.get("auroc") else [],
        "judged_names": metrics.get("judged", []),
        "classes": [
            {"name": each["name"], "cells": each["cells"], "patients": each["patients"], "figures": figures(each)}
            for _, each in classes
        ],
        "folds": [
            (fold["fold"], fold.get("cells"), [fold.get(name) for name in FOLD_FIGURES]) for fold in round_.folds
        ],
        "left_out": sorted((round_.bundle.card.get("left_out") or {}).items()) if round_.bundle else [],
        "fold_counts": None,
    }
    if chosen is None:
        return context
    head, each = chosen
    return context | {
        "chosen": each["name"],
        "curve_plots": [plot for plot in (_roc(each), _precision_recall(each), _reliability(each)) if plot],
        "calibration_error": each["reliability"]["error"],
        "representative": figures(each["representative"]) if "representative" in each else [],
        "confusion": confusion_table(head["confusion"]),
        "patients": [{**one, "patient": _patient_name(one["patient"])} for one in each["by_patient"]],
    }


def _first_judged(classes: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Any:
    judged = [pair for pair in classes if pair[1]["name"] in pair[0].get("judged", ())]
    return next(iter(judged or classes), None)


def _patient_name(group: str) -> str:
    """Of a snapshot's group: the patient's code, or that it is an image without one."""
    return group[2:] if group.startswith("p:") else f"image {group[2:10]}"


def _roc(each: Mapping[str, Any]) -> Plot | None:
    return _curve_plot(each, "roc", "ROC", "share of the others taken", "share of the class found", _CHANCE)


def _precision_recall(each: Mapping[str, Any]) -> Plot | None:
    return _curve_plot(each, "pr", "Precision and recall", "recall", "precision")


def _curve_plot(
    each: Mapping[str, Any], kind: str, title: str, x_label: str, y_name: str, chance: str = ""
) -> Plot | None:
    """One line a fold and one of all cells; None where the cells are all of the class, or none is."""
    drawn = {curve["fold"]: curve[kind] for curve in each["curves"] if curve[kind]}
    if None not in drawn:
        return None
    bands = each.get("bands") or {}
    return curve_plot(
        title,
        ("all folds", drawn.pop(None)),
        of_folds=list(drawn.values()),
        band=bands.get(kind),
        folds=bands.get("folds", 0),
        x_label=x_label,
        y_name=y_name,
        chance=chance,
    )


def _reliability(each: Mapping[str, Any]) -> Plot | None:
    stated = each["reliability"]
    if not stated["bins"]:
        return None
    bins = [Bin(**{**one, "interval": tuple(one["interval"])}) for one in stated["bins"]]
    found = Reliability(bins, sum(one.detections for one in bins), stated["promised"], stated["share"], stated["error"])
    return promises_plot(
        [("cells", AFTER, found)],
        f"are {each['name']}",
        "probability",
        f"Share of cells that are {each['name']}, against their probability.",
        things="cells",
    )


def confusion_table(stated: Mapping[str, Any]) -> dict[str, Any]:
    """Of {"names", "cells"}: rows are what is true, columns what a model says; `shade` 0 to SHADES by the share of
    the row."""
    rows = []
    for number, (name, cells) in enumerate(zip(stated["names"], stated["cells"], strict=True)):
        total = sum(cells)
        entries = [
            {"cells": count, "shade": round(SHADES * count / total) if total else 0, "right": number == column}
            for column, count in enumerate(cells)
        ]
        rows.append((name, entries, total))
    # A class that is too rare to learn is never said.
    said = [any(row[column] for row in stated["cells"]) for column in range(len(stated["names"]))]
    width = max([1, *(column + 1 for column, any_ in enumerate(said) if any_)])
    return {"names": stated["names"][:width], "rows": [(name, entries[:width], total) for name, entries, total in rows]}
