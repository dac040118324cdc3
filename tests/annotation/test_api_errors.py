"""What the API answers in trouble: signed out, a full disk, a database that is away; always JSON and a sentence."""

import errno
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from psycopg import errors

from annotation.models import Cell, SmearImage
from tests.annotation.changes import SQUARE

pytestmark = pytest.mark.django_db


def post(client: Client, image: SmearImage) -> Any:
    operation = {"id": str(uuid.uuid4()), "kind": "create", "cell": str(uuid.uuid4()), "version": 0, "border": SQUARE}
    body = json.dumps({"operations": [operation]})
    return client.post(f"/api/v1/images/{image.pk}/operations/", body, content_type="application/json")


def caused(fault: Exception, cause: Exception) -> Exception:
    fault.__cause__ = cause
    return fault


def test_every_address_of_the_api_answers_401_without_a_session(db: Any) -> None:
    found = list(addresses(get_resolver().url_patterns))
    assert len(found) > 12
    for address in found:
        for method in ("get", "post", "put"):
            response = getattr(Client(), method)(address, content_type="application/json")
            assert response.status_code == 401, (method, address)
            assert response.headers["WWW-Authenticate"] == "Session"
            # The description of the API has a kind of its own, YAML.
            if not address.endswith("/schema/"):
                assert response.json() == {"detail": response.json()["detail"], "code": "signed_out"}


def addresses(patterns: Any, before: str = "") -> Iterator[str]:
    values = {"int": "1", "uuid": str(uuid.uuid4()), "str": "a", "slug": "a"}
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern) and route.startswith("api/"):
            for name, converter in pattern.pattern.converters.items():
                kind = type(converter).__name__.removesuffix("Converter").lower()
                kind = "str" if kind == "string" else kind
                route = route.replace(f"<{kind}:{name}>", values[kind]).replace(f"<{name}>", values[kind])
            yield "/" + route


def test_an_expired_session_is_401_and_a_missing_token_403(image: SmearImage, annotator: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(annotator)
    assert post(client, image).status_code == 403
    client.session.flush()
    response = post(client, image)
    assert (response.status_code, response.json()["code"]) == (401, "signed_out")


FULL = [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EDQUOT, "Disk quota exceeded"),
    errors.DiskFull("could not extend file"),
    caused(OperationalError("could not extend file"), errors.DiskFull("could not extend file")),
    caused(DatabaseError("x"), OSError(errno.ENOSPC, "No space left on device")),
]
AWAY = [
    OperationalError("connection refused"),
    InterfaceError("the connection is closed"),
    caused(OperationalError("terminating connection"), errors.AdminShutdown("terminating connection")),
]


@pytest.mark.parametrize(
    ("fault", "status", "word"),
    [*((fault, 507, "disk") for fault in FULL), *((fault, 503, "database") for fault in AWAY)],
)
def test_trouble_of_the_machine_is_one_sentence(
    fault: Exception, status: int, word: str, image: SmearImage, annotator: User, client_of: Any, monkeypatch: Any
) -> None:
    def fail(*args: Any) -> Any:
        raise fault

    monkeypatch.setattr("annotation.api.operations.apply", fail)
    response = post(client_of(annotator), image)
    assert response.status_code == status
    assert word in response.json()["detail"] and response.json()["detail"].endswith(".")


def test_a_full_disk_in_the_database_keeps_nothing_half(
    image: SmearImage, annotator: User, client_of: Any, monkeypatch: Any
) -> None:
    """The last statement of a batch fails as it does where a tablespace is full: the cells go with it."""

    def full(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "INSERT INTO annotation_operation" in sql:
            raise caused(OperationalError("could not extend file"), errors.DiskFull("could not extend file"))
        return execute(sql, params, many, context)

    client = client_of(annotator)
    with connection.execute_wrapper(full):
        assert post(client, image).status_code == 507
    assert not Cell.objects.exists()
    image.refresh_from_db()
    assert (image.state, image.revision) == ("new", 0)
    assert post(client, image).status_code == 200


def test_a_database_that_is_away_before_any_view_runs(image: SmearImage, annotator: User) -> None:
    """Reading the session fails: no view of the API sees that, and still it answers JSON."""

    def away(*args: Any) -> Any:
        raise OperationalError("connection refused")

    client = Client(raise_request_exception=False)
    client.force_login(annotator)
    with connection.execute_wrapper(away):
        saved, page = post(client, image), client.get("/")
    assert saved.status_code == 503
    assert "database" in saved.json()["detail"]
    assert page.status_code == 500 and page.headers["Content-Type"].startswith("text/html")


def test_a_mistake_of_the_server_is_json_in_the_api(image: SmearImage, annotator: User, monkeypatch: Any) -> None:
    def fail(*args: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr("annotation.api.operations.apply", fail)
    client = Client(raise_request_exception=False)
    client.force_login(annotator)
    response = post(client, image)
    assert (response.status_code, response.headers["Content-Type"]) == (500, "application/json")


def test_pages_and_pixels_still_lead_to_signing_in(image: SmearImage) -> None:
    for address in (f"/images/{image.pk}/", f"/images/{image.pk}/pixels/", f"/images/{image.pk}/thumbnail/"):
        response = Client().get(address)
        assert response.status_code == 302 and "/sign-in/" in response.headers["Location"]
