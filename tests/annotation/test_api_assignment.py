"""Assigning an image by the API."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotation.models import SmearImage, Study


@pytest.fixture
def image(study: Study) -> SmearImage:
    return SmearImage.objects.create(study=study, sha256="0" * 64, width=64, height=48, fold=0)


def _assign(client: Client, image: SmearImage, body: Any) -> Any:
    return client.post(reverse("api-assign", args=[image.pk]), json.dumps(body), content_type="application/json")


def _assignee(image: SmearImage) -> str | None:
    return SmearImage.objects.values_list("assignee__username", flat=True).get(pk=image.pk)


def test_annotators_take_and_give_back(image: SmearImage, annotator: User, teammate: User, client_of: Any) -> None:
    taken = _assign(client_of(annotator), image, {"user": annotator.pk})
    assert taken.status_code == 200 and taken.json() == {"assignee": {"id": annotator.pk, "name": "anna"}}
    assert _assign(client_of(annotator), image, {"user": annotator.pk}).status_code == 200
    for user in (teammate.pk, None):
        refused = _assign(client_of(teammate), image, {"user": user})
        assert refused.status_code == 409 and "The image is assigned to anna" in refused.json()["detail"]
    assert _assignee(image) == "anna"
    given_back = _assign(client_of(annotator), image, {"user": None})
    assert given_back.status_code == 200 and given_back.json() == {"assignee": None}
    assert _assignee(image) is None


def test_reviewers_and_admins_assign_to_anyone(
    image: SmearImage, annotator: User, teammate: User, reviewer: User, admin: User, client_of: Any
) -> None:
    for who, whom in [(reviewer, annotator), (admin, teammate), (reviewer, None), (reviewer, reviewer)]:
        assert _assign(client_of(who), image, {"user": whom.pk if whom else None}).status_code == 200
        assert _assignee(image) == (whom.username if whom else None)
    refused = _assign(client_of(annotator), image, {"user": teammate.pk})
    assert refused.status_code == 403 and "Reviewers and admins" in refused.json()["detail"]


def test_bad_input_is_refused_with_the_reason(
    image: SmearImage, reviewer: User, outsider: User, client_of: Any
) -> None:
    for body, reason in [
        ({}, "required"),
        ({"user": "anna"}, "valid integer"),
        ({"user": 0}, "greater than or equal to 1"),
        ({"user": 2**70}, "less than or equal"),
        ({"user": 2**31 - 1}, "no member of the study"),
        ({"user": outsider.pk}, "no member of the study"),
    ]:
        answer = _assign(client_of(reviewer), image, body)
        assert answer.status_code == 400 and reason in str(answer.json()["user"])
    assert _assignee(image) is None


def test_other_studies_and_strangers(image: SmearImage, outsider: User, client_of: Any) -> None:
    assert _assign(client_of(outsider), image, {"user": outsider.pk}).status_code == 404
    assert _assign(Client(), image, {"user": None}).status_code in (401,)
    assert _assignee(image) is None
