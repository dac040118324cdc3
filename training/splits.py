"""Which groups train, which calibrate scores, and which judge. A group (patient) is never in two of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotation.folds import fold_of
from training.settings import HOLDOUT_FOLDS, DetectorSettings

# About one training group in so many calibrates scores and chooses their threshold; it never judges.
CALIBRATING_SHARE = 8


class SplitError(ValueError):
    """No split of these images can be trained on; the message says why in one sentence."""


@dataclass(frozen=True)
class Split:
    """Names of groups. `judge` is empty where nothing judges, `calibrate` where scores stay as they are."""

    train: tuple[str, ...]
    calibrate: tuple[str, ...] = ()
    judge: tuple[str, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        parts = (set(self.train), set(self.calibrate), set(self.judge))
        if sum(map(len, parts)) != len(set().union(*parts)):
            raise SplitError("A patient stands in two parts of the split.")


def holdout(images: Sequence[Mapping[str, Any]], settings: DetectorSettings) -> Split:
    """The split of one round: fold 0 of 5 judges, a few of the other groups calibrate its scores.

    Raises SplitError where a fold that was asked for holds no cell, or nothing is left to train on.
    """
    slots, cells = _groups(images)
    if settings.validation == "none":
        return Split(train=tuple(slots), note="Nothing judges this round: validation=none.")
    fold = settings.validation_fold if settings.validation_fold is not None else 0
    judge = [group for group, slot in slots.items() if fold_of(slot, HOLDOUT_FOLDS) == fold]
    rest = [group for group in slots if group not in set(judge)]
    reason = _lacking(judge, rest, cells, fold)
    if not reason and len(slots) < HOLDOUT_FOLDS:
        reason = f"only {len(slots)} patients or images are annotated"
    if not reason:
        return _with_calibration(rest, slots, cells, tuple(judge))
    if settings.validation == "auto":
        return Split(train=tuple(slots), note=f"Nothing judges this round: {reason}.")
    raise SplitError(f"Fold {fold} cannot judge this round: {reason}.")


def crossed(images: Sequence[Mapping[str, Any]], folds: int) -> list[Split]:
    """One split a fold of cross-validation; each group judges once. Raises SplitError where a fold has no cell."""
    slots, cells = _groups(images)
    splits = []
    for fold in range(folds):
        judge = [group for group, slot in slots.items() if fold_of(slot, folds) == fold]
        rest = [group for group in slots if group not in set(judge)]
        reason = _lacking(judge, rest, cells, fold)
        if reason:
            raise SplitError(f"The study cannot be cross-validated in {folds} folds: {reason}.")
        splits.append(_with_calibration(rest, slots, cells, tuple(judge)))
    return splits


def _groups(images: Sequence[Mapping[str, Any]]) -> tuple[dict[str, int], dict[str, int]]:
    """Slot and number of cells of each group, in the order of arrival (by slot, then name)."""
    slots: dict[str, int] = {}
    cells: dict[str, int] = {}
    for image in images:
        group = image["group"]
        slots[group] = image["fold"]
        cells[group] = cells.get(group, 0) + sum(not border["ignored"] for border in image["borders"])
    if not any(cells.values()):
        raise SplitError("The annotated images hold no cell to learn from.")
    return dict(sorted(slots.items(), key=lambda item: (item[1], item[0]))), cells


def _lacking(judge: Sequence[str], rest: Sequence[str], cells: Mapping[str, int], fold: int) -> str:
    if not any(cells[group] for group in judge):
        return f"fold {fold} holds no annotated cell"
    if not any(cells[group] for group in rest):
        return f"no cell is annotated outside fold {fold}"
    return ""


def _with_calibration(
    rest: Sequence[str], slots: Mapping[str, int], cells: Mapping[str, int], judge: tuple[str, ...]
) -> Split:
    """Set a few groups with cells aside, spread over the order of arrival; none where too few are left to train."""
    candidates = [group for group in rest if cells[group]]
    count = len(candidates) // CALIBRATING_SHARE
    if count == 0 and len(candidates) >= 4:
        count = 1
    step = len(candidates) / count if count else 0
    calibrate = tuple(candidates[int((i + 0.5) * step)] for i in range(count))
    note = "" if calibrate else "Too few patients to set any aside for calibration: scores stay as they are."
    return Split(tuple(group for group in rest if group not in set(calibrate)), calibrate, judge, note)
