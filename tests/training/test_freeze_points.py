"""Points in a snapshot: training neither rewards nor punishes where a cell has no border yet."""

from typing import Any

import pytest

from annotation.models import Cell, SmearImage, Study
from tests.training.conftest import draw
from training.freeze import RoundRefused, freeze
from training.snapshot import read_snapshot

pytestmark = pytest.mark.django_db


def point(image: SmearImage, x: float, y: float, **fields: Any) -> Cell:
    cell = Cell(image=image, **fields)
    cell.place({"kind": "point", "cx": x, "cy": y}, image)
    cell.save()
    return cell


def test_a_point_is_an_ignored_region_of_the_size_of_the_median_cell(study: Study, make_annotated: Any) -> None:
    image = make_annotated(study, 1, cells=0)
    draw(image, 0, 0)
    draw(image, 30, 0)
    # Ignored regions are no cells: how large they are says nothing of a cell.
    huge = Cell(image=image, ignored=True)
    huge.place({"kind": "rectangle", "x": 0, "y": 0, "width": 90, "height": 60}, image)
    huge.save()
    there, corner = point(image, 40, 20), point(image, 0, 0)
    frozen = freeze(study)
    (kept,) = read_snapshot(frozen.folder).images
    borders = {border["id"]: border for border in kept["borders"]}
    found = borders[str(there.pk)]
    assert (found["ignored"], found["border"]) == (True, {"kind": "circle", "cx": 40, "cy": 20, "r": 12.0})
    assert found["bounds"] == [28, 8, 52, 32]
    assert borders[str(corner.pk)]["bounds"] == [0, 0, 12, 12]
    assert (frozen.counts["cells"], frozen.counts["ignored"]) == (2, 3)


def test_an_image_of_points_is_no_negative(study: Study, make_annotated: Any) -> None:
    make_annotated(study, 1)
    point(make_annotated(study, 2, cells=0), 20, 20)
    frozen = freeze(study)
    assert frozen.counts["negatives"] == 0


def test_points_alone_are_nothing_to_learn_from(study: Study, make_annotated: Any) -> None:
    point(make_annotated(study, 1, cells=0), 20, 20)
    with pytest.raises(RoundRefused, match="no cell to learn from"):
        freeze(study)


def test_the_same_points_give_the_same_hash(study: Study, make_annotated: Any) -> None:
    image = make_annotated(study, 1)
    point(image, 20, 20)
    assert freeze(study).hash == freeze(study).hash
