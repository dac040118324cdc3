"""The state machine that every long job shares, tried on rounds."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from annotation.models import Study
from training.models import Bundle, JobState, Round

pytestmark = pytest.mark.django_db


def a_round(study: Study, number: int = 1, **fields: Any) -> Round:
    return Round.objects.create(study=study, number=number, snapshot="0" * 64, **fields)


def test_a_job_is_claimed_once(study: Study) -> None:
    job = a_round(study)
    again = Round.objects.get(pk=job.pk)
    assert job.claim()
    assert not again.claim()
    job.refresh_from_db()
    assert job.state == JobState.RUNNING
    assert job.started_at and job.heartbeat_at and job.worker


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_that_claim_at_once_one_gets_it(study: Study) -> None:
    job = a_round(study)
    barrier = threading.Barrier(6)
    claims: list[bool] = []

    def work() -> None:
        own = Round.objects.get(pk=job.pk)
        barrier.wait()
        claims.append(own.claim())
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claims) == [False] * 5 + [True]


def test_a_beat_keeps_it_alive_and_appends_to_the_log(study: Study) -> None:
    job = a_round(study)
    job.claim()
    assert job.beat(log="one\n", progress={"fraction": 0.5})
    assert job.beat(log="t\0wo\n")
    job.refresh_from_db()
    assert job.log == "one\ntwo\n"
    assert job.progress == {"fraction": 0.5}


def test_the_log_keeps_its_newest_part(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.models.job.LOG_LENGTH", 10)
    job = a_round(study)
    job.claim()
    job.beat(log="0123456789")
    job.beat(log="abc")
    job.refresh_from_db()
    assert job.log == "3456789abc"


def test_success_ends_it_and_nothing_revives_it(study: Study) -> None:
    job = a_round(study)
    job.claim()
    assert job.succeed(seconds=3.5)
    assert job.is_ended and not job.is_live
    for late in (lambda: job.fail("Late."), job.give_up, job.release, job.claim, job.cancel, job.beat, job.succeed):
        assert not late()
    job.refresh_from_db()
    assert (job.state, job.seconds, job.reason) == (JobState.SUCCEEDED, 3.5, "")


def test_a_queued_job_is_cancelled_at_once(study: Study) -> None:
    job = a_round(study)
    assert job.cancel(by="ada")
    job.refresh_from_db()
    assert (job.state, job.reason) == (JobState.CANCELLED, "Cancelled by ada before it started.")
    assert not job.claim()


def test_a_running_job_is_cancelled_by_its_worker(study: Study) -> None:
    job = a_round(study)
    job.claim()
    assert Round.objects.get(pk=job.pk).cancel(by="ada")
    assert job.beat()
    assert job.state == JobState.CANCELLING
    assert not job.succeed(), "a success that comes after the cancel must not stand"
    assert job.give_up()
    job.refresh_from_db()
    assert (job.state, job.reason) == (JobState.CANCELLED, "Cancelled by ada.")


def test_cancelling_twice_is_told_so(study: Study) -> None:
    job = a_round(study)
    job.claim()
    assert job.cancel()
    assert not job.cancel()


def test_a_machine_whose_clock_is_wrong_takes_nobody_for_dead(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    job = a_round(study)
    assert job.claim()
    later = timezone.now() + timedelta(hours=1)
    monkeypatch.setattr(timezone, "now", lambda: later)
    assert Round.bury_dead() == 0
    assert job.beat() and job.heartbeat_at is not None and job.heartbeat_at < later
    assert job.reload().state == JobState.RUNNING


def test_a_job_whose_worker_is_silent_is_buried(study: Study, other_study: Study) -> None:
    dead, alive = a_round(study), a_round(other_study)
    dead.claim()
    alive.claim()
    Round.objects.filter(pk=dead.pk).update(heartbeat_at=timezone.now() - timedelta(seconds=61))
    assert Round.bury_dead() == 1
    assert dead.reload().state == JobState.FAILED
    assert dead.reason == "The worker died: it was not heard of for 45 seconds."
    assert alive.reload().state == JobState.RUNNING


def test_a_buried_worker_that_comes_back_is_told_that_it_lost_its_job(study: Study) -> None:
    job = a_round(study)
    job.claim()
    Round.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    Round.bury_dead()
    assert not job.beat(log="still here")
    assert not job.succeed()
    assert job.reload().state == JobState.FAILED
    assert job.log == ""


def test_a_worker_that_was_released_cannot_end_the_job_of_the_next(study: Study) -> None:
    first = a_round(study)
    first.claim()
    stale = Round.objects.get(pk=first.pk)
    assert first.release()
    second = Round.objects.get(pk=first.pk)
    assert second.claim()
    assert not stale.fail("I was cut off.")
    assert second.beat() and second.state == JobState.RUNNING


def test_the_place_in_the_queue_counts_those_in_front(study: Study, other_study: Study) -> None:
    first, second = a_round(study), a_round(other_study)
    assert (first.queued_before(), second.queued_before()) == (0, 1)
    first.claim()
    assert second.queued_before() == 0


def test_a_study_has_one_live_round(study: Study) -> None:
    a_round(study)
    with pytest.raises(IntegrityError), transaction.atomic():
        a_round(study, number=2)


def test_a_job_fails_with_a_sentence_where_the_queue_is_out_of_reach(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kombu.exceptions import OperationalError

    from config.celery import app

    def refuse(*args: Any, **options: Any) -> None:
        raise OperationalError("Connection refused")

    monkeypatch.setattr(app, "send_task", refuse)
    job = a_round(study)
    job.send()
    assert job.reload().state == JobState.FAILED
    assert "message queue cannot be reached" in job.reason


def test_a_worker_that_starts_sends_again_what_waits(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    from config.celery import app

    sent: list[tuple[str, list[int]]] = []
    monkeypatch.setattr(app, "send_task", lambda name, args, **options: sent.append((name, args)))
    job = a_round(study)
    Round.recover()
    assert sent == [("training.run_round", [job.pk])]
    assert job.reload().celery_id


def test_one_bundle_is_in_use_and_an_earlier_one_can_be_promoted_again(study: Study, admin: Any) -> None:
    old = Bundle.objects.create(id="a" * 12, study=study, card={})
    new = Bundle.objects.create(id="b" * 12, study=study, card={})
    old.promote()
    new.promote()
    assert Bundle.used_by(study) == new
    old.promote(by=admin)
    assert Bundle.used_by(study) == old
    assert list(Bundle.objects.filter(in_use=True)) == [old]
    assert old.promoted_by == admin
