"""Comments by the API: kept once, refused with a reason, and hidden from other studies."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotation.comments import comments_json
from annotation.models import Cell, Comment, SmearImage, Study

BORDER = {"kind": "rectangle", "x": 4, "y": 4, "width": 20, "height": 20}


@pytest.fixture
def image(study: Study) -> SmearImage:
    return SmearImage.objects.create(study=study, sha256="0" * 64, width=64, height=48, fold=0)


def _post(client: Client, address: str, body: Any) -> Any:
    return client.post(address, json.dumps(body), content_type="application/json")


def _comment(client: Client, image: SmearImage, **body: Any) -> Any:
    return _post(client, reverse("api-comments", args=[image.pk]), {"id": str(uuid4()), "text": "Blast?"} | body)


def test_a_comment_is_kept_once(image: SmearImage, annotator: User, client_of: Any) -> None:
    cell = Cell.objects.create(image=image, border=BORDER, x0=4, y0=4, x1=24, y1=24)
    client, key = client_of(annotator), str(uuid4())
    first = _comment(client, image, id=key, cell=str(cell.pk), x=None, y=None, answers=None)
    again = _comment(client, image, id=key, cell=str(cell.pk))
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json() == comments_json(image)[0]
    assert first.json()["id"] == key and first.json()["author"] == {"id": annotator.pk, "name": "anna"}
    assert _comment(client, image, text="So", answers=key).json()["answers"] == key
    assert _comment(client, image, x=3, y=4.5).json()["y"] == 4.5
    assert Comment.objects.count() == 3


@pytest.mark.parametrize(
    ("body", "where", "reason"),
    [
        ({"text": " "}, "detail", "A comment needs a text."),
        ({"text": "a" * 2001}, "detail", "at most 2,000 characters"),
        ({"text": "a\0b"}, "text", "Null characters"),
        ({"text": None}, "text", "may not be null"),
        ({"text": ["a"]}, "text", "Not a valid string"),
        ({"id": "1"}, "id", "Must be a valid UUID"),
        ({"x": 1}, "detail", "A place has both x and y."),
        ({"x": 65, "y": 1}, "detail", "The place lies outside the image of 64 × 48 pixels."),
        ({"x": "nan", "y": 1}, "x", "valid number"),
        ({"x": "left", "y": 1}, "x", "valid number"),
        ({"cell": "3c3b9c5e-67cf-4c41-8f4f-9ac2bd7fa5a1"}, "detail", "There is no such cell in this image."),
        ({"answers": "3c3b9c5e-67cf-4c41-8f4f-9ac2bd7fa5a1"}, "detail", "There is no such comment to answer"),
    ],
)
def test_bad_input_is_refused_with_the_reason(
    body: dict[str, Any], where: str, reason: str, image: SmearImage, annotator: User, client_of: Any
) -> None:
    answer = _comment(client_of(annotator), image, **body)
    assert answer.status_code == 400 and reason in str(answer.json()[where])
    assert not Comment.objects.exists()


def test_no_body_and_no_id(image: SmearImage, annotator: User, client_of: Any) -> None:
    address = reverse("api-comments", args=[image.pk])
    answer = _post(client_of(annotator), address, {})
    assert answer.status_code == 400 and set(answer.json()) == {"id", "text"}
    assert _post(client_of(annotator), address, []).status_code == 400
    broken = client_of(annotator).post(address, "{", content_type="application/json")
    assert broken.status_code == 400


def test_an_id_is_not_taken_for_another_comment(
    image: SmearImage, annotator: User, teammate: User, client_of: Any
) -> None:
    key = str(uuid4())
    _comment(client_of(annotator), image, id=key)
    for who, text in [(annotator, "Another"), (teammate, "Blast?")]:
        answer = _comment(client_of(who), image, id=key, text=text)
        assert answer.status_code == 400 and "used for another comment" in answer.json()["detail"]


def test_any_member_resolves_and_opens_again(
    image: SmearImage, annotator: User, teammate: User, client_of: Any
) -> None:
    key = _comment(client_of(annotator), image).json()["id"]
    address = reverse("api-comment-resolve", args=[key])
    resolved = _post(client_of(teammate), address, {"resolved": True}).json()
    assert resolved["resolved_by"] == {"id": teammate.pk, "name": "theo"} and resolved["resolved_at"]
    assert _post(client_of(annotator), address, {"resolved": True}).json() == resolved
    opened = _post(client_of(annotator), address, {"resolved": False}).json()
    assert opened["resolved_by"] is None and opened["resolved_at"] is None
    for body in ({}, {"resolved": None}, {"resolved": "perhaps"}):
        answer = _post(client_of(annotator), address, body)
        assert answer.status_code == 400 and "resolved" in answer.json()


def test_other_studies_and_strangers(image: SmearImage, annotator: User, outsider: User, client_of: Any) -> None:
    key = _comment(client_of(annotator), image).json()["id"]
    resolve = reverse("api-comment-resolve", args=[key])
    assert _comment(client_of(outsider), image).status_code == 404
    assert _post(client_of(outsider), resolve, {"resolved": True}).status_code == 404
    assert _post(client_of(annotator), reverse("api-comment-resolve", args=[uuid4()]), {}).status_code == 404
    assert _comment(Client(), image).status_code in (401,)
    assert _post(Client(), resolve, {"resolved": True}).status_code in (401,)
    assert client_of(annotator).get(resolve).status_code == 405
    assert Comment.objects.get().resolved_at is None


def test_a_request_from_another_site_is_refused(image: SmearImage, annotator: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(annotator)
    assert _comment(client, image).status_code == 403
