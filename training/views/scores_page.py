"""What the page of a round says of its scores: how far they can be trusted, and what the threshold costs."""

from collections.abc import Sequence
from typing import Any

from annotation.templatetags.humane import percent, thousands
from training.calibration import LEAST_DETECTIONS, Calibration
from training.judged_scores import JudgedScores, judged_scores
from training.models import Bundle, Judgement, Kind, Round
from training.reliability import BINS, Bin, Reliability
from training.views.score_plots import reliability_plot, threshold_plot

# Up to this error a score can be read as a probability.
TRUSTED = 0.05


def scores_context(round_: Round) -> dict[str, Any]:
    """Everything of templates/training/_round_scores.html; `scores` is None where what the round found on the images
    that judged it is not known, or nothing judged it. Costs one query."""
    bundle = round_.bundle
    threshold = threshold_of(bundle)
    context: dict[str, Any] = {"round": round_, "threshold": threshold, "scores": None}
    if bundle is None or threshold is None or round_.kind != Kind.DETECTOR:
        return context
    card = bundle.card
    calibration = Calibration.from_card(card)
    calibrated = calibration.detections > 0
    context |= {
        "calibrated_with": calibration.detections,
        "calibrated": calibrated,
        "knows_calibration": "calibration" in card,
        "chosen": any(split.get("calibrate") for split in card.get("folds", {}).get("splits", [])),
    }
    judgement = Judgement.objects.filter(round=round_).first()
    if judgement is None:
        return context
    scores = judged_scores(judgement.entries, calibration, threshold)
    series = [("Calibrated" if calibrated else "As given", scores.after)]
    if calibrated:
        series.insert(0, ("Before calibration", scores.before))
    plots = [reliability_plot(scores, calibrated), threshold_plot(scores)]
    return context | {
        "scores": scores,
        "verdict": verdict(scores),
        "said": said(scores, calibrated),
        "per_cell": scores.at_threshold.total / scores.cells if scores.cells else None,
        "plots": [plot for plot in plots if plot],
        "series": [name for name, _ in series],
        "bins": [(f"{k / BINS:.1f} to {(k + 1) / BINS:.1f}", bins) for k, bins in _side_by_side(series)],
    }


def _side_by_side(series: Sequence[tuple[str, Reliability]]) -> list[tuple[int, list[Bin | None]]]:
    """The bins of several series, the surest first, by number; None where a series has none of it."""
    held = [{round(each.low * BINS): each for each in one.bins} for _, one in series]
    return [(k, [one.get(k) for one in held]) for k in sorted(set().union(*held), reverse=True)]


def threshold_of(bundle: Bundle | None) -> float | None:
    """The score from which on the bundle's proposals are shown; None where its card does not say."""
    found = bundle.card.get("score_threshold") if bundle else None
    return float(found) if isinstance(found, int | float) else None


def verdict(scores: JudgedScores) -> str:
    """How far scores can be read as probabilities; empty where there are too few detections to tell."""
    if scores.after.detections < LEAST_DETECTIONS:
        return ""
    if scores.after.error <= TRUSTED:
        return "Scores can be read as probabilities"
    # Of what people see, where that is enough to say.
    told = scores.shown if scores.shown.detections >= LEAST_DETECTIONS else scores.after
    lean = told.promised - told.share
    if abs(lean) <= TRUSTED:
        return "Scores are only a rough guide"
    return "Scores promise too much" if lean > 0 else "Scores promise too little"


def said(scores: JudgedScores, calibrated: bool) -> str:
    """What the verdict rests on, as the rest of its sentence; or why there is none, as a sentence."""
    after, shown = scores.after, scores.shown
    if not verdict(scores):
        found = f"{after.detections or 'no'} detection{'s' * (after.detections != 1)}"
        return f"The network found {found} on these images: too few to say how far scores can be trusted."
    proposals = "no proposal reaches the threshold"
    if shown.detections:
        proposals = f"of {thousands(shown.detections)} proposals shown {percent(shown.share)} are cells"
        proposals += f" where their scores promise {percent(shown.promised)}"
    before = f", {100 * scores.before.error:.0f} before calibration" if calibrated else ""
    points = f"{100 * after.error:.0f} percentage point{'s' * (round(100 * after.error) != 1)}"
    return f"{proposals}, and over all {thousands(after.detections)} detections a score is {points} off{before}."
