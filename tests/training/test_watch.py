"""Dead workers and lost messages are noticed by every worker, also where nobody looks at a page."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery.signals import worker_ready
from django.db import OperationalError
from django.utils import timezone

from annotation.models import Study
from inference.models import ProposalJob
from tests.training.test_job import a_round
from training import watch
from training.models import Bundle, JobState, Round
from training.watch import Watch, kinds, queue_of

pytestmark = pytest.mark.django_db


def died_long_ago(job: Any) -> None:
    type(job).objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=2))


def test_it_knows_every_kind_and_its_queue() -> None:
    assert {Round, ProposalJob} <= set(kinds())
    assert (queue_of(Round), queue_of(ProposalJob)) == ("training", "inference")


def test_any_worker_notices_a_round_whose_worker_died(
    study: Study, no_broker: Any, django_capture_on_commit_callbacks: Any
) -> None:
    """Also one of another queue: the training worker may be the one that is dead."""
    job = a_round(study, celery_id="sent")
    job.claim()
    died_long_ago(job)
    with django_capture_on_commit_callbacks(execute=True):
        Watch(["inference"]).look()
    assert (job.reload().state, job.deaths) == (JobState.QUEUED, 1)
    assert no_broker == [("training.run_round", [job.pk])]
    Watch(["inference"]).look()
    assert len(no_broker) == 1, "it is told once"


def test_it_fails_what_cannot_be_gone_on_with(study: Study, no_broker: Any) -> None:
    job = ProposalJob.objects.create(study=study)
    job.claim()
    died_long_ago(job)
    Watch(["training"]).look()
    assert job.reload().state == JobState.FAILED and "worker died" in job.reason


def test_a_round_that_died_while_it_was_cancelled_is_cancelled(study: Study, no_broker: Any) -> None:
    job = a_round(study, celery_id="sent")
    job.claim()
    Round.objects.get(pk=job.pk).cancel()
    died_long_ago(job)
    Watch(["training"]).look()
    assert job.reload().state == JobState.CANCELLED


def test_many_watches_at_once_pick_a_round_up_once(
    study: Study, no_broker: Any, django_capture_on_commit_callbacks: Any
) -> None:
    job = a_round(study, celery_id="sent")
    job.claim()
    died_long_ago(job)
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(4):
            Watch(["training"]).look()
    assert job.reload().deaths == 1
    assert len(no_broker) == 1


def test_a_lost_message_is_sent_again_by_a_worker_of_that_queue(
    study: Study, other_study: Study, no_broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(watch.time, "monotonic", lambda: clock[0])
    waiting = a_round(study)
    own, other = Watch(["training"]), Watch(["inference"])
    own.look()
    other.look()
    assert no_broker == [], "it may just have been sent"
    clock[0] += watch.LOST_SECONDS
    own.look()
    other.look()
    assert no_broker == [("training.run_round", [waiting.pk])]
    clock[0] += 1
    own.look()
    assert len(no_broker) == 1, "not at every look"


def test_what_waits_behind_another_is_not_sent_again(
    study: Study, other_study: Study, no_broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(watch.time, "monotonic", lambda: clock[0])
    a_round(other_study).claim()
    a_round(study)
    own = Watch(["training"])
    own.look()
    clock[0] += 10 * watch.LOST_SECONDS
    own.look()
    assert no_broker == []


def test_work_that_is_no_job_is_looked_after_by_the_workers_of_its_queue(
    db: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    monkeypatch.setattr(watch, "_others", [])
    watch.also_look("interactive", lambda: looked.append("heads"))
    Watch(["training"]).look()
    assert looked == []
    Watch(["interactive"]).look()
    assert looked == ["heads"]


def test_it_goes_on_where_the_database_is_away_for_a_while(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.JOB_SILENCE_SECONDS = 0.04
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.01)
    looks = []
    again = threading.Event()

    def look() -> None:
        looks.append(1)
        if len(looks) == 1:
            raise OperationalError("gone")
        if len(looks) == 2:
            raise KeyError("a mistake")
        again.set()

    own = Watch(["training"])
    monkeypatch.setattr(own, "look", look)
    own.start()
    assert again.wait(10)
    own.stop()


def test_every_worker_starts_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import training.tasks  # noqa: F401 (which a worker loads, and with it the watch)

    started: list[Watch] = []
    monkeypatch.setattr(Watch, "start", lambda self: started.append(self))
    monkeypatch.setattr(Round, "recover", lambda: None)
    monkeypatch.setattr(ProposalJob, "recover", lambda: None)
    worker_ready.send(sender=None)
    assert len(started) == 1
    watch.stop_watch()
    assert started[0]._stopped.is_set()


def test_a_bundle_that_was_damaged_in_the_store_is_replaced(tmp_path: Path, ready_bundle: Any) -> None:
    from training.bundle import copy_bundle, read_bundle

    source = ready_bundle("0" * 64)
    target = tmp_path / "store" / read_bundle(source).id
    copy_bundle(source, target)
    (target / "weights.safetensors").unlink()
    (target / "weights.safetensors").write_bytes(b"wei")
    assert copy_bundle(source, target).weights.read_bytes() == b"weights"
    assert not Bundle.objects.exists()
