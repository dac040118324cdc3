"""What borders took: corrections by bundle and person, seconds between actions, and that nothing is counted twice."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotation.effort import PAUSE_SECONDS, Effort, Work, count_effort, effort, total, work_on_finished
from annotation.image_state import set_state
from annotation.models import Cell, ImageEffort, Operation, ProposalRun, SmearImage, Study
from annotation.operations import apply
from tests.annotation.changes import LARGER, ROUND, SQUARE, change

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def proposed(image: SmearImage, bundle: str, number: int = 1, at: datetime | None = None) -> list[Cell]:
    """So many proposals of one run of a bundle on an image."""
    run = ProposalRun.objects.create(study=image.study, bundle=bundle, score_threshold=0.5)
    cells = []
    for _ in range(number):
        cell = Cell(image=image, origin="proposal", status="proposed", run=run, score=0.9, proposed_border=ROUND)
        cell.place(ROUND, image)
        cell.save()
        cells.append(cell)
    SmearImage.objects.filter(pk=image.pk).update(proposed_by=run, state="proposed")
    if at is not None:
        ProposalRun.objects.filter(pk=run.pk).update(created_at=at)
        Cell.objects.filter(run=run).update(created_at=at)
    return cells


def act(image: SmearImage, user: User, kind: str, cell: uuid.UUID, version: int, at: float, **more: Any) -> None:
    """One applied change, so many seconds after noon by the server's clock."""
    asked = change(kind, cell, version, **more)
    assert [result.status for result in apply(image.pk, user, [asked]).results] == ["applied"]
    Operation.objects.filter(pk=asked.id).update(created_at=NOON + timedelta(seconds=at))
    if kind == "create":
        Cell.objects.filter(pk=cell).update(created_at=NOON + timedelta(seconds=at))


def finish(image: SmearImage, user: User) -> None:
    set_state(image.pk, user, "annotated", "reject")


@pytest.fixture
def image(study: Study, make_image: Any) -> SmearImage:
    return make_image(study, seed=1)


@pytest.fixture
def other(study: Study, make_image: Any) -> SmearImage:
    return make_image(study, seed=2)


def test_each_correction_counts_for_its_bundle_and_for_who_made_it(
    study: Study, image: SmearImage, annotator: User, reviewer: User
) -> None:
    kept, moved, rejected = proposed(image, "watershed/1", 3, NOON - timedelta(days=1))
    drawn = uuid.uuid4()
    act(image, annotator, "accept", kept.pk, 1, 0)
    act(image, annotator, "reshape", moved.pk, 1, 1, border=SQUARE)
    act(image, annotator, "delete", rejected.pk, 1, 2)
    act(image, annotator, "create", drawn, 0, 3, border=SQUARE)
    finish(image, annotator)
    assert [(work.bundle, work.user_id, work.accepted, work.moved, work.deleted, work.added) for work in of(study)] == [
        ("watershed/1", annotator.pk, 1, 1, 1, 1)
    ]
    # A second pair of eyes moves one that was accepted, and one that was drawn: drawing it was the correction.
    act(image, reviewer, "reshape", kept.pk, 2, 400, border=LARGER)
    act(image, reviewer, "reshape", drawn, 1, 401, border=LARGER)
    works = {work.user_id: work for work in of(study)}
    assert (works[annotator.pk].accepted, works[annotator.pk].moved, works[annotator.pk].added) == (0, 1, 1)
    assert (works[reviewer.pk].accepted, works[reviewer.pk].moved, works[reviewer.pk].added) == (0, 1, 0)
    assert total(of(study)) == Effort(1, 0, 2, 1, 1, total(of(study)).seconds)


def of(study: Study) -> list[Work]:
    count_effort(study)
    return work_on_finished(study)


def test_a_drawn_border_counts_for_the_proposals_that_lay_there_when_it_was_drawn(
    study: Study, image: SmearImage, annotator: User
) -> None:
    act(image, annotator, "create", uuid.uuid4(), 0, 0, border=SQUARE)
    (first,) = proposed(image, "watershed/1", 1, NOON + timedelta(hours=1))
    act(image, annotator, "accept", first.pk, 1, 7200)
    act(image, annotator, "create", uuid.uuid4(), 0, 7210, border=SQUARE)
    (second,) = proposed(image, "0123456789ab", 1, NOON + timedelta(hours=3))
    act(image, annotator, "accept", second.pk, 1, 14400)
    act(image, annotator, "create", uuid.uuid4(), 0, 14405, border=SQUARE)
    act(image, annotator, "create", uuid.uuid4(), 0, 14406, border=SQUARE)
    finish(image, annotator)
    assert {work.bundle: (work.accepted, work.added, work.seconds) for work in of(study)} == {
        "": (0, 1, 0.0),
        "watershed/1": (1, 1, 10.0),
        "0123456789ab": (1, 2, 6.0),
    }


def test_only_finished_images_count(study: Study, image: SmearImage, other: SmearImage, annotator: User) -> None:
    for each in (image, other):
        act(each, annotator, "create", uuid.uuid4(), 0, 0, border=SQUARE)
    assert of(study) == []
    finish(other, annotator)
    assert [work.image_id for work in of(study)] == [other.pk]
    set_state(other.pk, annotator, "in_progress")
    assert of(study) == []


def test_a_finished_image_without_work_is_an_image_of_its_bundle(
    study: Study, image: SmearImage, annotator: User
) -> None:
    run = ProposalRun.objects.create(study=study, bundle="0123456789ab", score_threshold=0.5)
    SmearImage.objects.filter(pk=image.pk).update(proposed_by=run)
    finish(image, annotator)
    assert of(study) == [Work(image.pk, "0123456789ab", None, 0, 0, 0, 0, 0.0)]
    assert total(of(study)).corrections_per_cell is None


def test_imported_and_ignored_borders_are_nobodys_work(study: Study, image: SmearImage, annotator: User) -> None:
    for fields in ({"origin": "imported"}, {"origin": "drawn", "ignored": True}):
        cell = Cell(image=image, **fields)
        cell.place(SQUARE, image)
        cell.save()
    finish(image, annotator)
    assert total(of(study)) == Effort(1, 0, 0, 0, 0)
    assert effort([image.pk]) == Effort(1, 0, 0, 0, 0)


def test_time_is_the_gaps_between_actions_of_one_person_and_no_pause(
    study: Study, image: SmearImage, other: SmearImage, annotator: User, teammate: User
) -> None:
    cells = [uuid.uuid4() for _ in range(6)]
    act(image, annotator, "create", cells[0], 0, 0, border=SQUARE)
    act(image, annotator, "create", cells[1], 0, 4, border=SQUARE)
    # Somebody else in between has a clock of their own.
    act(image, teammate, "create", cells[2], 0, 5, border=SQUARE)
    act(image, annotator, "create", cells[3], 0, 9, border=SQUARE)
    # On the next image: finding the way there is part of it.
    act(other, annotator, "create", cells[4], 0, 9 + PAUSE_SECONDS, border=SQUARE)
    act(other, annotator, "create", cells[5], 0, 9 + 2 * PAUSE_SECONDS + 0.5, border=SQUARE)
    finish(image, annotator)
    finish(other, annotator)
    seconds = {(work.image_id, work.user_id): work.seconds for work in of(study)}
    assert seconds == {
        (image.pk, annotator.pk): 9.0,
        (image.pk, teammate.pk): 0.0,
        (other.pk, annotator.pk): float(PAUSE_SECONDS),
    }


def test_work_in_another_study_is_no_part_of_it(
    study: Study, other_study: Study, image: SmearImage, make_image: Any, annotator: User
) -> None:
    elsewhere = make_image(other_study, seed=5)
    act(image, annotator, "create", uuid.uuid4(), 0, 0, border=SQUARE)
    act(elsewhere, annotator, "create", uuid.uuid4(), 0, 20, border=SQUARE)
    act(image, annotator, "create", uuid.uuid4(), 0, 30, border=SQUARE)
    finish(image, annotator)
    assert [work.seconds for work in of(study)] == [30.0]


def test_labelling_is_not_work_on_borders(study: Study, image: SmearImage, annotator: User) -> None:
    cell = uuid.uuid4()
    act(image, annotator, "create", cell, 0, 0, border=SQUARE)
    act(image, annotator, "label", cell, 1, 20, labels=[])
    act(image, annotator, "reshape", cell, 2, 25, border=LARGER)
    finish(image, annotator)
    assert [(work.added, work.seconds) for work in of(study)] == [(1, 5.0)]


def test_what_has_not_changed_is_not_counted_again(
    study: Study, image: SmearImage, other: SmearImage, annotator: User, django_assert_num_queries: Any
) -> None:
    for each in (image, other):
        act(each, annotator, "create", uuid.uuid4(), 0, 0, border=SQUARE)
        finish(each, annotator)
    first = of(study)
    with django_assert_num_queries(3):
        assert of(study) == first
    act(image, annotator, "create", uuid.uuid4(), 0, 10, border=SQUARE)
    assert [(work.image_id, work.added, work.seconds) for work in of(study)] == [(image.pk, 2, 10.0), (other.pk, 1, 0)]
    # Another way of counting has other counts.
    ImageEffort.objects.update(counting=0, rows=[])
    assert [work.added for work in of(study)] == [2, 1]


def test_the_queries_do_not_grow_with_the_images(study: Study, make_image: Any, annotator: User) -> None:
    figures = []
    for seeds in (range(1, 2), range(2, 8)):
        for seed in seeds:
            image = make_image(study, seed=seed)
            (cell,) = proposed(image, "watershed/1")
            apply(image.pk, annotator, [change("accept", cell.pk, 1)])
            finish(image, annotator)
        ImageEffort.objects.all().delete()
        with CaptureQueriesContext(connection) as queries:
            of(study)
        figures.append(len(queries))
    assert figures[0] == figures[1] <= 10


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "reshape", "accept", "delete", "restore", "label", "unaccept"]),
        st.integers(0, 5),
        st.integers(0, 2),
    ),
    max_size=20,
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=STEPS, seed=st.integers(0, 2**30))
def test_by_image_and_person_it_adds_up_to_what_the_cells_say(
    study: Study, make_image: Any, annotator: User, teammate: User, steps: list[tuple[str, int, int]], seed: int
) -> None:
    """After any work of two people, the rows that are kept sum up to the counts of Cell.with_correction."""
    image = make_image(study, seed=SmearImage.objects.count() + 100)
    cells = [cell.pk for cell in proposed(image, "watershed/1", 3)] + [uuid.uuid4() for _ in range(3)]
    for place, (kind, which, variant) in enumerate(steps):
        version = Cell.objects.filter(pk=cells[which]).values_list("version", flat=True).first() or 0
        more: dict[str, Any] = {}
        if kind in ("create", "reshape"):
            more["border"] = [SQUARE, LARGER, ROUND][variant]
        if kind == "label":
            more["labels"] = []
        if kind == "unaccept":
            kind, more["status"] = "restore", "proposed"
        user = (annotator, teammate)[(seed >> place) & 1]
        apply(image.pk, user, [change(kind, cells[which], 0 if kind == "create" else version, **more)])
    SmearImage.objects.filter(pk=image.pk).update(state="annotated")
    summed = total(work for work in of(study) if work.image_id == image.pk)
    assert (summed.accepted, summed.moved, summed.deleted, summed.added) == counts_of(image)
    plain = effort([image.pk])
    assert (plain.accepted, plain.moved, plain.deleted, plain.added) == counts_of(image)
    assert plain.cells == Cell.objects.filter(image=image).confirmed().count()


def counts_of(image: SmearImage) -> tuple[int, int, int, int]:
    found = [cell.correction for cell in Cell.objects.filter(image=image).with_correction()]
    return tuple(found.count(kind) for kind in ("accepted", "moved", "deleted", "added"))  # type: ignore[return-value]


def test_pictures_of_single_cells_are_no_work_on_fields(study: Study, make_image: Any) -> None:
    make_image(study, seed=1, state="annotated", single_cell=True)
    field = make_image(study, seed=2, state="annotated")
    assert count_effort(study).images == 1
    assert {work.image_id for work in work_on_finished(study)} == {field.pk}
