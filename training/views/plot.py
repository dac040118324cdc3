"""Plots as SVG without script or style of their own: numbers here, colours in rounds.css."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 480, 230
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 44
# As many as rounds.css has colours for.
COLOURS = 7

# From a value to its place in the plot.
Scale = Callable[[float], float]


@dataclass(frozen=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True)
class Line:
    """`points` as a polyline wants them; `colour` 0 to COLOURS - 1; the last point is marked. Those that are `faint`
    are thin, without a mark, and lines of one name that follow each other share their place in the legend."""

    name: str
    colour: int
    points: str
    end_x: float
    end_y: float
    faint: bool = False


@dataclass(frozen=True)
class Mark:
    """A point of a line that is told on its own, in `text`; with an interval from y `low` to y `high` where given."""

    colour: int
    x: float
    y: float
    text: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Guide:
    """A thin dashed line to hold others against, told in `text`; `label` stands at its end, to the left of it where the
    line lies far to the right."""

    x1: float
    y1: float
    x2: float
    y2: float
    text: str
    label: str = ""

    @property
    def to_the_left(self) -> bool:
        return self.x2 > 0.7 * WIDTH


@dataclass(frozen=True)
class Area:
    """What lies between two lines, told in `text`; `points` go along one and back along the other."""

    name: str
    colour: int
    points: str
    text: str


@dataclass(frozen=True)
class Bar:
    """A rectangle from its upper left corner, told in `text`."""

    colour: int
    x: float
    y: float
    width: float
    height: float
    text: str


@dataclass(frozen=True)
class Plot:
    """One pair of axes in user units of a viewBox of WIDTH × HEIGHT."""

    title: str
    summary: str
    lines: Sequence[Line]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    x_label: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM
    marks: Sequence[Mark] = ()
    guides: Sequence[Guide] = ()
    bars: Sequence[Bar] = ()
    areas: Sequence[Area] = ()


def line_plot(
    title: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    x_label: str,
    x_max: float,
    y_max: float | None = None,
) -> Plot | None:
    """Lines of (x, y) by name, both from 0; None where there is no point.

    `y_max` None: as far as the highest point, but the first steps of a loss, which tower over the rest, are cut off
    at the top.
    """
    series = {name: [p for p in points if math.isfinite(p[1])] for name, points in series.items()}
    series = {name: points for name, points in series.items() if points}
    if not series:
        return None
    heights = sorted(y for points in series.values() for _, y in points)
    if y_max is None:
        y_max = min(heights[-1], 1.6 * heights[int(0.95 * (len(heights) - 1))]) or 1.0
        y_max *= 1.05
    x_max = max(x_max, *(x for points in series.values() for x, _ in points)) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            round(LEFT + (WIDTH - LEFT - RIGHT) * x / x_max, 1),
            round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(max(y / y_max, 0), 1), 1),
        )

    lines = []
    for number, (name, points) in enumerate(series.items()):
        placed = [place(x, y) for x, y in points]
        drawn = " ".join(f"{x},{y}" for x, y in placed)
        lines.append(Line(name, number % COLOURS, drawn, *placed[-1]))
    last = "; ".join(f"{name}: {points[-1][1]:.3g}" for name, points in series.items())
    return Plot(
        title=title,
        summary=f"{title}, last values: {last}",
        lines=lines,
        x_ticks=[Tick(place(x, 0)[0], _text(x)) for x in ticks(x_max, whole=True)],
        y_ticks=[Tick(place(0, y)[1], _text(y)) for y in ticks(y_max)],
        x_label=x_label,
    )


def step_plot(
    title: str,
    names: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    *,
    x_label: str,
    intervals: Sequence[tuple[float, float] | None] = (),
    unit: str = "",
) -> Plot | None:
    """Lines over steps that have names (rounds, say), a mark a step; None where there is no value.

    Each series has a value for each name, None for none. `intervals` belong to the first series; `unit` follows the
    values in what the marks say.
    """
    found = {name: values for name, values in series.items() if any(value is not None for value in values)}
    if not found:
        return None
    tops = [value for values in found.values() for value in values if value is not None]
    tops += [interval[1] for interval in intervals if interval is not None]
    y_max = 1.08 * max(tops) or 1.0
    span = max(1, len(names) - 1)

    def place(step: int, y: float) -> tuple[float, float]:
        # Half a step of room at both sides, so that no mark lies on the axis.
        x = LEFT + (WIDTH - LEFT - RIGHT) * (step + 0.5) / (span + 1)
        return round(x, 1), round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(max(y / y_max, 0), 1), 1)

    lines, marks = [], []
    for number, (name, values) in enumerate(found.items()):
        colour = number % COLOURS
        known = [(step, value) for step, value in enumerate(values) if value is not None]
        placed = [place(step, value) for step, value in known]
        lines.append(Line(name, colour, " ".join(f"{x},{y}" for x, y in placed), *placed[-1]))
        for (step, value), (x, y) in zip(known, placed, strict=True):
            interval = intervals[step] if number == 0 and step < len(intervals) else None
            text = f"{names[step]}, {name}: {value:.3g}{unit}"
            low = high = None
            if interval is not None:
                low, high = (place(step, end)[1] for end in interval)
                text += f" ({interval[0]:.3g} to {interval[1]:.3g})"
            marks.append(Mark(colour, x, y, text, low, high))
    # As many names as have room.
    every = -(-len(names) // 12)
    return Plot(
        title=title,
        summary=f"{title}. " + "; ".join(mark.text for mark in marks),
        lines=lines,
        x_ticks=[Tick(place(step, 0)[0], name) for step, name in enumerate(names) if step % every == 0],
        y_ticks=[Tick(place(0, y)[1], _text(y)) for y in ticks(y_max)],
        x_label=x_label,
        marks=marks,
    )


def scales(xs: tuple[float, float], ys: tuple[float, float], width: int, bottom: int) -> tuple[Scale, Scale]:
    """Where values lie that go from the first to the second of `xs` and `ys`."""

    def x(value: float) -> float:
        return round(LEFT + (width - LEFT - RIGHT) * (value - xs[0]) / (xs[1] - xs[0]), 1)

    def y(value: float) -> float:
        return round(bottom - (bottom - TOP) * (value - ys[0]) / (ys[1] - ys[0]), 1)

    return x, y


def ticks(end: float, about: int = 5, whole: bool = False) -> list[float]:
    """Round numbers from 0 to `end` at most, about that many, a step of 1, 2 or 5 times a power of ten apart."""
    raw = end / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    if whole:
        step = max(1.0, round(step))
    return [round(step * i, 10) for i in range(int(end / step + 1e-9) + 1)]


def _text(value: float) -> str:
    return f"{value:g}"
