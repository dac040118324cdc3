"""Whether a round would only train again what an earlier one has trained: said instead, unless it is wanted."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Q

from annotation.models import Study
from training.freeze import FrozenSnapshot, RoundRefused
from training.models import Bundle, JobState, Kind, Round
from training.settings import DetectorSettings


class RoundUnchanged(RoundRefused):
    """There is nothing new to learn; `round` is the one that learned it."""

    def __init__(self, round_: Round, only_labels: bool = False) -> None:
        labels = " but for labels, which a detector does not learn from" if only_labels else ""
        super().__init__(
            f"Data unchanged since round {round_.number}{labels}: with the same settings, seed and start it would "
            "train the same again."
        )
        self.round = round_


def refuse_unchanged(
    study: Study,
    frozen: FrozenSnapshot,
    settings: DetectorSettings,
    *,
    seed: int,
    trials: int,
    parent: Bundle | None,
    start_is_auto: bool,
) -> None:
    """Raise RoundUnchanged where a round that succeeded learned the same, with the same settings, seed and trials,
    from the same parent: a bundle is named by its content, so that its whole chain is the same then.

    A parent chosen by itself also counts as the same where the bundle in use is what came of that round: it would
    start from its own result.
    """
    same = (
        Round.objects.filter(study=study, kind=Kind.DETECTOR, state=JobState.SUCCEEDED)
        .filter(settings=settings.as_dict(), seed=seed, trials=trials)
        .filter(Q(snapshot=frozen.hash) | Q(lesson=frozen.lesson))
        .select_related("bundle")
        .defer("log", "curve", "bundle__card")
        .order_by("-number")
    )
    for earlier in same:
        started_alike = earlier.parent_id == (parent.pk if parent else None)
        own_result = start_is_auto and earlier.bundle is not None and earlier.bundle.in_use
        if started_alike or own_result:
            raise RoundUnchanged(earlier, only_labels=earlier.snapshot != frozen.hash)


def refuse_unchanged_lesson(
    study: Study, kind: Kind, target: Mapping[str, Any], frozen: FrozenSnapshot, same: Mapping[str, Any]
) -> None:
    """Raise RoundUnchanged where a round of a classifier's or a diagnosis's kind that succeeded learned the same target
    from the same lesson, with the same fields: `same` holds its settings, seed and trials."""
    alike = Round.objects.filter(
        study=study, kind=kind, state=JobState.SUCCEEDED, target=dict(target), lesson=frozen.lesson, **same
    )
    earlier = alike.defer("log", "curve").order_by("-number").first()
    if earlier is not None:
        raise RoundUnchanged(earlier)
