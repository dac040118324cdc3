"""Plots of a round's scores: how far they can be read as probabilities, and the corrections at each threshold."""

from collections.abc import Sequence

from training.judged_scores import JudgedScores
from training.reliability import BINS, Reliability
from training.views.plot import (
    BOTTOM,
    TOP,
    WIDTH,
    Bar,
    Guide,
    Line,
    Mark,
    Plot,
    Scale,
    Tick,
    scales,
    ticks,
)

# Both stand side by side, so they are equally high.
HEIGHT = 340
# Below the axes of reliability stand the detections of each bin, as bars from one height to another.
AXIS, BARS_FROM, BARS_TO = 236, 284, 330
# Colours of round.css; those of the kinds of corrections as on the page of effort.
AFTER, BEFORE = 0, 6
MOVED, DELETED, ADDED, ALL = 0, 1, 2, 5
# Few thresholds cost so many times the fewest corrections that they would press all others to the axis.
SEEN_UP_TO = 4
# Between two bars of a bin and on both sides of them, as shares of the bin.
_GAP = 0.12


def reliability_plot(scores: JudgedScores, calibrated: bool) -> Plot | None:
    """The share of detections that are cells against their scores, before and after calibration, with a bar of how
    many there are; None without any. Where nothing was calibrated there is one line."""
    if not scores.after.detections:
        return None
    shown = [("calibrated" if calibrated else "as given", AFTER, scores.after)]
    if calibrated:
        shown.insert(0, ("before calibration", BEFORE, scores.before))
    return promises_plot(
        shown, "are cells", "score", "Share of detections that are cells, against their score.", things="detections"
    )


def promises_plot(
    shown: Sequence[tuple[str, int, Reliability]], are: str, score: str, summary: str, *, things: str
) -> Plot:
    """What came true against what was promised, for series of (name, colour, bins), the last of them with its
    intervals, and a bar of how many `things` there are in each tenth."""
    x, y = scales((0, 1), (0, 1), WIDTH, AXIS)
    most = max(each.detections for _, _, one in shown for each in one.bins)
    lines, marks, bars = [], [], []
    for place, (name, colour, one) in enumerate(shown):
        points = [(x(each.promised), y(each.share)) for each in one.bins]
        lines.append(Line(name, colour, " ".join(f"{a},{b}" for a, b in points), *points[-1]))
        for each, (a, b) in zip(one.bins, points, strict=True):
            low, high = each.interval
            text = f"{name}, {each.low:.1f} to {each.high:.1f}: {each.share:.0%} of {each.detections} {are}"
            # The intervals of both would hide each other.
            spread = (y(low), y(high)) if place == len(shown) - 1 else (None, None)
            marks.append(Mark(colour, a, b, f"{text}, promised {each.promised:.0%}", *spread))
        bars += _bars(name, colour, one, x, place, len(shown), most)
    return Plot(
        title="Reliability",
        summary=f"{summary} {'; '.join(mark.text for mark in marks)}",
        lines=lines,
        x_ticks=[Tick(x(value), f"{value:g}") for value in ticks(1)],
        y_ticks=[*(Tick(y(v), f"{v:.0%}") for v in ticks(1)), Tick(BARS_FROM, str(most)), Tick(BARS_TO, "0")],
        x_label=f"{score}, and the {things} of each tenth",
        height=HEIGHT,
        bottom=AXIS,
        marks=marks,
        guides=[Guide(x(0), y(0), x(1), y(1), f"Where {score}s are probabilities")],
        bars=bars,
    )


def _bars(name: str, colour: int, one: Reliability, x: Scale, place: int, places: int, most: int) -> list[Bar]:
    """The detections of each bin; the bars of `places` series stand side by side."""
    width = (x(1) - x(0)) / BINS
    own = width * (1 - 2 * _GAP) / places
    bars = []
    for each in one.bins:
        # What is there is seen.
        height = max(1.0, (BARS_TO - BARS_FROM) * each.detections / most)
        text = f"{name}, {each.low:.1f} to {each.high:.1f}: {each.detections}"
        left = x(each.low) + width * _GAP + place * own
        bars.append(Bar(colour, round(left, 1), round(BARS_TO - height, 1), round(own, 1), round(height, 1), text))
    return bars


def threshold_plot(scores: JudgedScores) -> Plot | None:
    """Corrections per cell against the score threshold, of which kind they are, and the one that was chosen; None
    without cells."""
    if not scores.cells:
        return None
    colours = {"total": ALL, "moved": MOVED, "deleted": DELETED, "added": ADDED}
    rates = {
        kind: [(threshold, getattr(cost, kind) / scores.cells) for threshold, cost in scores.by_threshold]
        for kind in colours
    }
    chosen, fewest = scores.at_threshold.total / scores.cells, scores.fewest.total / scores.cells
    highest = max(rate for _, rate in rates["total"])
    top = 1.08 * max(chosen, min(highest, SEEN_UP_TO * fewest)) or 1.0
    bottom = HEIGHT - BOTTOM
    x, y = scales((0, 1), (0, top), WIDTH, bottom)
    lines = []
    for kind, rate in rates.items():
        # What towers over the rest runs out of the picture.
        points = [(x(threshold), y(value)) for threshold, value in rate]
        drawn = " ".join(f"{a},{b}" for a, b in points)
        lines.append(Line("all" if kind == "total" else kind, colours[kind], drawn, *points[-1]))
    said = f"{chosen:.2f} corrections per cell at the chosen threshold of {scores.threshold:.2f}"
    at = x(scores.threshold)
    return Plot(
        title="Corrections per cell",
        summary=f"Corrections per cell by score threshold: {said}, {fewest:.2f} at {scores.best:.2f}",
        lines=lines,
        x_ticks=[Tick(x(value), f"{value:g}") for value in ticks(1)],
        y_ticks=[Tick(y(value), f"{value:g}") for value in ticks(top)],
        x_label="score threshold",
        height=HEIGHT,
        bottom=bottom,
        marks=[Mark(ALL, at, y(chosen), said)],
        guides=[Guide(at, bottom, at, TOP, said, label=f"chosen: {scores.threshold:.2f}")],
    )
