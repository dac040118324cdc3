"""The keys that somebody has chosen: kept for them alone, and nothing else than keys."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from annotation.models import KeyBindings

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/me/keys/"


def put(client: Client, body: Any) -> Any:
    return client.put(ADDRESS, body, content_type="application/json")


def test_keys_are_kept_and_replaced(annotator: User, client_of: Any) -> None:
    client = client_of(annotator)
    assert client.get(ADDRESS).json() == {"keys": {}}
    keys = {"undo": ["Ctrl+z", "u", "u"], "delete": [], "select": ["ü", " "]}
    assert put(client, {"keys": keys}).json() == {"keys": {**keys, "undo": ["Ctrl+z", "u"]}}
    assert put(client, {"keys": {"polygon": ["w"]}}).status_code == 200
    assert client.get(ADDRESS).json() == {"keys": {"polygon": ["w"]}}
    assert KeyBindings.objects.count() == 1


def test_everybody_has_their_own(annotator: User, outsider: User, client_of: Any) -> None:
    put(client_of(annotator), {"keys": {"undo": ["u"]}})
    assert client_of(outsider).get(ADDRESS).json() == {"keys": {}}


@pytest.mark.parametrize(
    "keys",
    [
        None,
        [],
        "undo",
        {"undo": "u"},
        {"undo": [5]},
        {"undo": [""]},
        {"undo": ["a", "b", "c", "d", "e"]},
        {"undo": ["x" * 41]},
        {"undo": ["a\x00"]},
        {"undo": ["\ud83d"]},
        {"x" * 41: ["u"]},
        {"": ["u"]},
        {f"command-{number}": ["u"] for number in range(201)},
    ],
)
def test_what_is_no_set_of_keys_is_refused(keys: Any, annotator: User, client_of: Any) -> None:
    response = put(client_of(annotator), {"keys": keys})
    assert response.status_code == 400
    (sentence,) = response.json()["keys"]
    assert sentence.endswith(".")
    assert not KeyBindings.objects.exists()


def test_a_body_that_is_no_object_is_refused(annotator: User, client_of: Any) -> None:
    assert put(client_of(annotator), [1]).status_code == 400


def test_strangers_sign_in(db: Any) -> None:
    for response in (Client().get(ADDRESS), put(Client(), {"keys": {}})):
        assert (response.status_code, response.json()["code"]) == (401, "signed_out")
