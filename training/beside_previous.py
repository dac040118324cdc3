"""A round beside the one before it of its kind: what changed in the data, and how both did on what judged both: images,
cells or patients."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from django.db.models import QuerySet

from annotation.models import Study
from training.chances_comparison import compare_chances
from training.comparison import compare
from training.contract import ContractError, read_json
from training.data_changes import data_changes
from training.freeze import FrozenSnapshot
from training.judged import read_judged
from training.judged_chances import read_judged_chances
from training.models import JobState, Judgement, Kind, Round
from training.snapshot import MANIFEST, SCHEMA, SnapshotError

# So many earlier rounds are looked through for one that the same images judged.
LOOKED_THROUGH = 10


def changes_since_previous(
    study: Study, frozen: FrozenSnapshot, kind: Kind = Kind.DETECTOR, target: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """What changed since the newest round of the kind and target that succeeded, as Round.data_changes keeps it:
    {"since": its number, ...} (training/data_changes.py). None where there is no such round, or its snapshot is gone.
    """
    last = _succeeded(study, kind, target or {}).first()
    if last is None:
        return None
    try:
        before = read_json(last.snapshot_folder / MANIFEST, SCHEMA, "snapshot", SnapshotError)
    except ContractError:
        return None
    return {"since": last.number, **data_changes(before, frozen.manifest)}


def judged_by(round_: Round, path: Path) -> list[dict[str, Any]]:
    """What judged the round, as its process wrote it. Raises JudgedError."""
    return read_judged(path) if round_.kind == Kind.DETECTOR else read_judged_chances(path)


def compared_with_previous(
    round_: Round, judged: list[dict[str, Any]], alive: Callable[[], object] = lambda: None
) -> dict[str, Any] | None:
    """The round beside the newest earlier one of its kind and target that some of what `judged` it judged too, as
    Round.comparison keeps it. `alive` is called now and then, as it may take a minute.

    {"beside": number of that round, "previous": number of the one before, ...} (training/comparison.py for a detector,
    training/chances_comparison.py otherwise); where nothing judged both, "beside" is None and nothing follows. None
    where there is no earlier round, or nothing judged this one.
    """
    if not judged:
        return None
    earlier = _succeeded(round_.study, Kind(round_.kind), round_.target).filter(number__lt=round_.number)
    previous = earlier.first()
    if previous is None:
        return None
    beside = compare if round_.kind == Kind.DETECTOR else compare_chances
    for judgement in Judgement.objects.filter(round__in=earlier[:LOOKED_THROUGH]).order_by("-round__number"):
        found = beside(judged, judgement.entries, alive)
        if found is not None:
            number = earlier.values_list("number", flat=True).get(pk=judgement.round_id)
            return {"beside": number, "previous": previous.number, **found}
    return {"beside": None, "previous": previous.number}


def _succeeded(study: Study, kind: Kind, target: Mapping[str, Any]) -> QuerySet[Round]:
    """Newest first."""
    rounds = Round.objects.filter(study=study, kind=kind, target=target, state=JobState.SUCCEEDED)
    return rounds.defer("log", "curve").order_by("-number")
