"""`python -m training.run` and `python -m inference.run` as a stranger's machine would run them: without Django."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from inference.predictions import read_predictions
from tests.training.snapshots import disc_snapshot
from training import run as command
from training.bundle import read_bundle

REPOSITORY = Path(__file__).resolve().parents[2]
TINY = ["--set", "size=160", "--set", "epochs=1", "--set", "pyramid=32", "--set", "threads=1"]
# Runs a module, then tells whether Django came along.
WITHOUT_DJANGO = """
import runpy, sys
module = sys.argv.pop(1)
try:
    runpy.run_module(module, run_name="__main__", alter_sys=True)
finally:
    print("django" if any(name.split(".")[0] == "django" for name in sys.modules) else "clean", file=sys.stderr)
"""


def run(module: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-c", WITHOUT_DJANGO, module, *map(str, arguments)]
    return subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_from_snapshot_to_bundle_to_predictions_without_django(tmp_path: Path, signals: None, capsys: Any):
    snapshot = disc_snapshot(tmp_path, 5)
    trained = run("training.run", snapshot, tmp_path / "out", *TINY)
    assert trained.returncode == 0, trained.stderr
    assert trained.stderr.splitlines()[-1] == "clean"
    result = json.loads(trained.stdout.splitlines()[-1])
    bundle = read_bundle(tmp_path / "out" / "bundle", "detector")
    assert result["bundle"] == bundle.id
    assert bundle.card["snapshot"] == snapshot.name
    assert set(result) >= {"bundle", "seconds", "map", "map_50", "map_75", "mar"}
    # Five groups, of which fold 0 of 5 judges: the bundle never saw it.
    (split,) = bundle.card["folds"]["splits"]
    assert split["judge"] == ["p:0"] and "p:0" not in bundle.card["groups"]
    assert bundle.card["metrics"] == {key: result[key] for key in ("map", "map_50", "map_75", "mar")}
    events = [json.loads(line) for line in (tmp_path / "out" / "progress.jsonl").read_text().splitlines()]
    assert {"start", "step", "epoch", "done"} <= {event["event"] for event in events}

    predicted = run("inference.run", tmp_path / "out" / "bundle", snapshot / "images", tmp_path / "predictions.json")
    assert predicted.returncode == 0, predicted.stderr
    assert predicted.stderr.splitlines()[-1] == "clean"
    predictions = read_predictions(tmp_path / "predictions.json")
    assert len(predictions["images"]) == 5
    assert predictions["bundles"][0]["id"] == bundle.id

    # The parent saw the patients that judge a round on other folds: refused before any step.
    other_folds = ["--set", "validation=1", "--parent", str(tmp_path / "out/bundle")]
    assert command.main([str(snapshot), str(tmp_path / "out2"), *TINY, *other_folds]) == 1
    assert "which judges this round" in capsys.readouterr().err


@pytest.mark.slow
def test_cross_validation_reports_each_fold_and_refits_on_all(tmp_path: Path, signals: None, capsys: Any):
    snapshot = disc_snapshot(tmp_path, 4)
    # In this process, as torch is loaded already.
    assert command.main([str(snapshot), str(tmp_path / "out"), *TINY, "--set", "folds=2"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [fold["fold"] for fold in result["folds"]] == [0, 1]
    assert result["map"] == pytest.approx(sum(fold["map"] for fold in result["folds"]) / 2)
    card = read_bundle(tmp_path / "out" / "bundle").card
    assert card["groups"] == ["p:0", "p:1", "p:2", "p:3"]


def test_a_wrong_snapshot_or_setting_is_one_sentence(tmp_path: Path):
    nowhere = run("training.run", tmp_path / "none", tmp_path / "out")
    assert nowhere.returncode == 1
    assert nowhere.stderr.splitlines()[0].startswith("There is no snapshot at")
    setting = run("training.run", disc_snapshot(tmp_path, 1), tmp_path / "out", "--set", "speed=11")
    assert setting.returncode == 1
    assert "no setting 'speed'" in setting.stderr
    assert not (tmp_path / "out" / "bundle").exists()


def start(*arguments: str | Path) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-m", "training.run", *map(str, arguments)]
    return subprocess.Popen(line, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for_step(progress: Path) -> None:
    for _ in range(1200):
        if progress.exists() and '"step"' in progress.read_text():
            return
        time.sleep(0.1)
    raise AssertionError("The training never took a step.")


def test_it_ends_when_the_process_that_started_it_is_gone(tmp_path: Path):
    snapshot = disc_snapshot(tmp_path, 2)
    arguments = [str(snapshot), str(tmp_path / "out"), *TINY, "--set", "epochs=10000", "--end-with-parent"]
    starter = (
        "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-m', 'training.run', *sys.argv[1:]]);"
        "print(p.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", starter, *arguments], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    try:
        wait_for_step(tmp_path / "out" / "progress.jsonl")
    finally:
        parent.kill()
        parent.wait()
    for _ in range(600):
        # An orphan that has ended may wait for whoever adopted it to notice.
        state = Path(f"/proc/{child}/stat")
        if not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    raise AssertionError("The training outlived the process that had started it.")
