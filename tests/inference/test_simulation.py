"""The simulated annotator does what a person would, and its effort is read from the same records."""

from collections.abc import Callable
from typing import Any

import pytest

from annotation.effort import effort
from annotation.formats.truth import TruthCell
from annotation.models import Cell, SmearImage, Study
from inference.evaluation import evaluate
from inference.proposals import propose
from inference.simulation import correct, judge, next_images, set_aside, shuffled, simulated_annotator, unplayed
from tests.inference.test_proposals import Fixed

pytestmark = pytest.mark.django_db


def box(x: float, y: float, width: float = 20, height: float = 20) -> dict[str, Any]:
    return {"kind": "rectangle", "x": x, "y": y, "width": width, "height": height}


def cell(x: float, y: float, *, ignored: bool = False) -> TruthCell:
    return TruthCell(box(x, y), ignored, "edge" if ignored else "cell")


@pytest.fixture
def image(study: Study, make_image: Callable[..., SmearImage]) -> SmearImage:
    return make_image(study, width=200, height=150)


TRUTH = [cell(10, 10), cell(50, 10), cell(90, 10), cell(130, 10, ignored=True)]
# On the first cell to a pixel, on the second by half, on nothing, on the ignored region; below the threshold.
PROPOSED = [
    (box(11, 10), 0.9),
    (box(58, 10), 0.8),
    (box(20, 100), 0.7),
    (box(132, 10), 0.95),
    (box(150, 100), 0.3),
]


def test_it_accepts_moves_deletes_and_adds(study: Study, image: SmearImage):
    propose(study, Fixed(*PROPOSED), [image])
    correct(image.pk, TRUTH, simulated_annotator(study))
    took = effort([image.pk])
    assert (took.images, took.cells) == (1, 3)
    assert (took.accepted, took.moved, took.deleted, took.added) == (1, 1, 1, 1)
    assert took.corrections_per_cell == 1.0
    image.refresh_from_db()
    assert image.state == SmearImage.State.ANNOTATED
    confirmed = Cell.objects.filter(image=image).confirmed()
    assert sorted(c.x0 for c in confirmed.filter(ignored=False)) == [11, 50, 90]
    assert [c.ignored_class for c in confirmed.filter(ignored=True)] == ["edge"]


def test_perfect_proposals_cost_nothing(study: Study, image: SmearImage):
    propose(study, Fixed(*[(c.border, 0.9) for c in TRUTH if not c.ignored]), [image])
    correct(image.pk, TRUTH, simulated_annotator(study))
    assert effort([image.pk]).corrections_per_cell == 0


def test_an_image_without_cells_becomes_a_negative(study: Study, image: SmearImage):
    propose(study, Fixed((box(10, 10), 0.9)), [image])
    correct(image.pk, [], simulated_annotator(study))
    took = effort([image.pk])
    assert (took.cells, took.deleted, took.corrections_per_cell) == (0, 1, None)
    image.refresh_from_db()
    assert image.state == SmearImage.State.ANNOTATED


def test_only_images_that_nobody_has_annotated_are_played(study: Study, make_image: Callable[..., SmearImage]):
    first, second = make_image(study, seed=1), make_image(study, seed=2, state=SmearImage.State.ANNOTATED)
    assert unplayed({first.pk: [], second.pk: []}) == [first.pk]


def test_the_seed_orders_the_images():
    assert shuffled([3, 1, 2, 9, 5], 1) == shuffled([9, 5, 3, 2, 1], 1)
    assert {tuple(shuffled(list(range(8)), seed)) for seed in range(6)} != {tuple(shuffled(list(range(8)), 0))}


def test_evaluation_takes_all_scores_for_map_and_the_shown_for_precision(study: Study, image: SmearImage):
    propose(study, Fixed(*PROPOSED), [image])
    found = evaluate({image.pk: TRUTH})
    assert found.images == 1
    # Shown and counted: two of three; the one on the ignored region does not count, the lowest is not shown.
    assert found.precision == pytest.approx(1 / 3)
    assert found.recall == pytest.approx(1 / 3)
    assert found.scores["map_50"] == pytest.approx(1 / 3, abs=0.01)


def test_evaluation_is_of_proposals_as_they_were_proposed(study: Study, image: SmearImage):
    propose(study, Fixed(*PROPOSED), [image])
    before = evaluate({image.pk: TRUTH})
    correct(image.pk, TRUTH, simulated_annotator(study))
    assert evaluate({image.pk: TRUTH}) == before


def test_images_never_proposed_on_are_left_out(study: Study, image: SmearImage):
    assert evaluate({image.pk: TRUTH}).images == 0


def test_the_judges_are_the_same_whatever_else_is_asked(study: Study, make_image: Callable[..., SmearImage]):
    keys = [make_image(study, seed=seed).pk for seed in range(8)]
    judges = set_aside(keys, 3)
    assert judges == set_aside(keys[::-1], 3) and len(set(judges)) == 3 and set(judges) < set(keys)
    assert set_aside(keys, 0) == []
    # A play that goes on from another one has the same judges.
    corrected = next(key for key in keys if key not in judges)
    assert set_aside([key for key in keys if key != corrected], 3) == judges


def test_next_images_are_those_that_the_worklist_would_give_out(study: Study, make_image: Callable[..., SmearImage]):
    first, second, third, fourth = (make_image(study, seed=seed, state="proposed") for seed in range(4))
    for image, fields in [(second, {"learning_rank": 2, "novelty": 0.4}), (third, {"learning_rank": 1})]:
        SmearImage.objects.filter(pk=image.pk).update(**fields)
    waiting = [fourth.pk, first.pk, second.pk, third.pk]
    assert next_images(waiting, 2, "random") == [fourth.pk, first.pk]
    # What the order says nothing about comes as it was shuffled.
    assert next_images(waiting, 4, "teaches") == [third.pk, second.pk, fourth.pk, first.pk]
    assert next_images(waiting, 2, "unlike") == [second.pk, fourth.pk]
    # None but those that wait, so no judge either.
    assert next_images([first.pk, second.pk], 4, "teaches") == [second.pk, first.pk]


def test_judging_leaves_nothing_behind(study: Study, image: SmearImage):
    propose(study, Fixed(*PROPOSED), [image])
    stored = evaluate({image.pk: TRUTH}).scores
    rows = list(Cell.objects.values_list("pk", flat=True))
    assert judge(Fixed(*PROPOSED), {image.pk: TRUTH}) == stored
    assert judge(Fixed(), {image.pk: TRUTH})["map_50"] == 0
    assert list(Cell.objects.values_list("pk", flat=True)) == rows
