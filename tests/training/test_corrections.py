"""The corrections that proposals ask for, by kind, and the threshold that asks for fewest."""

import pytest

from training.box_overlap import as_boxes, in_ignored, iou
from training.corrections import THRESHOLDS, Corrections, best_threshold, corrections, fewest

CELL, OTHER = [0.0, 0.0, 10.0, 10.0], [20.0, 0.0, 30.0, 10.0]
TRUTH = [{"boxes": [CELL, OTHER], "ignored": [[80.0, 0.0, 99.0, 20.0]]}]
# On a cell, half as high again as one, nowhere, and in the ignored region.
FOUND = [{"boxes": [CELL, [20, 0, 30, 14.9], [50, 0, 60, 10], [82, 2, 90, 10]], "scores": [0.9, 0.8, 0.4, 0.95]}]


def test_each_threshold_asks_for_its_own_corrections() -> None:
    none_shown, one_moved, one_more_deleted = corrections(FOUND, TRUTH, [0.99, 0.5, 0.1])
    assert none_shown == Corrections(added=2)
    assert one_moved == Corrections(moved=1), "what lies in the ignored region is left alone"
    assert one_more_deleted == Corrections(moved=1, deleted=1)
    assert one_more_deleted.total == 2


def test_the_threshold_is_where_people_correct_least() -> None:
    assert 0.4 < best_threshold(FOUND, TRUTH) <= 0.8


def test_of_thresholds_that_tie_the_middle_is_taken() -> None:
    costs = [Corrections(added=k) for k in (5, 2, 2, 2, 7)]
    assert fewest([0.1, 0.2, 0.3, 0.4, 0.5], costs) == 0.3


def test_the_closest_pair_belongs_together_and_the_other_is_deleted() -> None:
    found = [{"boxes": [[0, 0, 10, 14], CELL], "scores": [0.9, 0.8]}]
    assert corrections(found, [{"boxes": [CELL], "ignored": []}], [0.5]) == [Corrections(deleted=1)]


def test_fields_without_cells_or_without_detections() -> None:
    empty = {"boxes": [], "scores": [], "ignored": []}
    assert corrections([empty], [empty], [0.5]) == [Corrections()]
    assert corrections([empty], TRUTH, [0.5]) == [Corrections(added=2)]
    assert corrections(FOUND, [empty], [0.5]) == [Corrections(deleted=3)]
    assert corrections([], [], THRESHOLDS) == [Corrections()] * len(THRESHOLDS)


def test_overlaps_of_boxes() -> None:
    boxes = as_boxes([CELL, [5, 0, 15, 10], [50, 50, 50, 50]])
    assert iou(boxes, as_boxes([CELL]))[:, 0] == pytest.approx([1, 1 / 3, 0])
    # Their own share: a small box lies in a large region whole, not the other way round.
    assert in_ignored(boxes, as_boxes([[5, 0, 100, 10]])).tolist() == [True, True, False]
    assert in_ignored(boxes, as_boxes([[6, 0, 100, 10]])).tolist() == [False, True, False]
    assert in_ignored(boxes, as_boxes([])).tolist() == [False] * 3
