"""Disagreement, novelty and the order of teaching, on cases small enough to work out by hand."""

import numpy as np
import pytest
from PIL import Image

from inference.appearance import appearance
from inference.disagreement import disagreement
from inference.learning_order import directions, novelty, teaching_order


def box(x: float, y: float, width: float = 10, height: float = 10) -> dict[str, object]:
    return {"kind": "rectangle", "x": x, "y": y, "width": width, "height": height}


A, B, C = box(0, 0), box(50, 0), box(0, 50)


def test_the_same_proposals_agree_and_strange_ones_do_not():
    assert disagreement([A, B], [B, A]) == 0
    assert disagreement([], []) == 0
    assert disagreement([A], []) == disagreement([], [A]) == 1
    assert disagreement([A, B], [C]) == 1


def test_a_moved_border_counts_by_what_it_no_longer_covers_and_a_lone_one_fully():
    moved = box(2, 0)  # shares 8 of 12 columns
    assert disagreement([A], [moved]) == pytest.approx(1 - 8 / 12)
    assert disagreement([A, B], [A]) == pytest.approx(1 / 3)
    # Less than half in common is another cell: both count.
    assert disagreement([A], [box(4, 0)]) == 1
    # Two proposals on one cell: one of them finds no partner.
    assert disagreement([A], [A, box(1, 0)]) == pytest.approx(1 / 3)


def test_directions_leave_out_what_all_images_share():
    units = directions(np.array([[100.0, 1.0], [100.0, -1.0], [100.0, 3.0]]))
    assert units == pytest.approx(np.array([[0, 0], [0, -1], [0, 1]]))
    assert directions(np.ones((3, 2))) == pytest.approx(np.zeros((3, 2)))
    assert directions(np.zeros((0, 0))).shape == (0, 0)


def test_novelty_is_the_distance_to_the_nearest_annotated():
    east, north, west = np.eye(2)[0], np.eye(2)[1], -np.eye(2)[0]
    diagonal = (east + north) / 2**0.5
    found = novelty(np.array([east, diagonal, west]), np.array([east, north]))
    assert found == pytest.approx([0, 1 - 0.5**0.5, 1])
    assert novelty(np.array([west]), np.array([east])) == pytest.approx([2])
    assert novelty(np.array([east, west]), np.zeros((0, 2))) == pytest.approx([1, 1])


def test_images_alike_are_not_chosen_in_a_row():
    east, north = np.eye(2)
    alike = np.array([east, east, east, north])
    need = np.array([4.0, 5.0, 3.0, 2.0])
    # The one most in need first; then the only other kind, although the rest of the first kind needs more.
    assert teaching_order(need, alike, np.zeros((0, 2))) == [1, 3, 0, 2]
    # What is annotated already counts like one that was chosen.
    assert teaching_order(need, alike, np.array([east]))[0] == 3
    assert teaching_order(need, alike, np.zeros((0, 2)), most=2) == [1, 3]


def test_need_decides_among_images_equally_new_and_alone_where_none_can_be_compared():
    east, north, south = np.eye(2)[0], np.eye(2)[1], -np.eye(2)[1]
    assert teaching_order(np.array([1.0, 2.0]), np.array([north, south]), np.array([east])) == [1, 0]
    assert teaching_order(np.array([1.0, 3.0, 2.0]), np.zeros((3, 0)), np.zeros((0, 0))) == [1, 2, 0]
    # Nothing to correct anywhere: an image of each kind all the same.
    nothing = np.zeros(3)
    assert teaching_order(nothing, np.array([east, east, north]), np.zeros((0, 2))) == [0, 2, 1]
    assert teaching_order(np.zeros(0), np.zeros((0, 0)), np.zeros((0, 0))) == []


def test_an_image_without_need_comes_up_by_being_new():
    east, north = np.eye(2)
    order = teaching_order(np.array([1.0, 1.0, 0.0]), np.array([east, east, north]), np.array([east]))
    assert order[0] == 2


def test_fields_of_one_stain_look_alike():
    pale, paler, dark = (appearance(Image.new("RGB", (640, 480), c)) for c in ("#f0e0f0", "#f2e2f2", "#402060"))
    assert pale.shape == (64,) and np.linalg.norm(pale) == pytest.approx(1)
    assert pale @ paler == pytest.approx(1) and pale @ dark == pytest.approx(0)
    # Neither the size of a field nor its shape says what it shows.
    assert appearance(Image.new("RGB", (3, 900), "#f0e0f0")) == pytest.approx(pale)
