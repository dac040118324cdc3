"""Several processes train one network as one would; precision is what was asked for and what the machine can do."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.training.forked import forked
from tests.training.tiny_detector import SETTINGS, network, same_weights, samples_in, train
from training.detection_training import Step
from training.devices import ALONE, DeviceError, Team, open_team, out_of_memory, precision_of


def together(work: Callable[[Team, Path], None], folder: Path, processes: int = 2) -> None:
    """Run `work` in so many processes on this machine, joined as torchrun joins them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = forked()
    members = [context.Process(target=_member, args=(work, folder, r, processes, port)) for r in range(processes)]
    for member in members:
        member.start()
    for member in members:
        member.join(300)
    try:
        assert [member.exitcode for member in members] == [0] * processes
    finally:
        for member in members:
            member.kill()


def _member(work: Callable[[Team, Path], None], folder: Path, rank: int, processes: int, port: int) -> None:
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    torch.set_num_threads(1)
    with open_team("auto", batch=4) as team:
        work(team, folder)


def _learn(team: Team, images: torch.Tensor, steps: int) -> nn.Linear:
    """A few steps of least squares on each process's share of the same batch."""
    torch.manual_seed(3)
    model = nn.Linear(5, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(steps):
        share = list(team.share(len(images)))
        loss = model(images[share]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        team.average_gradients(model.parameters(), len(share) / len(images))
        optimizer.step()
    return model


def _simple(team: Team, folder: Path) -> None:
    # Five: the shares are unequal, and count by their size.
    model = _learn(team, torch.randn(5, 5, generator=torch.Generator().manual_seed(1)), 6)
    torch.save(model.state_dict(), folder / f"simple-{team.rank}.pt")
    assert team.any(team.rank == 1) and not team.any(False)
    mine = [f"{i}" for i in team.share(5)]
    assert team.gathered(mine, 5) == ["0", "1", "2", "3", "4"]
    assert team.average(torch.tensor(float(team.rank)), 0.5) == 0.5


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_from_the_same_batch(tmp_path: Path) -> None:
    together(_simple, tmp_path)
    alone = _learn(ALONE, torch.randn(5, 5, generator=torch.Generator().manual_seed(1)), 6).state_dict()
    for rank in range(2):
        theirs = torch.load(tmp_path / f"simple-{rank}.pt", weights_only=True)
        for name, value in alone.items():
            torch.testing.assert_close(theirs[name], value)


def _detector(team: Team, folder: Path) -> None:
    samples = samples_in(folder / f"images-{team.rank}", 5)
    told: list[Any] = []
    trained = train(samples[:4], samples[4:], settings=SETTINGS, epochs=4, tell=told.append, team=team)
    losses = [step.loss for step in told if isinstance(step, Step)]
    torch.save({"weights": trained.model.state_dict(), "losses": losses}, folder / f"detector-{team.rank}.pt")
    assert len(trained.history) == 4 and "map" in trained.history[-1]


@pytest.mark.slow
def test_two_processes_train_one_detector(tmp_path: Path) -> None:
    """Each sees half of a batch. What is sampled from the images differs, so weights are near and not the same."""
    together(_detector, tmp_path)
    one, other = (torch.load(tmp_path / f"detector-{rank}.pt", weights_only=True) for rank in range(2))
    models = [network(), network()]
    for model, saved in zip(models, (one, other), strict=True):
        model.load_state_dict(saved["weights"])
    assert same_weights(*models), "after each step all hold the same network"
    assert one["losses"] == other["losses"]
    told: list[Any] = []
    samples = samples_in(tmp_path / "alone", 5)
    train(samples[:4], samples[4:], settings=SETTINGS, epochs=4, tell=told.append)
    alone = [step.loss for step in told if isinstance(step, Step)]
    assert one["losses"] == pytest.approx(alone, rel=0.15)


def test_a_batch_that_is_too_small_to_be_shared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(DeviceError, match="A batch of 2 images cannot be shared by 3 processes"), open_team("off", 2):
        pass


def test_precision_is_what_the_device_can_do() -> None:
    cpu = torch.device("cpu")
    assert precision_of("auto", cpu) is None and precision_of("off", cpu) is None
    assert precision_of("bf16", cpu) is torch.bfloat16
    with pytest.raises(DeviceError, match="amp=fp16 needs a GPU"):
        precision_of("fp16", cpu)


def test_it_trains_in_mixed_precision(tmp_path: Path) -> None:
    """On a CPU, where autocast is the same code as on a GPU."""
    samples = samples_in(tmp_path, 3)
    mixed, plain = [], []
    team = Team(precision=torch.bfloat16)
    trained = train(samples[:2], samples[2:], epochs=2, tell=mixed.append, team=team)
    train(samples[:2], samples[2:], epochs=2, tell=plain.append)
    losses = [[what.loss for what in told if isinstance(what, Step)] for told in (mixed, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=0.1) and losses[0] != losses[1]
    assert all(
        value.dtype == torch.float32 for value in trained.model.state_dict().values() if value.is_floating_point()
    )


def test_what_says_that_memory_ran_out_is_known() -> None:
    assert out_of_memory(MemoryError())
    assert out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    with pytest.raises(RuntimeError) as refused:
        torch.empty(2**62, dtype=torch.uint8)
    assert out_of_memory(refused.value)
    assert not out_of_memory(RuntimeError("The size of tensor a must match"))


def test_a_team_says_what_computes() -> None:
    assert str(ALONE) == "cpu"
    assert str(Team(precision=torch.bfloat16, size=2)) == "cpu, bfloat16, 2 processes"
    assert ALONE.peak_memory() > 10_000_000
