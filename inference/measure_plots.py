"""Plots of measures: how one is spread over labels or patients, how often its values occur, and two against each other.

Numbers for SVG, as training/views/plot.py makes them; people's own colours of labels come as attributes.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from annotation.measure_table import Measure
from inference.measure_rows import MeasuredCells
from training.views.plot import BOTTOM, HEIGHT, RIGHT, WIDTH, Bar, Plot, Tick, scales

# As many boxes as can be told apart, those of the most cells first.
MOST_BOXES = 40
# As many points as a page draws in a moment.
MOST_POINTS = 1_500
GREY = "#8a8f98"
_BINS = 30
_ROW, _NAMES, _BOX_WIDTH = 24, 150, 640
_FOOT, _HEAD, _BOX_RIGHT = 40, 8, 16
_SCATTER = (640, 430)


@dataclass(frozen=True)
class Group:
    """Cells that are shown together, by their places. key: of the label or the patient."""

    key: str
    name: str
    colour: str
    cells: NDArray[np.int64]


@dataclass(frozen=True)
class Box:
    """One group in a row of a BoxPlot: places on its axis of the 5th, 25th, 50th, 75th and 95th percentile."""

    key: str
    name: str
    colour: str
    y: float
    low: float
    first: float
    median: float
    third: float
    high: float
    text: str

    @property
    def width(self) -> float:
        return max(1.0, round(self.third - self.first, 1))


@dataclass(frozen=True)
class BoxPlot:
    """Boxes below one another over one axis, in user units of a viewBox; `left_out` groups had no room."""

    title: str
    summary: str
    boxes: Sequence[Box]
    x_ticks: Sequence[Tick]
    x_label: str
    height: int
    bottom: int
    left_out: int
    width: int = _BOX_WIDTH
    left: int = _NAMES
    right: int = _BOX_WIDTH - _BOX_RIGHT
    top: int = _HEAD


@dataclass(frozen=True)
class Point:
    """One cell in a Scatter."""

    x: float
    y: float
    colour: str
    text: str
    image: int
    cell: UUID


@dataclass(frozen=True)
class Scatter:
    """Cells by two measures, in user units of a viewBox: `shown` of `cells`, drawn by chance."""

    title: str
    summary: str
    points: Sequence[Point]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    x_label: str
    y_label: str
    shown: int
    cells: int
    legend: Sequence[tuple[str, str]]
    width: int = _SCATTER[0]
    height: int = _SCATTER[1]
    left: int = 58
    right: int = _SCATTER[0] - RIGHT
    top: int = 12
    bottom: int = _SCATTER[1] - BOTTOM


def heading(measure: Measure, in_um: bool) -> str:
    unit = measure.unit(in_um)
    return f"{measure.label} ({unit})" if unit else measure.label


def value_text(measure: Measure, value: float, in_um: bool) -> str:
    return f"{measure.text(value)} {measure.unit(in_um)}".strip()


def histogram(cells: MeasuredCells, measure: Measure) -> Plot | None:
    """How many cells have which value, between the first and the last percentile of a hundred; None without cells."""
    values = _known(cells.of(measure.name))
    if not len(values):
        return None
    low, high = _range(np.quantile(values, [0.005, 0.995]))
    within = values[(values >= low) & (values <= high)]
    counts, edges = np.histogram(within, bins=_BINS, range=(low, high))
    x, y = scales((low, high), (0.0, 1.05 * max(1, int(counts.max()))), WIDTH, HEIGHT - BOTTOM)
    words = heading(measure, cells.in_um)
    return Plot(
        title=f"{words}: how many cells",
        summary=f"{words} of {len(values)} cells, median {value_text(measure, float(np.median(values)), cells.in_um)}",
        lines=[],
        x_ticks=_ticks(low, high, x),
        y_ticks=_ticks(0, 1.05 * max(1, int(counts.max())), y, whole=True),
        x_label=words,
        bars=[
            Bar(
                0,
                x(edges[place]),
                y(float(count)),
                round(max(0.5, x(edges[place + 1]) - x(edges[place]) - 1), 1),
                round(y(0.0) - y(float(count)), 1),
                f"{measure.text(float(edges[place]))} to {measure.text(float(edges[place + 1]))}: {count} cells",
            )
            for place, count in enumerate(counts)
            if count
        ],
    )


def boxes(cells: MeasuredCells, measure: Measure, groups: Sequence[Group]) -> BoxPlot | None:
    """The spread of a measure in each group, in the order of the groups; None where none has a value."""
    values = cells.of(measure.name)
    spreads = [(group, _known(values[group.cells])) for group in groups]
    spreads = [(group, own) for group, own in spreads if len(own)]
    if not spreads:
        return None
    kept = spreads
    if len(spreads) > MOST_BOXES:
        least = sorted((len(own) for _, own in spreads), reverse=True)[MOST_BOXES - 1]
        kept = [each for each in spreads if len(each[1]) >= least][:MOST_BOXES]
    quantiles = [np.quantile(own, [0.05, 0.25, 0.5, 0.75, 0.95]) for _, own in kept]
    low, high = _range(np.array([min(q[0] for q in quantiles), max(q[-1] for q in quantiles)]))
    room = _BOX_WIDTH - _BOX_RIGHT - _NAMES
    bottom = _HEAD + _ROW * len(kept)

    def x(value: float) -> float:
        return round(_NAMES + room * (value - low) / (high - low), 1)

    words = heading(measure, cells.in_um)
    drawn = []
    for row, ((group, own), quantile) in enumerate(zip(kept, quantiles, strict=True)):
        first, middle, third = (measure.text(float(value)) for value in quantile[1:4])
        number = "1 cell" if len(own) == 1 else f"{len(own)} cells"
        text = f"{group.name}: median {middle}, middle half {first} to {third}, {number}"
        places = dict(
            zip(("low", "first", "median", "third", "high"), (x(float(value)) for value in quantile), strict=True)
        )
        y = _HEAD + _ROW * (row + 0.5)
        drawn.append(Box(key=group.key, name=group.name, colour=group.colour, y=y, text=text, **places))
    return BoxPlot(
        title=words,
        summary=f"{words}. " + "; ".join(box.text for box in drawn),
        boxes=drawn,
        x_ticks=_ticks(low, high, x),
        x_label=words,
        height=bottom + _FOOT,
        bottom=bottom,
        left_out=len(spreads) - len(kept),
    )


def scatter(cells: MeasuredCells, across: Measure, up: Measure, groups: Sequence[Group]) -> Scatter | None:
    """Cells by two measures, coloured by their group, grey where they have none; None where no cell has both."""
    xs, ys = cells.of(across.name), cells.of(up.name)
    both = np.nonzero(np.isfinite(xs) & np.isfinite(ys))[0]
    if not len(both):
        return None
    # Cells stand by their ids, which are drawn by chance.
    shown = both[:MOST_POINTS]
    colour = np.full(len(cells), -1)
    for number, group in enumerate(groups):
        colour[group.cells] = number
    (x_low, x_high), (y_low, y_high) = (_range(np.quantile(v[both], [0.002, 0.998])) for v in (xs, ys))
    frame = Scatter("", "", (), (), (), "", "", 0, 0, ())

    def x(value: float) -> float:
        return round(frame.left + (frame.right - frame.left) * _share(value, x_low, x_high), 1)

    def y(value: float) -> float:
        return round(frame.bottom - (frame.bottom - frame.top) * _share(value, y_low, y_high), 1)

    points = []
    for place in shown:
        own = groups[colour[place]] if colour[place] >= 0 else None
        values = (
            f"{each.label} {value_text(each, float(v[place]), cells.in_um)}" for each, v in ((across, xs), (up, ys))
        )
        points.append(
            Point(
                x(float(xs[place])),
                y(float(ys[place])),
                own.colour if own else GREY,
                ", ".join([own.name if own else "not among these", *values]),
                int(cells.images[place]),
                UUID(bytes=cells.ids[place].tobytes()),
            )
        )
    seen = {int(number) for number in np.unique(colour[shown])}
    across_words, up_words = heading(across, cells.in_um), heading(up, cells.in_um)
    return Scatter(
        title=f"{up_words} against {across_words}",
        summary=f"{up_words} against {across_words}, {len(shown)} of {len(both)} cells",
        points=points,
        x_ticks=_ticks(x_low, x_high, x),
        y_ticks=_ticks(y_low, y_high, y),
        x_label=across_words,
        y_label=up_words,
        shown=len(shown),
        cells=len(both),
        legend=[(group.name, group.colour) for number, group in enumerate(groups) if number in seen]
        + ([("not among these", GREY)] if -1 in seen else []),
    )


def _known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]


def _share(value: float, low: float, high: float) -> float:
    """Where a value lies in a range, 0 to 1: what lies beyond is drawn at its end."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _range(ends: NDArray[np.float64]) -> tuple[float, float]:
    """Both ends with some air; never empty."""
    low, high = float(ends[0]), float(ends[-1])
    air = 0.04 * (high - low) or 0.05 * abs(high) or 0.5
    return (0.0 if 0 <= low < 0.3 * high else low - air), high + air


def _ticks(low: float, high: float, place: Callable[[float], float], whole: bool = False) -> list[Tick]:
    """About five round numbers within a range."""
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    step = max(1.0, step) if whole else step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [Tick(place(i * step), f"{round(i * step, 10):g}") for i in range(first, last + 1)]
