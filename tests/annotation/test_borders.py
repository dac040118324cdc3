"""Properties of a border's geometry: whatever comes in, what is stored is valid, inside, and stays as it is."""

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from shapely.geometry import Polygon

from annotation.borders import BorderError, area, bounds, clean, inscribed_ellipse, iou, outline

WIDTH, HEIGHT = 200, 150
coordinate = st.floats(-100, 350, allow_nan=False)
radius = st.floats(0.5, 150)
polygons = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=12).map(
    lambda points: {"kind": "polygon", "points": [list(p) for p in points]}
)
rectangles = st.fixed_dictionaries(
    {"kind": st.just("rectangle"), "x": coordinate, "y": coordinate, "width": radius, "height": radius}
)
ellipses = st.fixed_dictionaries(
    {
        "kind": st.just("ellipse"),
        "cx": coordinate,
        "cy": coordinate,
        "rx": radius,
        "ry": radius,
        "theta": st.floats(-math.pi, math.pi),
    }
)
circles = st.fixed_dictionaries({"kind": st.just("circle"), "cx": coordinate, "cy": coordinate, "r": radius})
borders = st.one_of(polygons, rectangles, ellipses, circles)


def cleaned(border: dict[str, Any]) -> dict[str, Any]:
    try:
        return clean(border, WIDTH, HEIGHT)
    except BorderError as fault:
        assert "\n" not in str(fault)
        assume(False)
        raise


@given(borders)
def test_cleaning_again_changes_nothing(border: dict[str, Any]) -> None:
    once = cleaned(border)
    assert clean(once, WIDTH, HEIGHT) == once


@given(borders)
def test_bounds_lie_in_the_image_and_hold_the_outline(border: dict[str, Any]) -> None:
    once = cleaned(border)
    x0, y0, x1, y1 = bounds(once, WIDTH, HEIGHT)
    assert 0 <= x0 <= x1 <= WIDTH and 0 <= y0 <= y1 <= HEIGHT
    x0, y0, x1, y1 = bounds(once)
    assert all(x0 - 0.02 <= x <= x1 + 0.02 and y0 - 0.02 <= y <= y1 + 0.02 for x, y in outline(once))


@given(polygons)
def test_a_polygon_comes_out_valid_and_inside(border: dict[str, Any]) -> None:
    points = cleaned(border)["points"]
    assert Polygon(points).is_valid and Polygon(points).area > 0
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)


@given(borders, borders)
def test_iou_is_symmetric_and_one_with_itself(one: dict[str, Any], other: dict[str, Any]) -> None:
    a, b = cleaned(one), cleaned(other)
    assume(area(a) > 1 and area(b) > 1)
    assert iou(a, b) == pytest.approx(iou(b, a))
    assert 0 <= iou(a, b) <= 1 + 1e-9
    assert iou(a, a) == pytest.approx(1)


def test_a_bow_tie_becomes_its_larger_half() -> None:
    tie = {"kind": "polygon", "points": [[0, 0], [60, 60], [60, 0], [0, 100]]}
    made = clean(tie, WIDTH, HEIGHT)
    assert Polygon(made["points"]).is_valid and len(made["points"]) == 3


def test_inscribed_ellipse_has_the_box_as_bounds() -> None:
    assert bounds(inscribed_ellipse(10, 20, 50, 90)) == (10, 20, 50, 90)


@pytest.mark.parametrize(
    "border",
    [
        None,
        {"kind": "star"},
        {"kind": "polygon", "points": [[0, 0], [1, 1]]},
        {"kind": "polygon", "points": [[0, 0], [1, 1], [2, 2]]},
        {"kind": "polygon", "points": [[0, 0], [1, "a"], [2, 2]]},
        {"kind": "polygon", "points": "abc"},
        {"kind": "polygon", "points": [[300, 300], [310, 300], [310, 310]]},
        {"kind": "rectangle", "x": 0, "y": 0, "width": 0, "height": 5},
        {"kind": "circle", "cx": float("nan"), "cy": 0, "r": 4},
        {"kind": "circle", "cx": 5, "cy": 5, "r": -4},
        {"kind": "circle", "cx": 500, "cy": 5, "r": 4},
        {"kind": "circle", "cx": True, "cy": 5, "r": 4},
    ],
)
def test_what_cannot_be_mended_is_refused(border: Any) -> None:
    with pytest.raises(BorderError):
        clean(border, WIDTH, HEIGHT)
