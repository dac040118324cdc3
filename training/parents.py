"""When a round may start from the weights of an earlier bundle: only where that one never saw what judges this one."""

from collections.abc import Mapping
from typing import Any

from training.settings import DetectorSettings
from training.splits import Split, SplitError, crossed, holdout


def parent_allowed(card: Mapping[str, Any], manifest: Mapping[str, Any], settings: DetectorSettings) -> str | None:
    """None where the bundle of this card may be the parent of a round, else the reason in one sentence.

    Looks at groups and at image hashes: a patient may have been given to an image after the parent was trained.
    """
    if card.get("kind") != "detector":
        return f"The bundle is a {card.get('kind')}, not a detector."
    if card["architecture"].get("backbone") != settings.backbone:
        return f"The bundle's backbone is {card['architecture'].get('backbone')}, not {settings.backbone}."
    if card["architecture"].get("pyramid") != settings.pyramid:
        return f"The bundle's pyramid has {card['architecture'].get('pyramid')} channels, not {settings.pyramid}."
    try:
        judges = {group for split in splits_of(manifest, settings) for group in split.judge}
    except SplitError as problem:
        return str(problem)
    seen_groups, seen_images = set(card["groups"]), set(card["images"])
    for image in manifest["images"]:
        if image["group"] in judges and (image["group"] in seen_groups or image["sha256"] in seen_images):
            name = (image["names"] or [image["sha256"][:12]])[0]
            return f"The bundle was trained on {name}, which judges this round."
    return None


def splits_of(manifest: Mapping[str, Any], settings: DetectorSettings) -> list[Split]:
    """The splits that a round trains on: one, or one a fold. Raises SplitError."""
    if settings.folds:
        return crossed(manifest["images"], settings.folds)
    return [holdout(manifest["images"], settings)]
