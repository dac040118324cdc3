"""The moment of a round, for whatever looks back (annotation/moments.py): when its snapshot had just been frozen."""

import re

from annotation.models import Study
from annotation.moments import Moment, MomentError
from training.contract import read_json
from training.models import Kind, Round
from training.snapshot import MANIFEST, SCHEMA, SnapshotError


def round_moment(study: Study, text: str) -> Moment | None:
    """`3` or `round 3`: when round 3 of the study was launched. Raises MomentError where there is no such round."""
    found = re.fullmatch(r"(?:round\s*)?(\d{1,9})", text.strip(), re.IGNORECASE)
    if found is None:
        return None
    round_ = Round.objects.filter(study=study, number=int(found[1])).defer("log", "curve").first()
    if round_ is None:
        raise MomentError(f"The study {study.name} has no round {found[1]}.")
    return moment_of_round(round_)


def moment_of_round(round_: Round, *, finished: bool = True) -> Moment:
    """finished: also read from its snapshot which images were, where the snapshot is still there. A classifier learns
    from images in progress too, so that its snapshot does not tell."""
    images: frozenset[str] = frozenset()
    if finished and round_.kind == Kind.DETECTOR:
        try:
            manifest = read_json(round_.snapshot_folder / MANIFEST, SCHEMA, "snapshot", SnapshotError)
            images = frozenset(image["sha256"] for image in manifest["images"])
        except SnapshotError:
            # Only the states from before they had a history are told from it.
            pass
    return Moment(round_.created_at, f"round {round_.number}", images)
