"""A training that was ended anywhere goes on as if it had not been, and a checkpoint that is of no use does no harm."""

import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.snapshots import disc_snapshot
from tests.training.tiny_detector import SETTINGS, same_weights, samples_in, train
from training.checkpoint import Checkpoint
from training.detection_training import Step, Stopped
from training.detector_round import RoundOfDetector, identity_of
from training.settings import resolve_settings
from training.snapshot import read_snapshot


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in one order: the same bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def at_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints are written at each step, however long that takes."""
    monkeypatch.setattr("training.checkpoint.LEAST_BREAK", 0.0)


class Killed(BaseException):
    """Stands for the end of the process."""


def killed_after(steps: int) -> Any:
    taken = 0

    def tell(what: Any) -> None:
        nonlocal taken
        taken += isinstance(what, Step)
        if taken == steps:
            raise Killed

    return tell


def test_a_training_killed_at_any_step_ends_with_the_same_weights(tmp_path: Path, at_each_step: None) -> None:
    samples = samples_in(tmp_path, 5)
    whole = train(samples[:4], samples[4:])
    for steps in (1, 2, 3, 5):
        path = tmp_path / f"{steps}.pt"
        with pytest.raises(Killed):
            # Written after each step; the step at which it is killed is lost and done again.
            train(
                samples[:4], samples[4:], tell=killed_after(steps), checkpoint=Checkpoint(path, {}, seconds=0).run("x")
            )
        found = Checkpoint(path, {})
        assert found.found is (steps > 1)
        run = found.run("x")
        taken: list[Step] = []
        continued = train(
            samples[:4],
            samples[4:],
            checkpoint=run,
            tell=lambda what, taken=taken: taken.append(what) if isinstance(what, Step) else None,
        )
        assert len(taken) == 6 - (steps - 1)
        assert same_weights(continued.model, whole.model)
        assert continued.history == whole.history


def test_an_end_that_was_asked_for_loses_not_even_a_step(tmp_path: Path) -> None:
    samples = samples_in(tmp_path, 4)
    taken: list[Step] = []
    with pytest.raises(Stopped):
        train(
            samples, checkpoint=Checkpoint(tmp_path / "c.pt", {}).run("x"), tell=taken.append, wanted=lambda: not taken
        )
    (step,) = taken
    rest: list[Any] = []
    train(samples, checkpoint=Checkpoint(tmp_path / "c.pt", {}).run("x"), tell=rest.append)
    assert step.step == 1
    assert next(what for what in rest if isinstance(what, Step)).step == 2


def test_an_end_during_evaluation_comes_back_to_the_evaluation(tmp_path: Path) -> None:
    samples = samples_in(tmp_path, 4)
    whole = train(samples[:2], samples[2:], epochs=1)
    taken: list[Step] = []
    asked = iter([True, True, False])
    with pytest.raises(Stopped):
        # Asked before the one step, before the first image of the evaluation, and before the second.
        train(
            samples[:2],
            samples[2:],
            epochs=1,
            checkpoint=Checkpoint(tmp_path / "c.pt", {}).run("x"),
            tell=taken.append,
            wanted=lambda: next(asked),
        )
    assert len(taken) == 1
    told: list[Any] = []
    again = train(
        samples[:2], samples[2:], epochs=1, checkpoint=Checkpoint(tmp_path / "c.pt", {}).run("x"), tell=told.append
    )
    assert not any(isinstance(what, Step) for what in told)
    assert again.history == whole.history and same_weights(again.model, whole.model)


def test_it_is_written_at_intervals_and_not_at_each_step(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "c.pt", {}, seconds=3600)
    train(samples_in(tmp_path, 4), checkpoint=checkpoint.run("x"))
    assert not (tmp_path / "c.pt").exists()


def test_writing_that_takes_long_is_done_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("training.checkpoint.time.monotonic", lambda: clock[0])

    def slow(path: Path, content: Any) -> None:
        clock[0] += 2.0

    monkeypatch.setattr("training.checkpoint.write_whole", slow)
    checkpoint = Checkpoint(tmp_path / "c.pt", {}, seconds=20)
    clock[0] = 20.0
    assert checkpoint.due()
    checkpoint.write(None, {})
    clock[0] += 99.0
    assert not checkpoint.due(), "two seconds of writing in less than a hundred are more than two per cent"
    clock[0] += 1.0
    assert checkpoint.due()


@pytest.mark.parametrize("damage", ["half", "flipped", "nothing", "text", "pickle"])
def test_a_damaged_checkpoint_is_said_and_passed_over(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "c.pt"
    Checkpoint(path, {}).run("x").keep({"weights": torch.ones(1000), "place": {"epoch": 1}})
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    path.write_bytes(
        {"half": content[: len(content) // 2], "flipped": content, "nothing": b"", "text": b"hello"}.get(damage, b"")
    )
    if damage == "pickle":
        # Loaded as code it would leave a file: only data are read.
        torch.save({"identity": Evil(tmp_path / "evil")}, path)
    said: list[str] = []
    found = Checkpoint(path, {}, said.append)
    assert not found.found and found.run("x").begun is None
    assert len(said) == 1 and said[0].startswith("The checkpoint cannot be read, so the training begins anew: ")
    assert "\n" not in said[0]
    assert not (tmp_path / "evil").exists()


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_the_checkpoint_of_another_training_is_said_and_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    Checkpoint(path, {"seed": 1, "snapshot": "a"}).run("x").finish({"best": 1})
    said: list[str] = []
    assert not Checkpoint(path, {"seed": 2, "snapshot": "a"}, said.append).found
    assert said == ["The checkpoint belongs to another training, so this one begins anew: they differ in seed."]
    assert Checkpoint(path, {"seed": 1, "snapshot": "a"}, said.append).outcomes == {"x": {"best": 1}}


def test_the_state_of_another_network_is_passed_over(tmp_path: Path) -> None:
    samples = samples_in(tmp_path, 2)
    checkpoint = Checkpoint(tmp_path / "c.pt", {}, seconds=0)
    checkpoint.run("x").keep({"learner": {"model": {"layer": torch.ones(3)}}, "place": {"epoch": 2}})
    told: list[Any] = []
    train(samples, epochs=1, checkpoint=Checkpoint(tmp_path / "c.pt", {}).run("x"), tell=told.append)
    assert isinstance(told[0], Step) and told[0].step == 1


def test_a_full_disk_costs_the_checkpoint_and_not_the_training(tmp_path: Path) -> None:
    samples = samples_in(tmp_path, 4)
    whole = train(samples)
    said: list[str] = []
    checkpoint = Checkpoint(tmp_path / "c.pt", {}, said.append, seconds=0)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The kernel refuses to make any file larger, as it does on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        trained = train(samples, checkpoint=checkpoint.run("x"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert same_weights(trained.model, whole.model)
    assert said == [
        "The checkpoint could not be written, and the training goes on: There is no space left on the disk."
    ]
    assert list(tmp_path.glob("*.pt")) == list(tmp_path.glob(".c.pt*")) == []


class Die:
    """Ends a round at the nth event of a kind."""

    def __init__(self, kind: str, count: int, fold: int | None = None, text: str = "") -> None:
        self.kind, self.left, self.fold, self.text = kind, count, fold, text
        self.events: list[dict[str, Any]] = []

    def __call__(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        fits = event["event"] == self.kind and event.get("fold") == self.fold
        if fits and self.text in event.get("message", ""):
            self.left -= 1
            if self.left == 0:
                raise Killed


@pytest.mark.slow
@pytest.mark.parametrize("folds", [0, 2])
def test_a_round_killed_anywhere_makes_the_same_bundle(tmp_path: Path, at_each_step: None, folds: int) -> None:
    given = {"size": 96, "epochs": 2, "pyramid": 32, "batch": 2, "folds": folds, "threads": 1, "lr": 0.005}
    settings = resolve_settings(given)
    snapshot = read_snapshot(disc_snapshot(tmp_path, 6))
    identity = identity_of(snapshot, settings, 3, None)

    def round_of(path: Path | None, tell: Any) -> RoundOfDetector:
        kept = Checkpoint(path, identity, seconds=0)
        return RoundOfDetector(snapshot, settings, 3, None, tell, lambda: True, checkpoint=kept)

    quiet = Die("never", 0)
    (tmp_path / "whole").mkdir()
    whole = round_of(None, quiet).carry_out(tmp_path / "whole" / "bundle")
    deaths = [Die("step", 2), Die("epoch", 2), Die("log", 1, text="Judged")]
    if folds:
        deaths = [Die("step", 2, fold=0), Die("fold", 1, fold=1), Die("step", 2, fold=1), Die("step", 1)]
    path = tmp_path / "out" / "checkpoint.pt"
    path.parent.mkdir()
    for death in deaths:
        with pytest.raises(Killed):
            round_of(path, death).carry_out(tmp_path / "out" / "bundle")
    told = Die("never", 0)
    result = round_of(path, told).carry_out(tmp_path / "out" / "bundle")
    assert told.events[0]["event"] == "continued" and told.events[0]["seconds"] > 0
    for name in ("map", "map_50", "map_75", "mar"):
        assert result[name] == whole[name]
    if folds:
        assert [{**fold, "seconds": 0} for fold in result["folds"]] == [
            {**fold, "seconds": 0} for fold in whole["folds"]
        ]
    weights = [(tmp_path / name / "bundle" / "weights.safetensors").read_bytes() for name in ("whole", "out")]
    assert weights[0] == weights[1]
    judged = [(tmp_path / name / "judged.json").read_text() for name in ("whole", "out")]
    assert judged[0] == judged[1]
    assert result["peak_memory"] > 1_000_000


def test_settings_decide_which_training_it_is(tmp_path: Path) -> None:
    snapshot = read_snapshot(disc_snapshot(tmp_path, 1))
    assert identity_of(snapshot, SETTINGS, 0, None) != identity_of(snapshot, replace(SETTINGS, lr=0.02), 0, None)
    assert identity_of(snapshot, SETTINGS, 0, None) != identity_of(snapshot, SETTINGS, 1, None)
