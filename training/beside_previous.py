"""A round beside the one before it: what changed in the data, and how both did on the images that judged both."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet

from annotation.models import Study
from training.comparison import compare
from training.contract import ContractError, read_json
from training.data_changes import data_changes
from training.freeze import FrozenSnapshot
from training.models import JobState, Judgement, Kind, Round
from training.snapshot import MANIFEST, SCHEMA, SnapshotError

# So many earlier rounds are looked through for one that the same images judged.
LOOKED_THROUGH = 10


def changes_since_previous(study: Study, frozen: FrozenSnapshot) -> dict[str, Any] | None:
    """What changed since the newest round that succeeded, as Round.data_changes keeps it: {"since": its number, ...}
    (training/data_changes.py). None where there is no such round, or its snapshot is gone."""
    last = _succeeded(study).first()
    if last is None:
        return None
    try:
        before = read_json(last.snapshot_folder / MANIFEST, SCHEMA, "snapshot", SnapshotError)
    except ContractError:
        return None
    return {"since": last.number, **data_changes(before, frozen.manifest)}


def compared_with_previous(
    round_: Round, judged: list[dict[str, Any]], alive: Callable[[], object] = lambda: None
) -> dict[str, Any] | None:
    """The round beside the newest earlier one that images among `judged` judged too, as Round.comparison keeps it.
    `alive` is called now and then, as it may take a minute.

    {"beside": number of that round, "previous": number of the one before, ...} (training/comparison.py); where no
    image judged both, "beside" is None and nothing follows. None where there is no earlier round, or nothing judged
    this one.
    """
    if not judged:
        return None
    earlier = _succeeded(round_.study).filter(number__lt=round_.number)
    previous = earlier.first()
    if previous is None:
        return None
    for judgement in Judgement.objects.filter(round__in=earlier[:LOOKED_THROUGH]).order_by("-round__number"):
        found = compare(judged, judgement.images, alive)
        if found is not None:
            number = earlier.values_list("number", flat=True).get(pk=judgement.round_id)
            return {"beside": number, "previous": previous.number, **found}
    return {"beside": None, "previous": previous.number}


def _succeeded(study: Study) -> QuerySet[Round]:
    """Newest first."""
    rounds = Round.objects.filter(study=study, kind=Kind.DETECTOR, state=JobState.SUCCEEDED)
    return rounds.defer("log", "curve").order_by("-number")
