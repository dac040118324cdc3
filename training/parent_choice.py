"""The bundle whose weights a round starts from, as it was asked for."""

from typing import Any

from annotation.models import Study
from training.freeze import FrozenSnapshot, RoundRefused
from training.models import Bundle, Kind
from training.parents import splits_of, why_not
from training.settings import DetectorSettings
from training.splits import SplitError

# A parent is chosen by itself: the bundle in use, where it never saw what judges this round.
AUTO = "auto"


def choose_parent(
    study: Study, wanted: str | None, frozen: FrozenSnapshot, settings: DetectorSettings, user: Any = None
) -> tuple[Bundle | None, str]:
    """The bundle whose weights the round starts from, and a sentence for the log that says why.

    `wanted` is AUTO, None for none, or the id of a bundle: of this study, or of another one that `user` is a member
    of (any, where nobody is named, as on the command line). Raises RoundRefused where the snapshot cannot be split as
    the settings want, and where a bundle that was named does not exist for the user or may not be the parent.
    """
    images = frozen.manifest["images"]
    try:
        splits = splits_of(images, settings)
    except SplitError as error:
        raise RoundRefused(str(error)) from error
    if wanted is None:
        return None, "Starts from scratch, as asked."
    if wanted == AUTO:
        bundle = Bundle.used_by(study, Kind.DETECTOR)
        if bundle is None:
            return None, "Starts from scratch: the study has no bundle yet."
    else:
        bundle = Bundle.for_start_of(study, user).filter(pk=wanted).first()
        if bundle is None:
            raise RoundRefused(f"The study {study.name} has no bundle {wanted}, and none of your other studies has.")
    problem = why_not(bundle.card, images, splits, settings)
    if not problem and not bundle.folder.is_dir():
        problem = "its files are gone"
    if not problem:
        elsewhere = "" if bundle.study_id == study.pk else f" of the study {bundle.study.name}"
        return bundle, f"Starts from bundle {bundle.pk}{elsewhere}."
    if wanted == AUTO:
        return None, f"Starts from scratch, not from bundle {bundle.pk}: {problem}."
    raise RoundRefused(f"The round cannot start from bundle {bundle.pk}: {problem}.")
