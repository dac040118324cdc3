"""Curves of how well a diagnosis was told: ROC, precision and recall, and what was promised against what came."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.reliability import share_interval
from training.views.plot import BOTTOM, HEIGHT, WIDTH, Guide, Line, Mark, Plot, Tick, scales, ticks

_HEIGHT = HEIGHT + 70


def curve_plots(judged: Mapping[str, Any], first: str) -> list[Plot]:
    """Of what training/diagnosis_judging.py found; `first` is the diagnosis whose probability is told, in words."""
    return [
        _plot("ROC", judged["roc"], "share of the others suspected", "share found", diagonal=True),
        _plot("Precision and recall", judged["pr"], "recall", "precision"),
        _calibration(judged["reliability"], first),
    ]


def _plot(title: str, points: Mapping[str, Sequence[float]], x_label: str, y_name: str, diagonal: bool = False) -> Plot:
    bottom = _HEIGHT - BOTTOM
    x, y = scales((0, 1), (0, 1), WIDTH, bottom)
    placed = [(x(a), y(b)) for a, b in zip(points["x"], points["y"], strict=True)]
    line = Line("all patients", 0, " ".join(f"{a},{b}" for a, b in placed), *placed[-1])
    return Plot(
        title=title,
        summary=f"{title}: {y_name} against {x_label}",
        lines=[line],
        x_ticks=[Tick(x(value), f"{value:g}") for value in ticks(1)],
        y_ticks=[Tick(y(value), f"{value:g}") for value in ticks(1)],
        x_label=x_label,
        height=_HEIGHT,
        bottom=bottom,
        guides=[Guide(x(0), y(0), x(1), y(1), "Where patients are suspected at random")] if diagonal else [],
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
