import pytest

from inference.overlap import (
    Field,
    Scored,
    Truth,
    average_precision,
    best_matches,
    best_overlaps,
    precision_recall,
    share_inside,
)


def box(x: float, y: float, width: float = 10, height: float = 10) -> dict:
    return {"kind": "rectangle", "x": x, "y": y, "width": width, "height": height}


def circle(x: float, y: float, r: float = 10) -> dict:
    return {"kind": "circle", "cx": x, "cy": y, "r": r}


def test_180_perfect_proposals_score_1_despite_cocos_cap_of_100():
    cells = [box(12 * (i % 20), 12 * (i // 20)) for i in range(180)]
    perfect = Field([Truth(cell) for cell in cells], [Scored(cell, 0.5 + i / 1000) for i, cell in enumerate(cells)])
    assert average_precision([perfect]) == pytest.approx({"map": 1, "map_50": 1, "map_75": 1, "mar": 1})


def test_outlines_are_compared_as_outlines_and_boxes_as_bounds():
    # Two circles side by side in one box: their bounds overlap by a half, their outlines by less.
    apart = [Field([Truth(circle(0, 0))], [Scored(circle(6.5, 0), 0.9)])]
    assert average_precision(apart)["map_50"] == 0
    boxed = [Field([Truth(box(-10, -10, 20, 20))], [Scored(circle(6.5, 0), 0.9)])]
    assert average_precision(boxed)["map_50"] == pytest.approx(1)


def test_a_false_proposal_with_a_low_score_costs_precision_but_not_average_precision():
    field = Field([Truth(box(0, 0))], [Scored(box(0, 0), 0.9), Scored(box(50, 50), 0.2)])
    assert average_precision([field])["map_50"] == pytest.approx(1)
    assert precision_recall([field]) == (0.5, 1.0)


def test_two_proposals_on_one_cell_are_one_hit_and_one_false():
    field = Field([Truth(box(0, 0))], [Scored(box(0, 0), 0.9), Scored(box(1, 0), 0.8)])
    assert precision_recall([field]) == (0.5, 1.0)


def test_ignored_truth_counts_neither_as_hit_nor_as_miss():
    truth = [Truth(box(0, 0)), Truth(box(100, 0, 40, 40), ignored=True)]
    inside = [Scored(box(0, 0), 0.9), Scored(box(105, 5), 0.95), Scored(box(120, 20), 0.94)]
    assert precision_recall([Field(truth, inside)]) == (1.0, 1.0)
    assert average_precision([Field(truth, inside)])["map"] == pytest.approx(1)
    assert precision_recall([Field(truth, [Scored(box(0, 0), 0.9)])]) == (1.0, 1.0)


def test_an_image_without_cells_punishes_proposals():
    full = Field([Truth(box(0, 0))], [Scored(box(0, 0), 0.5)])
    empty = Field([], [Scored(box(0, 0), 0.9)])
    assert average_precision([full, empty])["map_50"] == pytest.approx(0.5)
    assert precision_recall([full, empty]) == (0.5, 1.0)


def test_without_any_cell_or_proposal_there_is_no_figure():
    assert set(average_precision([Field()]).values()) == {None}
    assert precision_recall([Field()]) == (None, None)
    assert average_precision([Field([Truth(box(0, 0))])])["map"] == 0


def test_matches_are_one_to_one_and_the_closest_pair_goes_first():
    truth = [Truth(box(0, 0)), Truth(box(8, 0))]
    matches = best_matches([box(1, 0), box(0, 0)], truth, 0.1)
    assert {(m.proposal, m.truth) for m in matches} == {(1, 0), (0, 1)}
    assert best_matches([box(0, 0)], [Truth(box(0, 0), ignored=True)], 0.1) == []


def test_share_inside_is_the_proposals_own_share():
    assert share_inside(box(0, 0), box(5, 0, 100, 100)) == pytest.approx(0.5)
    assert share_inside(circle(0, 0), circle(0, 0, 100)) == pytest.approx(1)
    assert share_inside(box(0, 0), box(50, 50)) == 0


def test_each_true_cell_has_the_proposal_that_covers_it_best():
    def square(x: float, side: float) -> dict:
        return {"kind": "polygon", "points": [[x, 0], [x + side, 0], [x + side, side], [x, side]]}

    covered = Field(
        [Truth(square(0, 10)), Truth(square(100, 10)), Truth(square(200, 10), ignored=True)],
        [Scored(square(0, 5), 0.9), Scored(square(0, 8), 0.2), Scored(square(200, 10), 0.9)],
    )
    assert best_overlaps([covered, Field([Truth(square(0, 10))], [])]) == pytest.approx([0.64, 0, 0])
