"""Rounds that go on: resumed by a person, handed on by a worker, picked up from one that died."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from annotation.models import Study
from training import rounds
from training.freeze import RoundRefused
from training.launching import launch, resume
from training.models import JobState, Round
from training.rounds import run

pytestmark = pytest.mark.django_db

# What a training process leaves on its way.
LEAVES_A_CHECKPOINT = "(OUT / 'checkpoint.pt').write_text('half way')\n"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "TICK_SECONDS", 0.05)


@pytest.fixture
def failed(annotated_study: Study, child: Any, no_broker: Any) -> Round:
    made = launch(annotated_study)
    run(made.pk, command=child(f"{LEAVES_A_CHECKPOINT}sys.exit('There is no space left on the disk.')"))
    assert made.reload().state == JobState.FAILED
    return made


def silent(round_: Round, seconds: float = 61) -> None:
    Round.objects.filter(pk=round_.pk).update(heartbeat_at=timezone.now() - timedelta(seconds=seconds))


def test_a_failed_round_is_resumed_with_its_checkpoint_and_log(
    failed: Round, good_child: Any, child: Any, no_broker: Any, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        assert resume(failed, "ada") == "Resumed by ada: it goes on from its last checkpoint."
    assert no_broker == [("training.run_round", [failed.pk])]
    failed.reload()
    assert (failed.state, failed.reason, failed.finished_at) == (JobState.QUEUED, "", None)
    seen: list[str] = []

    def looking(round_: Round) -> list[str]:
        seen.append((round_.folder / "out" / "checkpoint.pt").read_text())
        made: list[str] = good_child()(round_)
        return made

    run(failed.pk, command=looking)
    assert seen == ["half way"]
    assert failed.reload().state == JobState.SUCCEEDED
    assert "no space left" in failed.log and "Resumed by ada: it goes on" in failed.log
    assert not failed.folder.exists()


def test_a_cancelled_round_is_resumed(annotated_study: Study, no_broker: Any) -> None:
    made = launch(annotated_study)
    made.cancel()
    assert resume(made) == "Resumed: it had not begun."
    assert made.reload().state == JobState.QUEUED


def test_one_without_a_checkpoint_says_that_it_begins_anew(annotated_study: Study, child: Any, no_broker: Any) -> None:
    made = launch(annotated_study)
    run(made.pk, command=child("sys.exit('No space.')"))
    assert resume(made.reload()) == "Resumed: it had written no checkpoint, so it begins anew."
    made.cancel()
    shutil.rmtree(made.folder)
    assert resume(made.reload(), "ada") == "Resumed by ada: its checkpoint is no longer kept, so it begins anew."
    assert made.reload().log.endswith("its checkpoint is no longer kept, so it begins anew.\n")


def test_an_old_round_that_is_resumed_does_not_replace_a_later_ones_bundle(failed: Round, good_child: Any) -> None:
    later = launch(failed.study)
    run(later.pk, command=good_child(seed=2))
    resume(failed.reload())
    run(failed.pk, command=good_child())
    assert failed.reload().state == JobState.SUCCEEDED
    assert failed.bundle is not None and not failed.bundle.in_use
    assert later.reload().bundle is not None and later.bundle.in_use


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.QUEUED, JobState.RUNNING])
def test_what_did_not_end_without_its_result_is_not_resumed(failed: Round, state: str) -> None:
    Round.objects.filter(pk=failed.pk).update(state=state, heartbeat_at=timezone.now())
    with pytest.raises(RoundRefused, match=f"cannot be resumed: it is {state}"):
        resume(failed)


def test_a_study_still_trains_one_round_at_a_time(failed: Round) -> None:
    launch(failed.study)
    with pytest.raises(RoundRefused, match="Round 2 of this study is queued already"):
        resume(failed)
    assert failed.reload().state == JobState.FAILED


def test_without_its_snapshot_it_cannot_be_resumed(failed: Round) -> None:
    failed.snapshot_folder.rename(failed.snapshot_folder.with_name("elsewhere"))
    with pytest.raises(RoundRefused, match="its snapshot is gone"):
        resume(failed)


def test_the_folder_of_another_rounds_row_is_not_gone_on_from(failed: Round, child: Any) -> None:
    """A database that was restored deals the same number to another round."""
    Round.objects.filter(pk=failed.pk).update(created_at=timezone.now())
    resume(failed.reload())
    run(failed.pk, command=child("sys.exit('with' if (OUT / 'checkpoint.pt').exists() else 'without')"))
    assert failed.reload().reason == "without"


def test_a_round_handed_back_keeps_its_checkpoint(annotated_study: Study, child: Any, no_broker: Any) -> None:
    made = launch(annotated_study)
    checkpoint = made.folder / "out" / "checkpoint.pt"
    run(made.pk, command=child(f"{LEAVES_A_CHECKPOINT}time.sleep(60)"), stopping=checkpoint.exists)
    assert made.reload().state == JobState.QUEUED and made.deaths == 0
    assert checkpoint.read_text() == "half way"


def sent(round_: Round) -> Round:
    """Claimed by a worker that got it from the queue."""
    round_.send()
    assert round_.claim()
    return round_


def test_a_round_whose_worker_died_is_picked_up(
    annotated_study: Study, good_child: Any, no_broker: Any, django_capture_on_commit_callbacks: Any
) -> None:
    made = sent(launch(annotated_study))
    silent(made)
    with django_capture_on_commit_callbacks(execute=True):
        assert Round.bury_dead() == 1
        assert Round.bury_dead() == 0
    assert (made.reload().state, made.deaths) == (JobState.QUEUED, 1)
    assert "goes on from its last checkpoint" in made.log
    assert no_broker == [("training.run_round", [made.pk])] * 2
    run(made.pk, command=good_child())
    assert made.reload().state == JobState.SUCCEEDED


def test_its_late_worker_no_longer_counts(annotated_study: Study, no_broker: Any) -> None:
    made = sent(launch(annotated_study))
    late = Round.objects.get(pk=made.pk)
    silent(made)
    Round.bury_dead()
    assert not late.beat(log="I am back") and not late.succeed()
    assert made.reload().state == JobState.QUEUED


def test_a_round_that_takes_its_workers_down_fails_in_the_end(annotated_study: Study, no_broker: Any) -> None:
    made = sent(launch(annotated_study))
    for _ in range(2):
        silent(made)
        Round.bury_dead()
        assert sent(made.reload()).state == JobState.RUNNING
    silent(made)
    Round.bury_dead()
    assert made.reload().state == JobState.FAILED
    assert made.reason.startswith("The worker died")
    # A person may think otherwise, and then it has as many again.
    resume(made)
    assert (made.reload().state, made.deaths) == (JobState.QUEUED, 0)


def test_a_round_of_the_command_line_has_no_other_worker(annotated_study: Study, no_broker: Any) -> None:
    made = launch(annotated_study, at_once=True)
    silent(made)
    Round.bury_dead()
    assert made.reload().state == JobState.FAILED
    resume(made, at_once=True)
    assert made.reload().state == JobState.RUNNING
    assert no_broker == []


def test_a_cancelled_round_whose_worker_died_was_cancelled(annotated_study: Study, no_broker: Any) -> None:
    made = sent(launch(annotated_study))
    made.cancel(by="ada")
    silent(made)
    Round.bury_dead()
    assert (made.reload().state, made.reason) == (JobState.CANCELLED, "Cancelled by ada.")


@pytest.mark.django_db(transaction=True)
def test_of_many_that_find_it_dead_one_picks_it_up(annotated_study: Study, no_broker: Any) -> None:
    import threading

    made = sent(launch(annotated_study))
    no_broker.clear()
    silent(made)
    barrier = threading.Barrier(4)
    counts: list[int] = []

    def look() -> None:
        barrier.wait()
        counts.append(Round.bury_dead())
        connection.close()

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == [0, 0, 0, 1]
    assert len(no_broker) == 1
    assert made.reload().deaths == 1


def test_the_folder_stays_where_it_was(failed: Round, tmp_path: Path) -> None:
    assert (failed.folder / "out" / "checkpoint.pt").is_file()
    assert (failed.folder / "log.txt").read_text().strip() == "There is no space left on the disk."
