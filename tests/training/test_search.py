"""Several workers share one search in PostgreSQL: as many trials as asked for, none lost, none twice."""

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from django.db import connection
from optuna.trial import TrialState

from tests.training.forked import forked
from training.detection_training import Step, Stopped
from training.search import help_search, make_study, search
from training.search_space import SearchError
from training.search_storage import address_of, best_of, bury_own, open_storage, rows_of, used_places
from training.search_trial import Judged
from training.searcher import LEADER
from training.settings import DetectorSettings


@pytest.fixture
def address(db: None) -> Iterator[str]:
    """The real database's; what is written there by Optuna's own connections is taken away by name."""
    yield address_of(connection.settings_dict)


@pytest.fixture
def name(address: str, tmp_path: Path) -> Iterator[str]:
    made = uuid.uuid4().hex
    yield made
    storage = open_storage(address, tmp_path)
    for study_id in [study._study_id for study in storage.get_all_studies() if study.study_name == made]:
        storage.delete_study(study_id)


def bench(wanted: Callable[[], bool] = lambda: True, **settings: Any) -> Any:
    """All that the sharing of a search needs to know of what is trained."""
    return SimpleNamespace(
        snapshot=SimpleNamespace(hash="0" * 64),
        settings=DetectorSettings(**settings),
        seed=3,
        parent=None,
        split=SimpleNamespace(warm=False),
        train=[0] * 9,
        validation=[0] * 3,
        epochs=10,
        wanted=wanted,
    )


def judged_by_lr(_: Any, settings: DetectorSettings, look: Any, tell: Any) -> Judged:
    """The nearer the learning rate to 0.02, the better."""
    value = 1 - abs(settings.lr - 0.02) * 10
    tell(Step(1, 2, 1, settings.epochs, 0.5, 1.0, 10.0))
    for percent in (25, 50, 75):
        look(percent, value * percent / 100)
    return Judged(value, min(1.0, value + 0.1), 7, 0.4, 0.35)


def trials_in(address: str, name: str, tmp_path: Path) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(storage=open_storage(address, tmp_path), study_name=name).get_trials()


def test_a_search_tries_what_was_given_first_and_finds_better(address: str, name: str, tmp_path: Path):
    events: list[dict[str, Any]] = []
    settings, found = search(
        bench(lr=0.002),
        12,
        address=address,
        name=name,
        out=tmp_path,
        tell=events.append,
        train_and_judge=judged_by_lr,
    )
    trials = trials_in(address, name, tmp_path)
    assert len(trials) == 12 and trials[0].params["lr"] == 0.002 and trials[0].params["epochs"] == 10
    assert found["given"] == pytest.approx(0.82) and found["value"] > 0.82
    assert found["done"] == 12 and found["failed"] == 0 and found["images"] == 3
    best = best_of(trials)
    assert best is not None and found["trial"] == best.number
    assert settings.lr == found["settings"]["lr"] == pytest.approx(best.params["lr"], rel=1e-3)
    assert settings.nms == 0.4 and found["score_threshold"] == 0.35
    assert set(found["importance"]) == set(trials[0].params)
    assert sum(found["importance"].values()) == pytest.approx(1, abs=0.01)
    steps = [event for event in events if event["event"] == "trial_step"]
    assert [event["trial"] for event in steps] == list(range(1, 13)) and steps[0]["trials"] == 12
    assert steps[-1]["best"] == pytest.approx(max(row["value"] for row in rows_of(trials[:11]) if row["value"]), 1e-3)
    assert all(event["eta_seconds"] >= 1 for event in steps)


def test_a_search_that_is_over_is_found_as_it_was(address: str, name: str, tmp_path: Path):
    def once(*_: Any) -> Judged:
        raise AssertionError("nothing is left to try")

    share: dict[str, Any] = {"address": address, "name": name, "out": tmp_path, "tell": lambda event: None}
    first = search(bench(), 3, **share, train_and_judge=judged_by_lr)
    assert search(bench(), 3, **share, train_and_judge=once) == first
    with pytest.raises(SearchError, match="another snapshot, or of other settings"):
        search(bench(lr=0.5), 3, **share, train_and_judge=once)


def test_the_same_seed_draws_the_same_settings(address: str, tmp_path: Path):
    drawn = []
    for attempt in ("one", "two"):
        out = tmp_path / attempt
        out.mkdir()
        search(bench(), 4, address="", name="s", out=out, tell=lambda event: None, train_and_judge=judged_by_lr)
        drawn.append([row["settings"] for row in rows_of(journal_of(out))])
    assert drawn[0] == drawn[1] and len({row["lr"] for row in drawn[0]}) == 4


def journal_of(out: Path) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(storage=open_storage("", out / "search.journal"), study_name="s").get_trials()


def test_trials_worse_than_most_are_ended_early(address: str, name: str, tmp_path: Path):
    count = 0

    def worse_and_worse(_: Any, settings: DetectorSettings, look: Any, tell: Any) -> Judged:
        nonlocal count
        count += 1
        look(25, 1 / count)
        look(50, 1 / count)
        return Judged(1 / count, 1.0, 1, 0.5, 0.5)

    _, found = search(
        bench(), 7, address=address, name=name, out=tmp_path, tell=lambda e: None, train_and_judge=worse_and_worse
    )
    rows = rows_of(trials_in(address, name, tmp_path))
    assert [row["state"] for row in rows] == ["complete"] * 4 + ["pruned"] * 3
    assert [len(row["looks"]) for row in rows] == [2] * 4 + [1] * 3
    assert found["trial"] == 0 and found["pruned"] == 3 and found["done"] == 7


def test_settings_that_learn_nothing_count_as_the_worst(address: str, name: str, tmp_path: Path):
    def diverges(_: Any, settings: DetectorSettings, look: Any, tell: Any) -> Judged:
        if settings.lr != 0.01:
            raise FloatingPointError("The loss is no longer a finite number; a lower lr may help.")
        return Judged(0.5, 0.5, 1, 0.5, 0.5)

    _, found = search(
        bench(), 3, address=address, name=name, out=tmp_path, tell=lambda e: None, train_and_judge=diverges
    )
    rows = rows_of(trials_in(address, name, tmp_path))
    assert [row["value"] for row in rows] == [0.5, 0.0, 0.0]
    assert "finite" in rows[1]["problem"] and found["trial"] == 0


def test_an_end_takes_effect_in_the_step_and_gives_the_trial_back(address: str, name: str, tmp_path: Path):
    asked = False

    def stops(its: Any, settings: DetectorSettings, look: Any, tell: Any) -> Judged:
        nonlocal asked
        asked = True
        if not its.wanted():
            raise Stopped
        raise AssertionError

    share: dict[str, Any] = {"address": address, "name": name, "out": tmp_path, "tell": lambda event: None}
    with pytest.raises(Stopped):
        search(bench(lambda: not asked), 3, **share, train_and_judge=stops)
    first, again = rows_of(trials_in(address, name, tmp_path))
    assert first["state"] == "failed" and again["state"] == "waiting" and again["retry_of"] == 0
    assert again["settings"] == first["settings"]
    # The next worker goes on: three trials in all.
    search(bench(), 3, **share, train_and_judge=judged_by_lr)
    rows = rows_of(trials_in(address, name, tmp_path))
    assert [row["state"] for row in rows] == ["failed", "complete", "complete", "complete"]
    assert rows[1]["settings"]["lr"] == first["settings"]["lr"]


def test_the_last_place_is_given_once(address: str, name: str, tmp_path: Path):
    """Many workers at once, in threads, each with connections of its own."""
    made = make_study(open_storage(address, tmp_path), name, bench(), 5)
    together = threading.Barrier(4)
    failures: list[BaseException] = []

    def one(number: int) -> None:
        together.wait(300)
        try:
            help_search(
                bench(),
                address=address,
                name=name,
                out=tmp_path,
                worker=f"helper {number}",
                tell=lambda event: None,
                train_and_judge=judged_by_lr,
            )
        except BaseException as problem:
            failures.append(problem)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
    assert not failures
    trials = made.get_trials()
    assert len(used_places(trials)) == 5
    assert sum(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in trials) == 5
    assert len(rows_of(trials)) == 5


def _help(address: str, name: str, out: str, seconds: float, worker: str) -> None:
    def slowly(its: Any, settings: DetectorSettings, look: Any, tell: Any) -> Judged:
        Path(out, f"begun-{worker}").touch()
        time.sleep(seconds)
        return judged_by_lr(its, settings, look, tell)

    share: dict[str, Any] = {"address": address, "name": name, "out": Path(out), "tell": lambda event: None}
    if worker == LEADER:
        search(bench(), 6, **share, train_and_judge=slowly, beat=1, grace=3)
    else:
        help_search(bench(), **share, worker=worker, train_and_judge=slowly, beat=1, grace=3)


def _until(holds: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_two_processes_share_the_trials_of_one_search(address: str, name: str, tmp_path: Path):
    processes = forked()
    both = [
        processes.Process(target=_help, args=(address, name, str(tmp_path), 0.3, worker))
        for worker in (LEADER, "helper 1")
    ]
    for process in both:
        process.start()
    for process in both:
        process.join(600)
        assert process.exitcode == 0
    rows = rows_of(trials_in(address, name, tmp_path))
    assert sum(row["state"] in ("complete", "pruned") for row in rows) == 6 == len(rows)
    assert {row["worker"] for row in rows} == {LEADER, "helper 1"}


def test_the_trial_of_a_worker_that_is_killed_is_tried_again(address: str, name: str, tmp_path: Path):
    processes = forked()
    make_study(open_storage(address, tmp_path), name, bench(), 3)
    helper = processes.Process(target=_help, args=(address, name, str(tmp_path), 600, "helper 1"))
    helper.start()
    _until((tmp_path / "begun-helper 1").exists)
    assert helper.pid is not None
    os.kill(helper.pid, signal.SIGKILL)
    helper.join()
    search(
        bench(),
        3,
        address=address,
        name=name,
        out=tmp_path,
        tell=lambda event: None,
        train_and_judge=judged_by_lr,
        beat=1,
        grace=2,
    )
    rows = rows_of(trials_in(address, name, tmp_path))
    assert rows[0]["state"] == "failed" and rows[0]["worker"] == "helper 1"
    again = next(row for row in rows if row["retry_of"] == 0)
    assert again["state"] == "complete" and again["settings"]["lr"] == rows[0]["settings"]["lr"] == 0.01
    assert sum(row["state"] in ("complete", "pruned") for row in rows) == 3


def test_a_leader_that_was_killed_goes_on_at_once(tmp_path: Path):
    """Without a database: the journal file says what was tried."""

    share: dict[str, Any] = {"address": "", "name": "s", "out": tmp_path, "tell": lambda event: None}
    storage = open_storage("", tmp_path / "search.journal")
    study = make_study(storage, "s", bench(), 3)
    trial = study.ask()
    trial.set_user_attr("worker", LEADER)
    (tmp_path / "search.journal.lock").touch()
    search(bench(), 3, **share, train_and_judge=judged_by_lr)
    rows = rows_of(journal_of(tmp_path))
    assert [row["state"] for row in rows] == ["failed", "complete", "complete", "complete"]
    assert rows[1]["retry_of"] == 0 and rows[1]["settings"]["lr"] == 0.01


def test_a_trial_whose_workers_always_die_is_given_up(address: str, name: str, tmp_path: Path):
    study = make_study(open_storage(address, tmp_path), name, bench(), 2)

    for _ in range(3):
        trial = study.ask()
        trial.set_user_attr("worker", LEADER)
        bury_own(study, study._storage, LEADER)
    rows = rows_of(study.get_trials())
    assert [row["state"] for row in rows] == ["failed"] * 3 and len(used_places(study.get_trials())) == 1
    _, found = search(
        bench(), 2, address=address, name=name, out=tmp_path, tell=lambda e: None, train_and_judge=judged_by_lr
    )
    assert found["done"] == 1 and found["failed"] == 1 and found["given"] is None


def test_helpers_of_no_search_say_so(address: str, tmp_path: Path):
    with pytest.raises(SearchError, match="no search nothing"):
        help_search(bench(), address=address, name="nothing", out=tmp_path, worker="h", tell=lambda e: None, patience=0)
