"""The cells of a diagnosis as they are looked at: in their own colours or in those of one reference, and in further
views. Free of Django and torch."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.crop_features import (
    MOST_VIEWS,
    NAME,
    Extractor,
    Stopped,
    opened_by,
    read_features,
    seen,
    view_name,
    write_features,
)
from training.diagnosis_lesson import DiagnosisLesson
from training.diagnosis_settings import CellsSettings, MilSettings
from training.snapshot import Snapshot
from training.stain_transfer import StainTransfer, stains_of

Features = NDArray[np.float32]
REINHARD = "reinhard"


def colours_of(settings: CellsSettings) -> str:
    return settings.colours if isinstance(settings, MilSettings) else "own"


def views_of(settings: CellsSettings) -> int:
    """How many further views of each cell teach or are diagnosed by."""
    return max(settings.views, settings.test_views) if isinstance(settings, MilSettings) else 0


def lesson_features(
    snapshot: Snapshot,
    lesson: DiagnosisLesson,
    settings: CellsSettings,
    extractor: Extractor,
    stored: Mapping[str, NDArray[np.float16]],
    out: Path,
    kept: Path,
    tell: Callable[[dict[str, Any]], None],
    wanted: Callable[[], bool],
) -> tuple[Features, list[Features]]:
    """(n, C) of the lesson's cells, and of each of their views. What is known already is `stored`, what is computed
    beside lies in OUT, or in the file `kept`, where a later round finds it. Raises as features_of
    (training/crop_features.py).
    """

    def alive() -> None:
        if not wanted():
            raise Stopped

    opened, cells = opened_by(snapshot), lesson.cells
    stains = None
    if colours_of(settings) == REINHARD:
        tell({"event": "log", "message": "Brings each patient's cells to the colours of one reference."})
        stains = stains_of(cells, opened, alive)
    own = seen(opened, cells, extractor, stored, out / NAME if stains is None else kept, tell, wanted, 0, stains)
    views = [
        seen(opened, cells, extractor, stored, kept, tell, wanted, number, stains)
        for number in range(1, views_of(settings) + 1)
    ]
    if stains is not None or views:
        _drop_others(kept, lesson, extractor, stains)
    return own, views


def _drop_others(kept: Path, lesson: DiagnosisLesson, extractor: Extractor, stains: StainTransfer | None) -> None:
    """What is kept of cells that the snapshot no longer has: it must not grow with every border that is moved."""
    held = read_features(kept, extractor.name)
    shown = {cell.crop for cell in lesson.cells}
    if stains is not None:
        shown |= {stains.name(cell) for cell in lesson.cells}
    names = shown | {view_name(each, number) for each in shown for number in range(1, MOST_VIEWS + 1)}
    if held.keys() - names:
        write_features(kept, extractor.name, {name: held[name] for name in held.keys() & names})
