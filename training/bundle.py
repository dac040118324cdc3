"""The bundle: weights as safetensors, and a card that says what they are, what they saw and how they were judged."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.contract import ContractError, content_hash, expect, file_hash, read_json, write_folder, write_json

SCHEMA = "marrowloop.bundle/1"
CARD = "card.json"
WEIGHTS = "weights.safetensors"

_CARD = {
    "schema": str,
    "kind": str,
    "architecture": dict,
    "inputs": dict,
    "classes": list,
    "snapshot": str,
    "study": str,
    "folds": dict,
    "groups": list,
    "images": list,
    "settings": dict,
    "seed": int,
    "versions": dict,
    "metrics": (dict, None),
    "score_threshold": float,
    "parent": (str, None),
    "history": list,
    "weights": str,
    "hash": str,
}


class BundleError(ContractError):
    """A bundle that is not what it should be."""


@dataclass(frozen=True)
class BundleFiles:
    """A bundle on disk whose card and weights were checked."""

    folder: Path
    card: dict[str, Any]

    @property
    def id(self) -> str:
        return bundle_id(self.card)

    @property
    def weights(self) -> Path:
        return self.folder / WEIGHTS


def write_bundle(folder: Path, card: Mapping[str, Any], save_weights: Callable[[Path], None]) -> BundleFiles:
    """Write a bundle whole or not at all; the hashes of weights and card are added. Returns it as read back."""

    def fill(part: Path) -> None:
        save_weights(part / WEIGHTS)
        with (part / WEIGHTS).open("rb") as file:
            os.fsync(file.fileno())
        full = {key: value for key, value in card.items() if key not in ("hash", "weights")}
        full |= {"schema": SCHEMA, "weights": file_hash(part / WEIGHTS)}
        full["hash"] = content_hash(full)
        expect(full, _CARD, "The card", BundleError)
        write_json(part / CARD, full)

    if folder.exists():
        raise BundleError(f"There is something at {folder} already.")
    write_folder(folder, fill)
    return read_bundle(folder)


def read_bundle(folder: Path, kind: str | None = None) -> BundleFiles:
    """Read and validate a bundle. Raises BundleError for a wrong schema, hash, field, kind, or other weights."""
    card = read_json(folder / CARD, SCHEMA, "bundle's card", BundleError)
    expect(card, _CARD, f"The card of the bundle {folder}", BundleError)
    if kind is not None and card["kind"] != kind:
        raise BundleError(f"The bundle {folder} is a {card['kind']}, not a {kind}.")
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise BundleError(f"The bundle {folder} has no weights.")
    if file_hash(weights) != card["weights"]:
        raise BundleError(f"The weights of the bundle {folder} are not those that its card names.")
    return BundleFiles(folder, card)


def bundle_id(card: Mapping[str, Any]) -> str:
    """The first 12 hex digits of the card's hash: what names a bundle."""
    return str(card["hash"])[:12]


def copy_bundle(source: Path, target: Path) -> BundleFiles:
    """Copy a bundle to its place, whole or not at all; one that is there already is checked and kept.

    One that is there and damaged (by a disk, by hand) is replaced.
    """
    checked = read_bundle(source)
    if target.exists():
        try:
            read_bundle(target)
        except BundleError:
            shutil.rmtree(target)

    def fill(part: Path) -> None:
        for name in (CARD, WEIGHTS):
            try:
                os.link(source / name, part / name)
            except OSError:
                shutil.copyfile(source / name, part / name)

    write_folder(target, fill)
    found = read_bundle(target)
    if found.card["hash"] != checked.card["hash"]:
        raise BundleError(f"Another bundle lies at {target}.")
    return found
