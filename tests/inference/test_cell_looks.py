"""Likeness of cells by short vectors: the same as by whole features, and found again among packed ids."""

from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from annotation.models import SmearImage, Study
from inference.cell_looks import AXES, Looks, alike, looks_of
from inference.learning_order import directions
from inference.packed_ids import pack, places
from tests.inference.gallery import cell, look


def test_ids_are_found_among_sorted_ones() -> None:
    ids = sorted(uuid4() for _ in range(50))
    others = [ids[7], uuid4(), ids[0], ids[49], UUID(int=0), UUID(int=2**128 - 1)]
    assert places(pack(ids), pack(others)).tolist() == [7, -1, 0, 49, -1, -1]
    assert places(pack([]), pack(others)).tolist() == [-1] * 6
    assert places(pack(ids), pack([])).tolist() == []
    # Numbers that share their first half.
    assert places(pack([UUID(int=5)]), pack([UUID(int=6)])).tolist() == [-1]


@pytest.mark.parametrize("width", [6, 300])
def test_the_likeness_is_that_of_the_whole_features(width: int, study: Study, make_image: Any) -> None:
    image: SmearImage = make_image(study)
    rng = np.random.default_rng(width)
    features = rng.normal(0, 1, (20, width)) * rng.uniform(0.1, 3, width)
    cells = [cell(image, x=n) for n in range(20)]
    for each, vector in zip(cells, features, strict=True):
        look(each, *vector)
    looks = looks_of(study)
    assert looks is not None and looks.table.shape[1] <= min(AXES, width)
    at = places(looks.ids, pack([each.pk for each in cells]))
    units = directions(features)
    figures = alike(looks, [cells[3].pk])
    assert figures is not None
    # Stored as float16.
    assert figures[at] == pytest.approx(units @ units[3], abs=0.01)
    both = alike(looks, [cells[3].pk, cells[8].pk, uuid4()])
    assert both is not None and both[at] == pytest.approx(units @ (units[3] + units[8]) / 2, abs=0.01)


def test_features_that_do_not_differ_are_like_nothing(study: Study, make_image: Any) -> None:
    image = make_image(study)
    cells = [cell(image, x=n) for n in range(3)]
    for each in cells:
        look(each, 1, 2, 3)
    looks = looks_of(study)
    assert looks is not None
    assert alike(looks, [cells[0].pk]) == pytest.approx([0, 0, 0], abs=1e-6)


def test_there_are_no_looks_without_features(study: Study) -> None:
    assert looks_of(study) is None
    nothing = Looks(pack([]), np.zeros((0, 3), dtype=np.float32))
    assert alike(nothing, [uuid4()]) is None
