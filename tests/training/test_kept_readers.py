"""Cell classifiers that rounds share: taught once, taken for the very same cells only."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.diagnosed_patients import patients
from training import diagnosis_readings
from training.cell_reader import CellReader, teach
from training.diagnosis_lesson import DiagnosisLesson
from training.diagnosis_readings import Readings, read_patients
from training.kept_readers import KeptReaders


@pytest.fixture
def taught(monkeypatch: pytest.MonkeyPatch) -> list[CellReader]:
    """The readers that were taught."""
    found: list[CellReader] = []

    def noted(*given: object) -> CellReader:
        found.append(teach(*given))  # type: ignore[arg-type]
        return found[-1]

    monkeypatch.setattr(diagnosis_readings, "teach", noted)
    return found


def read(path: Path | None, lesson: DiagnosisLesson, features: NDArray[np.float32], seed: int = 0) -> Readings:
    kept = KeptReaders(path, lesson, features, seed)
    found = read_patients(lesson, features, needs_labels=True, seed=seed, keep=kept)
    kept.save()
    return found


def test_what_one_round_taught_the_next_one_takes(tmp_path: Path, taught: list[CellReader]) -> None:
    lesson, features = patients(12, 6)
    path = tmp_path / "readers.npz"
    first = read(path, lesson, features)
    assert len(taught) == 7 and path.is_file()
    again = read(path, lesson, features)
    assert len(taught) == 7
    own = features[lesson.patient == 0]
    for without in ((), (0,), (1, 2)):
        ours, theirs = first.reader(*without), again.reader(*without)
        assert ours is not None and theirs is not None
        np.testing.assert_array_equal(ours.read(own).types, theirs.read(own).types)
        np.testing.assert_array_equal(ours.means, theirs.means)


def test_other_cells_labels_folds_and_seeds_are_taught_anew(tmp_path: Path, taught: list[CellReader]) -> None:
    lesson, features = patients(12, 6)
    path = tmp_path / "readers.npz"
    read(path, lesson, features)
    moved = features.copy()
    moved[0] += 1
    assert lesson.classes is not None
    targets = lesson.classes.targets.copy()
    targets[0] = 1 - min(targets[0], 1)
    relabelled = replace(lesson, classes=replace(lesson.classes, targets=targets))
    others = [(lesson, moved, 0), (relabelled, features, 0), (lesson, features, 1)]
    others.append((replace(lesson, folds=(lesson.folds + 1) % 3), features, 0))
    for number, (of, seen, seed) in enumerate(others, start=2):
        read(path, of, seen, seed)
        assert len(taught) == 7 * number
    # The newest alone is kept, and a file that is none is passed over.
    path.write_bytes(b"PK half a file")
    read(path, lesson, features)
    assert len(taught) == 7 * 6
    read(None, lesson, features)
    assert len(taught) == 7 * 7 and [each.name for each in tmp_path.iterdir()] == [path.name]
