"""Operations that come twice, too late, or at the same time as others."""

import threading
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from annotation.models import Cell, Operation, SmearImage
from annotation.operations import Change, apply
from tests.annotation.changes import LARGER, ROUND, SQUARE, change, one

pytestmark = pytest.mark.django_db


def test_a_replay_changes_nothing(image: SmearImage, annotator: User, drawn: Cell) -> None:
    asked = change("reshape", drawn.pk, 1, border=LARGER)
    assert one(image, annotator, asked).status == "applied"
    result = one(image, annotator, asked)
    assert (result.status, result.cell.version, result.cell.border) == ("replayed", 2, LARGER)
    twice = change("delete", drawn.pk, 2)
    assert [r.status for r in apply(image.pk, annotator, [twice, twice]).results] == ["applied", "replayed"]
    assert Cell.objects.get(pk=drawn.pk).version == 3


def test_an_id_sent_with_other_content_is_refused(
    image: SmearImage, annotator: User, teammate: User, drawn: Cell
) -> None:
    asked = change("reshape", drawn.pk, 1, border=LARGER)
    one(image, annotator, asked)
    for other in [
        Change(id=asked.id, kind="reshape", cell=drawn.pk, version=2, border=LARGER),
        Change(id=asked.id, kind="reshape", cell=drawn.pk, version=1, border=ROUND),
        Change(id=asked.id, kind="delete", cell=drawn.pk, version=1),
    ]:
        assert one(image, annotator, other).status == "refused"
    assert one(image, teammate, asked).status == "refused"
    assert Cell.objects.get(pk=drawn.pk).version == 2


def test_a_stale_operation_gets_the_cell_as_it_is_and_the_others_stand(
    image: SmearImage, annotator: User, teammate: User, drawn: Cell
) -> None:
    one(image, teammate, change("reshape", drawn.pk, 1, border=LARGER))
    mine = change("reshape", drawn.pk, 1, border=ROUND)
    drawn_too = change("create", uuid.uuid4(), 0, border=SQUARE)
    outcome = apply(image.pk, annotator, [mine, drawn_too])
    stale, stands = outcome.results
    assert (stale.status, stale.cell.border, stale.cell.version) == ("stale", LARGER, 2)
    assert stands.status == "applied"
    assert outcome.stale
    assert Cell.objects.get(pk=drawn.pk).border == LARGER
    assert not Operation.objects.filter(pk=mine.id).exists()


def test_what_follows_a_stale_operation_on_its_cell_is_stale_too(
    image: SmearImage, annotator: User, drawn: Cell
) -> None:
    outcome = apply(
        image.pk,
        annotator,
        [change("reshape", drawn.pk, 7, border=LARGER), change("delete", drawn.pk, 8)],
    )
    assert [result.status for result in outcome.results] == ["stale", "stale"]


def test_a_second_change_never_slips_in_where_the_first_was_overtaken(
    image: SmearImage, drawn: Cell, annotator: User, teammate: User
) -> None:
    # One change of the other's brings the cell to the version that the second of these was meant to change.
    one(image, teammate, change("reshape", drawn.pk, 1, border=LARGER))
    mine = [change("reshape", drawn.pk, 1, border=ROUND), change("delete", drawn.pk, 2)]
    assert [result.status for result in apply(image.pk, annotator, mine).results] == ["stale", "stale"]
    drawn.refresh_from_db()
    assert (drawn.border, drawn.status) == (LARGER, "confirmed")


@pytest.mark.django_db(transaction=True)
def test_of_two_changes_at_once_one_is_applied_and_the_other_is_stale(
    image: SmearImage, annotator: User, teammate: User
) -> None:
    cells = sorted(uuid.uuid4() for _ in range(20))
    apply(image.pk, annotator, [change("create", cell, 0, border=SQUARE) for cell in cells])
    start = threading.Barrier(2)
    outcomes: list[Any] = []

    def work(user: User, order: list[uuid.UUID]) -> None:
        try:
            start.wait(timeout=10)
            outcomes.append(apply(image.pk, user, [change("reshape", cell, 1, border=LARGER) for cell in order]))
        finally:
            connection.close()

    # Opposite orders: without a common order of locks these two would wait for each other for ever.
    threads = [
        threading.Thread(target=work, args=(annotator, cells)),
        threading.Thread(target=work, args=(teammate, cells[::-1])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    statuses = sorted({result.status for result in outcome.results} for outcome in outcomes)
    assert len(outcomes) == 2
    assert sorted(status for one_of in statuses for status in one_of) == ["applied", "stale"]
    assert set(Cell.objects.values_list("version", flat=True)) == {2}


@pytest.mark.django_db(transaction=True)
def test_one_operation_sent_twice_at_once_is_applied_once(image: SmearImage, annotator: User) -> None:
    asked = change("create", uuid.uuid4(), 0, border=SQUARE)
    start = threading.Barrier(2)
    statuses: list[str] = []

    def work() -> None:
        try:
            start.wait(timeout=10)
            statuses.append(one(image, annotator, asked).status)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(statuses) == ["applied", "replayed"]
    assert Operation.objects.count() == 1
