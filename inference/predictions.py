"""Predictions: proposals with scores, and the bundles that made them, as a file that travels without the database."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from annotation.borders import BorderError, clean
from training.contract import ContractError, content_hash, expect, read_json, write_json

SCHEMA = "marrowloop.predictions/1"

_IMAGE = {"sha256": str, "name": str, "width": int, "height": int, "seconds": float, "proposals": list}


class PredictionsError(ContractError):
    """Predictions that are not what they should be."""


def write_predictions(
    path: Path, bundles: Sequence[Mapping[str, Any]], images: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Write Predictions whole or not at all; returns them with their hash."""
    content: dict[str, Any] = {"schema": SCHEMA, "bundles": list(bundles), "images": list(images)}
    content["hash"] = content_hash(content)
    _check(content, "The predictions")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, content)
    return content


def read_predictions(path: Path) -> dict[str, Any]:
    """Read and validate Predictions. Raises PredictionsError for a wrong schema, hash, field, border or score."""
    content = read_json(path, SCHEMA, "predictions file", PredictionsError)
    _check(content, f"The predictions file {path}")
    return content


def _check(content: Mapping[str, Any], place: str) -> None:
    expect(content, {"bundles": list, "images": list}, place, PredictionsError)
    for bundle in content["bundles"]:
        expect(bundle, {"id": str, "kind": str, "score_threshold": float}, f"a bundle of {place}", PredictionsError)
    for image in content["images"]:
        expect(image, _IMAGE, f"an image of {place}", PredictionsError)
        if not re.fullmatch(r"[0-9a-f]{64}", image["sha256"]):
            raise PredictionsError(f"The image {image['name']!r} has no sha256.")
        for proposal in image["proposals"]:
            # Not every bundle says how sure it is of its borders.
            numbers = ["score", "tightness"] if "tightness" in proposal else ["score"]
            fields = {"border": dict} | dict.fromkeys(numbers, float)
            expect(proposal, fields, f"a proposal on {image['name']}", PredictionsError)
            for name in numbers:
                if not 0 <= proposal[name] <= 1:
                    raise PredictionsError(f"A proposal on {image['name']!r} has the {name} {proposal[name]}.")
            try:
                clean(proposal["border"], image["width"], image["height"])
            except BorderError as problem:
                raise PredictionsError(f"A proposal on {image['name']!r} has no valid border: {problem}") from None
