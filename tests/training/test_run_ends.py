"""How `python -m training.run` ends before its time, from the view of whoever started it, and how it goes on."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from tests.training.conftest import card_of
from tests.training.snapshots import disc_snapshot
from tests.training.tiny_detector import network
from training import run as command
from training.bundle import read_bundle, write_bundle
from training.detection_training import Stopped
from training.detector_bundle import _save
from training.detector_round import RoundOfDetector
from training.devices import Team
from training.settings import resolve_settings
from training.snapshot import SnapshotError, read_snapshot

REPOSITORY = Path(__file__).resolve().parents[2]
TINY = [
    "--set",
    "size=96",
    "--set",
    "pyramid=16",
    "--set",
    "threads=1",
    "--set",
    "batch=1",
    "--checkpoint-seconds",
    "0",
]


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "training.run", *map(str, arguments)]
    return subprocess.Popen(line, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def when(true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 240
    while not true():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.02)


@pytest.mark.slow
def test_the_same_command_goes_on_and_says_so_and_then_says_what_it_made(
    tmp_path: Path, signals: None, capsys: Any
) -> None:
    snapshot, out = disc_snapshot(tmp_path, 5), tmp_path / "out"
    arguments = (snapshot, out, *TINY, "--set", "epochs=4")
    process = start(*arguments)
    try:
        when(lambda: (out / "checkpoint.pt").exists(), process)
    finally:
        process.kill()
        process.communicate()
    assert not (out / "bundle").exists()
    # Here and now, as torch is loaded already.
    line = [str(argument) for argument in arguments]
    assert command.main(line) == 0
    said = capsys.readouterr()
    assert "Continues from the checkpoint, in epoch" in said.err
    result = json.loads(said.out.splitlines()[-1])
    assert result["bundle"] == read_bundle(out / "bundle").id
    assert result["peak_memory"] > 100_000_000 and result["images_per_second"] > 0 and result["device"] == "cpu"
    assert not (out / "checkpoint.pt").exists()
    events = [json.loads(line) for line in (out / "progress.jsonl").read_text().splitlines() if line]
    steps = [event["step"] for event in events if event["event"] == "step"]
    assert steps[-1] == max(steps) and set(range(1, max(steps) + 1)) == set(steps), "none is left out"
    assert command.main(line) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == result
    assert command.main([*line, "--seed", "9"]) == 1
    assert "There is something at" in capsys.readouterr().err


@pytest.mark.slow
def test_under_torchrun_a_dead_process_ends_all_and_any_number_of_processes_goes_on(
    tmp_path: Path, signals: None, capsys: Any
) -> None:
    snapshot, out = disc_snapshot(tmp_path, 5), tmp_path / "out"
    settings = ["--set", "batch=2", "--set", "epochs=15", "--set", "frozen_stages=7"]
    arguments = [str(snapshot), str(out), *TINY, *settings]
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    together = subprocess.Popen(
        [*line, "-m", "training.run", *arguments],
        cwd=REPOSITORY,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        when(lambda: (out / "checkpoint.pt").exists(), together)
        both = {int(each.environ()["RANK"]): each for each in psutil.Process(together.pid).children()}
        both[1].kill()
        _, log = together.communicate(timeout=60)
    finally:
        together.kill()
    assert together.returncode != 0 and not (out / "bundle").exists()
    assert "Computed by cpu, 2 processes." in log
    assert "Another process of this training has ended; the same command goes on from the last checkpoint." in log
    assert "[rank0]: Traceback" not in log
    # One process goes on with what two have begun: here and now, as torch is loaded already.
    assert command.main(arguments) == 0
    told = capsys.readouterr()
    assert "Continues from the checkpoint, in epoch" in told.err
    assert json.loads(told.out.splitlines()[-1])["bundle"] == read_bundle(out / "bundle").id


def test_processes_of_which_one_does_not_see_the_checkpoint_do_not_begin(
    tmp_path: Path, signals: None, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    # Has anybody a result? A checkpoint? None?
    answers = iter([False, True, True])
    monkeypatch.setattr(Team, "any", lambda team, flag: next(answers))
    assert command.main([str(disc_snapshot(tmp_path, 2)), str(tmp_path / "out"), *TINY]) == 1
    assert "must be a folder they share" in capsys.readouterr().err


@pytest.mark.slow
def test_sigterm_ends_it_while_it_imports_and_while_it_trains(tmp_path: Path) -> None:
    snapshot, out = disc_snapshot(tmp_path, 5), tmp_path / "out"
    early = start(snapshot, tmp_path / "early", *TINY)
    early.send_signal(signal.SIGTERM)
    assert early.wait(timeout=60) in (-signal.SIGTERM, command.ENDED)
    early.communicate()
    process = start(snapshot, out, *TINY, "--set", "epochs=10000")
    steps = out / "progress.jsonl"
    try:
        when(lambda: steps.exists() and '"step"' in steps.read_text(), process)
        process.send_signal(signal.SIGTERM)
        told = steps.read_text().count('"step"')
        _, log = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == command.ENDED
    assert log.splitlines()[-1] == "The training was ended; the same command goes on with it."
    # The step at hand, and one that was told between the look and the signal.
    assert steps.read_text().count('"step"') <= told + 2
    assert (out / "checkpoint.pt").exists() and not (out / "bundle").exists()


def test_an_end_is_heard_between_two_images_that_are_loaded(tmp_path: Path) -> None:
    snapshot = read_snapshot(disc_snapshot(tmp_path, 4))
    asked: list[None] = []

    def wanted() -> bool:
        asked.append(None)
        return len(asked) < 3

    round_ = RoundOfDetector(snapshot, resolve_settings({"size": 96}), 0, None, lambda event: None, wanted)
    with pytest.raises(Stopped):
        round_.carry_out(tmp_path / "bundle")
    assert len(asked) == 3


@pytest.mark.parametrize("damage", ["gone", "half", "another"])
def test_an_image_gone_or_damaged_after_the_launch_is_named(tmp_path: Path, damage: str) -> None:
    folder = disc_snapshot(tmp_path, 2)
    snapshot = read_snapshot(folder)
    first, second = (folder / image["file"] for image in snapshot.images)
    # The file in the snapshot may be a link to the one in the store: another takes its place.
    content = first.read_bytes()
    first.unlink()
    if damage == "half":
        first.write_bytes(content[: len(content) // 2])
    elif damage == "another":
        first.write_bytes(second.read_bytes())
    round_ = RoundOfDetector(snapshot, resolve_settings({"size": 96}), 0, None, lambda event: None, lambda: True)
    with pytest.raises(SnapshotError, match=f"The image {first.name} of the snapshot") as refused:
        round_.carry_out(tmp_path / "bundle")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "bundle").exists()


def real_refusal() -> None:
    torch.empty(2**62, dtype=torch.uint8)


def memory_error() -> None:
    raise MemoryError


def of_the_gpu() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.mark.parametrize("refuse", [real_refusal, memory_error, of_the_gpu])
def test_out_of_memory_is_one_sentence_that_says_what_helps(
    tmp_path: Path, refuse: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capsys: Any, signals: None
) -> None:
    monkeypatch.setattr(RoundOfDetector, "_load", lambda *_: refuse())
    assert command.main([str(disc_snapshot(tmp_path, 2)), str(tmp_path / "out"), "--set", "batch=8"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == (
        "The memory did not suffice for batches of 8 images at this size: a smaller batch or a smaller size needs less."
    )
    events = [json.loads(line) for line in (tmp_path / "out" / "progress.jsonl").read_text().splitlines()]
    assert events[-1]["event"] == "failed" and events[-1]["reason"] == last


def test_a_disk_that_is_full_at_the_bundle_leaves_none(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match="There is no space left on the disk"):
            write_bundle(tmp_path / "bundle", {}, lambda path: _save(network(), path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_another_training_in_the_same_folder_is_waited_for_and_then_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, signals: None
) -> None:
    monkeypatch.setattr(command, "LOCK_SECONDS", 0.2)
    snapshot, out = disc_snapshot(tmp_path, 2), tmp_path / "out"
    out.mkdir()
    with command.alone(out):
        assert command.main([str(snapshot), str(out)]) == 1
    assert f"Another training writes to {out}." in capsys.readouterr().err


WRITER = """
import json, os, sys
from pathlib import Path
from training.bundle import copy_bundle, write_bundle
folder, number, card = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
while True:
    number += 1
    made = folder / "made" / str(number)
    bundle = write_bundle(made, card | {"seed": number}, lambda path: path.write_bytes(os.urandom(3_000_000)))
    copy_bundle(made, folder / "store" / bundle.id)
    print(number, flush=True)
"""


@pytest.mark.slow
def test_a_bundle_whose_writer_was_killed_is_whole_or_not_there(tmp_path: Path) -> None:
    number = 0
    for kill in range(8):
        line = [sys.executable, "-c", WRITER, str(tmp_path), str(number), json.dumps(card_of("0" * 64))]
        writer = subprocess.Popen(line, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        number = int(writer.stdout.readline())
        time.sleep(0.013 * kill)
        writer.kill()
        number = max([number, *map(int, writer.stdout.read().split())]) + 1
        writer.wait()
    whole = 0
    for folder in [*(tmp_path / "made").iterdir(), *(tmp_path / "store").iterdir()]:
        # What begins with a dot is on its way, and nobody's bundle.
        if not folder.name.startswith("."):
            assert read_bundle(folder).folder == folder
            whole += 1
    assert whole >= 16
