"""Two people on one image: each hears of the other and of the other's changes, cheaply and completely."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotation.comments import add_comment
from annotation.image_state import set_state
from annotation.models import Cell, Label, Presence, SmearImage, Study
from annotation.operations import apply
from inference.proposals import propose
from tests.annotation.changes import LARGER, SQUARE, change
from tests.inference.test_proposals import Fixed, circle

pytestmark = pytest.mark.django_db


def poll(client: Client, image: SmearImage, since: int = 0, **more: Any) -> Any:
    return client.post(
        f"/api/v1/images/{image.pk}/presence/", {"since": since, **more}, content_type="application/json"
    )


def test_each_sees_that_the_other_is_there_and_leaves(
    image: SmearImage, annotator: User, teammate: User, client_of: Any
) -> None:
    mine, theirs = client_of(annotator), client_of(teammate)
    assert poll(mine, image).json()["others"] == []
    assert poll(theirs, image).json()["others"] == [{"id": annotator.pk, "name": "anna"}]
    assert poll(mine, image).json()["others"] == [{"id": teammate.pk, "name": "theo"}]
    poll(theirs, image, leaving=True)
    assert poll(mine, image).json()["others"] == []


def test_who_has_not_asked_for_six_seconds_is_gone(
    image: SmearImage, annotator: User, teammate: User, client_of: Any
) -> None:
    poll(client_of(teammate), image)
    now = timezone.now()
    Presence.objects.update(seen_at=now - timedelta(seconds=5))
    assert len(poll(client_of(annotator), image).json()["others"]) == 1
    Presence.objects.filter(user=teammate).update(seen_at=now - timedelta(seconds=7))
    assert poll(client_of(annotator), image).json()["others"] == []
    poll(client_of(teammate), image)
    assert len(poll(client_of(annotator), image).json()["others"]) == 1
    assert Presence.objects.count() == 2


def test_the_others_changes_come_once(image: SmearImage, annotator: User, teammate: User, client_of: Any) -> None:
    client = client_of(annotator)
    first, second = uuid.uuid4(), uuid.uuid4()
    changes = [change("create", cell, 0, border=SQUARE) for cell in (first, second)]
    apply(image.pk, teammate, changes)
    body = poll(client, image, since=0).json()
    assert {cell["id"] for cell in body["cells"]} == {str(first), str(second)}
    assert (body["revision"], body["state"], body["reload"], body["comments"]) == (1, "in_progress", False, [])
    label = Label.objects.filter(group__study=image.study).first()
    assert label
    apply(
        image.pk, teammate, [change("reshape", first, 1, border=LARGER), change("label", first, 2, labels=[label.pk])]
    )
    apply(image.pk, teammate, [change("delete", second, 1)])
    body = poll(client, image, since=1).json()
    told = {cell["id"]: (cell["version"], cell["status"], cell["revision"], cell["labels"]) for cell in body["cells"]}
    assert told == {str(first): (3, "confirmed", 2, [label.pk]), str(second): (2, "deleted", 3, [])}
    assert poll(client, image, since=3).json()["cells"] == []


def test_comments_and_the_state_come_too(image: SmearImage, annotator: User, teammate: User, client_of: Any) -> None:
    comment = add_comment(image, teammate, uuid.uuid4(), "Is this a blast?", x=5, y=6)
    set_state(image.pk, teammate, "annotated")
    SmearImage.objects.filter(pk=image.pk).update(assignee=teammate)
    body = poll(client_of(annotator), image).json()
    assert [one["id"] for one in body["comments"]] == [str(comment.pk)]
    assert (body["state"], body["assignee"]) == ("annotated", {"id": teammate.pk, "name": "theo"})
    assert poll(client_of(annotator), image, since=body["revision"]).json()["comments"] == []


def test_replaced_proposals_ask_to_read_the_image_anew(
    study: Study, image: SmearImage, annotator: User, client_of: Any
) -> None:
    propose(study, Fixed((circle(20, 20), 0.9), (circle(40, 30), 0.2)), [image])
    body = poll(client_of(annotator), image).json()
    assert (body["reload"], body["cells"]) == (True, [])
    body = poll(client_of(annotator), image, since=1).json()
    assert (body["reload"], body["cells"]) == (False, [])


def test_proposals_that_nobody_sees_are_not_told(
    study: Study, image: SmearImage, annotator: User, client_of: Any
) -> None:
    propose(study, Fixed((circle(20, 20), 0.9), (circle(40, 30), 0.2)), [image])
    SmearImage.objects.filter(pk=image.pk).update(replaced_in=0)
    body = poll(client_of(annotator), image).json()
    assert [cell["score"] for cell in body["cells"]] == [0.9]


def test_a_poll_is_cheap_and_leaves_the_image_alone(
    image: SmearImage, annotator: User, teammate: User, client_of: Any
) -> None:
    client = client_of(annotator)
    apply(image.pk, teammate, [change("create", uuid.uuid4(), 0, border=SQUARE) for _ in range(3)])
    poll(client, image, since=1)
    with CaptureQueriesContext(connection) as idle:
        poll(client, image, since=1)
    # The session, the user, the image, the role, and who is there.
    assert len(idle) == 5
    assert not any(query["sql"].startswith(("UPDATE", "INSERT")) for query in idle.captured_queries)

    def queries(since: int) -> int:
        with CaptureQueriesContext(connection) as told:
            poll(client, image, since=since)
        assert not any('UPDATE "annotation_smearimage"' in query["sql"] for query in told.captured_queries)
        return len(told)

    few = queries(0)
    apply(image.pk, teammate, [change("create", uuid.uuid4(), 0, border=SQUARE) for _ in range(40)])
    assert queries(0) == few <= 12


def test_members_of_other_studies_find_nothing_and_strangers_sign_in(
    image: SmearImage, reviewer: User, outsider: User, client_of: Any
) -> None:
    assert poll(client_of(reviewer), image).status_code == 200
    assert poll(client_of(outsider), image).status_code == 404
    response = poll(Client(), image)
    assert (response.status_code, response.json()["code"]) == (401, "signed_out")
    assert set(Presence.objects.values_list("user", flat=True)) == {reviewer.pk}


@pytest.mark.parametrize(
    "body", [{}, {"since": -1}, {"since": "x"}, {"since": 2**40}, {"since": 0, "leaving": "maybe"}]
)
def test_what_makes_no_sense_is_400(body: Any, image: SmearImage, annotator: User, client_of: Any) -> None:
    address = f"/api/v1/images/{image.pk}/presence/"
    assert client_of(annotator).post(address, body, content_type="application/json").status_code == 400
    assert not Cell.objects.exists()
