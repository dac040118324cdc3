"""Why a diagnosis is suspected in an image of a study: the job, what is kept of it, the API, who may ask."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotation.models import Cell, CellReading, Reader, Reading, SmearImage, Study
from inference import field_why_jobs
from inference.diagnosis import DiagnosisProblem
from inference.field_why_jobs import NO_CELLS, ask, work
from inference.models import FieldWhyJob
from tests.inference.test_occlude_command import Redness
from tests.labelled_cells import BLUE, RED
from training.models import Bundle, JobState, Kind

pytestmark = pytest.mark.django_db
NAME = "APL vs non-APL AML"


@pytest.fixture
def bundle(study: Study) -> Bundle:
    card = {"architecture": {"decisions": [{"name": NAME, "classes": ["apl", "non_apl_aml"]}]}}
    return Bundle.objects.create(id="b" * 12, study=study, kind=Kind.MIL, card=card, in_use=True)


@pytest.fixture
def image(
    study: Study, make_field: Callable[..., list[Cell]], no_broker: list[Any], monkeypatch: pytest.MonkeyPatch
) -> SmearImage:
    """A field of 160 x 40 with a red cell, the second, among blue ones; models suspect APL by how red one is."""
    monkeypatch.setattr(field_why_jobs, "Models", Redness)
    return make_field(study, "P1", (BLUE, RED, BLUE, BLUE, BLUE))[0].image


def test_the_map_names_the_part_that_speaks(image: SmearImage, bundle: Bundle) -> None:
    job = ask(image, bundle, NAME, 16, 1.0)
    assert ask(image, bundle, NAME, 8, 1.0).pk == job.pk, "one at a time"
    assert work(job) and not work(job)
    job.refresh_from_db()
    changes = np.array(job.result["changes"])
    # Parts are 10 x 10 px, and the red cell lies from 40 to 60.
    assert changes.shape == (job.rows, job.columns) == (4, 16)
    assert set(np.argwhere(changes > 0.5 * changes.max())[:, 1]) <= {4, 5}
    assert job.result["cells"] == 5 and job.result["probability"] > changes.max() > 0
    colours = job.result["colours"]
    assert (colours["columns"], colours["rows"]) == (32, 8) and max(map(abs, colours["values"])) == 100


def test_larger_blocks_overlap(image: SmearImage, bundle: Bundle) -> None:
    job = ask(image, bundle, NAME, 8, 2.0)
    assert work(job)
    changes = np.array(job.reload().result["changes"])
    assert changes.shape == (2, 8) and changes.argmax(axis=1).tolist() in ([2, 2], [1, 1], [1, 2], [2, 1])


def test_what_cannot_be_made_is_said(image: SmearImage, bundle: Bundle, study: Study) -> None:
    with pytest.raises(DiagnosisProblem, match="does not decide 'APL vs healthy donor'"):
        ask(image, bundle, "APL vs healthy donor", 16, 1.0)
    Cell.objects.filter(image=image).update(ignored=True)
    job = ask(image, bundle, NAME, 16, 1.0)
    assert not work(job)
    assert job.reload().reason == NO_CELLS and job.state == JobState.FAILED
    Cell.objects.filter(image=image).update(ignored=False)
    SmearImage.objects.filter(pk=image.pk).update(sha256="0" * 64)
    image.refresh_from_db()
    job = ask(image, bundle, NAME, 16, 1.0)
    assert not work(job) and "missing on the server" in job.reload().reason


def test_it_ends_when_asked_and_goes_back_when_its_worker_stops(image: SmearImage, bundle: Bundle) -> None:
    job = ask(image, bundle, NAME, 16, 1.0)
    assert not work(job, stopping=lambda: True)
    assert job.reload().state == JobState.QUEUED and job.result == {}
    other = FieldWhyJob.objects.get(pk=job.pk)
    assert not work(job, stopping=lambda: other.cancel("rita") and False)
    assert job.reload().state == JobState.CANCELLED and job.result == {}


def test_the_api_tells_what_there_is(
    image: SmearImage, bundle: Bundle, annotator: User, client_of: Callable[[User], Client]
) -> None:
    client = client_of(annotator)
    address = reverse("api-field-why", args=[image.pk])
    found = client.get(address).json()
    assert found["maps"] == [] and found["job"] is None
    assert found["choices"] == [{"bundle": bundle.pk, "decision": NAME, "words": f"{NAME}: MILLIE {bundle.pk}, in use"}]
    asked = {"bundle": bundle.pk, "decision": NAME, "columns": 8, "overlap": 1.5}
    answer = client.post(address, asked, content_type="application/json")
    assert answer.status_code == 202 and answer.json()["job"]["state"] == "queued"
    job = FieldWhyJob.objects.get()
    map_ = reverse("api-field-why-map", args=[image.pk, job.pk])
    assert client.get(map_).status_code == 404
    assert work(job)
    (told,) = client.get(address).json()["maps"]
    assert told["old"] is False and told["probability"] > 0.3
    assert len(client.get(map_).json()["changes"]) == 2
    Cell.objects.filter(image=image)[0].delete()
    assert client.get(map_).json()["old"] is True
    assert client.post(address, asked | {"overlap": 1}, content_type="application/json").status_code == 202
    for wrong in ({"columns": 9}, {"overlap": 7}, {"bundle": "c" * 12}, {"decision": "x"}):
        assert client.post(address, asked | wrong, content_type="application/json").status_code == 400
    page = client.get(reverse("field-why", args=[image.pk])).content.decode()
    assert "in use" in page and "one part wide" in page


def test_who_may_ask_see_and_end_it(
    image: SmearImage,
    bundle: Bundle,
    annotator: User,
    teammate: User,
    reviewer: User,
    outsider: User,
    client_of: Callable[[User], Client],
) -> None:
    job = ask(image, bundle, NAME, 8, 1.0, annotator)
    seen = [
        reverse("field-why", args=[image.pk]),
        reverse("api-field-why", args=[image.pk]),
        reverse("api-field-why-map", args=[image.pk, job.pk]),
    ]
    cancel = reverse("api-field-why-cancel", args=[image.pk, job.pk])
    for address in seen:
        assert client_of(outsider).get(address).status_code == 404
        assert Client().get(address).status_code in (302, 401, 403)
    assert client_of(outsider).post(seen[1], {}).status_code == 404
    assert client_of(outsider).post(cancel).status_code == 404
    assert client_of(teammate).post(cancel).status_code == 403, "somebody else's"
    assert job.reload().state == JobState.QUEUED
    assert client_of(reviewer).post(cancel).json()["job"]["state"] == "cancelled"
    other = Study.objects.create(name="Other")
    SmearImage.objects.filter(pk=image.pk).update(study=other)
    assert client_of(annotator).get(seen[0]).status_code == 404


def test_nobody_who_reads_blind_is_told(
    image: SmearImage, bundle: Bundle, annotator: User, reviewer: User, client_of: Callable[[User], Client]
) -> None:
    reading = Reading.objects.create(study=image.study, name="Blind", asked_by=reviewer)
    reader = Reader.objects.create(reading=reading, user=annotator)
    CellReading.objects.create(reader=reader, cell=image.cells.all()[0], place=0)
    for name in ("field-why", "api-field-why"):
        assert client_of(annotator).get(reverse(name, args=[image.pk])).status_code == 403
        assert client_of(reviewer).get(reverse(name, args=[image.pk])).status_code == 200
