"""A study with cells to look at side by side: what the tests of the gallery begin with."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
from django.contrib.auth.models import User

from annotation.models import Cell, CellLabel, Label, SmearImage, Study
from inference.gallery_order import order
from inference.gallery_query import GalleryQuery
from inference.models import CellFeatures, CellProbability
from inference.packed_ids import unpacked


def square(x: float, y: float, side: float = 10) -> dict[str, Any]:
    return {"kind": "polygon", "points": [[x, y], [x + side, y], [x + side, y + side], [x, y + side]]}


def cell(image: SmearImage, x: float = 10, y: float = 10, side: float = 10, **fields: Any) -> Cell:
    made = Cell(image=image, **fields)
    made.place(square(x, y, side), image)
    made.save()
    return made


def label(study: Study, name: str) -> Label:
    return Label.objects.get(group__study=study, name=name)


def say(of: Cell, name: str, by: User | None = None) -> None:
    CellLabel.objects.create(cell=of, label=label(of.image.study, name), annotator=by)


def judge(of: Cell, **probabilities: float) -> None:
    """A model's word: judge(cell, Myeloblast=0.9)."""
    for name, probability in probabilities.items():
        named = label(of.image.study, name.replace("_", " "))
        CellProbability.objects.create(cell=of, label=named, probability=probability, bundle="interactive")


def look(of: Cell, *vector: float) -> None:
    packed = CellFeatures.pack(np.array(vector, dtype=np.float32))
    CellFeatures.objects.create(cell=of, crop_hash="0" * 64, backbone="toy", vector=packed)


def shown(study: Study, viewer: User, cells: Sequence[Cell], **asked: Any) -> list[int]:
    """The places in `cells` of those that the gallery shows, in its order."""
    parameters = {name: str(value) for name, value in asked.items()}
    found = unpacked(order(study, GalleryQuery.parse(parameters, viewer.pk), viewer.pk))
    keys = [each.pk for each in cells]
    return [keys.index(UUID(bytes=bytes(row))) for row in found]
