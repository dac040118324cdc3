"""A mask becomes one clean ring of 12 to 40 points that runs along it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Polygon

from annotation.borders import clean
from inference.polygons import LEAST_POINTS, MOST_POINTS, few_points, polygon


def disc(cx: float, cy: float, r: float, bins: int = 64) -> np.ndarray:
    """How likely each bin lies in a disc, soft at its edge, in bins."""
    y, x = np.mgrid[:bins, :bins] + 0.5
    return (1 / (1 + np.exp(np.hypot(x - cx, y - cy) - r))).astype(np.float32)


@given(st.floats(20, 44), st.floats(20, 44), st.floats(6, 18))
def test_a_disc_comes_back_where_it_lies(cx: float, cy: float, r: float):
    ring = polygon(disc(cx, cy, r), (100, 200, 228, 328))  # two px a bin
    assert ring is not None and LEAST_POINTS <= len(ring) <= MOST_POINTS
    shape = Polygon(ring)
    assert shape.is_valid
    assert shape.centroid.x == pytest.approx(100 + 2 * cx, abs=1)
    assert shape.centroid.y == pytest.approx(200 + 2 * cy, abs=1)
    assert shape.area == pytest.approx(np.pi * (2 * r) ** 2, rel=0.06)


def test_nothing_likely_is_no_ring():
    assert polygon(np.full((64, 64), 0.4, dtype=np.float32), (0, 0, 10, 10)) is None


def test_the_largest_part_is_the_cell_and_one_at_the_regions_edge_closes_there():
    both = np.maximum(disc(0, 32, 20), disc(56, 56, 4))
    ring = polygon(both, (0, 0, 64, 64))
    assert ring is not None
    shape = Polygon(clean({"kind": "polygon", "points": ring}, 64, 64)["points"])
    assert shape.area == pytest.approx(np.pi * 20**2 / 2, rel=0.05)
    assert shape.bounds[0] <= 1


@given(st.lists(st.floats(0.3, 1), min_size=3, max_size=200))
def test_any_star_gets_12_to_40_points(radii: list[float]):
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    points = np.stack([np.cos(angles), np.sin(angles)], 1) * np.array(radii)[:, None] * 50
    ring = few_points(Polygon(points))
    assert ring is not None and LEAST_POINTS <= len(ring) <= MOST_POINTS


def test_a_square_keeps_its_area_and_gets_points_on_its_sides():
    ring = few_points(Polygon([(0, 0), (40, 0), (40, 40), (0, 40)]))
    assert ring is not None and len(ring) >= LEAST_POINTS
    assert Polygon(ring).area == pytest.approx(1600, rel=0.08)
