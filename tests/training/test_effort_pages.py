"""The page, table, statement and API of a study's effort: who sees what."""

import csv
import io
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotation.models import ImageName, Study
from tests.training.test_effort import corrected, made_round
from training.models import Round
from training.views import effort as effort_views
from training.views.effort_page import COLUMNS
from training.views.plot import step_plot

pytestmark = pytest.mark.django_db
NAMES = ("effort", "effort-statement", "effort-table", "api-effort")


@pytest.fixture
def worked(study: Study, make_annotated: Any, annotator: User, teammate: User) -> Round:
    """First proposals corrected by two people, and a round that one of them corrected."""
    made = made_round(study, 1, "aaaaaaaaaaaa")
    first, second, third = (
        make_annotated(study, seed, cells=0, patient=f"P-{seed}", state="new") for seed in (30, 31, 32)
    )
    corrected(first, "watershed/1", annotator, "accept", "move", "add")
    corrected(second, "watershed/1", teammate, "accept", "delete")
    corrected(third, "aaaaaaaaaaaa", annotator, "accept", "accept", "accept", "move")
    ImageName.objects.filter(image=first).update(name='=HYPERLINK("x")')
    return made


@pytest.mark.parametrize("name", NAMES)
def test_an_outsider_finds_nothing_and_a_stranger_signs_in_first(
    name: str, worked: Round, outsider: User, client_of: Any
) -> None:
    address = reverse(name, args=[worked.study_id])
    assert client_of(outsider).get(address).status_code == 404
    stranger = Client().get(address)
    if name == "api-effort":
        assert stranger.status_code in (401, 403)
    else:
        assert stranger["Location"] == f"/sign-in/?next={address}"


@pytest.mark.parametrize("name", ["effort", "effort-statement", "effort-table"])
def test_there_is_nothing_to_post(name: str, worked: Round, admin: User, client_of: Any) -> None:
    assert client_of(admin).post(reverse(name, args=[worked.study_id])).status_code == 405


def test_an_annotator_sees_the_rounds_and_their_own_work_alone(worked: Round, annotator: User, client_of: Any) -> None:
    client = client_of(annotator)
    page = client.get(reverse("effort", args=[worked.study_id])).content.decode()
    for expected in ("First proposals", "Round 1", "Too few cells to tell", "Your own work", "anna", "P-31"):
        assert expected in page
    assert "theo" not in page and "Download as CSV" not in page
    assert page.count("<svg") >= 2 and "style=" not in page
    assert client.get(reverse("effort-table", args=[worked.study_id])).status_code == 403
    body = client.get(reverse("api-effort", args=[worked.study_id])).json()
    assert [share["name"] for share in body["by_annotator"]] == ["anna"]


def test_reviewers_and_admins_see_each_ones(worked: Round, reviewer: User, admin: User, client_of: Any) -> None:
    for user in (reviewer, admin):
        client = client_of(user)
        page = client.get(reverse("effort", args=[worked.study_id])).content.decode()
        assert "By annotator" in page and "theo" in page and "Download as CSV" in page
        body = client.get(reverse("api-effort", args=[worked.study_id])).json()
        assert [share["name"] for share in body["by_annotator"]] == ["anna", "theo"]


def test_the_page_of_one_round_is_about_its_people_and_patients(worked: Round, admin: User, client_of: Any) -> None:
    client, address = client_of(admin), reverse("effort", args=[worked.study_id])
    page = client.get(address, {"round": "1"}).content.decode()
    assert "theo" not in page and "P-31" not in page and "P-32" in page
    assert "theo" in client.get(address, {"round": "99"}).content.decode()
    body = client.get(reverse("api-effort", args=[worked.study_id]), {"round": "0"}).json()
    assert [share["name"] for share in body["by_patient"]] == ["P-30", "P-31"]
    missing = client.get(reverse("api-effort", args=[worked.study_id]), {"round": "99"})
    assert missing.status_code == 404 and missing.json()["detail"] == "No finished image had proposals of round 99."


def test_the_api_counts_what_was_done(worked: Round, admin: User, client_of: Any) -> None:
    body = client_of(admin).get(reverse("api-effort", args=[worked.study_id])).json()
    first, second = body["rounds"]
    counts = {kind: first[kind] for kind in ("images", "cells", "accepted", "moved", "deleted", "added")}
    assert counts == {"images": 2, "cells": 4, "accepted": 2, "moved": 1, "deleted": 1, "added": 1}
    assert first["corrections_per_cell"] == 0.75 and first["gain"] is None and first["interval"] is None
    assert (second["number"], second["round"], second["bundle"]) == (1, worked.pk, "aaaaaaaaaaaa")
    assert second["gain"]["verdict"] == body["statement"]["verdict"] == "few"
    assert (body["pause_seconds"], body["level"]) == (60, 0.95)


def test_the_schema_knows_the_effort(admin: User, client_of: Any) -> None:
    schema = client_of(admin).get(reverse("api-schema")).content.decode()
    assert "/api/v1/studies/{study_id}/effort/" in schema and "corrections_per_cell" in schema


def test_the_table_has_a_row_for_each_round_image_and_annotator(worked: Round, reviewer: User, client_of: Any) -> None:
    response = client_of(reviewer).get(reverse("effort-table", args=[worked.study_id]))
    assert response["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert tuple(rows[0]) == COLUMNS
    found = [(row["round"], row["annotator"], row["patient"], row["cells"], row["deleted"]) for row in rows]
    assert found == [("0", "anna", "P-30", "3", "0"), ("0", "theo", "P-31", "1", "1"), ("1", "anna", "P-32", "4", "0")]
    assert rows[0]["image"].startswith("'="), "no spreadsheet takes it for a formula"


def test_the_page_of_rounds_asks_for_the_statement(worked: Round, annotator: User, client_of: Any) -> None:
    client, address = client_of(annotator), reverse("effort-statement", args=[worked.study_id])
    assert f'hx-get="{address}"' in client.get(reverse("rounds", args=[worked.study_id])).content.decode()
    said = client.get(address).content.decode()
    assert "Too few cells to tell" in said and "<html" not in said


def test_a_study_without_work_says_so(study: Study, annotator: User, client_of: Any) -> None:
    page = client_of(annotator).get(reverse("effort", args=[study.pk])).content.decode()
    assert "No finished image had proposals yet" in page and "<table" not in page


def test_the_page_costs_the_same_number_of_queries_for_more_work(
    worked: Round, make_annotated: Any, annotator: User, admin: User, client_of: Any, django_assert_num_queries: Any
) -> None:
    client, address = client_of(admin), reverse("effort", args=[worked.study_id])
    client.get(address)
    with django_assert_num_queries(12):
        client.get(address)
    for seed in range(40, 46):
        image = make_annotated(worked.study, seed, cells=0, patient=f"P-{seed}", state="new")
        corrected(image, "aaaaaaaaaaaa", annotator, "accept")
    client.get(address)
    with django_assert_num_queries(12):
        client.get(address)


@pytest.mark.parametrize("name", ["effort", "effort-statement"])
def test_a_study_that_was_never_counted_is_counted_from_one_request_to_the_next(
    name: str, worked: Round, admin: User, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotation.effort._FEW_IMAGES", 1)
    monkeypatch.setattr(effort_views, "PAGE_SECONDS", 0.0)
    monkeypatch.setattr(effort_views, "ASKING_SECONDS", 0.0)
    client, address = client_of(admin), reverse(name, args=[worked.study_id])
    page = client.get(address).content.decode()
    assert "The effort is being counted: 1 of 3 images." in page and f'hx-get="{address}"' in page
    asked = client.get(address, headers={"HX-Request": "true"})
    assert "2 of 3 images" in asked.content.decode() and "<html" not in asked.content.decode()
    asked = client.get(address, headers={"HX-Request": "true"})
    if name == "effort":
        assert asked.headers["HX-Refresh"] == "true"
    else:
        assert "being counted" not in asked.content.decode() and "Too few cells to tell" in asked.content.decode()
    assert "being counted" not in client.get(address).content.decode()


def test_a_plot_over_rounds_marks_what_it_knows() -> None:
    names = [str(number) for number in range(30)]
    values: list[float | None] = [1.0 / (number + 1) for number in range(30)]
    values[3] = None
    plot = step_plot("Rates", names, {"a": values, "b": [None] * 30}, x_label="round", intervals=[(0.5, 2.0)])
    assert plot is not None
    assert [line.name for line in plot.lines] == ["a"] and len(plot.marks) == 29
    first = plot.marks[0]
    assert first.low is not None and first.high is not None and first.high < first.y < first.low
    assert all(plot.left < mark.x < plot.right and plot.top <= mark.y <= plot.bottom for mark in plot.marks)
    assert first.text == "0, a: 1 (0.5 to 2)" and len(plot.x_ticks) <= 12
    assert step_plot("Rates", names, {"a": [None]}, x_label="round") is None
