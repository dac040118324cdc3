"""The gallery sorts by measures and shows ranges of them, in one unit of length."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from annotation.measure_table import MEASURES, PLACES, RECIPE
from annotation.models import Cell, CellMeasures, Study
from inference.measured import in_um, is_measured
from tests.inference.gallery import cell, shown

pytestmark = pytest.mark.django_db


def say_measured(of: Cell, in_um: bool = False, recipe: str = RECIPE, **values: float) -> None:
    row: list[float | None] = [None] * len(MEASURES)
    for name, value in values.items():
        row[PLACES[name]] = value
    CellMeasures.objects.create(cell=of, shape="", recipe=recipe, in_um=in_um, values=row)


@pytest.fixture
def cells(study: Study, make_image: Any) -> list[Cell]:
    """Of the last two nothing is known of their area."""
    image = make_image(study)
    made = [cell(image) for _ in range(5)]
    for each, area in zip(made, (30.5, 10.25, 20), strict=False):
        say_measured(each, area=area, nc_ratio=1 / area)
    say_measured(made[3], nc_ratio=5)
    say_measured(made[4], recipe="measures/0", area=25, nc_ratio=25)
    return made


def test_by_a_measure_and_what_is_not_known_last_the_newest_first(study: Study, annotator: User, cells: list[Cell]):
    assert shown(study, annotator, cells, sort="measure-down", measure="area") == [0, 2, 1, 4, 3]
    assert shown(study, annotator, cells, sort="measure-up", measure="area") == [1, 2, 0, 4, 3]
    assert shown(study, annotator, cells, sort="measure-down", measure="nc_ratio") == [3, 1, 2, 0, 4]
    assert shown(study, annotator, cells, sort="measure-up") == [1, 2, 0, 4, 3]


def test_a_range_of_a_measure(study: Study, annotator: User, cells: list[Cell]):
    asked = {"sort": "measure-up", "measure": "area"}
    assert shown(study, annotator, cells, low="15", **asked) == [2, 0]
    assert shown(study, annotator, cells, low="10.25", high="20", **asked) == [1, 2]
    assert shown(study, annotator, cells, high="-1", **asked) == []
    assert sorted(shown(study, annotator, cells, measure="nc_ratio", low="0")) == [0, 1, 2, 3]
    # What is no number, or no measure, asks for nothing.
    assert len(shown(study, annotator, cells, low="nan", high="x", measure="price")) == 5


def test_lengths_are_compared_in_micrometres_where_a_scale_is_known(study: Study, annotator: User, make_image: Any):
    unknown, known = make_image(study, seed=1), make_image(study, seed=2, um_per_pixel=0.1)
    made = [cell(unknown), cell(known), cell(known)]
    for each, area, scale in zip(made, (900, 9, 16), (False, True, True), strict=True):
        say_measured(each, in_um=scale, area=area, solidity=area / 1000)
    assert in_um(study) and is_measured(study)
    assert shown(study, annotator, made, sort="measure-down", measure="area") == [2, 1, 0]
    assert shown(study, annotator, made, measure="area", low="1", sort="measure-down") == [2, 1]
    assert shown(study, annotator, made, sort="measure-down", measure="solidity") == [0, 2, 1]


def test_other_studies_are_not_shown(study: Study, other_study: Study, annotator: User, make_image: Any):
    say_measured(cell(make_image(other_study)), area=3)
    own = [cell(make_image(study))]
    assert shown(study, annotator, own, sort="measure-down") == [0]
    assert not is_measured(study) and not in_um(study)
