"""judged.json: what a round's network found on each image that judged it, beside the truth of that time.

It lies beside the bundle in OUT and is no part of it: a later round is compared with it on the images that judged
both (training/comparison.py). Free of torch.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from training.contract import ContractError, content_hash, expect, read_json, write_json

SCHEMA = "marrowloop.judged/1"
NAME = "judged.json"

_IMAGE = {"sha256": str, "group": str, "truth": list, "ignored": list, "boxes": list, "scores": list}


class JudgedError(ContractError):
    """A judged.json that is not what it should be."""


def judged_image(image: Mapping[str, Any], boxes: Iterable[Sequence[float]], scores: Iterable[float]) -> dict[str, Any]:
    """One image of a snapshot with what was found on it: boxes [x0, y0, x1, y1] in px of the image, best first."""
    return {
        "sha256": image["sha256"],
        "group": image["group"],
        "truth": [list(border["bounds"]) for border in image["borders"] if not border["ignored"]],
        "ignored": [list(border["bounds"]) for border in image["borders"] if border["ignored"]],
        "boxes": [[round(float(value), 2) for value in box] for box in boxes],
        "scores": [round(float(score), 5) for score in scores],
    }


def write_judged(path: Path, images: Sequence[Mapping[str, Any]]) -> None:
    """Write it whole or not at all."""
    content: dict[str, Any] = {"schema": SCHEMA, "images": list(images)}
    write_json(path, content | {"hash": content_hash(content)})


def read_judged(path: Path) -> list[dict[str, Any]]:
    """Its images. Raises JudgedError for another schema or hash, and for boxes or scores that are no numbers."""
    content = read_json(path, SCHEMA, "file of judged images", JudgedError)
    place = f"The file {path}"
    expect(content, {"images": list}, place, JudgedError)
    for image in content["images"]:
        if not isinstance(image, dict):
            raise JudgedError(f"{place} has an image that is not an object.")
        expect(image, _IMAGE, f"an image of {place[0].lower()}{place[1:]}", JudgedError)
        boxes = [*image["truth"], *image["ignored"], *image["boxes"]]
        if not all(isinstance(box, list) and len(box) == 4 and all(map(_is_number, box)) for box in boxes):
            raise JudgedError(f"{place} has a box that is not four numbers.")
        if len(image["scores"]) != len(image["boxes"]) or not all(map(_is_number, image["scores"])):
            raise JudgedError(f"{place} has boxes without a score each.")
    images: list[dict[str, Any]] = content["images"]
    return images


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
