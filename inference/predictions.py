"""Predictions: what bundles found on images, as one file that can be copied and read with no database."""

import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.canonical_json import content_hash, read_object, require

SCHEMA = "marrowloop.predictions/1"
LOWEST_SCORE = 0.05
MOST_PROPOSALS = 500

_FIELDS: dict[str, type | tuple[type, ...]] = {"schema": str, "bundles": list, "images": list, "hash": str}
_BUNDLE_FIELDS: dict[str, type | tuple[type, ...]] = {
    "id": str,
    "kind": str,
    "score_threshold": (int, float),
}
_IMAGE_FIELDS: dict[str, type | tuple[type, ...]] = {
    "sha256": str,
    "name": str,
    "width": int,
    "height": int,
    "seconds": (int, float),
    "proposals": list,
}


class PredictionsError(ValueError):
    """Predictions that cannot be used; the message says why in one sentence."""


def write_predictions(
    path: Path, bundles: Sequence[Mapping[str, Any]], images: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Write the file in one step and return the document. `bundles` and `images` are as the schema has them.

    Raises PredictionsError where they are not, OSError where the file cannot be written.
    """
    document: dict[str, Any] = {"schema": SCHEMA, "bundles": list(bundles), "images": list(images)}
    try:
        document["hash"] = content_hash(document)
    except (TypeError, ValueError) as problem:
        raise PredictionsError(f"The predictions cannot be written: {problem}.") from None
    _check(document)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(document, file, ensure_ascii=False)
        os.chmod(name, 0o644)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
    return document


def read_predictions(path: Path) -> dict[str, Any]:
    """Read and validate predictions. Raises PredictionsError with one sentence."""
    try:
        document = read_object(Path(path))
    except (OSError, ValueError) as problem:
        raise PredictionsError(f"The predictions cannot be read: {problem}.") from None
    _check(document)
    return document


def _check(document: Mapping[str, Any]) -> None:
    schema = document.get("schema")
    if schema != SCHEMA:
        raise PredictionsError(f"The predictions' schema is {schema!r}; this version reads {SCHEMA!r}.")
    try:
        require(document, _FIELDS, "the document")
        if content_hash(document) != document["hash"]:
            raise ValueError("their hash does not match their content")
        for bundle in document["bundles"]:
            require(bundle, _BUNDLE_FIELDS, "a bundle")
        for image in document["images"]:
            require(image, _IMAGE_FIELDS, "an image")
            if len(image["proposals"]) > MOST_PROPOSALS:
                raise ValueError(f"image {image['name']} has more than {MOST_PROPOSALS} proposals")
            for proposal in image["proposals"]:
                require(proposal, {"border": dict, "score": (int, float)}, "a proposal")
                score = proposal["score"]
                if not math.isfinite(score) or not 0 <= score <= 1:
                    raise ValueError(f"a proposal of image {image['name']} has no score between 0 and 1")
    except ValueError as problem:
        raise PredictionsError(f"The predictions are not valid: {problem}.") from None
