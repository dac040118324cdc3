"""Measures of a cell: known shapes have known values, scale and rotation change what they should and nothing else."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.cell_measures import measure
from annotation.measure_table import BY_NAME, GROUPS, MEASURES, PLACES

GROUND, CYTOPLASM, NUCLEUS = (240, 230, 220), (170, 160, 200), (90, 40, 130)
EMPTY = np.full((8, 8, 3), GROUND, dtype=np.uint8)
# Room for borders of every test.
PLAIN = np.full((400, 400, 3), GROUND, dtype=np.uint8)
LENGTHS = ("perimeter", "diameter", "feret_diameter", "breadth")

few = settings(max_examples=30, deadline=None)
sides = st.floats(min_value=4, max_value=150)
angles = st.floats(min_value=0, max_value=math.pi)


def said(values: dict[str, float | None], *names: str) -> list[float]:
    found = [values[name] for name in names]
    assert all(value is not None for value in found), values
    return [value for value in found if value is not None]


def turned(points: list[list[float]], angle: float, times: float = 1.0) -> dict[str, Any]:
    """Around the middle of PLAIN."""
    cos, sin = math.cos(angle) * times, math.sin(angle) * times
    return {"kind": "polygon", "points": [[200 + x * cos - y * sin, 200 + x * sin + y * cos] for x, y in points]}


def block(width: float, height: float) -> list[list[float]]:
    x, y = width / 2, height / 2
    return [[-x, -y], [x, -y], [x, y], [-x, y]]


def drawn(cell: float = 40, nucleus: float = 24, off: float = 0, size: int = 128, seed: int | None = None) -> Any:
    """A round cell with a round nucleus in the middle of a picture, radii in px; with noise where there is a seed."""
    y, x = np.mgrid[:size, :size] + 0.5 - size / 2
    pixels = np.full((size, size, 3), GROUND, dtype=float)
    pixels[np.hypot(x, y) < cell] = CYTOPLASM
    pixels[np.hypot(x - off, y) < nucleus] = NUCLEUS
    if seed is not None:
        pixels += np.random.default_rng(seed).normal(0, 4, pixels.shape)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def round_border(radius: float = 40, size: int = 128) -> dict[str, Any]:
    return {"kind": "circle", "cx": size / 2, "cy": size / 2, "r": radius}


def test_the_table_names_each_measure_once_and_measure_answers_it():
    assert len(BY_NAME) == len(MEASURES) == sum(map(len, GROUPS.values()))
    assert [measure.name for measure in MEASURES] == list(PLACES)
    assert list(measure(PLAIN, round_border(), None)) == list(PLACES)
    assert all(each.description and each.formula for each in MEASURES)


def test_units_are_said_plainly():
    assert [BY_NAME["area"].unit(True), BY_NAME["area"].unit(False)] == ["µm²", "px²"]
    assert [BY_NAME["volume"].column(True), BY_NAME["perimeter"].column(False)] == ["volume_um3", "perimeter_px"]
    assert (BY_NAME["solidity"].unit(True), BY_NAME["solidity"].column(True)) == ("", "solidity")
    assert BY_NAME["contrast"].unit(False) == "L*"


@few
@given(r=sides)
def test_a_circle(r: float):
    values = measure(PLAIN, {"kind": "circle", "cx": 200, "cy": 200, "r": r}, None)
    area, diameter, volume = said(values, "area", "diameter", "volume")
    assert area == pytest.approx(math.pi * r * r) and diameter == pytest.approx(2 * r)
    assert volume == pytest.approx(4 / 3 * math.pi * r**3, rel=2e-3)
    assert said(values, "feret_diameter", "breadth", "perimeter") == pytest.approx(
        [2 * r, 2 * r, 2 * math.pi * r], 1e-2
    )
    ratios = said(values, "circularity", "roundness", "solidity", "aspect_ratio")
    assert ratios == pytest.approx([1, 1, 1, 1], abs=0.01)


@few
@given(a=sides, b=sides, angle=angles)
def test_an_ellipse(a: float, b: float, angle: float):
    values = measure(PLAIN, {"kind": "ellipse", "cx": 200, "cy": 200, "rx": a, "ry": b, "theta": angle}, None)
    long, short = max(a, b), min(a, b)
    assert said(values, "area") == pytest.approx([math.pi * a * b])
    assert said(values, "aspect_ratio") == pytest.approx([long / short], rel=0.02)
    assert said(values, "roundness") == pytest.approx([short / long], rel=0.02)
    assert said(values, "volume") == pytest.approx([4 / 3 * math.pi * long * short**2], rel=0.02)
    assert said(values, "feret_diameter", "breadth") == pytest.approx([2 * long, 2 * short], rel=0.02)


@few
@given(a=sides, b=sides, angle=angles)
def test_a_rectangle_however_it_is_turned(a: float, b: float, angle: float):
    values = measure(PLAIN, turned(block(a, b), angle), None)
    area, perimeter, feret, breadth = said(values, "area", "perimeter", "feret_diameter", "breadth")
    assert (area, perimeter) == (pytest.approx(a * b), pytest.approx(2 * (a + b)))
    assert (feret, breadth) == (pytest.approx(math.hypot(a, b)), pytest.approx(min(a, b)))
    assert said(values, "solidity", "aspect_ratio") == pytest.approx([1, max(a, b) / min(a, b)])


@few
@given(points=st.lists(st.tuples(sides, angles), min_size=3, max_size=9), times=st.floats(0.2, 1.3), angle=angles)
def test_shape_knows_neither_size_nor_direction(points: list[tuple[float, float]], times: float, angle: float):
    # A star around the middle: rays in order, so that it never crosses itself.
    rays = [(r, 2 * math.pi * n / len(points)) for n, (r, _) in enumerate(points)]
    star = [[r * math.cos(t), r * math.sin(t)] for r, t in rays]
    one, other = measure(PLAIN, turned(star, 0), None), measure(PLAIN, turned(star, angle, times), None)
    assert said(other, "area", "volume") == pytest.approx(
        [said(one, "area")[0] * times**2, said(one, "volume")[0] * times**3], rel=1e-6
    )
    assert said(other, *LENGTHS) == pytest.approx([times * value for value in said(one, *LENGTHS)], rel=1e-6)
    shape = [each.name for each in GROUPS["Shape"]]
    assert said(other, *shape) == pytest.approx(said(one, *shape), rel=1e-6)
    circularity, solidity = said(one, "circularity", "solidity")
    assert 0 < circularity <= 1 and 0 < solidity <= 1 + 1e-9


def test_a_known_scale_turns_pixels_into_micrometres_and_leaves_ratios():
    pixels = drawn(seed=1)
    px, um = measure(pixels, round_border(), None), measure(pixels, round_border(), 0.25)
    for each in MEASURES:
        if each.power:
            assert said(um, each.name) == pytest.approx([said(px, each.name)[0] * 0.25**each.power])
    assert said(um, "nc_ratio", "contrast") == pytest.approx(said(px, "nc_ratio", "contrast"))


@pytest.mark.parametrize("nucleus", [12, 24, 36])
def test_the_nucleus_is_found(nucleus: int):
    values = measure(drawn(nucleus=nucleus, seed=2), round_border(), None)
    area, share, ratio = said(values, "nucleus_area", "nucleus_share", "nc_ratio")
    assert area == pytest.approx(math.pi * nucleus**2, rel=0.02)
    assert share == pytest.approx((nucleus / 40) ** 2, abs=0.01)
    assert ratio == pytest.approx(share / (1 - share))
    assert values["nucleus_parts"] == 1
    # Pixels have corners.
    assert said(values, "nucleus_solidity") == pytest.approx([1], abs=0.06)


def test_a_nucleus_aside_is_off_centre_and_two_are_two():
    aside = measure(drawn(nucleus=12, off=20), round_border(), None)
    assert said(aside, "nucleus_offset") == pytest.approx([20 / 80], abs=0.01)
    assert said(measure(drawn(nucleus=12), round_border(), None), "nucleus_offset") == pytest.approx([0], abs=0.01)
    two = np.minimum(drawn(nucleus=10, off=20), drawn(nucleus=10, off=-20))
    values = measure(two, round_border(), None)
    assert values["nucleus_parts"] == 2 and said(values, "nucleus_solidity")[0] < 0.8


def test_colours_and_contrast_are_those_of_the_parts():
    values = measure(drawn(), round_border(), None)
    assert said(values, "nucleus_red", "nucleus_green", "nucleus_blue") == pytest.approx(NUCLEUS, abs=0.01)
    assert said(values, "cytoplasm_red", "cytoplasm_green") == pytest.approx(CYTOPLASM[:2], abs=0.01)
    assert said(values, "nucleus_red_green") == pytest.approx([(90 - 40) / math.sqrt(2)])
    assert said(values, "nucleus_blue_yellow") == pytest.approx([(2 * 130 - 90 - 40) / math.sqrt(6)])
    assert said(values, "nucleus_red_spread", "granularity") == pytest.approx([0, 0], abs=1e-3)
    contrast, of_nucleus = said(values, "contrast", "nucleus_contrast")
    assert contrast > of_nucleus / 2 > 10


def test_granules_are_seen_in_the_cytoplasm_and_not_in_the_nucleus():
    pixels = drawn(nucleus=20)
    grainy = pixels.copy()
    y, x = np.mgrid[:128, :128]
    spots = ((x % 8 < 3) & (y % 8 < 3) & (np.hypot(x - 63.5, y - 63.5) < 38) & (np.hypot(x - 63.5, y - 63.5) > 22))[
        ..., None
    ]
    grainy = np.where(spots, np.array([140, 120, 170], dtype=np.uint8), grainy)
    plain, granular = (measure(each, round_border(), 0.2) for each in (pixels, grainy))
    for name in ("granularity_fine", "granularity", "granularity_coarse"):
        assert said(granular, name)[0] > said(plain, name)[0] + 1
    assert said(granular, "chromatin") == pytest.approx(said(plain, "chromatin"), abs=0.5)


def test_a_turned_picture_has_the_same_measures():
    pixels = drawn(nucleus=14, off=15, seed=3)
    border = {"kind": "polygon", "points": [[30, 40], [90, 30], [104, 70], [60, 100], [28, 80]]}
    rotated = {"kind": "polygon", "points": [[y, 128 - x] for x, y in border["points"]]}
    one, other = measure(pixels, border, 0.2), measure(np.rot90(pixels), rotated, 0.2)
    assert list(other.values()) == pytest.approx(list(one.values()), rel=0.02, abs=0.02)


@pytest.mark.parametrize(
    "border",
    [
        {"kind": "point", "cx": 20, "cy": 20},
        {"kind": "polygon", "points": [[10, 10], [50, 50], [90, 90]]},
        {"kind": "polygon", "points": [[1, 2]]},
        {"kind": "polygon", "points": [["a", None]]},
        {"kind": "polygon"},
        {"kind": "circle", "cx": float("nan"), "cy": 3, "r": 5},
        {"kind": "circle", "cx": 40, "cy": 40, "r": 0},
        {"kind": "cube"},
        {},
    ],
)
def test_broken_borders_and_points_have_no_measures(border: dict[str, Any]):
    assert set(measure(PLAIN, border, 0.1).values()) == {None}


def test_a_tiny_cell_has_a_size_and_no_looks():
    values = measure(PLAIN, {"kind": "circle", "cx": 50, "cy": 50, "r": 2}, None)
    assert values["area"] and values["nucleus_area"] is values["contrast"] is None


def test_a_cell_that_the_edge_cuts_off_has_colours_and_no_size():
    pixels = drawn()[:, 40:]
    border = {"kind": "circle", "cx": 24, "cy": 64, "r": 40}
    values = measure(pixels, border, 0.1)
    sizes = [*GROUPS["Size"], *GROUPS["Shape"], *GROUPS["Nucleus"]]
    assert {values[each.name] for each in sizes} == {None}
    assert said(values, "nucleus_red") == pytest.approx([NUCLEUS[0]], abs=3)
    assert set(measure(EMPTY, round_border(), 0.1).values()) == {None}


def test_without_a_nucleus_that_stands_out_nothing_is_said_of_it():
    values = measure(drawn(nucleus=0), round_border(), None)
    assert values["nucleus_area"] is values["nc_ratio"] is values["cytoplasm_red"] is None
    assert said(values, "area", "contrast")[1] > 10


def test_a_huge_border_is_measured_in_fewer_pixels():
    big = np.kron(drawn(), np.ones((10, 10, 1), dtype=np.uint8))
    values = measure(big, round_border(400, 1280), None)
    assert said(values, "nucleus_area") == pytest.approx([math.pi * 240**2], rel=0.03)


@few
@given(
    data=st.binary(min_size=300, max_size=300),
    border=st.lists(st.tuples(st.integers(-3, 13), st.integers(-3, 13)), min_size=3, max_size=7),
)
def test_whatever_is_drawn_nothing_is_nan(data: bytes, border: list[tuple[int, int]]):
    pixels = np.frombuffer(data, dtype=np.uint8).reshape(10, 10, 3)
    values = measure(pixels, {"kind": "polygon", "points": [list(point) for point in border]}, 0.3)
    assert all(value is None or math.isfinite(value) for value in values.values())
