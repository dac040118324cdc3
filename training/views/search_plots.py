"""Plots of a search: the value of each trial with the best so far, and the value against each setting."""

import math
from collections.abc import Sequence
from typing import Any

from training.views.plot import BOTTOM, HEIGHT, RIGHT, WIDTH, Line, Mark, Plot, Scale, Tick, scales
from training.views.search_kinds import DETECTOR, Searched

# Colours of rounds.css: the best so far, trials that ran to their end, trials that were ended early.
BEST, COMPLETE, PRUNED = 0, 1, 3
# A small plot of one setting; several stand side by side.
SMALL = (240, 150)
# It has no name under its x axis.
SMALL_BOTTOM = 26
# What a long number under it takes.
NUMBER_WIDTH = 52


def value_plot(trials: Sequence[dict[str, Any]], searched: Searched = DETECTOR) -> Plot | None:
    """The value of each trial, by its number from 1, and the best of those that ran to their end; None before any."""
    done = [(place, trial) for place, trial in enumerate(trials, 1) if trial["value"] is not None]
    if not done:
        return None
    low, high = _range([trial["value"] for _, trial in done], pad=0.08)
    x, y = scales((1.0, max(2.0, float(len(trials)))), (low, high), WIDTH, HEIGHT - BOTTOM)
    best: float | None = None
    points: list[str] = []
    end = (0.0, 0.0)
    for place, trial in done:
        if trial["state"] == "complete" and (best is None or trial["value"] > best):
            if best is not None:
                points.append(f"{x(place)},{y(best)}")
            best = trial["value"]
            points.append(f"{x(place)},{y(best)}")
        if best is not None:
            end = (x(place), y(best))
    if best is not None:
        points.append(f"{end[0]},{end[1]}")
    count = len(trials)
    step = max(1, math.ceil(count / 10))
    return Plot(
        title="Value by trial",
        summary=f"{searched.measure} of {len(done)} trials {searched.compared_on}"
        + (f", best {best:.3f}" if best is not None else ""),
        lines=[
            Line("best so far", BEST, " ".join(points), *end),
            # Without points: they name the colours of the marks.
            Line("ran to its end", COMPLETE, "", 0, 0),
            *([] if searched.nested else [Line("ended early", PRUNED, "", 0, 0)]),
        ],
        x_ticks=[Tick(x(place), str(place)) for place in range(1, count + 1, step)],
        y_ticks=_ticks(low, high, y),
        x_label="trial",
        marks=[_mark(trial, place, x(place), y(trial["value"])) for place, trial in done],
    )


def setting_plots(trials: Sequence[dict[str, Any]], searched: Searched = DETECTOR) -> list[Plot]:
    """Value against each setting that was drawn, in the order of the space; none before two trials."""
    done = [(place, trial) for place, trial in enumerate(trials, 1) if trial["value"] is not None]
    if len(done) < 2:
        return []
    low, high = _range([trial["value"] for _, trial in done], pad=0.1)
    width, height = SMALL
    plots = []
    for name, title in searched.titles.items():
        log = name in searched.logarithmic
        # A logarithm has no place for 0, which may be given.
        with_it = [(place, trial) for place, trial in done if _has_place(trial["settings"].get(name), log)]
        if len(with_it) < 2:
            continue
        values = [trial["settings"][name] for _, trial in with_it]
        words = sorted(set(values)) if isinstance(values[0], str) else []
        told = [float(words.index(value)) if words else math.log10(value) if log else float(value) for value in values]
        least, most = _range(told, pad=0.12 if words else 0.06)
        x, y = scales((least, most), (low, high), width, height - SMALL_BOTTOM)
        if words:
            x_ticks = [Tick(x(number), _abbreviated(word)) for number, word in enumerate(words)]
        elif log:
            x_ticks = _decades(least, most, x)
        else:
            x_ticks = _ticks(least, most, x, about=3, whole=isinstance(values[0], int))
        plots.append(
            Plot(
                title=title,
                summary=f"{searched.measure} against {title.lower()}, {len(with_it)} trials",
                lines=[],
                x_ticks=x_ticks,
                y_ticks=_ticks(low, high, y, about=3),
                x_label="",
                width=width,
                height=height,
                right=width - RIGHT,
                bottom=height - SMALL_BOTTOM,
                marks=[
                    _mark(trial, place, x(value), y(trial["value"]), f"{name} {_said(trial['settings'][name])}")
                    for (place, trial), value in zip(with_it, told, strict=True)
                ],
            )
        )
    return plots


def _has_place(value: Any, log: bool) -> bool:
    return value is not None and not (log and value <= 0)


def _abbreviated(word: str) -> str:
    """As a small plot has room for; the mark's title says it whole."""
    return word if len(word) <= 4 else f"{word[:3]}."


def _said(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _mark(trial: dict[str, Any], place: int, x: float, y: float, more: str = "") -> Mark:
    early = " (ended early)" if trial["state"] == "pruned" else ""
    text = f"Trial {place}: {trial['value']:.3f}{early}{f', {more}' if more else ''}"
    return Mark(PRUNED if early else COMPLETE, x, y, text)


def _range(values: Sequence[float], pad: float) -> tuple[float, float]:
    """From the least to the greatest with some air; never empty."""
    least, most = min(values), max(values)
    air = pad * (most - least) or 0.05 * abs(most) or 0.5
    return least - air, most + air


def _ticks(low: float, high: float, place: Scale, about: int = 5, whole: bool = False) -> list[Tick]:
    """Round numbers within: about so many, but two where that can be."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    wanted = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    for step in (wanted, wanted / 2, wanted / 4, wanted / 5):
        if whole:
            step = max(1.0, round(step))
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last > first:
            break
    return [Tick(place(i * step), f"{round(i * step, 10):g}") for i in range(first, last + 1)]


def _decades(low: float, high: float, place: Scale) -> list[Tick]:
    """Powers of ten within two logarithms, or their doubles and halves too where there are too few."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    factors = (1,) if sum(low <= p <= high for p in powers) >= 2 else (1, 2, 5)
    found = [(p + math.log10(f), f * 10.0**p) for p in powers for f in factors]
    kept: list[Tick] = []
    for at, value in found:
        # No number runs into the one before it.
        if low <= at <= high and (not kept or place(at) - kept[-1].at >= NUMBER_WIDTH):
            kept.append(Tick(place(at), f"{value:g}"))
    return kept
