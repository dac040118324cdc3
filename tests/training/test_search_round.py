"""A round with trials, really trained and small: searched in the real PostgreSQL, and trained with what was found."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.db import connection

from annotation.models import Study
from tests.training.snapshots import disc_snapshot
from training import run as command
from training import search_jobs
from training.bundle import read_bundle
from training.launching import launch
from training.models import JobState, Round, Search, SearchHelper
from training.rounds import run
from training.search_jobs import help_with
from training.search_storage import address_of, open_storage, rows_of
from training.search_trial import Bench, looks_after, trial_epochs
from training.settings import DetectorSettings
from training.snapshot import read_snapshot
from training.splits import holdout

# Anything that is real and quick.
SMALL = {"size": 64, "epochs": 2, "batch": 2, "pyramid": 16, "threads": 1}
PAIRS = [f"{name}={value}" for name, value in SMALL.items()]


def settings_arguments() -> list[str]:
    return [part for pair in PAIRS for part in ("--set", pair)]


def test_a_trial_opens_no_file_of_an_image_that_judges(tmp_path: Path):
    folder = disc_snapshot(tmp_path, 10)
    snapshot = read_snapshot(folder)
    settings = DetectorSettings(**SMALL)
    judges = set(holdout(snapshot.images, settings).judge)
    spoiled = [image for image in snapshot.images if image["group"] in judges]
    assert len(spoiled) == 2
    for image in spoiled:
        snapshot.path(image).unlink()
        snapshot.path(image).write_bytes(b"whoever reads this fails")
    bench = Bench.set_up(snapshot, settings, 0, None, lambda: True)
    assert {sample.group for sample in (*bench.train, *bench.validation)} == {
        image["group"] for image in snapshot.images
    } - judges
    assert not judges & {image["group"] for image in bench.snapshot.images}


def test_looks_lie_within_the_schedule():
    assert looks_after(20) == {5: [25], 10: [50], 15: [75]}
    assert looks_after(2) == {1: [25, 50]}
    assert looks_after(1) == {}
    assert trial_epochs(1) == 1 and trial_epochs(20) == 10


@pytest.mark.django_db
def test_a_round_searches_in_postgresql_and_trains_with_the_best(
    annotated_study: Study, admin: User, no_broker: Any, django_db_blocker: Any
):
    made = launch(annotated_study, admin, SMALL, trials=3)
    # As enqueue does once the launch is committed, which a test's transaction never is.
    Round.objects.filter(pk=made.pk).update(celery_id="message")
    run(made.pk)
    made = Round.objects.get(pk=made.pk)
    assert made.state == JobState.SUCCEEDED, made.reason + made.log
    search = Search.objects.get(round=made)
    assert [trial["state"] for trial in search.trials] == ["complete"] * 3
    assert search.trials[0]["settings"]["lr"] == made.settings["lr"]
    best = max(search.trials, key=lambda trial: (trial["value"], -trial["number"]))
    assert made.searched["trial"] == best["number"] and made.searched["value"] == pytest.approx(best["value"], abs=1e-3)
    card = read_bundle(made.bundle.folder).card
    chosen = {name: value for name, value in made.searched["settings"].items() if name in card["settings"]}
    assert {name: card["settings"][name] for name in chosen} == chosen and len(chosen) == 9
    # Free workers were asked to help, and the search's judge took no part: it lies in the card as the judge.
    assert [name for name, _ in no_broker].count("training.help_search") == 2
    storage = open_storage(address_of(connection.settings_dict), Path())
    study = optuna.load_study(storage=storage, study_name=search.name)
    assert rows_of(study.get_trials()) == search.trials
    assert "Searched: trial" in made.log
    assert "trials" not in made.progress
    storage.delete_study(study._study_id)


@pytest.mark.django_db
def test_a_helper_takes_trials_of_a_running_search(annotated_study: Study, admin: User, no_broker: Any, tmp_path: Path):
    """Two processes of training, one leads and one helps: as many trials as asked for in all."""
    made = launch(annotated_study, admin, SMALL, trials=4)
    made.claim()
    environment = os.environ | search_jobs.environment_for(made)
    (tmp_path / "settings.json").write_text(json.dumps(made.settings))
    line = [sys.executable, "-m", "training.run", str(made.snapshot_folder), str(tmp_path / "out")]
    line += ["--settings", str(tmp_path / "settings.json"), *search_jobs.arguments_for(made)]
    with subprocess.Popen(
        line, cwd=django_settings.BASE_DIR, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as leader:
        helper = help_with(made.pk)
        output, log = leader.communicate()
    assert helper is not None and helper.reload().state == JobState.SUCCEEDED, helper.reason + helper.log
    assert leader.returncode == 0, log.decode()
    found = json.loads(output)["searched"]
    assert found["done"] == 4
    recorder = search_jobs.Recorder(made)
    recorder.look(last=True)
    trials = Search.objects.get(round=made).trials
    assert sum(trial["state"] in ("complete", "pruned") for trial in trials) == 4
    assert {trial["worker"] for trial in trials} <= {"leader", f"helper {helper.pk}"}


@pytest.mark.django_db
def test_help_comes_only_where_it_is_needed(annotated_study: Study, admin: User, no_broker: Any):
    made = launch(annotated_study, admin, SMALL, trials=4)
    assert help_with(made.pk) is None and help_with(10**9) is None
    made.claim()
    assert search_jobs.needs_help(made)
    made.beat(progress={"epoch": 1, "epochs": 2})
    assert not search_jobs.needs_help(made.reload())
    # A round that waits comes before help for another.
    made.beat(progress={"trials": 4, "epoch": 1})
    other = Study.objects.create(name="other")
    waiting = Round.objects.create(study=other, number=1, snapshot="0" * 64)
    assert help_with(made.pk) is None
    waiting.cancel()
    SearchHelper.objects.create(round=made).claim()
    assert search_jobs.helpers_at_work(made) == 1
    search_jobs.end_helpers(made)
    assert SearchHelper.objects.get().state == JobState.CANCELLING


def test_without_a_database_the_trials_lie_beside_the_bundle(
    tmp_path: Path, signals: None, capsys: Any, monkeypatch: pytest.MonkeyPatch
):
    """Ended in its second trial by SIGTERM, the same command goes on and makes three in all."""
    folder, out = disc_snapshot(tmp_path, 8), tmp_path / "out"
    monkeypatch.delenv(search_jobs.ADDRESS, raising=False)
    arguments = [str(folder), str(out), "--trials", "3", *settings_arguments()]
    line = [sys.executable, "-m", "training.run", *arguments]
    with subprocess.Popen(line, cwd=django_settings.BASE_DIR, stderr=subprocess.PIPE) as first:
        while first.poll() is None and '"trial": 2' not in _text(out / "progress.jsonl"):
            time.sleep(0.05)
        first.send_signal(signal.SIGTERM)
        first.communicate()
    assert first.returncode == 143
    # In this process, as torch is loaded already.
    assert command.main(arguments) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["searched"]["done"] == 3
    journal = open_storage("", out / "search.journal")
    rows = rows_of(optuna.load_study(storage=journal, study_name="search").get_trials())
    assert sum(row["state"] in ("complete", "pruned") for row in rows) == 3
    assert read_bundle(out / "bundle").card["settings"]["lr"] == result["searched"]["settings"]["lr"]


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
