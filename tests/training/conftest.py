"""A small annotated study, and stand-ins for the training process where training itself is not what is tested."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotation.models import Cell, LabelGroup, Patient, SmearImage, Study
from tests.labelled_cells import BLUE, RED, cell_type, label_cell, make_field, near
from training.bundle import write_bundle
from training.models import Round

__all__ = ["cell_type", "label_cell", "make_field"]


@pytest.fixture
def make_annotated(make_image: Any) -> Callable[..., SmearImage]:
    """make_annotated(study, seed, cells=2, patient=None, state="annotated"): an image with confirmed rectangles."""

    def make(
        study: Study, seed: int, cells: int = 2, patient: str | None = None, state: str = "annotated", **fields: Any
    ) -> SmearImage:
        if patient is not None:
            fields["patient"] = Patient.arrive(study, patient)
        image: SmearImage = make_image(study, width=128, height=96, seed=seed, state=state, **fields)
        for index in range(cells):
            draw(image, 4 + 30 * index, 10)
        return image

    return make


def draw(image: SmearImage, x: float, y: float, **fields: Any) -> Cell:
    cell = Cell(image=image, **fields)
    cell.place({"kind": "rectangle", "x": x, "y": y, "width": 24, "height": 24}, image)
    cell.save()
    return cell


@pytest.fixture
def annotated_study(study: Study, make_annotated: Any) -> Study:
    """Eight annotated images, one of them without cells, and one that nobody has touched."""
    for seed in range(7):
        make_annotated(study, seed)
    make_annotated(study, 7, cells=0)
    make_annotated(study, 8, cells=0, state="new")
    return study


@pytest.fixture
def no_broker(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[int]]]:
    """Messages to workers end in this list."""
    from config.celery import app

    sent: list[tuple[str, list[int]]] = []
    monkeypatch.setattr(app, "send_task", lambda name, args, **options: sent.append((name, args)))
    return sent


def card_of(snapshot: str, **fields: Any) -> dict[str, Any]:
    """A card as training writes it, of a detector that saw nothing."""
    card = {
        "kind": "detector",
        "architecture": {"name": "fasterrcnn", "backbone": "efficientnet_lite0", "pyramid": 96},
        "inputs": {"size": 96},
        "classes": ["cell"],
        "snapshot": snapshot,
        "study": "",
        "folds": {},
        "groups": [],
        "images": [],
        "settings": {},
        "seed": 0,
        "versions": {"torch": "0"},
        "metrics": {"map": 0.7, "map_50": 0.95, "map_75": 0.8, "mar": 0.75},
        "score_threshold": 0.5,
        "parent": None,
        "history": [],
    }
    return card | fields


@pytest.fixture
def ready_bundle(tmp_path: Path) -> Callable[..., Path]:
    """ready_bundle(snapshot hash, **card fields): the folder of a valid bundle whose weights are a few bytes."""

    def make(snapshot: str, **fields: Any) -> Path:
        folder = tmp_path / f"ready-{len(list(tmp_path.glob('ready-*')))}"
        write_bundle(folder, card_of(snapshot, **fields), lambda path: _bytes(path))
        return folder

    return make


def _bytes(path: Path) -> None:
    path.write_bytes(b"weights")


@pytest.fixture
def child(tmp_path: Path) -> Callable[[str], Callable[[Round], list[str]]]:
    """child(source): a command whose process runs this Python source with OUT, a Path, at hand."""

    def make(source: str) -> Callable[[Round], list[str]]:
        script = tmp_path / f"child-{abs(hash(source))}.py"
        script.write_text(
            "import json, os, pathlib, shutil, signal, sys, time\nOUT = pathlib.Path(sys.argv[1])\n"
            "def tell(**event):\n"
            "    with (OUT / 'progress.jsonl').open('a') as file:\n"
            "        file.write(json.dumps({'time': time.time(), **event}) + '\\n')\n" + source
        )
        return lambda round_: [sys.executable, str(script), str(round_.folder / "out")]

    return make


@pytest.fixture
def good_child(child: Any, ready_bundle: Any) -> Callable[..., Callable[[Round], list[str]]]:
    """good_child(): a command that leaves a valid bundle of the round's snapshot, after two epochs that it tells of."""

    def make(**fields: Any) -> Callable[[Round], list[str]]:
        def command(round_: Round) -> list[str]:
            ready = ready_bundle(round_.snapshot, **fields)
            result = {"bundle": "x", "seconds": 1.5}
            made: list[str] = child(
                f"for epoch in (1, 2):\n"
                f"    tell(event='step', epoch=epoch, epochs=2, step=2 * epoch, steps=4, loss=1/epoch, eta_seconds=1)\n"
                f"    tell(event='epoch', epoch=epoch, loss=1/epoch, map_50=0.4*epoch)\n"
                f"print('learning', file=sys.stderr, flush=True)\n"
                f"shutil.copytree({str(ready)!r}, OUT / 'bundle')\n"
                f"print({json.dumps(result)!r})\n"
            )(round_)
            return made

        return command

    return make


@pytest.fixture
def signals() -> Iterator[None]:
    """Those of pytest come back after main() has set its own."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def labelled_study(
    study: Study, cell_type: LabelGroup, make_field: Callable[..., list[Cell]], label_cell: Callable[..., None]
) -> Study:
    """Of six patients a field of four cells each: promyelocytes are red, myeloblasts blue."""
    rng = np.random.default_rng(7)
    for patient in range(6):
        cells = make_field(study, f"P{patient}", [near((RED, BLUE)[index % 2], rng) for index in range(4)])
        for index, cell in enumerate(cells):
            label_cell(cell, ("Promyelocyte", "Myeloblast")[index % 2])
    return study
