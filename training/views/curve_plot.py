"""One plot of ROC or precision-recall curves on axes from 0 to 1, with the band of draws of patients where there is one
(training/curve_bands.py); rounds judged before there were bands are drawn without."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.views.plot import BOTTOM, HEIGHT, WIDTH, Area, Guide, Line, Plot, Tick, scales, ticks

# The curve of all is drawn last, on those of folds; the band has its colour.
OF_ALL, MEAN, FOLD = 0, 1, 6
_HEIGHT = HEIGHT + 70
# Where a text says how wide the band is.
_SAID_AT = (0.1, 0.5, 0.9)

Points = Sequence[tuple[float, float]]


def curve_plot(
    title: str,
    of_all: tuple[str, Points],
    *,
    band: Mapping[str, Any] | None,
    folds: int,
    x_label: str,
    y_name: str,
    of_folds: Sequence[Points] = (),
    chance: str = "",
) -> Plot:
    """`of_all`: the name and the points of the curve of all; `of_folds` those of each fold, where they are drawn. band:
    {x, low, high, mean} as curve_bands() has it, `folds` of how many the mean is made. chance: what the diagonal is."""
    bottom = _HEIGHT - BOTTOM
    x, y = scales((0, 1), (0, 1), WIDTH, bottom)

    def line(name: str, colour: int, points: Points, faint: bool = False) -> Line:
        placed = [(x(a), y(b)) for a, b in points]
        return Line(name, colour, " ".join(f"{a},{b}" for a, b in placed), *placed[-1], faint)

    lines = [line("each fold", FOLD, points, faint=True) for points in of_folds]
    # The mean of one fold is that fold.
    if band and folds > 1 and band.get("mean"):
        lines.append(line(f"mean of {folds} folds", MEAN, list(zip(band["x"], band["mean"], strict=True))))
    lines.append(line(of_all[0], OF_ALL, of_all[1]))
    summary = f"{title}: {y_name} against {x_label}, for {', '.join(dict.fromkeys(each.name for each in lines))}"
    areas = []
    if band and band["low"]:
        edge = [(x(a), y(b)) for a, b in zip(band["x"], band["high"], strict=True)]
        edge += [(x(a), y(b)) for a, b in zip(band["x"][::-1], band["low"][::-1], strict=True)]
        said = "; ".join(_said(band, at, x_label) for at in _SAID_AT)
        areas.append(Area("95 % band", OF_ALL, " ".join(f"{a},{b}" for a, b in edge), said))
        summary += f". 95 % band, by drawing patients anew: {said}"
    return Plot(
        title=title,
        summary=summary,
        lines=lines,
        x_ticks=[Tick(x(value), f"{value:g}") for value in ticks(1)],
        y_ticks=[Tick(y(value), f"{value:g}") for value in ticks(1)],
        x_label=x_label,
        height=_HEIGHT,
        bottom=bottom,
        guides=[Guide(x(0), y(0), x(1), y(1), chance)] if chance else [],
        areas=areas,
    )


def _said(band: Mapping[str, Any], at: float, x_label: str) -> str:
    place = min(range(len(band["x"])), key=lambda each: abs(band["x"][each] - at))
    return f"{band['low'][place]:.2f} to {band['high'][place]:.2f} at a {x_label} of {band['x'][place]:g}"
