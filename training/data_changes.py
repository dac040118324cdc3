"""What changed in the data from one snapshot to another: images and cells, by patient. Pure functions of manifests."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

# Details name so many images of each sort; the numbers count all.
NAMED = 30
COUNTS = (
    "images_added",
    "images_removed",
    "cells_added",
    "cells_removed",
    "cells_reshaped",
    "cells_relabelled",
    "regions_changed",
    "images_moved",
)


def data_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What is in the manifest `now` and was not so in `before`.

    {"images_added", "images_removed", "cells_added", "cells_removed", "cells_reshaped", "cells_relabelled",
    "regions_changed", "images_moved"}: numbers; a cell counts as added or removed also with its image, and as
    reshaped and relabelled where both. "regions_changed" are ignored regions added, removed or reshaped, and cells
    that became one or ceased to be; "images_moved" were given to another patient or fold. "patients": the same
    numbers, those above 0, of each patient (code, None without) with a change. "added", "removed": names of images.
    """
    old = {image["sha256"]: image for image in before["images"]}
    new = {image["sha256"]: image for image in now["images"]}
    by_patient: dict[str | None, Counter[str]] = {}
    for sha256 in sorted(old.keys() | new.keys()):
        counts = _image_changes(old.get(sha256), new.get(sha256))
        if counts:
            patient = (new.get(sha256) or old[sha256])["patient"]
            by_patient.setdefault(patient, Counter()).update(counts)
    total: Counter[str] = sum(by_patient.values(), Counter())
    return {
        **{name: total[name] for name in COUNTS},
        "patients": [
            {"code": code, **{name: counts[name] for name in COUNTS if counts[name]}}
            for code, counts in sorted(by_patient.items(), key=lambda item: (item[0] is None, item[0] or ""))
        ],
        "added": _names(new[sha256] for sha256 in new.keys() - old.keys()),
        "removed": _names(old[sha256] for sha256 in old.keys() - new.keys()),
    }


def changes_in_words(changes: Mapping[str, Any]) -> str:
    """One sentence: "12 images and 96 cells added, 3 cells reshaped, 1 cell removed."; "Nothing." where nothing."""
    parts = []
    for verb in ("added", "removed"):
        nouns = [
            _counted(changes[f"{noun}s_{verb}"], noun) for noun in ("image", "cell") if changes.get(f"{noun}s_{verb}")
        ]
        if nouns:
            parts.append(f"{' and '.join(nouns)} {verb}")
    for name, noun, verb in (
        ("cells_reshaped", "cell", "reshaped"),
        ("cells_relabelled", "cell", "relabelled"),
        ("regions_changed", "ignored region", "changed"),
        ("images_moved", "image", "given to another patient or fold"),
    ):
        if changes.get(name):
            parts.append(f"{_counted(changes[name], noun)} {verb}")
    return f"{', '.join(parts)}." if parts else "Nothing."


def _image_changes(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Counter[str]:
    counts: Counter[str] = Counter()
    if old is None:
        counts["images_added"] += 1
    elif new is None:
        counts["images_removed"] += 1
    elif (old["group"], old["fold"]) != (new["group"], new["fold"]):
        counts["images_moved"] += 1
    were, are = _by_id(old), _by_id(new)
    for id_ in were.keys() | are.keys():
        was, is_ = were.get(id_), are.get(id_)
        if any(border is not None and border["ignored"] for border in (was, is_)):
            if was is None or is_ is None or was["ignored"] != is_["ignored"] or was["border"] != is_["border"]:
                counts["regions_changed"] += 1
        elif was is None:
            counts["cells_added"] += 1
        elif is_ is None:
            counts["cells_removed"] += 1
        else:
            counts["cells_reshaped"] += was["border"] != is_["border"]
            counts["cells_relabelled"] += was["labels"] != is_["labels"]
    # A Counter keeps what was counted as 0.
    return +counts


def _by_id(image: Mapping[str, Any] | None) -> dict[str, Mapping[str, Any]]:
    return {border["id"]: border for border in image["borders"]} if image else {}


def _names(images: Iterable[Mapping[str, Any]]) -> list[str]:
    return sorted((image["names"] or [image["sha256"][:12]])[0] for image in images)[:NAMED]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
