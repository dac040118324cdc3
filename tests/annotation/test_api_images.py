"""Studies, images and states by the API, and who may see and do what."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from annotation.models import Cell, Label, Operation, Patient, ProposalRun, SmearImage, Study

pytestmark = pytest.mark.django_db
ROUND = {"kind": "ellipse", "cx": 30.0, "cy": 20.0, "rx": 8.0, "ry": 6.0, "theta": 0.0}


@pytest.fixture
def image(study: Study, make_image: Any) -> SmearImage:
    return make_image(study, name="slides/field-1.png", um_per_pixel=0.07, patient=Patient.arrive(study, "P1"))


def add(image: SmearImage, status: str = "confirmed", score: float | None = None, **fields: Any) -> Cell:
    if score is not None:
        run = ProposalRun.objects.create(study=image.study, bundle="watershed/1", score_threshold=0.5)
        fields.update(origin="proposal", run=run, score=score, proposed_border=ROUND)
    cell = Cell(image=image, status=status, **fields)
    cell.place(ROUND, image)
    cell.save()
    return cell


def state(client: Client, image: SmearImage, target: str, **more: str) -> Any:
    return client.post(f"/api/v1/images/{image.pk}/state/", {"state": target, **more}, content_type="application/json")


def test_one_image_with_what_the_editor_draws(
    study: Study, image: SmearImage, annotator: User, client_of: Any, make_image: Any
) -> None:
    following = make_image(study, seed=2)
    shown = [add(image), add(image, ignored=True, ignored_class="smudge"), add(image, "proposed", 0.7)]
    add(image, "deleted")
    add(image, "proposed", 0.3)
    add(image, "proposed", 0.9, shadowed=True)
    body = client_of(annotator).get(f"/api/v1/images/{image.pk}/").json()
    assert {cell["id"] for cell in body["cells"]} == {str(cell.pk) for cell in shown}
    del body["cells"]
    assert body == {
        "id": image.pk,
        "name": "slides/field-1.png",
        "width": 64,
        "height": 48,
        "um_per_pixel": 0.07,
        "um_source": "unknown",
        "state": "new",
        "synthetic": False,
        "study": {"id": study.pk, "name": study.name, "synthetic": False},
        "patient": "P1",
        "pixels_url": f"/images/{image.pk}/pixels/",
        "thumbnail_url": f"/images/{image.pk}/thumbnail/",
        "revision": 0,
        "assignee": None,
        "comments": [],
        "role": "annotator",
        "can_edit": True,
        "next": following.pk,
        "previous": None,
        "quality": None,
    }


def test_the_queries_of_an_image_do_not_grow_with_its_cells(image: SmearImage, annotator: User, client_of: Any) -> None:
    client = client_of(annotator)
    counts = []
    for _ in range(2):
        for _ in range(10):
            add(image)
        with CaptureQueriesContext(connection) as queries:
            client.get(f"/api/v1/images/{image.pk}/")
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 15


def test_studies_and_their_scheme(study: Study, other_study: Study, annotator: User, client_of: Any) -> None:
    client = client_of(annotator)
    assert [found["name"] for found in client.get("/api/v1/studies/").json()] == [study.name]
    body = client.get(f"/api/v1/studies/{study.pk}/").json()
    assert body["role"] == "annotator"
    assert [(group["name"], group["multiple"]) for group in body["groups"]] == [
        ("Cell type", False),
        ("Characteristics", True),
    ]
    label = Label.objects.get(name="Auer rod", group__study=study)
    auer_rod = {"id": label.pk, "name": "Auer rod", "key": "9", "colour": "#cc3311", "description": label.description}
    assert auer_rod | {"counted": True, "retired": False} in body["groups"][1]["labels"]


def test_the_list_of_images(study: Study, image: SmearImage, annotator: User, client_of: Any, make_image: Any) -> None:
    make_image(study, seed=2, state="annotated")
    add(image)
    add(image, ignored=True)
    add(image, "proposed", 0.9)
    client = client_of(annotator)
    body = client.get(f"/api/v1/studies/{study.pk}/images/").json()
    assert body["count"] == 2
    assert [(row["state"], row["cells"]) for row in body["results"]] == [("new", 1), ("annotated", 0)]
    only = client.get(f"/api/v1/studies/{study.pk}/images/?state=annotated").json()
    assert only["count"] == 1
    assert client.get(f"/api/v1/studies/{study.pk}/images/?state=lost").status_code == 400
    assert client.get(f"/api/v1/studies/{study.pk}/images/?page=9").status_code == 404


def test_another_study_is_invisible(study: Study, image: SmearImage, outsider: User, client_of: Any) -> None:
    client = client_of(outsider)
    for path in (f"studies/{study.pk}/", f"studies/{study.pk}/images/", f"images/{image.pk}/"):
        assert client.get(f"/api/v1/{path}").status_code == 404
        assert Client().get(f"/api/v1/{path}").status_code == 401
    assert study.name not in str(client.get("/api/v1/studies/").json())
    assert Client().get("/api/v1/studies/").status_code == 401
    assert state(client, image, "annotated").status_code == 404
    assert state(Client(), image, "annotated").status_code == 401
    image.refresh_from_db()
    assert image.state == "new"


def test_an_image_without_cells_may_be_annotated(image: SmearImage, annotator: User, client_of: Any) -> None:
    response = state(client_of(annotator), image, "annotated")
    assert (response.status_code, response.json()) == (200, {"state": "annotated", "revision": 1})


@pytest.mark.parametrize(("remaining", "outcome"), [("accept", "accepted"), ("reject", "deleted")])
def test_open_proposals_are_settled_before_an_image_is_annotated(
    image: SmearImage, annotator: User, client_of: Any, remaining: str, outcome: str
) -> None:
    open_ones = [add(image, "proposed", 0.7), add(image, "proposed", 0.8)]
    hidden = add(image, "proposed", 0.1)
    client = client_of(annotator)
    asked = state(client, image, "annotated")
    assert asked.status_code == 409
    assert asked.json()["remaining"] == 2
    assert state(client, image, "annotated", remaining=remaining).status_code == 200
    found = {cell.pk: cell.correction for cell in Cell.objects.with_correction()}
    assert found == {open_ones[0].pk: outcome, open_ones[1].pk: outcome, hidden.pk: None}
    assert set(Operation.objects.values_list("user", flat=True)) == {annotator.pk}
    assert client.get(f"/api/v1/images/{image.pk}/").json()["state"] == "annotated"


def test_only_a_reviewer_reviews_and_reopens(
    image: SmearImage, annotator: User, reviewer: User, client_of: Any
) -> None:
    assert state(client_of(reviewer), image, "reviewed").status_code == 409
    state(client_of(annotator), image, "annotated")
    assert state(client_of(annotator), image, "reviewed").status_code == 403
    assert state(client_of(reviewer), image, "reviewed").status_code == 200
    assert client_of(annotator).get(f"/api/v1/images/{image.pk}/").json()["can_edit"] is False
    assert state(client_of(annotator), image, "in_progress").status_code == 403
    assert state(client_of(annotator), image, "annotated").status_code == 403
    assert state(client_of(reviewer), image, "in_progress").status_code == 200


def test_states_that_nobody_sets(image: SmearImage, annotator: User, client_of: Any) -> None:
    client = client_of(annotator)
    assert state(client, image, "proposed").status_code == 409
    assert state(client, image, "in_progress").status_code == 409
    assert state(client, image, "finished").status_code == 400
    assert state(client, image, "annotated", remaining="keep").status_code == 400
