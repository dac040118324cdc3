"""The inner split of a search: what trials train on and are compared on, all of it from groups that never judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training.settings import DetectorSettings
from training.splits import SplitError, holdout

# About one in so many of the groups with cells compares trials; the others train them.
VALIDATION_SHARE = 4
# From this share of them on, groups that the parent never saw suffice to compare trials that start from it.
UNSEEN_SHARE = 0.1


@dataclass(frozen=True)
class InnerSplit:
    """Names of groups. `warm`: trials may start from the parent's weights, which saw none of `validation`."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    warm: bool = False

    @property
    def groups(self) -> frozenset[str]:
        return frozenset(self.train) | frozenset(self.validation)


def inner_split(
    images: Sequence[Mapping[str, Any]],
    settings: DetectorSettings,
    parent: Mapping[str, Any] | None = None,
) -> InnerSplit:
    """Part the groups that train the round, and those that calibrate it, once more; those that judge it take no part.

    `parent` is the card of the bundle that the round starts from. Trials start from it too where enough groups are
    unknown to it, which then compare the trials; otherwise they start from scratch: what a network has learned by
    heart compares nothing. Raises SplitError where too few groups hold cells.
    """
    if settings.folds:
        raise SplitError("A cross-validated round cannot search: every patient judges.")
    outer = holdout(images, settings)
    judges = frozenset(outer.judge)
    cells: dict[str, int] = {}
    slots: dict[str, int] = {}
    seen: set[str] = set()
    known = (frozenset(parent["groups"]), frozenset(parent["images"])) if parent is not None else (frozenset(),) * 2
    for image in images:
        group = image["group"]
        if group in judges:
            continue
        slots[group] = image["fold"]
        cells[group] = cells.get(group, 0) + sum(not border["ignored"] for border in image["borders"])
        if group in known[0] or image["sha256"] in known[1]:
            seen.add(group)
    order = sorted(slots, key=lambda group: (slots[group], group))
    candidates = [group for group in order if cells[group]]
    if len(candidates) < 2:
        raise SplitError("A search needs two patients or images with cells that do not judge, to train and to compare.")
    unseen = [group for group in candidates if group not in seen]
    # One stays to train with in any case.
    count = min(max(1, len(candidates) // VALIDATION_SHARE), len(candidates) - 1)
    warm = parent is not None and len(unseen) >= max(1, UNSEEN_SHARE * len(candidates))
    validation = _spread(unseen if warm else candidates, count)
    split = InnerSplit(tuple(g for g in order if g not in set(validation)), validation, warm)
    # The promise of DESIGN.md, decision 8: whatever changes above, this stays.
    if split.groups & judges or set(split.train) & set(split.validation):
        raise AssertionError("A patient who judges the round, or who trains the trials, would compare them.")
    return split


def _spread(groups: Sequence[str], count: int) -> tuple[str, ...]:
    """So many of the groups, or all, spread evenly over their order."""
    count = min(count, len(groups))
    step = len(groups) / count
    return tuple(groups[int((i + 0.5) * step)] for i in range(count))
