"""The snapshot: a frozen manifest of images, borders, labels, patients and folds; its content hash names it.

A folder with `manifest.json` and `images/<sha256>.png`, readable on any machine without the database.
"""

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.contract import ContractError, content_hash, expect, read_json, write_folder, write_json

SCHEMA = "marrowloop.snapshot/1"
SLOTS = 60
MANIFEST = "manifest.json"

_IMAGE = {
    "sha256": str,
    "file": str,
    "width": int,
    "height": int,
    "um_per_pixel": (float, None),
    "names": list,
    "patient": (str, None),
    "diagnosis": (str, None),
    "group": str,
    "fold": int,
    "borders": list,
}
# And "outline": whether it says where the cell's edge runs, and not only where the cell lies. Absent in old ones: no.
_BORDER = {"id": str, "border": dict, "bounds": list, "ignored": bool, "labels": list}


class SnapshotError(ContractError):
    """A snapshot that is not what it should be."""


@dataclass(frozen=True)
class Snapshot:
    folder: Path
    manifest: dict[str, Any]

    @property
    def hash(self) -> str:
        return str(self.manifest["hash"])

    @property
    def images(self) -> list[dict[str, Any]]:
        images: list[dict[str, Any]] = self.manifest["images"]
        return images

    def path(self, image: Mapping[str, Any]) -> Path:
        return self.folder / str(image["file"])


def write_snapshot(manifest: Mapping[str, Any], image_paths: Mapping[str, Path], parent: Path) -> Path:
    """Write a manifest (its hash is added) with the image files, by sha256, as hard links.

    Returns the folder below `parent`, named by the hash; the same data is written once. It appears whole or not at
    all. Raises SnapshotError for a manifest or file that is not right, and OSError where the disk refuses.
    """
    full = {key: value for key, value in manifest.items() if key != "hash"}
    full["hash"] = content_hash(full)
    _check(full, "The manifest")
    for image in full["images"]:
        if image["sha256"] not in image_paths or not image_paths[image["sha256"]].is_file():
            raise SnapshotError(f"The image {_name(image)} has no file.")

    def fill(part: Path) -> None:
        (part / "images").mkdir()
        for image in full["images"]:
            _link(image_paths[image["sha256"]], part / image["file"])
        write_json(part / MANIFEST, full)

    folder = parent / full["hash"]
    write_folder(folder, fill)
    return folder


def read_snapshot(folder: Path) -> Snapshot:
    """Read and validate a snapshot. Raises SnapshotError for a wrong schema, hash, field, or a missing image file."""
    manifest = read_json(folder / MANIFEST, SCHEMA, "snapshot", SnapshotError)
    _check(manifest, f"The snapshot {folder}")
    for image in manifest["images"]:
        if not (folder / image["file"]).is_file():
            raise SnapshotError(f"The snapshot {folder} lacks the file of the image {_name(image)}.")
    return Snapshot(folder, manifest)


def _check(manifest: Mapping[str, Any], place: str) -> None:
    expect(manifest, {"schema": str, "study": str, "labels": list, "images": list, "hash": str}, place, SnapshotError)
    if manifest["schema"] != SCHEMA:
        raise SnapshotError(f"{place} has the schema {manifest['schema']!r}; {SCHEMA!r} is written here.")
    folds: dict[str, int] = {}
    seen: set[str] = set()
    for image in manifest["images"]:
        if not isinstance(image, dict):
            raise SnapshotError(f"{place} has an image that is not an object.")
        where = f"an image of {place[0].lower()}{place[1:]}"
        expect(image, _IMAGE, where, SnapshotError)
        sha256 = image["sha256"]
        # The name decides which file is opened: nothing but a hash may stand there.
        if not re.fullmatch(r"[0-9a-f]{64}", sha256) or image["file"] != f"images/{sha256}.png":
            raise SnapshotError(f"The image {_name(image)} has a file or hash of the wrong form.")
        if sha256 in seen:
            raise SnapshotError(f"The image {_name(image)} stands in the snapshot twice.")
        seen.add(sha256)
        if image["width"] < 1 or image["height"] < 1 or not 0 <= image["fold"] < SLOTS:
            raise SnapshotError(f"The image {_name(image)} has a size or fold out of range.")
        if folds.setdefault(image["group"], image["fold"]) != image["fold"]:
            raise SnapshotError(f"The patient {image['group']!r} stands in two folds.")
        for border in image["borders"]:
            if not isinstance(border, dict):
                raise SnapshotError(f"The image {_name(image)} has a border that is not an object.")
            expect(border, _BORDER, f"a border of the image {_name(image)}", SnapshotError)
            bounds = border["bounds"]
            if len(bounds) != 4 or not all(isinstance(v, int | float) for v in bounds):
                raise SnapshotError(f"The image {_name(image)} has a border whose bounds are not four numbers.")
            if not (bounds[0] < bounds[2] and bounds[1] < bounds[3]):
                raise SnapshotError(f"The image {_name(image)} has a border without extent.")


def _name(image: Mapping[str, Any]) -> str:
    names = image.get("names") or [str(image.get("sha256"))[:12]]
    return str(names[0])


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)
