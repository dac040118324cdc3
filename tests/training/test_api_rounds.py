"""Rounds under /api/v1/."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotation.models import Study
from training.launching import launch
from training.models import JobState, Round
from training.rounds import run

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(annotated_study: Study, admin: User, no_broker: Any) -> Round:
    return launch(annotated_study, admin)


def test_members_read_rounds(made: Round, annotator: User, client_of: Any) -> None:
    client = client_of(annotator)
    listed = client.get(reverse("api-rounds", args=[made.study_id])).json()["rounds"]
    assert [each["id"] for each in listed] == [made.pk]
    assert "log" not in listed[0]
    body = client.get(reverse("api-round", args=[made.pk])).json()
    assert (body["state"], body["queued_before"], body["number"]) == ("queued", 0, 1)
    assert body["counts"]["images"] == 8
    assert "from scratch" in body["log"]


@pytest.mark.parametrize(("name", "method"), [("api-rounds", "get"), ("api-rounds", "post")])
def test_outsiders_find_no_rounds_of_the_study(
    name: str, method: str, made: Round, outsider: User, client_of: Any
) -> None:
    assert getattr(client_of(outsider), method)(reverse(name, args=[made.study_id])).status_code == 404


@pytest.mark.parametrize(
    ("name", "method"), [("api-round", "get"), ("api-round-cancel", "post"), ("api-round-resume", "post")]
)
def test_outsiders_find_no_round(name: str, method: str, made: Round, outsider: User, client_of: Any) -> None:
    assert getattr(client_of(outsider), method)(reverse(name, args=[made.pk])).status_code == 404
    assert made.reload().state == JobState.QUEUED


def test_strangers_are_refused(made: Round) -> None:
    for name, key in (("api-rounds", made.study_id), ("api-round", made.pk)):
        assert Client().get(reverse(name, args=[key])).status_code in (302, 401)
    for name, key in (("api-rounds", made.study_id), ("api-round-cancel", made.pk), ("api-round-resume", made.pk)):
        assert Client().post(reverse(name, args=[key])).status_code in (302, 401)
    assert made.reload().state == JobState.QUEUED


def test_only_admins_launch_and_cancel(made: Round, annotator: User, reviewer: User, client_of: Any) -> None:
    for user in (annotator, reviewer):
        client = client_of(user)
        assert client.post(reverse("api-rounds", args=[made.study_id])).status_code == 403
        assert client.post(reverse("api-round-cancel", args=[made.pk])).status_code == 403
        assert client.post(reverse("api-round-resume", args=[made.pk])).status_code == 403
    assert made.reload().state == JobState.QUEUED


def post(client: Client, address: str, body: dict[str, Any]) -> Any:
    return client.post(address, body, content_type="application/json")


def test_an_admin_launches(annotated_study: Study, admin: User, client_of: Any, no_broker: Any) -> None:
    address = reverse("api-rounds", args=[annotated_study.pk])
    body = {"settings": {"epochs": 2, "validation": "none"}, "seed": 3, "parent": None}
    response = post(client_of(admin), address, body)
    assert response.status_code == 201
    made = Round.objects.get(pk=response.json()["id"])
    assert (made.settings["epochs"], made.seed, made.requested_by) == (2, 3, admin)


def test_an_unknown_setting_is_400(annotated_study: Study, admin: User, client_of: Any, no_broker: Any) -> None:
    response = post(client_of(admin), reverse("api-rounds", args=[annotated_study.pk]), {"settings": {"speed": 1}})
    assert response.status_code == 400
    assert "There is no setting 'speed'" in response.json()["detail"]


def test_a_second_live_round_is_409(made: Round, admin: User, client_of: Any) -> None:
    response = post(client_of(admin), reverse("api-rounds", args=[made.study_id]), {})
    assert response.status_code == 409
    assert "queued already" in response.json()["detail"]


def test_an_admin_cancels_once(made: Round, admin: User, client_of: Any) -> None:
    address = reverse("api-round-cancel", args=[made.pk])
    assert client_of(admin).post(address).json()["state"] == "cancelled"
    assert client_of(admin).post(address).status_code == 409


def test_an_admin_selects_images_and_trials(
    annotated_study: Study, admin: User, client_of: Any, no_broker: Any, make_annotated: Any
) -> None:
    make_annotated(annotated_study, 20, patient="A", state="reviewed")
    body = {"selection": {"state": "reviewed", "patients": ["A"]}, "trials": 4}
    response = post(client_of(admin), reverse("api-rounds", args=[annotated_study.pk]), body)
    assert response.status_code == 201
    assert (response.json()["selection"], response.json()["trials"]) == (body["selection"], 4)
    assert response.json()["counts"]["images"] == 1


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"selection": {"state": "new"}}, 400, "by the state"),
        ({"selection": {"images": [1]}}, 400, "not 'images'"),
        ({"selection": {"patients": ["Z"]}}, 409, "no patient 'Z'"),
        ({"trials": -1}, 400, "trials"),
        ({"again": "perhaps"}, 400, "again"),
        ({"selection": "all"}, 400, "selection"),
    ],
)
def test_a_selection_that_makes_no_sense_is_refused(
    body: dict[str, Any], status: int, said: str, annotated_study: Study, admin: User, client_of: Any, no_broker: Any
) -> None:
    response = post(client_of(admin), reverse("api-rounds", args=[annotated_study.pk]), body)
    assert response.status_code == status
    assert said in response.content.decode()
    assert not Round.objects.exists()


def test_unchanged_data_is_said_and_trained_again_where_wanted(
    annotated_study: Study, admin: User, client_of: Any, no_broker: Any, good_child: Any
) -> None:
    address, client = reverse("api-rounds", args=[annotated_study.pk]), client_of(admin)
    first = Round.objects.get(pk=post(client, address, {}).json()["id"])
    run(first.pk, command=good_child())
    response = post(client, address, {})
    assert response.status_code == 409 and response.json()["unchanged_since"] == 1
    assert "Data unchanged since round 1" in response.json()["detail"]
    assert post(client, address, {"again": True}).status_code == 201


def test_an_admin_resumes_once(made: Round, admin: User, client_of: Any) -> None:
    address, client = reverse("api-round-resume", args=[made.pk]), client_of(admin)
    assert client.post(address).status_code == 409
    made.cancel()
    assert client.post(address).json()["state"] == "queued"
    response = client.post(address)
    assert response.status_code == 409 and "is queued" in response.json()["detail"]
