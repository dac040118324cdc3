"""What the events of a training process become on the round's row and on its page."""

from pathlib import Path

import pytest

from training.pace import Pace, Work
from training.progress import POINTS, Progress, Tail
from training.views.plot import line_plot, ticks


def test_whole_lines_are_read_once_and_the_unfinished_one_later(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    tail = Tail(path)
    assert tail.lines() == []
    path.write_text("one\ntw")
    assert tail.lines() == ["one"]
    assert tail.lines() == []
    with path.open("a") as file:
        file.write("o\nend")
    assert tail.lines() == ["two"]
    assert tail.lines(last=True) == ["end"]


def test_the_fraction_follows_the_time_left_and_never_falls() -> None:
    progress = Progress()
    progress.take({"event": "start", "time": 100.0})
    progress.take({"event": "step", "time": 130.0, "epoch": 1, "epochs": 4, "step": 1, "steps": 4, "eta_seconds": 90.0})
    assert progress.present["fraction"] == 0.25
    progress.take({"event": "step", "time": 140.0, "epoch": 2, "epochs": 4, "step": 2, "steps": 4, "eta_seconds": 900})
    assert progress.present["fraction"] == 0.25
    progress.take({"event": "done", "time": 150.0})
    assert progress.present["fraction"] == 1.0


def test_the_epoch_of_a_step_counts_over_the_whole_run() -> None:
    progress = Progress()
    progress.take({"event": "step", "epoch": 2, "epochs": 4, "step": 6, "steps": 16, "loss": 0.5})
    assert progress.curve == [{"fold": None, "epoch": 1.5, "loss": 0.5}]


def test_a_refit_after_folds_is_no_fold() -> None:
    progress = Progress()
    progress.take({"event": "fold", "fold": 3})
    assert progress.present["fold"] == 3
    progress.take({"event": "log", "message": "Refit on all."})
    progress.take({"event": "step", "fold": None, "epoch": 1, "epochs": 1, "step": 1, "steps": 1, "loss": 1.0})
    assert progress.present["fold"] is None


def test_a_long_training_keeps_a_plot_of_bounded_size() -> None:
    progress = Progress()
    for step in range(1, 20_001):
        progress.take({"event": "step", "epochs": 10, "step": step, "steps": 20_000, "loss": 1.0})
    assert POINTS / 3 <= len(progress.curve) <= POINTS
    epochs = [point["epoch"] for point in progress.curve]
    assert epochs == sorted(epochs) and epochs[-1] > 9.9


def test_a_line_that_is_no_event_is_passed_over() -> None:
    progress = Progress()
    for line in ("{broken", "[1]", "", '"text"'):
        progress.take_line(line)
    assert progress.present == {} and progress.curve == []


def test_ticks_are_round_numbers() -> None:
    assert ticks(1.0) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(6, whole=True) == [0, 2, 4, 6]
    assert ticks(2, whole=True) == [0, 1, 2]


def test_a_plot_stays_within_its_axes_and_skips_what_is_no_number() -> None:
    plot = line_plot("Loss", {"training": [(0, 50.0), (1, 1.0), (2, float("nan")), (3, 0.5)]}, x_label="epoch", x_max=3)
    assert plot is not None
    points = [tuple(map(float, pair.split(","))) for pair in plot.lines[0].points.split()]
    assert len(points) == 3
    assert all(plot.left <= x <= plot.right and plot.top <= y <= plot.bottom for x, y in points)
    assert line_plot("Loss", {"training": []}, x_label="epoch", x_max=1) is None


def test_a_training_that_continues_goes_on_from_where_its_bar_and_its_plot_were() -> None:
    def step(number: int, time: float, eta: float) -> dict[str, object]:
        return {
            "event": "step",
            "time": time,
            "fold": None,
            "epoch": 1 + number // 10,
            "epochs": 10,
            "step": number,
            "steps": 100,
            "loss": 1.0,
            "eta_seconds": eta,
        }

    progress = Progress()
    progress.take({"event": "start", "time": 0.0})
    for number in range(1, 41):
        progress.take(step(number, float(number), 100.0 - number))
    assert progress.present["fraction"] == 0.4
    # Killed at step 40, hours before; its last checkpoint was at step 30.
    progress.take({"event": "process", "time": 8999.0})
    progress.take({"event": "continued", "time": 9000.0, "seconds": 30.0, "message": "Continues."})
    assert progress.present["fraction"] == 0.4, "the time that nobody trained is no progress"
    progress.take({"event": "start", "time": 9005.0, "fold": None, "place": 3.0, "message": "4 images train."})
    assert max(point["epoch"] for point in progress.curve) == 3.0
    seen = []
    for number in range(31, 101):
        progress.take(step(number, 9005.0 + number - 30, 100.0 - number))
        seen.append(progress.present["fraction"])
    assert seen == sorted(seen) and seen[0] == 0.4 and seen[-1] == 1.0
    assert seen[20] < 0.6, "and it goes on from there, not from the end"
    epochs = [point["epoch"] for point in progress.curve]
    assert epochs == sorted(set(epochs)), "what is done again is plotted once"


def test_a_training_that_begins_anew_draws_no_line_twice_and_counts_no_time_in_between() -> None:
    progress = Progress()
    progress.take({"event": "start", "time": 0.0, "fold": None, "place": 0.0})
    progress.take({"event": "step", "time": 10.0, "step": 1, "steps": 10, "loss": 2.0, "eta_seconds": 90.0})
    assert progress.present["fraction"] == 0.1 and len(progress.curve) == 1
    # Killed before its first checkpoint, and taken up hours later.
    progress.take({"event": "process", "time": 9000.0})
    progress.take({"event": "start", "time": 9005.0, "fold": None, "place": 0.0})
    assert progress.curve == []
    progress.take({"event": "step", "time": 9010.0, "step": 1, "steps": 10, "loss": 2.0, "eta_seconds": 80.0})
    assert progress.present["fraction"] == 0.2 and len(progress.curve) == 1


def test_what_a_process_says_of_itself_is_kept() -> None:
    progress = Progress()
    progress.take({"event": "load", "done": 12, "images": 40})
    assert progress.present["stage"] == "Loads images: 12 of 40."
    progress.take({"event": "step", "step": 1, "steps": 2, "peak_memory": 7, "images_per_second": 2.5, "loss": 1.0})
    assert (progress.present["peak_memory"], progress.present["images_per_second"]) == (7, 2.5)
    progress.take({"event": "failed", "reason": "There is no space left on the disk."})
    assert progress.reason == "There is no space left on the disk."


def test_the_time_left_counts_steps_looks_and_later_runs() -> None:
    pace = Pace(after=Work(steps=10, looks=20))
    assert pace.left(5, 3) == 0
    # The first steps warm up, and say little once there are others.
    for seconds in (9.0, 9.0, 1.0, 1.0, 1.0):
        pace.stepped(4, seconds)
    assert pace.images_per_second == 4.0
    # A look is guessed from what learning from an image takes, until it was measured.
    assert pace.left(5, 3) == pytest.approx(15 * 1.0 + 23 * 0.4 / 4)
    pace.looked(2, 1.0)
    assert pace.left(5, 3) == pytest.approx(15 * 1.0 + 23 * 0.5)
