"""The effort curve: stages in the order of rounds, intervals, and what is said of a round beside the one before."""

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.effort import Effort, Work, count_effort
from annotation.image_state import set_state
from annotation.models import Cell, ProposalRun, SmearImage, Study
from annotation.operations import apply
from tests.annotation.changes import ROUND, SQUARE, change
from tests.training.conftest import draw
from training.effort import (
    LEAST_CELLS,
    LEAST_IMAGES,
    Curve,
    Gain,
    Stage,
    _Sample,
    by_annotator,
    by_patient,
    compare,
    effort_curve,
    statement,
)
from training.models import Bundle, JobState, Round


def works(images: int, cells: int, corrections: int, spread: int = 0) -> list[Work]:
    """Images of so many cells, of which so many (more and fewer by `spread`, in turn) were moved."""
    found = []
    for number in range(images):
        moved = max(0, corrections + (spread if number % 2 else -spread))
        found.append(Work(number, "b", 1, cells - moved, moved, 0, 0, 0.0))
    return found


def gain(old: list[Work], new: list[Work]) -> Gain:
    return compare(1, _Sample(old, 1), 2, _Sample(new, 2))


def curve_of(study: Study) -> Curve:
    count_effort(study)
    return effort_curve(study)


def test_a_round_that_saves_much_pays() -> None:
    found = gain(works(20, 50, 20, 2), works(20, 50, 12, 2))
    assert found.verdict == "gains"
    assert found.saved == pytest.approx(0.4)
    assert found.interval is not None and 0.3 < found.interval[0] < 0.4 < found.interval[1] < 0.5
    assert found.difference is not None and found.difference[1] < 0
    assert found.sentence.startswith("Round 2 needs 40 % fewer corrections than round 1 (95 % interval ")
    assert found.sentence.endswith("): another round pays.")


def test_a_round_that_saves_little_for_sure_has_converged() -> None:
    found = gain(works(60, 200, 100, 2), works(60, 200, 97, 2))
    assert (found.verdict, found.saved) == ("converged", pytest.approx(0.03))
    assert found.sentence.startswith("Round 2 saved 3 % over round 1 (95 % interval ")
    assert found.sentence.endswith("): borders have converged.")


def test_rounds_that_are_the_same_within_little_have_converged_though_they_cannot_be_told_apart() -> None:
    found = gain(works(60, 200, 100, 8), works(60, 200, 100, 8))
    assert found.verdict == "converged"
    assert "cannot be told apart" in found.sentence and "converged" in found.sentence


def test_rounds_whose_images_differ_widely_cannot_be_told_apart() -> None:
    found = gain(works(8, 50, 20, 18), works(8, 50, 16, 14))
    assert found.verdict == "unclear"
    assert found.difference is not None and found.difference[0] < 0 < found.difference[1]
    assert "Round 2 cannot be told apart from round 1: 20 % saved (95 % interval −" in found.sentence
    assert found.sentence.endswith("More finished images would tell.")


def test_a_round_that_needs_more_is_said_to() -> None:
    found = gain(works(20, 50, 10, 1), works(20, 50, 15, 1))
    assert found.verdict == "worse"
    assert found.sentence.startswith("Round 2 needs 50 % more corrections than round 1 (95 % interval ")


@pytest.mark.parametrize(
    ("images", "cells", "counted"),
    [(LEAST_IMAGES - 1, 100, "400 cells on 4 images"), (LEAST_IMAGES, 3, "15 cells on 5 images")],
)
def test_too_few_cells_tell_nothing(images: int, cells: int, counted: str) -> None:
    few = works(images, cells, 1)
    for found, name in ((gain(works(20, 50, 20), few), "round 2"), (gain(few, works(20, 50, 20)), "round 1")):
        assert (found.verdict, found.saved, found.interval) == ("few", None, None)
        assert found.sentence == (
            f"Too few cells to tell: {name} has {counted} finished so far, "
            f"and {LEAST_CELLS} on {LEAST_IMAGES} are needed."
        )


def test_where_nothing_was_left_to_correct_nothing_is_divided() -> None:
    assert gain(works(10, 20, 0), works(10, 20, 0)).verdict == "none"
    worse = gain(works(10, 20, 0), works(10, 20, 2))
    assert (worse.verdict, worse.saved) == ("worse", None)
    assert worse.sentence == "Round 2 needs 0.1 corrections per cell, where round 1 needed none."
    assert gain(works(10, 20, 2), works(10, 20, 0)).saved == 1.0


counts = st.lists(st.tuples(*[st.integers(0, 40)] * 4), min_size=LEAST_IMAGES, max_size=12)


@settings(max_examples=60, deadline=None)
@given(old=counts, new=counts)
def test_whatever_was_corrected_something_true_is_said(old: list[Any], new: list[Any]) -> None:
    first, second = ([Work(n, "b", None, *row, 0.0) for n, row in enumerate(rows)] for rows in (old, new))
    found = gain(first, second)
    assert found.sentence.endswith(".") and "nan" not in found.sentence and "inf" not in found.sentence
    for sample in (_Sample(first, 1), _Sample(second, 2)):
        if sample.interval is not None:
            assert 0 <= sample.interval[0] <= sample.interval[1]
    if found.verdict == "gains":
        assert found.difference is not None and found.difference[1] < 0
    if found.verdict == "worse":
        assert found.difference is not None and found.difference[0] > 0
    assert gain(first, second) == found, "the same cells say the same"


def stage(number: int, said: Gain | None = None, cells: int = 10) -> Stage:
    return Stage("b", number, None, Effort(2, cells, 2, 0, 0), None, [], said)


def test_the_statement_is_of_the_last_round_that_can_be_judged() -> None:
    assert statement([]).verdict == "few"
    first = statement([stage(0)])
    assert first.sentence.startswith(
        "Only the first proposals have been corrected so far at 0.17 corrections per cell:"
    )
    pays, few = Gain("gains", "It pays."), Gain("few", "Too few.")
    assert statement([stage(0), stage(1, pays)]) is pays
    assert statement([stage(0), stage(1, few)]) is few
    both = statement([stage(0), stage(1, pays), stage(2, few)])
    assert (both.verdict, both.sentence) == ("few", "Too few. Before it: It pays.")


# --- from rows ---


def made_round(study: Study, number: int, bundle: str) -> Round:
    Bundle.objects.get_or_create(id=bundle, defaults={"study": study, "card": {}})
    return Round.objects.create(
        study=study, number=number, bundle_id=bundle, snapshot="0" * 64, state=JobState.SUCCEEDED
    )


def corrected(image: SmearImage, bundle: str, user: User, *kinds: str) -> None:
    """Proposals of a bundle on an image, each treated in its way (accept, move, delete), and cells added; finished."""
    run = ProposalRun.objects.create(study=image.study, bundle=bundle, score_threshold=0.5)
    changes = []
    for kind in kinds:
        if kind == "add":
            changes.append(change("create", uuid.uuid4(), 0, border=SQUARE))
            continue
        cell = Cell(image=image, origin="proposal", status="proposed", run=run, score=0.9, proposed_border=ROUND)
        cell.place(ROUND, image)
        cell.save()
        more = {"border": SQUARE} if kind == "move" else {}
        changes.append(change("reshape" if kind == "move" else kind, cell.pk, 1, **more))
    SmearImage.objects.filter(pk=image.pk).update(proposed_by=run)
    assert {result.status for result in apply(image.pk, user, changes).results} <= {"applied"}
    set_state(image.pk, user, "annotated")


@pytest.mark.django_db
def test_stages_follow_the_rounds_and_the_rest_comes_last(
    study: Study, make_image: Any, annotator: User, teammate: User
) -> None:
    second = made_round(study, 2, "bbbbbbbbbbbb")
    first = made_round(study, 1, "aaaaaaaaaaaa")
    # The same data trained again made the same bundle.
    made_round(study, 3, "aaaaaaaaaaaa")
    images = [make_image(study, seed=seed) for seed in range(6)]
    corrected(images[0], "bbbbbbbbbbbb", annotator, "accept", "accept", "move")
    corrected(images[1], "watershed/1", annotator, "accept", "delete", "add", "add")
    corrected(images[2], "watershed/2", teammate, "delete")
    corrected(images[3], "aaaaaaaaaaaa", annotator, "accept", "move", "add")
    corrected(images[4], "ffffffffffff", annotator, "accept")
    apply(images[5].pk, annotator, [change("create", uuid.uuid4(), 0, border=SQUARE)])
    curve = curve_of(study)
    assert [stage.name for stage in curve.stages] == [
        "First proposals",
        "Round 1",
        "Round 2",
        "Bundle ffffffffffff",
    ], "an image that is not finished counts nowhere"
    set_state(images[5].pk, annotator, "annotated")
    curve = curve_of(study)
    assert curve.stages[-1].name == "Drawn by hand"
    assert [stage.round_id for stage in curve.rounds] == [None, first.pk, second.pk]
    zero, one, two = (stage.effort for stage in curve.rounds)
    assert (zero.images, zero.accepted, zero.moved, zero.deleted, zero.added) == (2, 1, 0, 2, 2)
    assert zero.corrections_per_cell == pytest.approx(4 / 3)
    assert (one.cells, one.corrections_per_cell) == (3, pytest.approx(2 / 3))
    assert two.corrections_per_cell == pytest.approx(1 / 3)
    assert curve.rounds[0].gain is None and curve.rounds[2].gain is not None
    assert curve.round("2") is curve.rounds[2] and curve.round("7") is None and curve.round(None) is None
    assert "Too few cells to tell: round 2 has 3 cells on 1 image finished" in curve.statement.sentence


@pytest.mark.django_db
def test_who_did_it_and_on_whose_cells(
    study: Study, make_image: Any, make_annotated: Any, annotator: User, teammate: User
) -> None:
    ours = make_annotated(study, 20, cells=0, patient="P-1", state="new")
    theirs = make_annotated(study, 21, cells=0, patient="P-2", state="new")
    nobodys = make_image(study, seed=22)
    corrected(ours, "watershed/1", annotator, "accept", "accept", "move", "add")
    corrected(theirs, "watershed/1", teammate, "accept", "delete")
    corrected(nobodys, "watershed/1", teammate, "move")
    # An import finished it: nobody's work.
    draw(make_annotated(study, 23, cells=0, patient="P-3"), 4, 10, origin="imported")
    found = curve_of(study).works
    people = [(share.name, share.effort.cells, share.effort.corrections) for share in by_annotator(found)]
    assert people == [("anna", 4, 2), ("theo", 2, 2)]
    assert [share.name for share in by_annotator(found, teammate.pk)] == ["theo"]
    patients = [(share.name, share.effort.cells) for share in by_patient(study, found)]
    assert patients == [("P-1", 4), ("No patient", 1), ("P-2", 1)]
