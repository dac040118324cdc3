"""Cell classifiers that one round taught and the next may use: an ensemble and MILLIE of the same cells share them.

They lie in one file (.npz) under the hash of all that they depend on, so that whoever finds them there would have
taught the very same. Free of Django and of torch.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from training import cell_head, cell_reader
from training.cell_reader import CellReader
from training.contract import content_hash
from training.diagnosis_lesson import DiagnosisLesson
from training.diagnosis_readings import Without

_KEY = "key"
# A change of these makes what is kept old.
_TAUGHT_BY = (cell_head, cell_reader)


class KeptReaders:
    """Those in a file `path`, of features (n, C) of a lesson's cells; None keeps nothing."""

    def __init__(self, path: Path | None, lesson: DiagnosisLesson, features: NDArray[np.float32], seed: int) -> None:
        self._path, self._lesson = path, lesson
        self._key = _key_of(lesson, features, seed) if path is not None else ""
        self._held = _read(path, self._key) if path is not None else {}
        self._fresh = False

    def __call__(self, without: Without, taught: Callable[[], CellReader]) -> CellReader:
        """The reader taught without these folds, as `taught` teaches it where it is not held."""
        name = _name(without)
        own = {part.removeprefix(name): value for part, value in self._held.items() if part.startswith(name)}
        if own:
            try:
                return CellReader.from_tensors(_types(self._lesson), own)
            except (KeyError, ValueError):
                pass
        reader = taught()
        if self._path is not None:
            self._held |= {name + part: value for part, value in reader.to_tensors().items()}
            self._fresh = True
        return reader

    def save(self) -> None:
        """Write down what was taught, in place of what was there, whole or not at all. Raises OSError."""
        if self._path is None or not self._fresh:
            return
        tensors: dict[str, Any] = {_KEY: np.array(self._key), **self._held}
        handle, part = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, **tensors)
            os.replace(part, self._path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise


def _name(without: Without) -> str:
    return f"{'+'.join(map(str, sorted(without)))}:"


def _types(lesson: DiagnosisLesson) -> list[dict[str, Any]]:
    assert lesson.classes is not None
    facts = lesson.classes.facts
    return [{"name": name, "role": facts[name].role, "counted": facts[name].counted} for name in lesson.classes.names]


def _key_of(lesson: DiagnosisLesson, features: NDArray[np.float32], seed: int) -> str:
    """The hash of all that readers depend on, what teaches them among it."""
    classes = lesson.classes
    arrays: list[NDArray[Any]] = [lesson.folds[lesson.patient], features]
    arrays += [] if classes is None else [classes.targets, classes.auer]
    return content_hash(
        {
            "taught_by": [hashlib.sha256(Path(str(each.__file__)).read_bytes()).hexdigest() for each in _TAUGHT_BY],
            "seed": seed,
            "patients": [lesson.patients[number] for number in lesson.patient.tolist()],
            "types": None if classes is None else _types(lesson),
            "arrays": [hashlib.sha256(np.ascontiguousarray(each).tobytes()).hexdigest() for each in arrays],
        }
    )


def _read(path: Path, key: str) -> dict[str, Any]:
    """The tensors of readers that were kept under the key; none of a file that is absent, damaged or another one's."""
    try:
        with np.load(path, allow_pickle=False) as content:
            if str(content[_KEY]) != key:
                return {}
            return {name: content[name] for name in content.files if name != _KEY}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return {}
