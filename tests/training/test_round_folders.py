"""Folders of rounds are kept as long as somebody may go on from them, and no longer."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from annotation.models import Study
from training.launching import launch, resume
from training.models import JobState, Round, SearchHelper
from training.round_folders import KEPT_DAYS, sweep

pytestmark = pytest.mark.django_db


@pytest.fixture
def ended(annotated_study: Study, no_broker: Any) -> Callable[..., Round]:
    """ended(state): a round that began, left a folder with a checkpoint, and ended so."""

    def make(state: str = JobState.FAILED, **fields: Any) -> Round:
        made = launch(annotated_study, again=True)
        (made.folder / "out").mkdir(parents=True)
        (made.folder / "out" / "checkpoint.pt").write_text("half way")
        now = timezone.now()
        given = {"started_at": now, "finished_at": now, "log": "epoch 1\n", **fields}
        Round.objects.filter(pk=made.pk).update(state=state, **given)
        return made.reload()

    return make


def aged(folder: Path, days: float) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder, (time.time() - days * 86_400,) * 2)
    return folder


def test_what_can_be_resumed_is_kept(ended: Callable[..., Round]) -> None:
    failed, cancelled = ended(), ended(JobState.CANCELLED)
    live = launch(failed.study)
    live.folder.mkdir(parents=True)
    assert sweep() == 0
    assert failed.has_checkpoint and cancelled.has_checkpoint and live.folder.is_dir()


def test_a_later_round_that_succeeded_makes_them_needless(ended: Callable[..., Round], other_study: Study) -> None:
    failed, succeeded = ended(), ended(JobState.SUCCEEDED)
    after, elsewhere = ended(), ended()
    Round.objects.filter(pk=elsewhere.pk).update(study=other_study)
    assert sweep() == 2
    assert not failed.folder.exists() and not succeeded.folder.exists()
    assert after.has_checkpoint and elsewhere.has_checkpoint
    assert failed.reload().log == "epoch 1\n"
    assert list(Path(settings.ROUND_FOLDER).glob(".*")) == []


def test_after_a_month_nobody_resumes_it(ended: Callable[..., Round]) -> None:
    then = timezone.now() - timedelta(days=KEPT_DAYS)
    old, young = ended(finished_at=then), ended(finished_at=then + timedelta(hours=1))
    assert sweep() == 1
    assert not old.folder.exists() and young.has_checkpoint
    assert "no longer kept, so it begins anew" in resume(old)


def test_what_no_row_knows_is_kept_for_as_long_and_what_is_no_round_for_ever(ended: Callable[..., Round]) -> None:
    root = ended().folder.parent
    old, young = aged(root / "999998", KEPT_DAYS + 1), aged(root / "999999", KEPT_DAYS - 1)
    other = aged(root / "notes", 1000)
    assert sweep() == 1
    assert not old.exists() and young.is_dir() and other.is_dir()


def test_folders_of_helpers_that_were_killed_go(ended: Callable[..., Round]) -> None:
    round_ = ended()
    dead, working = (SearchHelper.objects.create(round=round_, state=state) for state in ("failed", "running"))
    folders = [aged(round_.folder.with_name(f"helper-{helper.pk}"), 0) for helper in (dead, working)]
    assert sweep() == 1
    assert [folder.exists() for folder in folders] == [False, True]


def test_what_a_killed_sweep_left_goes_too(ended: Callable[..., Round]) -> None:
    left = aged(ended().folder.with_name(".going-3-aaaaaaaa"), 0)
    assert sweep() == 0
    assert not left.exists()


def test_without_any_round_there_is_nothing_to_sweep(db: Any) -> None:
    assert sweep() == 0


@pytest.mark.django_db(transaction=True)
def test_one_that_is_being_resumed_is_left_alone(ended: Callable[..., Round]) -> None:
    old = ended(finished_at=timezone.now() - timedelta(days=KEPT_DAYS))

    def elsewhere() -> int:
        try:
            return sweep()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as worker, transaction.atomic():
        assert resume(old) == "Resumed: it goes on from its last checkpoint."
        assert worker.submit(elsewhere).result(10) == 0
    assert old.has_checkpoint
