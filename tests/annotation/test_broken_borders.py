"""Broken polygons, as hands, tools and other programs make them: mended to a valid one, or refused in a sentence."""

import math
import time
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from shapely.geometry import Point, Polygon

from annotation.borders import (
    FARTHEST,
    MAX_POINTS,
    BorderError,
    area,
    bounds,
    clean,
    iou,
    is_point,
    outline,
    shared_area,
)

WIDTH, HEIGHT = 200, 150
inside_x, inside_y = st.floats(0, WIDTH), st.floats(0, HEIGHT)
anywhere = st.tuples(st.floats(-300, 500), st.floats(-300, 450))
# Whole pixels: points that coincide, lie on a line or on the edge come up all the time.
coarse = st.tuples(st.integers(-10, 210).map(float), st.integers(-10, 160).map(float))
few = st.tuples(st.integers(0, 4).map(lambda v: 20.0 * v), st.integers(0, 4).map(lambda v: 20.0 * v))


# Many of these are rightly refused, and a busy machine is no fault of theirs.
calm = settings(deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])


def polygon(points: Any) -> dict[str, Any]:
    return {"kind": "polygon", "points": [list(point) for point in points]}


def mended(border: dict[str, Any]) -> dict[str, Any]:
    """The cleaned border; a refusal must be one sentence, and then there is nothing more to test."""
    try:
        return clean(border, WIDTH, HEIGHT)
    except BorderError as fault:
        assert_sentence(str(fault))
        assume(False)
        raise


def assert_sentence(text: str) -> None:
    assert text.endswith(".") and "\n" not in text and len(text) < 200 and text[0].isupper()


def assert_sound(made: dict[str, Any]) -> None:
    shape = Polygon(made["points"])
    assert shape.is_valid and shape.area > 0
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in made["points"])
    assert all(x == round(x, 2) and y == round(y, 2) for x, y in made["points"])
    assert all(a != b for a, b in zip(made["points"], made["points"][1:] + made["points"][:1], strict=True))
    x0, y0, x1, y1 = bounds(made, WIDTH, HEIGHT)
    assert x0 < x1 and y0 < y1
    assert clean(made, WIDTH, HEIGHT) == made


@calm
@given(st.lists(st.one_of(anywhere, coarse), min_size=3, max_size=30))
@example([(0, 0), (60, 60), (60, 0), (0, 60)])
@example([(0, 0), (10, 0), (10, 10), (20, 10), (10, 10), (0, 10)])
def test_whatever_comes_out_is_sound(points: list[tuple[float, float]]) -> None:
    assert_sound(mended(polygon(points)))


@calm
@given(st.lists(few, min_size=3, max_size=16))
def test_points_on_a_few_places_touch_and_overlap_in_every_way(points: list[tuple[float, float]]) -> None:
    assert_sound(mended(polygon(points)))


def star(cx: float, cy: float, radii: list[float]) -> list[tuple[float, float]]:
    turn = 2 * math.pi / len(radii)
    return [(cx + r * math.cos(turn * i), cy + r * math.sin(turn * i)) for i, r in enumerate(radii)]


stars = st.builds(star, st.floats(60, 140), st.floats(60, 90), st.lists(st.floats(5, 55), min_size=3, max_size=25))


@calm
@given(stars)
def test_a_valid_polygon_keeps_its_points_and_area(points: list[tuple[float, float]]) -> None:
    rounded = [(round(x, 2), round(y, 2)) for x, y in points]
    assume(Polygon(rounded).is_valid and len(set(rounded)) == len(rounded))
    made = clean(polygon(points), WIDTH, HEIGHT)
    assert made["points"] == [list(point) for point in rounded]
    # Each point moves by half a hundredth of a pixel at most.
    assert area(made) == pytest.approx(Polygon(points).area, abs=0.01 * Polygon(points).length + 0.01)


@calm
@given(stars, st.data())
def test_repeated_points_are_dropped_and_nothing_else(points: list[tuple[float, float]], data: Any) -> None:
    plain = mended(polygon(points))
    assume(len(plain["points"]) == len(points))
    times = data.draw(st.lists(st.integers(1, 4), min_size=len(points), max_size=len(points)))
    doubled = [point for point, count in zip(points, times, strict=True) for _ in range(count)]
    assert clean(polygon([*doubled, doubled[0]]), WIDTH, HEIGHT) == plain


@calm
@given(stars, st.integers(0, 24), st.floats(60, 140), st.floats(60, 90))
def test_a_spike_adds_no_area(points: list[tuple[float, float]], at: int, x: float, y: float) -> None:
    plain = mended(polygon(points))
    assume(Polygon(plain["points"]).buffer(-0.5).area > 0 and len(plain["points"]) == len(points))
    foot = plain["points"][at % len(plain["points"])]
    at = at % len(plain["points"]) + 1
    spiked = [*plain["points"][:at], [x, y], foot, *plain["points"][at:]]
    assume(not Polygon(plain["points"]).covers(Point(x, y)))
    made = mended(polygon(spiked))
    assert_sound(made)
    # A line out and back is thin, but where it cuts through the cell again it may part it: never more than there was.
    assert area(made) <= area(plain) + 0.02 * math.dist(foot, (x, y)) + 0.05


@calm
@given(st.floats(5, 40), st.floats(1, 2.9), st.integers(8, 60))
def test_a_loop_drawn_further_than_once_is_the_whole_cell(radius: float, turns: float, steps: int) -> None:
    count = max(8, int(steps * turns))
    # A hand never meets its own line: the loop widens as it goes on.
    path = [
        (100 + (radius + 0.05 * i) * math.cos(2 * math.pi * turns * i / count),
         75 + (radius + 0.05 * i) * math.sin(2 * math.pi * turns * i / count))
        for i in range(count)
    ]  # fmt: skip
    assume(count / turns >= 8)
    made = clean(polygon(path), WIDTH, HEIGHT)
    assert_sound(made)
    assert Polygon(made["points"]).covers(Point(100, 75))
    once = count / turns
    assert area(made) >= 0.9 * (once / 2 * math.sin(2 * math.pi / once)) * radius**2


def test_a_bow_tie_is_its_larger_half_in_the_image() -> None:
    # The larger half lies outside: the smaller one is what there is.
    tie = polygon([[20, 60], [-60, 140], [-60, -80], [20, 0]])
    twisted = polygon([[40, 10], [0, 50], [-100, 150], [-100, -50], [0, 50], [40, 90]])
    for border in (tie, twisted):
        made = clean(border, WIDTH, HEIGHT)
        assert_sound(made)
        assert bounds(made)[0] >= 0


def test_a_hole_joined_by_a_line_is_filled() -> None:
    ring = [[10, 10], [60, 10], [60, 60], [10, 60], [10, 10], [20, 20], [20, 40], [40, 40], [40, 20], [20, 20]]
    made = clean(polygon(ring), WIDTH, HEIGHT)
    assert_sound(made)
    assert area(made) == 2500


def test_parts_outside_are_cut_off() -> None:
    made = clean(polygon([[-50, 10], [50, 10], [50, 60], [-50, 60]]), WIDTH, HEIGHT)
    assert_sound(made)
    assert area(made) == 2500
    everything = clean(polygon([[-9e5, -9e5], [9e5, -9e5], [9e5, 9e5], [-9e5, 9e5]]), WIDTH, HEIGHT)
    assert area(everything) == WIDTH * HEIGHT


@calm
@given(st.tuples(inside_x, inside_y), st.tuples(inside_x, inside_y), st.lists(st.floats(-1, 2), min_size=1, max_size=8))
def test_points_on_one_line_are_refused_or_sound(
    start: tuple[float, float], end: tuple[float, float], along: list[float]
) -> None:
    # Rounding to the grid may give a line a hair of area: then it is a valid sliver, never a broken one.
    line = [(start[0] + t * (end[0] - start[0]), start[1] + t * (end[1] - start[1])) for t in [0, 1, *along]]
    try:
        made = clean(polygon(line), WIDTH, HEIGHT)
    except BorderError as fault:
        assert_sentence(str(fault))
    else:
        assert_sound(made)


@pytest.mark.parametrize("count", [MAX_POINTS, MAX_POINTS + 1])
def test_a_polygon_of_very_many_points(count: int) -> None:
    ring = [(100 + 60 * math.cos(2 * math.pi * i / count), 75 + 60 * math.sin(2 * math.pi * i / count))
            for i in range(count)]  # fmt: skip
    if count > MAX_POINTS:
        with pytest.raises(BorderError, match="at most 10000 points"):
            clean(polygon(ring), WIDTH, HEIGHT)
    else:
        assert_sound(clean(polygon(ring), WIDTH, HEIGHT))


def test_a_scribble_of_thousands_of_points_is_mended() -> None:
    ring = [(100 + 90 * math.sin(i / 71), 75 + 70 * math.cos(i / 45)) for i in range(3000)]
    assert_sound(clean(polygon(ring), WIDTH, HEIGHT))


@pytest.mark.parametrize("count", [2_000, MAX_POINTS])
def test_a_scribble_without_end_is_refused_at_once(count: int) -> None:
    random = Random(5)
    ring = [(random.uniform(0, WIDTH), random.uniform(0, HEIGHT)) for _ in range(count)]
    start = time.thread_time()
    with pytest.raises(BorderError, match="too often"):
        clean(polygon(ring), WIDTH, HEIGHT)
    assert time.thread_time() - start < 2


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, None, "5", True, [5], {}, 10**400, 1e300, 2 * FARTHEST]
)
@pytest.mark.parametrize("kind", ["polygon", "rectangle", "ellipse", "circle", "point"])
def test_what_is_no_place_is_refused_in_one_sentence(kind: str, value: Any) -> None:
    border = {"kind": kind, "points": [[0, 0], [50, value], [50, 50]], "x": value, "y": 1, "width": 5, "height": 5}
    border |= {"cx": value, "cy": 5, "r": 5, "rx": 5, "ry": 5}
    with pytest.raises(BorderError) as refused:
        clean(border, WIDTH, HEIGHT)
    assert_sentence(str(refused.value))


@pytest.mark.parametrize(
    "border",
    [
        {"kind": ["polygon"]},
        {"kind": "x" * 5000},
        {"kind": "polygon", "points": {"0": [1, 1]}},
        {"kind": "polygon", "points": [[0, 0], [9, 0], [9, 9, 9]]},
        {"kind": "polygon", "points": [[5, 5], [5.001, 5], [5, 5.001], [5.002, 5]]},
        {"kind": "polygon", "points": [[1, 1], [50, 1], [1, 1], [50, 1]]},
        {"kind": "rectangle", "x": 9.996, "y": 10, "width": 0.003, "height": 20},
        {"kind": "circle", "cx": -5, "cy": 20, "r": 5.003},
        {"kind": "circle", "cx": 5, "cy": 20, "r": 0.004},
        {"kind": "circle", "cx": -10, "cy": -10, "r": 12},
        {"kind": "ellipse", "cx": 5, "cy": 5, "rx": 3, "ry": 0},
        {"kind": "point", "cx": 200.01, "cy": 5},
        {"kind": "point", "cx": -0.006, "cy": 5},
        {"kind": "point", "cx": 5},
    ],
)
def test_what_leaves_nothing_is_refused_in_one_sentence(border: dict[str, Any]) -> None:
    with pytest.raises(BorderError) as refused:
        clean(border, WIDTH, HEIGHT)
    assert_sentence(str(refused.value))


@calm
@given(inside_x, inside_y)
def test_a_point_is_a_place_without_extent(x: float, y: float) -> None:
    made = clean({"kind": "point", "cx": x, "cy": y, "note": "dropped"}, WIDTH, HEIGHT)
    assert made == {"kind": "point", "cx": round(x, 2), "cy": round(y, 2)} == clean(made, WIDTH, HEIGHT)
    assert is_point(made)
    assert bounds(made, WIDTH, HEIGHT) == (made["cx"], made["cy"], made["cx"], made["cy"])
    assert outline(made) == [[made["cx"], made["cy"]]]
    assert area(made) == 0
    whole = {"kind": "rectangle", "x": 0.0, "y": 0.0, "width": WIDTH, "height": HEIGHT}
    round_ = {"kind": "circle", "cx": 100.0, "cy": 75.0, "r": 90.0}
    for other in (made, whole, round_):
        assert iou(made, other) == iou(other, made) == shared_area(made, other) == shared_area(other, made) == 0
