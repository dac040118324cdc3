"""What the events of a training process become on the round's row and on its page."""

from pathlib import Path

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
