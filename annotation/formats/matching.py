"""Which image a record means: annotation sources name images by file name, and each source does it differently."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath

from annotation.formats.records import ImageRecord, Skipped


class ImageNames:
    """The names of the images at hand, looked up as a record spells them.

    A name is found where it is the same; else where exactly one image's path ends in it; else by the file name
    alone where exactly one image has that. Slashes may lean either way, and accents may be written in either of
    Unicode's forms.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._exact: dict[bool, dict[str, set[str]]] = {False: defaultdict(set), True: defaultdict(set)}
        self._by_file: dict[bool, dict[str, set[str]]] = {False: defaultdict(set), True: defaultdict(set)}
        for name in names:
            for stem in (False, True):
                key = normal(name, stem=stem)
                self._exact[stem][key].add(name)
                self._by_file[stem][key.rsplit("/", 1)[-1]].add(name)

    def find(self, name: str, *, stem: bool = False) -> tuple[set[str], bool]:
        """The images that a record's name may mean, and whether the folders agree as far as both name them."""
        key = normal(name)
        exact = self._exact[stem].get(key)
        if exact:
            return exact, True
        same_file = self._by_file[stem].get(key.rsplit("/", 1)[-1], set())
        suffix = {found for found in same_file if normal(found, stem=stem).endswith("/" + key)}
        if len(suffix) == 1:
            return suffix, True
        return same_file, False


def normal(name: str, *, stem: bool = False) -> str:
    """A path as it is compared: forward slashes, no leading "./", composed accents; without extension for a stem."""
    path = PurePosixPath(unicodedata.normalize("NFC", name.replace("\\", "/")))
    return str(path.with_suffix("")) if stem and path.name else str(path)


def match(records: Iterable[ImageRecord], names: ImageNames) -> tuple[list[tuple[ImageRecord, str]], list[Skipped]]:
    """Pairs of record and image name, each image at most once, and one report for each record without an image."""
    found: list[tuple[ImageRecord, str, bool]] = []
    skipped: list[Skipped] = []
    for record in records:
        candidates: set[str] = set()
        sure = False
        for name in (record.name, *record.aliases):
            candidates, sure = names.find(name, stem=record.stem)
            if candidates:
                break
        if len(candidates) == 1:
            found.append((record, next(iter(candidates)), sure))
        elif candidates:
            skipped.append(Skipped(record.name, f"{len(candidates)} images have this file name: {_some(candidates)}."))
        else:
            skipped.append(Skipped(record.name, f"No image has this name{_regions(record)}."))
    by_image: dict[str, list[tuple[ImageRecord, bool]]] = defaultdict(list)
    for record, image, sure in found:
        by_image[image].append((record, sure))
    pairs: list[tuple[ImageRecord, str]] = []
    for image, claims in by_image.items():
        # Two records for one file: the one whose folders agree; never a guess between two that only share a name.
        claims.sort(key=lambda claim: not claim[1])
        first, sure = claims[0]
        if not sure and len({normal(record.name) for record, _ in claims}) > 1:
            skipped.extend(
                Skipped(
                    record.name, f"{len(claims)} records share the file name of the image {image}{_regions(record)}."
                )
                for record, _ in claims
            )
            continue
        pairs.append((first, image))
        skipped.extend(
            Skipped(record.name, f"Another record for the image {image} came first{_regions(record)}.")
            for record, _ in claims[1:]
        )
    return pairs, skipped


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:3]) + (", ..." if len(listed) > 3 else "")


def _regions(record: ImageRecord) -> str:
    count = len(record.regions)
    return f"; its {count} regions are left out" if count > 1 else "; its region is left out" if count else ""
