"""What the events of a training process (`progress.jsonl`) say: how far it is, and the points of its plots."""

import json
from pathlib import Path
from typing import Any

# Points of one plotted line that are kept; more cannot be told apart on a page.
POINTS = 300
# What is shown of a search (training/search.py): the trial at hand of so many, and the best map so far.
SEARCHED = ("trial", "trials", "best", "workers")


class Tail:
    """A text file that another process appends to, read whole line by whole line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    def lines(self, last: bool = False) -> list[str]:
        """Lines finished since the last call, without their ends; with `last`, an unfinished one too."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        if not last:
            data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)
        return data.decode("utf-8", errors="replace").splitlines()


class Progress:
    """Follows the events of one training process.

    `present` is what a page shows of a running round: {"fraction": 0 to 1, "epoch", "epochs", "eta_seconds", "fold",
    "stage", "map_50", "loss", "peak_memory", "images_per_second"}, each there once it is known. `curve` holds the
    points of the plots, at most about `POINTS` of loss for each fold: {"fold", "epoch" (a fraction of it within),
    "loss"} and {"fold", "epoch", "map_50"}. `reason` is why it failed, in the process's own sentence.

    Another process of the same training appends to the events of the one before it. What that one did after the last
    checkpoint, or all where there was none, is done again, so its points go; the time in between does not count, and
    the bar stays.
    """

    def __init__(self) -> None:
        self.present: dict[str, Any] = {}
        self.curve: list[dict[str, Any]] = []
        self.reason = ""
        self._began: float | None = None
        self._last = 0.0
        self._every: dict[Any, int] = {}
        self._seen: dict[Any, int] = {}

    def take_line(self, line: str) -> None:
        """One line of progress.jsonl; one that is no event is passed over, as it decides nothing."""
        try:
            event = json.loads(line)
        except ValueError:
            return
        if isinstance(event, dict):
            self.take(event)

    def take(self, event: dict[str, Any]) -> None:
        kind = event.get("event")
        if "fold" in event:
            # None in a round of one run, and in the refit after the folds.
            self.present["fold"] = event["fold"]
        if "place" in event:
            self._forget_after(event["place"], event.get("fold"))
        for name in ("epoch", "epochs", "eta_seconds", "loss", "map_50", "peak_memory", "images_per_second"):
            if event.get(name) is not None:
                self.present[name] = event[name]
        self._take_search(kind, event)
        if kind in ("start", "fold", "log", "continued", "stopped") and event.get("message"):
            self.present["stage"] = str(event["message"])
        if kind == "load":
            self.present["stage"] = f"Loads images: {event.get('done')} of {event.get('images')}."
        if kind == "features":
            self.present["stage"] = f"Looks at cells: {event.get('done')} of {event.get('cells')}."
        if kind == "failed" and event.get("reason"):
            self.reason = str(event["reason"])
        if kind == "step" and event.get("loss") is not None:
            self._add_loss(event)
        if kind == "epoch" and event.get("map_50") is not None:
            self.curve.append({"fold": event.get("fold"), "epoch": event.get("epoch", 0), "map_50": event["map_50"]})
        if isinstance(event.get("time"), int | float):
            self._pass(event, float(event["time"]))
        if kind == "done":
            self.present |= {"fraction": 1.0, "eta_seconds": 0}

    def _take_search(self, kind: Any, event: dict[str, Any]) -> None:
        """What a search says of its trials stands in `present` until the round's own training begins."""
        if kind in ("trial", "trial_step", "trial_ended"):
            self.present |= {name: event[name] for name in SEARCHED if event.get(name) is not None}
        elif kind in ("searched", "start"):
            for name in (*SEARCHED, "epoch", "epochs", "loss"):
                self.present.pop(name, None)

    def _forget_after(self, place: Any, fold: Any) -> None:
        """A fold goes on after so many epochs, the last of them in part."""
        if isinstance(place, int | float):
            self.curve = [point for point in self.curve if point["fold"] != fold or point["epoch"] <= place]

    def _pass(self, event: dict[str, Any], now: float) -> None:
        """The bar moves with the time that the training has taken, and what is left of it."""
        seconds = event.get("seconds")
        if event.get("event") == "continued" and isinstance(seconds, int | float):
            # What was done after the checkpoint took time in vain.
            self._began = now - seconds
        elif self._began is None:
            self._began = now
        elif event.get("event") == "process":
            # Nobody worked on it since.
            self._began += now - self._last
        self._last = now
        eta = self.present.get("eta_seconds")
        elapsed = now - self._began
        if isinstance(eta, int | float) and elapsed + eta > 0:
            # A new estimate must not move the bar backwards.
            self.present["fraction"] = max(self.present.get("fraction", 0.0), round(elapsed / (elapsed + eta), 4))

    def _add_loss(self, event: dict[str, Any]) -> None:
        """Keep every nth step of a fold; when that fills up, every second of those kept, and n doubles."""
        fold = event.get("fold")
        every = self._every.setdefault(fold, 1)
        seen = self._seen[fold] = self._seen.get(fold, 0) + 1
        if seen % every:
            return
        epoch = _epoch_position(event)
        self.curve.append({"fold": fold, "epoch": round(epoch, 3), "loss": round(float(event["loss"]), 5)})
        own = [point for point in self.curve if point["fold"] == fold and "loss" in point]
        if len(own) > POINTS:
            dropped = {id(point) for point in own[::2]}
            self.curve = [point for point in self.curve if id(point) not in dropped]
            self._every[fold] = every * 2


def _epoch_position(event: dict[str, Any]) -> float:
    """Epochs done at a step, counting the part of the present one; steps count from 1 over all epochs."""
    epochs, step, steps = event.get("epochs") or 1, event.get("step") or 0, event.get("steps") or 0
    return float(epochs * step / steps) if steps else float(event.get("epoch") or 0)
