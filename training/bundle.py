"""A bundle: what a round made. Weights as safetensors, and a card that says what they are and came from.

It appears under its name in one step, weights and card whole, so that a half-written one is never loaded.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.canonical_json import content_hash, file_hash, read_object, require

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA = "marrowloop.bundle/1"
CARD = "card.json"
WEIGHTS = "weights.safetensors"

_CARD_FIELDS: dict[str, type | tuple[type, ...]] = {
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
    "metrics": (dict, type(None)),
    "score_threshold": (int, float),
    "parent": (str, type(None)),
    "history": list,
    "weights": str,
    "hash": str,
}


class BundleError(ValueError):
    """A bundle that cannot be used; the message says why in one sentence."""


@dataclass(frozen=True)
class Bundle:
    folder: Path
    card: dict[str, Any]

    @property
    def id(self) -> str:
        """The first 12 hex digits of the card's hash."""
        return str(self.card["hash"])[:12]

    def weights(self) -> "dict[str, Tensor]":
        """The tensors by name, on the CPU. Raises BundleError where the file cannot be read."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(self.folder / WEIGHTS)
        except (OSError, SafetensorError) as problem:
            raise BundleError(f"The weights of bundle {self.id} cannot be read: {problem}.") from None


def write_bundle(folder: Path, card: Mapping[str, Any], weights: "Mapping[str, Tensor]") -> Bundle:
    """Write a bundle at `folder`, which must not exist yet; schema, the hash of the weights and the card's are
    filled in.

    Raises BundleError where the card lacks a field or the folder exists, OSError where the disk is full.
    """
    from safetensors.torch import save_file

    folder = Path(folder)
    if folder.exists():
        raise BundleError(f"There is a bundle at {folder} already.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".bundle-", suffix=".part"))
    try:
        save_file({name: tensor.contiguous() for name, tensor in weights.items()}, part / WEIGHTS)
        document: dict[str, Any] = {**card, "schema": SCHEMA, "weights": file_hash(part / WEIGHTS)}
        try:
            document["hash"] = content_hash(document)
        except (TypeError, ValueError) as problem:
            raise BundleError(f"The bundle's card cannot be written: {problem}.") from None
        _check(document)
        with (part / CARD).open("w", encoding="utf-8") as file:
            json.dump(document, file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(part, 0o755)
        os.rename(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return read_bundle(folder)


def read_bundle(folder: Path, kind: str | None = None) -> Bundle:
    """Read and validate a bundle: schema, hashes of card and weights, every field; its kind where one is given.

    Raises BundleError with one sentence.
    """
    folder = Path(folder)
    try:
        card = read_object(folder / CARD)
    except FileNotFoundError:
        raise BundleError(f"The folder {folder} holds no {CARD}, so it is no bundle.") from None
    except (OSError, ValueError) as problem:
        raise BundleError(f"The bundle's {CARD} cannot be read: {problem}.") from None
    _check(card)
    if kind is not None and card["kind"] != kind:
        raise BundleError(f"The bundle is a {card['kind']}; a {kind} is needed here.")
    try:
        weights = file_hash(folder / WEIGHTS)
    except OSError:
        raise BundleError(f"The bundle at {folder} has no {WEIGHTS}.") from None
    if weights != card["weights"]:
        raise BundleError("The bundle's weights are not those its card names: their hash differs.")
    return Bundle(folder, card)


def _check(card: Mapping[str, Any]) -> None:
    schema = card.get("schema")
    if schema != SCHEMA:
        raise BundleError(f"The bundle's schema is {schema!r}; this version reads {SCHEMA!r}.")
    try:
        require(card, _CARD_FIELDS, "the card")
        if content_hash(card) != card["hash"]:
            raise ValueError("its hash does not match its content")
        if not 0 <= card["score_threshold"] <= 1:
            raise ValueError("its score threshold is not between 0 and 1")
        require(card["architecture"], {"name": str, "backbone": str}, "the architecture")
        for name in ("groups", "images", "classes"):
            if not all(isinstance(value, str) for value in card[name]):
                raise ValueError(f"its {name} are not all text")
    except ValueError as problem:
        raise BundleError(f"The bundle is not valid: {problem}.") from None


def copy_bundle(source: Path, target: Path) -> BundleFiles:
    """Copy a bundle to its place, whole or not at all; one that is there already is checked and kept."""
    checked = read_bundle(source)

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
