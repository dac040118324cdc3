"""Every way in which a round can end, with processes that stand in for training."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from annotation.models import Study
from training import rounds
from training.launching import launch
from training.models import Bundle, JobState, Round
from training.rounds import run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "TICK_SECONDS", 0.05)


def test_a_round_that_succeeds_registers_its_bundle_and_comes_into_use(annotated_study: Study, good_child: Any) -> None:
    made = launch(annotated_study)
    run(made.pk, command=good_child())
    made.refresh_from_db()
    assert (made.state, made.reason) == (JobState.SUCCEEDED, "")
    assert made.bundle is not None and made.bundle.in_use
    assert (made.bundle.folder / "weights.safetensors").is_file()
    assert made.metrics["map_50"] == 0.95
    assert made.seconds == 1.5
    assert "learning" in made.log
    assert [point["map_50"] for point in made.curve if "map_50" in point] == [0.4, 0.8]
    assert [point["loss"] for point in made.curve if "loss" in point] == [1.0, 0.5]
    assert made.progress["epoch"] == 2
    assert made.versions["torch"]
    assert made.versions["marrowloop"].startswith("0.1.0")
    assert not made.folder.exists()


def test_a_message_delivered_twice_trains_once(annotated_study: Study, good_child: Any, tmp_path: Path) -> None:
    command = good_child()
    started: list[int] = []

    def counting(round_: Round) -> list[str]:
        started.append(round_.pk)
        made: list[str] = command(round_)
        return made

    made = launch(annotated_study)
    run(made.pk, command=counting)
    run(made.pk, command=counting)
    assert started == [made.pk]
    assert Bundle.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_with_the_same_message_train_once(annotated_study: Study, good_child: Any, no_broker: Any) -> None:
    command, started = good_child(), []

    def counting(round_: Round) -> list[str]:
        started.append(round_.pk)
        made: list[str] = command(round_)
        return made

    made = launch(annotated_study)

    def work() -> None:
        run(made.pk, command=counting)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(started) == 1
    assert made.reload().state == JobState.SUCCEEDED


def test_a_round_that_is_gone_is_passed_over(db: Any) -> None:
    run(999_999)


def test_a_failure_says_the_last_sentence_and_keeps_the_log(annotated_study: Study, child: Any) -> None:
    made = launch(annotated_study)
    run(made.pk, command=child("print('epoch 1', file=sys.stderr)\nsys.exit('No space is left on the disk.')"))
    made.refresh_from_db()
    assert (made.state, made.reason) == (JobState.FAILED, "No space is left on the disk.")
    assert "epoch 1" in made.log
    assert made.bundle is None
    assert made.folder.is_dir()


@pytest.mark.django_db(transaction=True)
def test_a_killed_training_process_leaves_the_round_failed_with_its_log(
    annotated_study: Study, child: Any, no_broker: Any
) -> None:
    made = launch(annotated_study)
    command = child(
        "(OUT / 'pid').write_text(str(os.getpid()))\nprint('here', file=sys.stderr, flush=True)\ntime.sleep(60)"
    )
    worker = _in_thread(lambda: run(made.pk, command=command))
    pid = int(_when_written(made.folder / "out" / "pid"))
    _until(lambda: "here" in made.reload().log)
    os.kill(pid, signal.SIGKILL)
    worker.join(10)
    made.refresh_from_db()
    assert made.state == JobState.FAILED
    assert made.reason.startswith("The training process was killed (signal 9")
    assert "here" in made.log


@pytest.mark.django_db(transaction=True)
def test_cancelling_ends_the_process_within_seconds(annotated_study: Study, child: Any, no_broker: Any) -> None:
    made = launch(annotated_study)
    command = child("(OUT / 'pid').write_text(str(os.getpid()))\ntime.sleep(60)")
    worker = _in_thread(lambda: run(made.pk, command=command))
    pid = int(_when_written(made.folder / "out" / "pid"))
    assert made.reload().cancel(by="ada")
    worker.join(5)
    assert not worker.is_alive()
    assert (made.reload().state, made.reason) == (JobState.CANCELLED, "Cancelled by ada.")
    assert not _lives(pid)
    assert made.folder.is_dir(), "its checkpoint is kept: it can be resumed"


@pytest.mark.django_db(transaction=True)
def test_a_process_that_will_not_end_is_killed(
    annotated_study: Study, child: Any, no_broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.training_process.TrainingProcess.stop.__defaults__", (0.3,))
    made = launch(annotated_study)
    command = child(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n(OUT / 'pid').write_text(str(os.getpid()))\ntime.sleep(60)"
    )
    worker = _in_thread(lambda: run(made.pk, command=command))
    pid = int(_when_written(made.folder / "out" / "pid"))
    made.reload().cancel()
    worker.join(5)
    assert made.reload().state == JobState.CANCELLED
    assert not _lives(pid)


def test_a_round_that_is_long_held_against_another_gives_signs_of_life(
    annotated_study: Study, good_child: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = launch(annotated_study)
    long_ago = timezone.now() - timedelta(hours=1)
    beats: list[bool] = []

    def comparing(round_: Round, judged: list[Any], alive: Callable[[], object]) -> None:
        for _ in range(3):
            Round.objects.filter(pk=round_.pk).update(heartbeat_at=long_ago)
            alive()
            beats.append(made.reload().heartbeat_at != long_ago)
            time.sleep(rounds.TICK_SECONDS)

    monkeypatch.setattr(rounds, "judged_by", lambda round_, path: [])
    monkeypatch.setattr(rounds, "compared_with_previous", comparing)
    run(made.pk, command=good_child())
    assert made.reload().state == JobState.SUCCEEDED
    assert beats[1:] == [True, True], "the first may come too soon after the one before"


def test_a_worker_that_stops_hands_the_round_back(
    annotated_study: Study, child: Any, good_child: Any, no_broker: Any
) -> None:
    made = launch(annotated_study)
    run(made.pk, command=child("time.sleep(60)"), stopping=lambda: True)
    assert made.reload().state == JobState.QUEUED
    assert no_broker == [("training.run_round", [made.pk])]
    assert "goes on from its last checkpoint" in made.log
    run(made.pk, command=good_child())
    assert made.reload().state == JobState.SUCCEEDED


def test_a_worker_that_is_ended_hard_hands_the_round_back_and_ends_the_process(
    annotated_study: Study, child: Any, no_broker: Any
) -> None:
    made = launch(annotated_study)

    def hard() -> bool:
        raise SystemExit

    with pytest.raises(SystemExit):
        run(made.pk, command=child("time.sleep(60)"), stopping=hard)
    assert made.reload().state == JobState.QUEUED


def test_a_round_that_was_buried_meanwhile_is_not_revived(annotated_study: Study, good_child: Any) -> None:
    made = launch(annotated_study)
    command = good_child()

    def bury(round_: Round) -> list[str]:
        Round.objects.filter(pk=made.pk).update(state=JobState.FAILED, reason="The worker died.")
        found: list[str] = command(round_)
        return found

    run(made.pk, command=bury)
    assert (made.reload().state, made.reason) == (JobState.FAILED, "The worker died.")
    assert not Bundle.objects.exists()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ("", "left no bundle that can be used"),
        ("(OUT / 'bundle').mkdir()\n(OUT / 'bundle' / 'card.json').write_text('{\"schema\"')", "left no bundle"),
    ],
)
def test_a_half_written_bundle_never_comes_in(annotated_study: Study, child: Any, spoil: str, reason: str) -> None:
    made = launch(annotated_study)
    run(made.pk, command=child(spoil))
    assert made.reload().state == JobState.FAILED
    assert reason in made.reason
    assert not Bundle.objects.exists()
    assert not Path(settings.BUNDLE_FOLDER).exists()


def test_a_bundle_of_another_snapshot_never_comes_in(annotated_study: Study, child: Any, ready_bundle: Any) -> None:
    made = launch(annotated_study)
    other = ready_bundle("f" * 64)
    run(made.pk, command=child(f"shutil.copytree({str(other)!r}, OUT / 'bundle')"))
    assert made.reload().state == JobState.FAILED
    assert "another snapshot" in made.reason


def test_a_mistake_of_the_program_leaves_the_round_failed_with_its_traceback(annotated_study: Study) -> None:
    made = launch(annotated_study)

    def broken(round_: Round) -> list[str]:
        raise RuntimeError("surprise")

    with pytest.raises(RuntimeError):
        run(made.pk, command=broken)
    assert made.reload().state == JobState.FAILED
    assert "surprise" in made.reason and "Traceback" in made.log


def test_the_newest_bundle_comes_into_use_and_the_one_before_can_return(
    annotated_study: Study, good_child: Any
) -> None:
    first = launch(annotated_study)
    run(first.pk, command=good_child())
    second = launch(annotated_study, again=True)
    run(second.pk, command=good_child(seed=1))
    assert Bundle.used_by(annotated_study) == second.reload().bundle != first.reload().bundle
    first.bundle.promote()
    assert Bundle.used_by(annotated_study) == first.bundle


def _in_thread(work: Callable[[], None]) -> threading.Thread:
    def body() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=body)
    thread.start()
    return thread


def _until(true: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.05)


def _when_written(path: Path) -> str:
    _until(lambda: path.exists() and bool(path.read_text()))
    return path.read_text()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_worker_takes_its_process_along(tmp_path: Path) -> None:
    """At once, whatever the process is doing: nothing trains on unseen beside the next worker's round."""
    worker = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time\nfrom pathlib import Path\nfrom training.training_process import TrainingProcess\n"
            "folder = Path(sys.argv[1])\n"
            "process = TrainingProcess([sys.executable, '-c', 'import time; time.sleep(60)'], folder, folder)\n"
            "(folder / 'pid').write_text(str(process.pid))\ntime.sleep(60)",
            str(tmp_path),
        ],
        cwd=settings.BASE_DIR,
    )
    pid = int(_when_written(tmp_path / "pid"))
    worker.kill()
    worker.wait()
    _until(lambda: not _lives(pid), seconds=5)
