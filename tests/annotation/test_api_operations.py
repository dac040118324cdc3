"""The address that the editor saves to, as a client meets it."""

import json
import uuid
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.test import Client

from annotation.models import Cell, Label, SmearImage

pytestmark = pytest.mark.django_db
SQUARE = {"kind": "polygon", "points": [[10, 10], [30, 10], [30, 30], [10, 30]]}
LARGER = {"kind": "polygon", "points": [[5, 5], [35, 5], [35, 35], [5, 35]]}


def post(client: Client, image: SmearImage, *operations: dict[str, Any]) -> Any:
    return client.post(
        f"/api/v1/images/{image.pk}/operations/",
        json.dumps({"operations": list(operations)}),
        content_type="application/json",
    )


def create(border: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "kind": "create",
        "cell": str(uuid.uuid4()),
        "version": 0,
        "border": border or SQUARE,
    }


def test_an_operation_answers_with_the_cell(image: SmearImage, annotator: User, client_of: Any) -> None:
    operation = create()
    response = post(client_of(annotator), image, operation)
    assert response.status_code == 200
    body = response.json()
    assert (body["image_state"], body["revision"]) == ("in_progress", 1)
    (result,) = body["results"]
    assert (result["id"], result["status"]) == (operation["id"], "applied")
    assert result["cell"] == {
        "id": operation["cell"],
        "version": 1,
        "revision": 1,
        "status": "confirmed",
        "origin": "drawn",
        "border": SQUARE,
        "score": None,
        "ignored": False,
        "ignored_class": "",
        "labels": [],
        "confidence": {},
        "texts": {},
        "bounds": [10, 10, 30, 30],
    }


def test_a_stale_one_is_412_with_the_current_cell(
    image: SmearImage, annotator: User, teammate: User, client_of: Any
) -> None:
    first = create()
    mine = client_of(annotator)
    post(mine, image, first)
    change = {"kind": "reshape", "cell": first["cell"], "version": 1}
    theirs = post(client_of(teammate), image, {**change, "id": str(uuid.uuid4()), "border": LARGER})
    assert theirs.status_code == 200
    stale = {**change, "id": str(uuid.uuid4()), "border": SQUARE}
    stands = create()
    response = post(mine, image, stale, stands)
    assert response.status_code == 412
    results = response.json()["results"]
    assert [result["status"] for result in results] == ["stale", "applied"]
    assert results[0]["cell"]["border"] == LARGER
    assert results[0]["cell"]["version"] == 2


def test_the_history_records_who_it_was(image: SmearImage, annotator: User, teammate: User, client_of: Any) -> None:
    operation = create()
    label = Label.objects.filter(group__study=image.study).first()
    assert label
    post(client_of(annotator), image, operation)
    again = {"cell": operation["cell"]}
    post(
        client_of(teammate),
        image,
        {**again, "id": str(uuid.uuid4()), "kind": "reshape", "version": 1, "border": LARGER},
        {**again, "id": str(uuid.uuid4()), "kind": "label", "version": 2, "labels": [label.pk]},
    )
    (history,) = [model for model in apps.get_models() if getattr(model, "pgh_tracked_model", None) is Cell]
    events = history.objects.filter(pgh_obj_id=operation["cell"]).order_by("pgh_id")
    told = [(event.version, event.border, event.pgh_context.metadata["user"]) for event in events]
    assert told == [(1, SQUARE, annotator.pk), (3, LARGER, teammate.pk)]
    labelled = apps.get_model("annotation", "CellLabelEvent").objects.get()
    assert labelled.pgh_context.metadata["user"] == teammate.pk


def test_outsiders_find_nothing_and_strangers_must_sign_in(image: SmearImage, outsider: User, client_of: Any) -> None:
    assert post(client_of(outsider), image, create()).status_code == 404
    assert post(Client(), image, create()).status_code == 401
    assert not Cell.objects.exists()


def test_a_post_without_the_csrf_token_is_refused(image: SmearImage, annotator: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(annotator)
    assert post(client, image, create()).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"operations": []},
        {"operations": "all"},
        {"operations": [{"id": "x", "kind": "create", "cell": "y", "version": 0}]},
        {"operations": [{**create(), "kind": "explode"}]},
        {"operations": [{**create(), "version": -1}]},
        {"operations": [{**create(), "labels": ["a"]}]},
    ],
)
def test_a_malformed_batch_is_400(body: Any, image: SmearImage, annotator: User, client_of: Any) -> None:
    response = client_of(annotator).post(
        f"/api/v1/images/{image.pk}/operations/", json.dumps(body), content_type="application/json"
    )
    assert response.status_code == 400
    assert not Cell.objects.exists()


@pytest.mark.parametrize("border", ["polygon", 3, [], {"kind": "star"}, {"kind": "polygon", "points": [[1]]}])
def test_a_border_that_is_none_is_refused_with_the_reason(
    border: Any, image: SmearImage, annotator: User, client_of: Any
) -> None:
    operation = {**create(), "border": border}
    response = post(client_of(annotator), image, operation, create())
    assert response.status_code == 200
    results = response.json()["results"]
    assert [result["status"] for result in results] == ["refused", "applied"]
    assert results[0]["reason"].endswith(".")
