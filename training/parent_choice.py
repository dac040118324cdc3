"""The bundle whose weights a round starts from, as it was asked for."""

from collections.abc import Mapping, Sequence
from typing import Any

from annotation.models import Study
from training.freeze import FrozenSnapshot, RoundRefused
from training.models import Bundle
from training.parents import splits_of, why_not
from training.settings import DetectorSettings
from training.splits import Split, SplitError

# A parent is chosen by itself: the study's bundle in use, else the one of another study that has seen most images.
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
        return _first_that_may(study, user, images, splits, settings)
    bundle = Bundle.for_start_of(study, user).filter(pk=wanted).first()
    if bundle is None:
        raise RoundRefused(f"The study {study.name} has no bundle {wanted}, and none of your other studies has.")
    problem = _problem(bundle, images, splits, settings)
    if problem:
        raise RoundRefused(f"The round cannot start from bundle {bundle.pk}: {problem}.")
    return bundle, f"Starts from {_named(bundle, study)}."


def _first_that_may(
    study: Study, user: Any, images: Sequence[Mapping[str, Any]], splits: Sequence[Split], settings: DetectorSettings
) -> tuple[Bundle | None, str]:
    """Of the bundles in use the study's own first, then those of the user's other studies by how many images they have
    seen: a detector that knows cells of other smears learns from few images what one from ImageNet needs many for.
    Synthetic studies stand for no smear, but for other synthetic ones."""
    in_use = Bundle.for_start_of(study, user).filter(in_use=True)
    others = [b for b in in_use if b.study_id != study.pk and (study.synthetic or not b.study.synthetic)]
    others.sort(key=lambda bundle: (-len(bundle.card["images"]), bundle.pk))
    own = [bundle for bundle in in_use if bundle.study_id == study.pk]
    passed_over = ""
    for bundle in own + others:
        problem = _problem(bundle, images, splits, settings)
        if not problem:
            return bundle, f"Starts from {_named(bundle, study)}{passed_over}."
        passed_over = passed_over or f", not from {_named(bundle, study)}: {problem}"
    return None, f"Starts from scratch{passed_over or ': the study has no bundle yet'}."


def _problem(
    bundle: Bundle, images: Sequence[Mapping[str, Any]], splits: Sequence[Split], settings: DetectorSettings
) -> str | None:
    """Why the round may not start from the bundle, as a clause; None where it may."""
    gone = None if bundle.folder.is_dir() else "its files are gone"
    return why_not(bundle.card, images, splits, settings) or gone


def _named(bundle: Bundle, study: Study) -> str:
    return f"bundle {bundle.pk}" + ("" if bundle.study_id == study.pk else f" of the study {bundle.study.name}")
