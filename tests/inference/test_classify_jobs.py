"""Classifying all cells of a study by a button: who may, what is said and kept, how it ends."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotation.models import Cell, CellReading, Label, LabelGroup, Membership, Reader, Reading, Role, Study
from inference.classify_jobs import ask, work
from inference.models import CellProbability, ClassifyJob
from tests.labelled_cells import BLUE, RED
from tests.training.coloured_cells import MeanColour
from training.classifier_target import Target
from training.models import Bundle

pytestmark = pytest.mark.django_db
Fields = Callable[..., list[Cell]]


@pytest.fixture(autouse=True)
def told(no_broker: list[Any]) -> list[Any]:
    return no_broker


@pytest.fixture
def bundle(study: Study, cell_type: LabelGroup, make_classifier: Any) -> Bundle:
    return make_classifier(study, Target("Cell type"))


@pytest.fixture
def cells(study: Study, make_field: Fields) -> list[Cell]:
    """Two red cells and a blue one of a random draw, and a red one that was picked for its kind."""
    drawn = make_field(study, "P1", [RED, RED, BLUE], sample="random", single_cell=True)
    return [*drawn, *make_field(study, "P2", [RED], sample="extra", single_cell=True)]


@pytest.fixture
def classified(study: Study, bundle: Bundle, cells: list[Cell], admin: User, mean_colour: MeanColour) -> ClassifyJob:
    job = ask(study, admin)
    work(job, lambda _: mean_colour)
    return job.reload()


def addresses(study: Study) -> dict[str, str]:
    names = {"page": "classify", "cancel": "classify-cancel", "table": "classify-table", "api": "api-classification"}
    return {key: reverse(name, args=[study.pk]) for key, name in names.items()}


def test_only_admins_ask(
    study: Study, bundle: Bundle, cells: list[Cell], annotator: User, reviewer: User, outsider: User, client_of: Any
) -> None:
    for name, address in addresses(study).items():
        if name != "table":
            assert client_of(annotator).post(address).status_code == 403, name
            assert client_of(reviewer).post(address).status_code == 403, name
            assert client_of(outsider).post(address).status_code == 404, name
            assert Client().post(address).status_code in (302, 401, 403), name
        assert client_of(outsider).get(address).status_code in (404, 405), name
        assert Client().get(address).status_code in (302, 401, 403, 405), name
    assert not ClassifyJob.objects.exists()


def test_what_is_said_is_kept_for_the_gallery_and_counted(
    study: Study, classified: ClassifyJob, bundle: Bundle, cells: list[Cell], cell_type: LabelGroup
) -> None:
    assert classified.state == "succeeded" and classified.progress == {"done": 4, "total": 4}
    kept = CellProbability.objects.filter(label__name="Promyelocyte", probability__gte=0.5)
    assert set(kept.values_list("cell", "bundle")) == {(cells[n].pk, bundle.pk) for n in (0, 1, 3)}
    said = {row["name"]: row for row in classified.result["labels"]}
    promyelocyte = Label.objects.get(group=cell_type, name="Promyelocyte").pk
    # A share is of what was drawn; what was picked for its kind is counted and not shared.
    assert said["Promyelocyte"] == {"name": "Promyelocyte", "label": promyelocyte, "cells": 3, "share": 0.66667}
    assert said["Myeloblast"]["cells"] == 1
    assert (classified.result["cells"], classified.result["counted"], classified.result["unsure"]) == (4, 3, 0)


def test_a_label_that_is_not_counted_enters_no_share(
    study: Study, bundle: Bundle, cells: list[Cell], cell_type: LabelGroup, admin: User, mean_colour: MeanColour
) -> None:
    cell_type.labels.filter(name="Myeloblast").update(counted=False)
    work(ask(study, admin), lambda _: mean_colour)
    result = ClassifyJob.objects.get().result
    assert {row["name"]: row["share"] for row in result["labels"]} == {"Promyelocyte": 1.0, "Myeloblast": None}
    assert result["counted"] == 2


def test_what_an_earlier_model_said_of_the_group_is_forgotten(
    study: Study, bundle: Bundle, cells: list[Cell], cell_type: LabelGroup, admin: User, mean_colour: MeanColour
) -> None:
    old = Label.objects.get(group=cell_type, name="Lymphocyte")
    CellProbability.objects.create(cell=cells[0], label=old, probability=0.9, bundle="interactive")
    work(ask(study, admin), lambda _: mean_colour)
    assert not CellProbability.objects.filter(label=old).exists()


def test_the_page_says_it_and_leads_to_the_gallery(
    study: Study, classified: ClassifyJob, bundle: Bundle, annotator: User, admin: User, client_of: Any
) -> None:
    page = client_of(annotator).get(addresses(study)["page"]).content.decode()
    assert "An admin of the study starts it." in page and bundle.pk in page
    label = Label.objects.get(group__study=study, name="Promyelocyte").pk
    gallery = f"{reverse('gallery', args=[study.pk])}?of={label}&amp;least=0.5&amp;sort=likely"
    assert gallery in page
    assert "the classifier in use" in client_of(admin).get(addresses(study)["page"]).content.decode()


def table(client: Client, study: Study) -> list[dict[str, str]]:
    content = b"".join(client.get(addresses(study)["table"]).streaming_content)  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_the_table_names_files_to_admins_alone(
    study: Study, classified: ClassifyJob, cells: list[Cell], annotator: User, admin: User, client_of: Any
) -> None:
    rows = table(client_of(admin), study)
    assert len(rows) == 8 and {row["image"] for row in rows} == {"P1/field-0.png", "P2/field-1.png"}
    assert {row["label"] for row in rows} == {"Promyelocyte", "Myeloblast"}
    assert all(0 <= float(row["probability"]) <= 1 for row in rows)
    others = table(client_of(annotator), study)
    assert {row["image"] for row in others} == {cells[0].image.name, cells[3].image.name}
    assert [row["probability"] for row in others] == [row["probability"] for row in rows]


def test_who_reads_without_a_model_gets_a_table_without_those_cells(
    study: Study, classified: ClassifyJob, cells: list[Cell], annotator: User, admin: User, client_of: Any
) -> None:
    reading = Reading.objects.create(study=study, name="Blind", blind=True, hides_model=True, asked_by=admin)
    reader = Reader.objects.create(reading=reading, user=annotator)
    CellReading.objects.create(reader=reader, cell=cells[0], place=1)
    assert {row["cell"] for row in table(client_of(annotator), study)} == {str(each.pk) for each in cells[1:]}
    assert len(table(client_of(admin), study)) == 8


def test_only_the_last_table_is_kept(
    study: Study, classified: ClassifyJob, admin: User, mean_colour: MeanColour, client_of: Any
) -> None:
    work(ask(study, admin), lambda _: mean_colour)
    assert len(list((settings.DATA_FOLDER / "classified" / str(study.pk)).iterdir())) == 1
    assert len(table(client_of(admin), study)) == 8
    for file in (settings.DATA_FOLDER / "classified" / str(study.pk)).iterdir():
        file.unlink()
    assert client_of(admin).get(addresses(study)["table"]).status_code == 404


def test_asked_twice_it_runs_once(
    study: Study, bundle: Bundle, cells: list[Cell], admin: User, client_of: Any, mean_colour: MeanColour
) -> None:
    client = client_of(admin)
    client.post(addresses(study)["page"])
    assert "already" in client.post(addresses(study)["page"], follow=True).content.decode()
    assert client.post(addresses(study)["api"]).status_code == 409
    assert client.get(addresses(study)["api"]).json()["state"] == "queued"
    job = ClassifyJob.objects.get()
    work(job, lambda _: mean_colour)
    work(ClassifyJob.objects.get(), lambda _: mean_colour)
    assert client.get(addresses(study)["page"] + "?watching=1")["HX-Refresh"] == "true"
    assert client.get(addresses(study)["api"]).json()["result"]["cells"] == 4


def test_what_cannot_be_asked_for_is_said(
    study: Study, cells: list[Cell], admin: User, outsider: User, other_study: Study, client_of: Any, request: Any
) -> None:
    api = addresses(study)["api"]
    client = client_of(admin)
    assert client.get(api).status_code == 404
    assert "has no classifier yet" in client.post(api).json()["detail"]
    theirs = request.getfixturevalue("make_classifier")(other_study, Target("Cell type"))
    refused = client.post(api, {"bundle": theirs.pk}, content_type="application/json")
    assert refused.status_code == 400 and "There is no classifier" in refused.json()["detail"]
    # A member of both studies may take it.
    Membership.objects.create(study=other_study, user=admin, role=Role.ANNOTATOR)
    assert client.post(api, {"bundle": theirs.pk}, content_type="application/json").status_code == 201
    Cell.objects.update(status="deleted")
    ClassifyJob.objects.all().delete()
    assert "no cell to classify" in client.post(api, {"bundle": theirs.pk}).json()["detail"]


def test_cancelled_it_says_nothing(
    study: Study, bundle: Bundle, cells: list[Cell], admin: User, client_of: Any, mean_colour: MeanColour
) -> None:
    job = ask(study, admin)
    seen = mean_colour.extract

    def cancelled_meanwhile(crops: Any) -> Any:
        client_of(admin).post(addresses(study)["cancel"])
        return seen(crops)

    mean_colour.extract = cancelled_meanwhile  # type: ignore[method-assign]
    work(job, lambda _: mean_colour)
    job.refresh_from_db()
    assert (job.state, job.reason, job.result) == ("cancelled", "Cancelled by ada.", {})
    assert not CellProbability.objects.exists()
    page = client_of(admin).get(addresses(study)["page"]).content.decode()
    assert "What was said before stays." in page


def test_a_worker_that_stops_leaves_it_to_the_next(
    study: Study, bundle: Bundle, cells: list[Cell], admin: User, mean_colour: MeanColour, told: list[Any]
) -> None:
    job = ask(study, admin)
    work(job, lambda _: mean_colour, stopping=lambda: True)
    assert job.reload().state == "queued" and told[-1] == ("inference.run_classify_job", [job.pk])
    work(job, lambda _: mean_colour)
    assert job.reload().state == "succeeded"


def test_a_failure_is_one_sentence(
    study: Study, bundle: Bundle, cells: list[Cell], admin: User, mean_colour: MeanColour, client_of: Any
) -> None:
    mean_colour.name = "another"
    work(ask(study, admin), lambda _: mean_colour)
    job = ClassifyJob.objects.get()
    assert job.state == "failed" and "another is what sees cells here" in job.reason
    assert job.reason in client_of(admin).get(addresses(study)["page"]).content.decode().replace("&#x27;", "'")
