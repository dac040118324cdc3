"""When a round may start from the weights of an earlier bundle: only where that one never saw what judges this one."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.settings import DetectorSettings
from training.splits import Split, crossed, holdout


def splits_of(images: Sequence[Mapping[str, Any]], settings: DetectorSettings) -> list[Split]:
    """The splits that a round trains on: one, or one a fold. Raises SplitError."""
    if settings.folds:
        return crossed(images, settings.folds)
    return [holdout(images, settings)]


def why_not(
    card: Mapping[str, Any], images: Sequence[Mapping[str, Any]], splits: Sequence[Split], settings: DetectorSettings
) -> str | None:
    """None where the bundle of this card may be the parent of a round on these splits, else the reason, as a clause.

    Looks at groups and at image hashes: a patient may have been given to an image after the parent was trained.
    """
    if card["kind"] != "detector":
        return f"it is a {card['kind']}"
    for name in ("backbone", "pyramid"):
        theirs, ours = card["architecture"].get(name), getattr(settings, name)
        if theirs != ours:
            return f"its {name} is {theirs}, not {ours}"
    judges = {group for split in splits for group in split.judge}
    seen_groups, seen_images = set(card["groups"]), set(card["images"])
    for image in images:
        if image["group"] in judges and (image["group"] in seen_groups or image["sha256"] in seen_images):
            name = (image["names"] or [image["sha256"][:12]])[0]
            return f"it was trained on {name} or its patient, which judges this round"
    return None
