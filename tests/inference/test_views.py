"""Who may ask for proposals, and what happens when it is asked twice."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotation.models import Cell, SmearImage, Study
from inference.models import ProposalJob
from inference.proposal_jobs import work

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_queue(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids that were sent to the queue, instead of a worker."""
    sent: list[int] = []
    monkeypatch.setattr(ProposalJob, "send", lambda job: sent.append(job.pk))
    return sent


@pytest.fixture
def image(study: Study, make_image: Callable[..., SmearImage]) -> SmearImage:
    return make_image(study)


def addresses(study: Study) -> list[str]:
    return [reverse("propose", args=[study.pk]), reverse("api-proposals", args=[study.pk])]


@pytest.mark.parametrize("which", [0, 1])
def test_only_admins_ask(
    which: int,
    study: Study,
    image: SmearImage,
    annotator: User,
    reviewer: User,
    outsider: User,
    client_of: Callable[[User], Client],
):
    address = addresses(study)[which]
    assert client_of(annotator).post(address).status_code == 403
    assert client_of(reviewer).post(address).status_code == 403
    assert client_of(outsider).post(address).status_code == 404
    assert client_of(outsider).get(address).status_code == 404
    assert Client().post(address).status_code in (302, 401, 403)
    assert not ProposalJob.objects.exists()


def test_cancel_is_for_admins(
    study: Study, image: SmearImage, annotator: User, admin: User, outsider: User, client_of: Callable[[User], Client]
):
    client_of(admin).post(addresses(study)[0])
    address = reverse("propose-cancel", args=[study.pk])
    assert client_of(annotator).post(address).status_code == 403
    assert client_of(outsider).post(address).status_code == 404
    assert Client().post(address).status_code == 302
    assert ProposalJob.objects.get().state == "queued"
    client_of(admin).post(address)
    assert ProposalJob.objects.get().state == "cancelled"


def test_asked_twice_it_runs_once(
    study: Study,
    image: SmearImage,
    admin: User,
    client_of: Callable[[User], Client],
    django_capture_on_commit_callbacks: Any,
    no_queue: list[int],
):
    client = client_of(admin)
    with django_capture_on_commit_callbacks(execute=True):
        client.post(addresses(study)[0])
        assert "already" in client.post(addresses(study)[0], follow=True).content.decode()
        assert client.post(addresses(study)[1]).status_code == 409
    job = ProposalJob.objects.get()
    assert no_queue == [job.pk]
    work(job)
    # A message that comes again finds the job taken.
    again = ProposalJob.objects.get()
    work(again)
    job.refresh_from_db()
    assert job.state == "succeeded" and job.run.images == 1
    image.refresh_from_db()
    assert image.state == SmearImage.State.PROPOSED


def test_members_see_how_far_it_is(
    study: Study, image: SmearImage, annotator: User, admin: User, client_of: Callable[[User], Client]
):
    client = client_of(annotator)
    assert client.get(addresses(study)[1]).status_code == 404
    client_of(admin).post(addresses(study)[0])
    assert "queued" in client.get(addresses(study)[0]).content.decode()
    assert client.get(addresses(study)[1]).json()["state"] == "queued"
    work(ProposalJob.objects.get())
    page = client.get(addresses(study)[0] + "?watching=1")
    assert page["HX-Refresh"] == "true"
    assert "method without a model" in page.content.decode()


def test_nothing_to_propose_on_is_said(study: Study, admin: User, client_of: Callable[[User], Client]):
    answer = client_of(admin).post(addresses(study)[1])
    assert answer.status_code == 400
    assert "no image" in answer.json()["detail"]


def test_a_bundle_of_another_study_is_not_to_be_had(
    study: Study, image: SmearImage, admin: User, client_of: Callable[[User], Client]
):
    answer = client_of(admin).post(addresses(study)[1], {"bundle": "abcdefabcdef"}, content_type="application/json")
    assert answer.status_code == 400
    assert not Cell.objects.exists()
