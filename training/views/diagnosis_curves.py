"""Curves of how well a diagnosis was told: ROC, precision and recall, and what was promised against what came."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.reliability import share_interval
from training.views.curve_plot import curve_plot
from training.views.plot import BOTTOM, HEIGHT, WIDTH, Guide, Line, Mark, Plot, Tick, scales, ticks

_HEIGHT = HEIGHT + 70
_CHANCE = "Where patients are suspected at random"


def curve_plots(judged: Mapping[str, Any], first: str) -> list[Plot]:
    """Of what training/diagnosis_judging.py found; `first` is the diagnosis whose probability is told, in words."""
    return [
        _plot(judged, "roc", "ROC", "share of the others suspected", "share found", _CHANCE),
        _plot(judged, "pr", "Precision and recall", "recall", "precision"),
        _calibration(judged["reliability"], first),
    ]


def _plot(judged: Mapping[str, Any], kind: str, title: str, x_label: str, y_name: str, chance: str = "") -> Plot:
    bands = judged.get("bands") or {}
    return curve_plot(
        title,
        ("all patients", list(zip(judged[kind]["x"], judged[kind]["y"], strict=True))),
        band=bands.get(kind),
        folds=bands.get("folds", 0),
        x_label=x_label,
        y_name=y_name,
        chance=chance,
    )


def _calibration(bins: Sequence[Mapping[str, float]], first: str) -> Plot:
    """Bins {patients, promised, true}; the share of each with Wilson's interval, as they hold few patients."""
    bottom = _HEIGHT - BOTTOM
    x, y = scales((0, 1), (0, 1), WIDTH, bottom)
    marks = []
    for each in bins:
        low, high = share_interval(each["true"], each["patients"])
        text = (
            f"{each['patients']} patients at {each['promised']:.2f} on the mean: {each['true']:.0%} have {first} "
            f"({low:.0%} to {high:.0%})"
        )
        marks.append(Mark(0, x(each["promised"]), y(each["true"]), text, y(low), y(high)))
    return Plot(
        title="Calibration",
        summary=f"Calibration: share with {first} against probability. " + "; ".join(mark.text for mark in marks),
        lines=[Line("all patients", 0, " ".join(f"{mark.x},{mark.y}" for mark in marks), marks[-1].x, marks[-1].y)],
        x_ticks=[Tick(x(value), f"{value:g}") for value in ticks(1)],
        y_ticks=[Tick(y(value), f"{value:g}") for value in ticks(1)],
        x_label="probability",
        height=_HEIGHT,
        bottom=bottom,
        marks=marks,
        guides=[Guide(x(0), y(0), x(1), y(1), "Calibrated")],
    )
