"""The history of a cell: every version with who, when, what, border and labels, however it came."""

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from annotation.models import Cell, CellLabel, Label, SmearImage, Study, TextAttribute
from annotation.operations import apply
from tests.annotation.changes import LARGER, ROUND, SQUARE, change
from tests.annotation.changes import propose as add_proposal

pytestmark = pytest.mark.django_db


@pytest.fixture
def ids(study: Study) -> dict[str, int]:
    return dict(Label.objects.filter(group__study=study).values_list("name", "pk"))


def versions(client: Client, cell: uuid.UUID) -> list[dict[str, Any]]:
    response = client.get(f"/api/v1/cells/{cell}/history/")
    assert response.status_code == 200
    found: list[dict[str, Any]] = response.json()["versions"]
    return found


def test_every_version_of_a_drawn_cell(
    image: SmearImage, annotator: User, teammate: User, ids: dict[str, int], client_of: Any
) -> None:
    cell, blast = uuid.uuid4(), ids["Myeloblast"]
    remark = TextAttribute.objects.get(study=image.study).pk
    # In one batch too, of which the database itself records the last version only.
    apply(image.pk, annotator, [change("create", cell, 0, border=SQUARE), change("reshape", cell, 1, border=LARGER)])
    labelled = change(
        "label", cell, 2, labels=[blast, ids["Auer rod"]], confidence={blast: 0.8}, texts={remark: "x" * 70}
    )
    apply(image.pk, teammate, [labelled])
    apply(image.pk, annotator, [change("delete", cell, 3)])
    apply(image.pk, annotator, [change("restore", cell, 4, status="confirmed")])
    apply(image.pk, teammate, [change("label", cell, 5, labels=[])])
    found = versions(client_of(annotator), cell)
    both = [blast, ids["Auer rod"]]
    words = f"Labelled: Myeloblast (80% sure), Auer rod; Remark: {'x' * 59}…"
    assert [(v["version"], v["user"], v["what"], v["status"], v["border"], v["labels"]) for v in found] == [
        (6, "theo", "Labels taken off", "confirmed", LARGER, []),
        (5, "anna", "Restored", "confirmed", LARGER, both),
        (4, "anna", "Deleted", "deleted", LARGER, both),
        (3, "theo", words, "confirmed", LARGER, both),
        (2, "anna", "Reshaped", "confirmed", LARGER, []),
        (1, "anna", "Drawn", "confirmed", SQUARE, []),
    ]
    times = [v["at"] for v in found]
    assert times == sorted(times, reverse=True) and all(time.endswith("+00:00") for time in times)


def test_a_proposal_begins_as_it_was_proposed(image: SmearImage, annotator: User, client_of: Any) -> None:
    cell = add_proposal(image).pk
    apply(image.pk, annotator, [change("delete", cell, 1)])
    apply(image.pk, annotator, [change("restore", cell, 2, status="proposed")])
    apply(image.pk, annotator, [change("reshape", cell, 3, border=SQUARE)])
    assert [
        (v["version"], v["user"], v["what"], v["status"], v["border"]) for v in versions(client_of(annotator), cell)
    ] == [
        (4, "anna", "Reshaped", "confirmed", SQUARE),
        (3, "anna", "Made a proposal again", "proposed", ROUND),
        (2, "anna", "Rejected", "deleted", ROUND),
        (1, None, "Proposed by watershed/1", "proposed", ROUND),
    ]


def test_an_imported_cell_begins_with_the_border_and_labels_it_came_with(
    image: SmearImage, annotator: User, ids: dict[str, int], client_of: Any
) -> None:
    cell = Cell(image=image, origin="imported")
    cell.place(ROUND, image)
    cell.save()
    CellLabel.objects.create(cell=cell, label_id=ids["Myeloblast"])
    client = client_of(annotator)
    assert [(v["what"], v["user"], v["labels"]) for v in versions(client, cell.pk)] == [
        ("Imported", None, [ids["Myeloblast"]])
    ]
    apply(image.pk, annotator, [change("reshape", cell.pk, 1, border=SQUARE)])
    apply(image.pk, annotator, [change("label", cell.pk, 2, labels=[ids["Promyelocyte"]])])
    assert [(v["what"], v["border"], v["labels"]) for v in versions(client, cell.pk)] == [
        ("Labelled: Promyelocyte", SQUARE, [ids["Promyelocyte"]]),
        ("Reshaped", SQUARE, [ids["Myeloblast"]]),
        ("Imported", ROUND, [ids["Myeloblast"]]),
    ]


def test_two_annotators_labels_as_of_then(
    image: SmearImage, annotator: User, teammate: User, ids: dict[str, int], client_of: Any
) -> None:
    cell, mine, theirs = uuid.uuid4(), [ids["Myeloblast"]], [ids["Promyelocyte"]]
    apply(image.pk, annotator, [change("create", cell, 0, border=SQUARE), change("label", cell, 1, labels=mine)])
    apply(image.pk, teammate, [change("label", cell, 2, labels=theirs)])
    apply(image.pk, teammate, [change("label", cell, 3, labels=[])])
    assert [v["labels"] for v in versions(client_of(annotator), cell)] == [mine, theirs, mine, []]


def test_the_number_of_queries_does_not_grow(image: SmearImage, annotator: User, client_of: Any) -> None:
    cell, client = uuid.uuid4(), client_of(annotator)
    apply(image.pk, annotator, [change("create", cell, 0, border=SQUARE)])

    def queries() -> int:
        with CaptureQueriesContext(connection) as told:
            versions(client, cell)
        return len(told)

    few = queries()
    for version in range(1, 12):
        apply(image.pk, annotator, [change("reshape", cell, version, border=LARGER if version % 2 else SQUARE)])
    assert queries() == few <= 9


def test_outsiders_and_strangers(image: SmearImage, annotator: User, outsider: User, client_of: Any) -> None:
    cell = add_proposal(image).pk
    assert client_of(outsider).get(f"/api/v1/cells/{cell}/history/").status_code == 404
    assert client_of(annotator).get(f"/api/v1/cells/{uuid.uuid4()}/history/").status_code == 404
    response = Client().get(f"/api/v1/cells/{cell}/history/")
    assert (response.status_code, response.json()["code"]) == (401, "signed_out")
