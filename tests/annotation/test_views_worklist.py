from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotation.models import Cell, ImageName, Patient, ProposalRun, SmearImage, Study
from annotation.worklist import PAGE_SIZE, worklist
from annotation.worklist_query import SORTS, WorklistQuery

BORDER = {"kind": "rectangle", "x": 4, "y": 4, "width": 20, "height": 20}


def _row(study: Study, number: int, **fields: Any) -> SmearImage:
    """An image's row alone: the worklist reads no file."""
    fields.setdefault("fold", 0)
    image = SmearImage.objects.create(study=study, sha256=f"{number:064x}", width=64, height=48, **fields)
    ImageName.objects.create(image=image, name=f"field-{number:04d}.png")
    return image


def _cells(image: SmearImage, number: int, **fields: Any) -> None:
    Cell.objects.bulk_create(
        Cell(image=image, border=BORDER, x0=4, y0=4, x1=24, y1=24, **fields) for _ in range(number)
    )


def _names(study: Study, **query: str) -> list[str]:
    return [row.name for row in worklist(study, WorklistQuery.parse(query)).rows]


@pytest.fixture
def run(study: Study) -> ProposalRun:
    return ProposalRun.objects.create(study=study, bundle="0123456789ab", score_threshold=0.5)


def test_counts_are_of_cells_and_of_proposals_that_people_see(study: Study, run: ProposalRun) -> None:
    image = _row(study, 1)
    proposal = {"origin": "proposal", "run": run, "proposed_border": BORDER}
    _cells(image, 3)
    _cells(image, 1, ignored=True)
    _cells(image, 1, status="deleted")
    _cells(image, 2, status="proposed", score=0.5, **proposal)
    _cells(image, 4, status="proposed", score=0.49, **proposal)
    _cells(image, 8, status="proposed", score=0.9, shadowed=True, **proposal)
    _cells(image, 1, status="confirmed", score=0.9, **proposal)
    [row] = worklist(study, WorklistQuery()).rows
    assert (row.figures.cells, row.figures.proposals) == (4, 2)


def test_search_finds_names_and_patients_and_the_filters_count_what_it_found(study: Study, other_study: Study) -> None:
    patient = Patient.arrive(study, "P-17")
    _row(study, 1, patient=patient, state="annotated")
    second = _row(study, 2)
    ImageName.objects.create(image=second, name="also/known-as.png")
    _row(other_study, 3)
    assert _names(study, q="p-17") == ["field-0001.png"]
    assert _names(study, q="KNOWN-as") == ["field-0002.png"]
    assert _names(study, q="field_") == []
    assert _names(study, q="a\x00b") == []
    counts = worklist(study, WorklistQuery.parse({"q": "P-17"})).counts
    assert counts == {"": 1, "new": 0, "proposed": 0, "in_progress": 0, "annotated": 1, "reviewed": 0}


def test_state_and_sort(study: Study) -> None:
    many, none, few = _row(study, 3), _row(study, 2, state="reviewed"), _row(study, 1)
    _cells(many, 5)
    _cells(few, 1)
    assert _names(study) == ["field-0001.png", "field-0002.png", "field-0003.png"]
    assert _names(study, sort="cells") == ["field-0003.png", "field-0001.png", "field-0002.png"]
    assert _names(study, sort="-cells") == ["field-0002.png", "field-0001.png", "field-0003.png"]
    assert _names(study, state="reviewed") == [none.name]
    assert _names(study, state="nonsense", sort="nonsense", page="nonsense") == _names(study)


def test_pages_hold_fifty_and_addresses_carry_the_question(study: Study) -> None:
    for number in range(PAGE_SIZE + 1):
        _row(study, number)
    assert len(_names(study)) == PAGE_SIZE
    assert _names(study, page="2") == ["field-0050.png"]
    assert _names(study, page="99") == ["field-0050.png"]
    query = WorklistQuery.parse({"q": "a&b", "state": "new", "page": "2"})
    assert query.address() == "?state=new&q=a%26b"
    assert query.address(page="3") == "?state=new&q=a%26b&page=3"
    assert query.address(state="") == "?q=a%26b"


def test_htmx_gets_the_list_alone(study: Study, annotator: User, client_of: Any) -> None:
    _row(study, 1)
    client, address = client_of(annotator), reverse("study", args=[study.pk])
    whole = client.get(address)
    part = client.get(address, headers={"HX-Request": "true"})
    assert b"<html" in whole.content and b"<html" not in part.content
    assert part.content.strip().startswith(b'<div id="worklist">')
    assert "HX-Request" in whole["Vary"] and "HX-Request" in part["Vary"]


def test_pages_say_what_to_do_when_there_is_nothing(study: Study, annotator: User, client_of: Any) -> None:
    client, address = client_of(annotator), reverse("study", args=[study.pk])
    assert "No images yet" in client.get(address).content.decode()
    _row(study, 1)
    assert "No image matches" in client.get(address, {"q": "zebra"}).content.decode()


def test_a_synthetic_study_is_marked_on_every_page(study: Study, annotator: User, client_of: Any) -> None:
    client = client_of(annotator)
    pages = [reverse("studies"), *(reverse(name, args=[study.pk]) for name in ("study", "upload", "members"))]
    assert not any("mark-synthetic" in client.get(page).content.decode() for page in pages)
    study.synthetic = True
    study.save()
    assert all("mark-synthetic" in client.get(page).content.decode() for page in pages)


@pytest.mark.parametrize("sort", list(SORTS))
def test_queries_do_not_grow_with_images_and_cells(sort: str, study: Study, annotator: User, client_of: Any) -> None:
    client, address = client_of(annotator), reverse("study", args=[study.pk])

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(address, {"sort": sort}).status_code == 200
        return len(captured)

    _cells(_row(study, 0, patient=Patient.arrive(study, "P0")), 1)
    few = queries()
    for number in range(1, 30):
        _cells(_row(study, number, patient=Patient.arrive(study, f"P{number}")), 3)
    assert queries() == few <= 14


def test_queries_of_the_studies_page_do_not_grow(study: Study, annotator: User, client_of: Any) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client_of(annotator).get(reverse("studies")).status_code == 200
        return len(captured)

    _row(study, 0)
    few = queries()
    for number in range(8):
        other = Study.objects.create(name=f"Study {number}")
        other.memberships.create(user=annotator)
        _cells(_row(other, number), 2)
    assert queries() == few
