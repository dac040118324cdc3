"""`manage.py train`: the real training of a tiny study, and its refusals."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotation.models import Study
from training import rounds
from training.comparison import metrics_of
from training.models import Bundle, JobState, Round

pytestmark = pytest.mark.django_db

# Enough to go through every part of training, not to learn anything.
TINY = ["--set", "size=96", "--set", "epochs=1", "--set", "batch=2"]


def train(*arguments: str) -> tuple[dict[str, Any], str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("train", "detector", *arguments, stdout=out, stderr=err)
    lines = out.getvalue().strip().splitlines()
    assert len(lines) == 1
    return json.loads(lines[0]), err.getvalue()


@pytest.mark.slow
def test_a_tiny_study_is_trained_judged_and_comes_into_use(annotated_study: Study) -> None:
    result, log = train("--study", annotated_study.name, *TINY, "--seed", "3")
    assert list(result) == ["round", "bundle", "seconds", "map", "map_50", "map_75", "mar"]
    assert all(0 <= result[name] <= 1 for name in ("map", "map_50", "map_75", "mar"))
    made = Round.objects.get()
    assert (made.state, made.number, made.seed) == (JobState.SUCCEEDED, result["round"], 3)
    bundle = Bundle.used_by(annotated_study)
    assert bundle is not None and bundle.pk == result["bundle"]
    assert bundle.card["snapshot"] == made.snapshot
    assert any("loss" in point for point in made.curve)
    assert made.progress["fraction"] == 1.0
    assert "epoch 1" in log and "epoch 1" in made.log

    # What it found on the images that judged it is kept, and gives the very figures that it reports.
    assert metrics_of(made.judgement.entries) == pytest.approx(made.metrics, abs=2e-3)

    # The next round starts from it: nothing judges it that the bundle saw, as nothing judges it at all.
    result, log = train("--study", annotated_study.name, *TINY, "--set", "validation=none")
    again = Round.objects.get(number=2)
    assert again.parent == bundle
    assert again.bundle_id == result["bundle"] != bundle.pk
    assert f"Starts from bundle {bundle.pk}." in log
    assert [result[name] for name in ("map", "map_50", "map_75", "mar")] == [None] * 4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--set", "speed=1"], "There is no setting 'speed'"),
        (["--set", "epochs=many"], "must be a whole number"),
        (["--set", "epochs"], "key=value"),
        (["--parent", "abcdefabcdef"], "has no bundle abcdefabcdef"),
        (["--seed", "-1"], "must be from 0 to"),
        (["--seed", str(2**63)], "must be from 0 to"),
        (["--trials", "-1"], "number of search trials must"),
        (["--patient", "Z"], "has no patient 'Z'"),
        (["--label", "Unicorn"], "has no label 'Unicorn'"),
        (["--images", "reviewed"], "has none of what was selected: reviewed images"),
        (["--resume", "7"], "has no round 7"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(
    annotated_study: Study, arguments: list[str], sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence) as refused:
        train("--study", annotated_study.name, *arguments)
    assert "\n" not in str(refused.value)
    assert not Round.objects.exists()


def test_a_study_that_does_not_exist_is_made_and_has_nothing_to_learn_from(db: Any) -> None:
    with pytest.raises(CommandError, match="The study New has no annotated image"):
        train("--study", "New")
    assert Study.objects.filter(name="New").exists()


def test_a_failure_of_the_process_is_the_commands_sentence(
    annotated_study: Study, child: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = child("sys.exit('There is no space left on the disk.')")
    monkeypatch.setattr(rounds.carry_out, "__kwdefaults__", {**rounds.carry_out.__kwdefaults__, "command": command})
    with pytest.raises(CommandError, match="no space left"):
        train("--study", annotated_study.name)
    assert Round.objects.get().state == JobState.FAILED


def test_ctrl_c_cancels_the_round_and_ends_the_process(
    annotated_study: Study, child: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> bool:
        raise KeyboardInterrupt

    command = child("time.sleep(60)")
    defaults = {**rounds.carry_out.__kwdefaults__, "command": command, "stopping": interrupt}
    monkeypatch.setattr(rounds.carry_out, "__kwdefaults__", defaults)
    with pytest.raises(CommandError, match="was cancelled") as ended:
        train("--study", annotated_study.name)
    assert ended.value.returncode == 130
    made = Round.objects.get()
    assert (made.state, made.reason) == (JobState.CANCELLED, "Cancelled by Ctrl-C.")
    assert made.folder.is_dir()


def with_command(monkeypatch: pytest.MonkeyPatch, command: Any) -> None:
    monkeypatch.setattr(rounds.carry_out, "__kwdefaults__", {**rounds.carry_out.__kwdefaults__, "command": command})


def test_a_selection_is_trained_on(
    annotated_study: Study, make_annotated: Any, good_child: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in (20, 21):
        make_annotated(annotated_study, seed, patient="A", state="reviewed")
    with_command(monkeypatch, good_child())
    _, log = train("--study", annotated_study.name, "--images", "reviewed", "--patient", "A")
    assert "Round 1: 2 images, 4 cells." in log and "reviewed images of the patient A" in log


def test_unchanged_data_is_said_and_trained_again_where_wanted(
    annotated_study: Study, good_child: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_command(monkeypatch, good_child())
    train("--study", annotated_study.name)
    with pytest.raises(CommandError, match="Data unchanged since round 1.* Use --again to train anyway"):
        train("--study", annotated_study.name)
    with_command(monkeypatch, good_child(seed=1))
    result, _ = train("--study", annotated_study.name, "--again")
    assert result["round"] == 2


def test_a_round_that_failed_is_resumed(
    annotated_study: Study, child: Any, good_child: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_command(monkeypatch, child("sys.exit('There is no space left on the disk.')"))
    with pytest.raises(CommandError, match="no space left"):
        train("--study", annotated_study.name)
    with_command(monkeypatch, good_child())
    result, log = train("--study", annotated_study.name, "--resume", "1")
    assert result["round"] == 1 and "Resumed: it " in log
    with pytest.raises(CommandError, match="Round 1 cannot be resumed: it is succeeded"):
        train("--study", annotated_study.name, "--resume", "1")
