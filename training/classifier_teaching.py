"""How a head of a classifier is taught, whatever learns: a linear head or layers on stored features, or a network that
sees crops itself; and what it says of cells of patients whom it did not see. Free of Django."""

import hashlib
import io
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.cell_head import Head, fit_head
from training.cell_network import NETWORKS, CellNetwork, Cells, NetworkLesson, teacher_of
from training.classifier_lesson import HeadLesson
from training.classifier_settings import ClassifierSettings
from training.crop_features import BATCH, Stopped

Tell = Callable[[dict[str, Any]], None]
Wanted = Callable[[], bool]


@dataclass(frozen=True)
class Taught:
    """A head on stored features; or one that calibrates what its network says of crops."""

    head: Head
    network: CellNetwork | None = None


class Teaching:
    """Teaches the heads of a round, `heads` of them. What networks said of a fold is kept in `keep`, a folder of this
    very training, so that who goes on after a kill begins with the fold that was at hand."""

    def __init__(
        self,
        settings: ClassifierSettings,
        cells: Cells,
        seed: int,
        heads: int,
        keep: Path,
        tell: Tell,
        wanted: Wanted,
        own: Mapping[int, ClassifierSettings] | None = None,
    ) -> None:
        """`own`: by fold the settings of heads that are taught without it, where a search found each its own."""
        self._own = own or {}
        self._settings, self._cells, self._seed, self._keep, self._wanted = settings, cells, seed, keep, wanted
        self._clock = _Clock(heads * (settings.folds + 1), tell)
        sees_crops = settings.learns in NETWORKS
        self._teacher = teacher_of(settings, cells, self._clock.tell, wanted) if sees_crops else None

    def taught(
        self, lesson: HeadLesson, learns: NDArray[np.bool_], patients: NDArray[Any], fold: int | None = None
    ) -> Taught:
        """On those of the lesson's cells that learn (n,), and on their views: whoever is set aside to choose by, or
        judges, is so with all views, as they have their cell's patient."""
        rows, targets, groups = lesson.rows[learns], lesson.targets[learns], patients[learns]
        if self._teacher is not None:
            name = lesson.name if fold is None else f"{lesson.name}, without fold {fold}"
            wanted = NetworkLesson(name, fold, rows, targets, groups, len(lesson.classes), self._seed)
            network, head = self._teacher.teach(wanted)
            self._clock.network_done()
            return Taught(head, network)
        settings = self._settings if fold is None else self._own.get(fold, self._settings)
        return Taught(fit_on_features(settings, self._cells, rows, targets, groups, self._seed))

    def of_unseen(self, lesson: HeadLesson, number: int, patients: NDArray[Any]) -> NDArray[np.float64]:
        """(n, K) of each cell, as it is, by a head that saw neither cells nor views of its patient. `number` is the
        lesson's among those of the round."""
        found = np.zeros((len(lesson.rows), len(lesson.classes)))
        for fold in np.unique(lesson.folds).tolist():
            if not self._wanted():
                raise Stopped
            held = lesson.folds == fold
            kept = self._keep / f"{number}-{fold}.npy" if self._teacher is not None else None
            if kept is not None and kept.is_file():
                self._clock.network_done(again=True)
                found[held] = np.load(kept, allow_pickle=False)
                continue
            told = self.taught(lesson, ~held & lesson.taught, patients, fold)
            found[held] = told.head.probabilities(self._seen(told, lesson.rows[held]))
            if kept is not None:
                _write(kept, found[held])
        return found

    def _seen(self, told: Taught, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, C) what a head looks at of cells."""
        if told.network is None:
            return self._cells.features[rows]
        found = []
        for start in range(0, len(rows), BATCH):
            if not self._wanted():
                raise Stopped
            found.append(told.network.scores([self._cells.crop(int(row)) for row in rows[start : start + BATCH]]))
        return np.concatenate(found)


def fit_on_features(
    settings: ClassifierSettings,
    cells: Cells,
    rows: NDArray[np.int64],
    targets: NDArray[np.int64],
    groups: NDArray[Any],
    seed: int,
    classes: int | None = None,
) -> Head:
    """Of these cells and as many views of them as the settings say. Raises HeadError as fit_head."""
    tables = (cells.features, *cells.views[: settings.views])
    table = np.concatenate([each[rows] for each in tables])
    targets, groups = np.tile(targets, len(tables)), np.tile(groups, len(tables))
    shape: dict[str, Any]
    if settings.learns == "head":
        shape = {"penalty": settings.penalty, "directions": settings.directions, "balance": settings.balance}
        return fit_head(table, targets, None, groups, seed=seed, classes=classes, **shape)
    # Imported late: a linear head needs no torch.
    from training.cell_layers import fit_layers

    shape = {"layers": settings.layers, "units": settings.units, "dropout": settings.dropout}
    return fit_layers(table, targets, groups, seed=seed, classes=classes, **shape)


class _Clock:
    """Adds to the time that a network says it still takes that of the networks after it."""

    def __init__(self, networks: int, tell: Tell) -> None:
        self._left, self._tell = networks, tell
        self._begun, self._taken = time.monotonic(), list[float]()

    def tell(self, event: dict[str, Any]) -> None:
        if "eta_seconds" in event:
            eta = event["eta_seconds"]
            each = np.mean(self._taken) if self._taken else time.monotonic() - self._begun + eta
            event = event | {"eta_seconds": round(float(eta + (self._left - 1) * each), 1)}
        self._tell(event)

    def network_done(self, again: bool = False) -> None:
        now = time.monotonic()
        if not again:
            self._taken.append(now - self._begun)
        self._begun, self._left = now, self._left - 1


def folder_of(out: Path, *identity: object) -> Path:
    """Where a training keeps what its networks said; of another training that has been in `out` it is another one."""
    return out / f"taught-{hashlib.sha256(repr(identity).encode()).hexdigest()[:12]}"


def _write(path: Path, table: NDArray[np.float64]) -> None:
    """Whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    held = io.BytesIO()
    np.save(held, table)
    number, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    with os.fdopen(number, "wb") as file:
        file.write(held.getvalue())
    os.replace(part, path)
