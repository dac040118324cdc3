"""An image's revision grows with everything that changes there, and what changed carries it."""

import threading
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from annotation.image_state import set_state
from annotation.models import Cell, Comment, SmearImage, Study
from annotation.operations import apply
from annotation.revision import next_revision
from inference.proposals import propose
from tests.annotation.changes import LARGER, SQUARE, change
from tests.annotation.changes import propose as add_proposal
from tests.inference.test_proposals import Fixed, circle

pytestmark = pytest.mark.django_db


def revisions(image: SmearImage) -> tuple[int, int]:
    image.refresh_from_db()
    return image.revision, image.replaced_in


def test_a_batch_is_one_revision_and_marks_the_cells_it_changed(image: SmearImage, annotator: User) -> None:
    first, second = uuid.uuid4(), uuid.uuid4()
    outcome = apply(
        image.pk,
        annotator,
        [change("create", first, 0, border=SQUARE), change("create", second, 0, border=SQUARE)],
    )
    assert outcome.revision == 1
    outcome = apply(image.pk, annotator, [change("reshape", second, 1, border=LARGER)])
    assert outcome.revision == outcome.results[0].cell.revision == 2
    assert dict(Cell.objects.values_list("pk", "revision")) == {first: 1, second: 2}
    outcome = apply(image.pk, annotator, [change("label", first, 1, labels=[])])
    assert Cell.objects.get(pk=first).revision == 3
    assert revisions(image) == (3, 0)


def test_what_changes_nothing_is_no_revision(image: SmearImage, annotator: User) -> None:
    asked = change("create", uuid.uuid4(), 0, border=SQUARE)
    apply(image.pk, annotator, [asked])
    for again in ([asked], [change("delete", asked.cell, 9)], [change("accept", asked.cell, 1)], []):
        assert apply(image.pk, annotator, again).revision == 1
    assert set_state(image.pk, annotator, "in_progress").revision == 1


def test_a_step_and_what_becomes_of_the_proposals_are_revisions(image: SmearImage, annotator: User) -> None:
    proposal = add_proposal(image)
    moved = set_state(image.pk, annotator, "annotated", "accept")
    assert (moved.state, moved.revision) == ("annotated", 2)
    proposal.refresh_from_db()
    assert (proposal.status, proposal.revision) == ("confirmed", 1)
    assert revisions(image) == (2, 0)


def test_new_proposals_say_that_the_old_ones_are_replaced(study: Study, image: SmearImage, annotator: User) -> None:
    propose(study, Fixed((circle(20, 20), 0.9)), [image])
    assert revisions(image) == (1, 1)
    assert Cell.objects.get().revision == 1
    apply(image.pk, annotator, [change("create", uuid.uuid4(), 0, border=SQUARE)])
    assert revisions(image) == (2, 1)
    propose(study, Fixed((circle(30, 30), 0.9)), [image])
    assert revisions(image) == (3, 3)


def test_it_counts_on_from_the_row(image: SmearImage) -> None:
    older = SmearImage.objects.get(pk=image.pk)
    with transaction.atomic():
        SmearImage.objects.select_for_update().get(pk=image.pk)
        assert next_revision(image) == 1
        older.state = "in_progress"
        assert next_revision(older, "state") == 2
    image.refresh_from_db()
    assert (image.revision, image.state) == (2, "in_progress")


@pytest.mark.django_db(transaction=True)
def test_batches_at_once_take_different_revisions(image: SmearImage, annotator: User, teammate: User) -> None:
    start = threading.Barrier(2)
    taken: list[int] = []

    def work(user: User) -> None:
        try:
            start.wait(timeout=10)
            for _ in range(4):
                taken.append(apply(image.pk, user, [change("create", uuid.uuid4(), 0, border=SQUARE)]).revision)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(user,)) for user in (annotator, teammate)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(taken) == sorted(Cell.objects.values_list("revision", flat=True)) == list(range(1, 9))


def test_sending_back_says_why(image: SmearImage, reviewer: User, client_of: Any) -> None:
    SmearImage.objects.filter(pk=image.pk).update(state="annotated")
    client, address = client_of(reviewer), f"/api/v1/images/{image.pk}/state/"
    body = {"state": "in_progress", "comment": "Two cells at the edge are missing."}
    response = client.post(address, body, content_type="application/json")
    assert (response.status_code, response.json()) == (200, {"state": "in_progress", "revision": 2})
    comment = Comment.objects.get()
    assert (comment.author, comment.text, comment.cell, comment.x) == (reviewer, body["comment"], None, None)
    # Its answer was lost, and the step is sent again.
    assert client.post(address, body, content_type="application/json").status_code == 200
    assert Comment.objects.count() == 1
    # Somebody else was faster with the step: what one has to say is kept all the same.
    body["comment"] = "And one of them is a smudge."
    assert client.post(address, body, content_type="application/json").json()["revision"] == 3
    assert Comment.objects.count() == 2


def test_a_step_that_is_refused_says_nothing(image: SmearImage, annotator: User, client_of: Any) -> None:
    address = f"/api/v1/images/{image.pk}/state/"
    for body, status in (
        ({"state": "reviewed", "comment": "Good."}, 409),
        ({"state": "annotated", "comment": "x" * 2001}, 400),
        ({"state": "annotated", "comment": 5 * ["a"]}, 400),
    ):
        assert client_of(annotator).post(address, body, content_type="application/json").status_code == status
    assert not Comment.objects.exists()
    assert revisions(image) == (0, 0)
