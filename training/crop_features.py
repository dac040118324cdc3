"""The features of a snapshot's cells: those that are known already, and the rest seen by the backbone. Free of Django.

Features go from one process to the other in one file (`features.npz`): names of crops, and vectors as float16, which
is how they are stored, so that it makes no difference who computed them. Those of views of a crop in other stains and
from other sides (training/stain_augmentation.py) have files of their own: only training looks at views.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from annotation.crop import cut
from training.classifier_lesson import LabelledCell, labelled_cells
from training.snapshot import Snapshot
from training.stain_augmentation import VERSION, view

NAME = "features.npz"
VIEWS = "views.npz"
MOST_VIEWS = 8
BATCH = 32
# Between two times that what is computed is written down, for a process that goes on after this one was killed.
SAVE_SECONDS = 20.0

Vectors = dict[str, NDArray[np.float16]]


class Stopped(Exception):
    """The end was asked for; what is computed by then is written down."""


class Extractor(Protocol):
    """What sees crops: a frozen backbone (training/cell_features.py)."""

    @property
    def name(self) -> str: ...

    def extract(self, crops: Sequence[Image.Image]) -> NDArray[np.float32]:
        """(n, C) of n RGB crops."""
        ...


class Recolouring(Protocol):
    """What shows a cell in other colours (training/stain_transfer.py)."""

    def name(self, cell: LabelledCell) -> str:
        """64 hex digits."""
        ...

    def picture(self, crop: Image.Image, cell: LabelledCell) -> Image.Image: ...


def as_stored(vectors: NDArray[Any]) -> NDArray[np.float16]:
    """What float16 cannot hold is cut off at its ends."""
    limit = float(np.finfo(np.float16).max)
    return np.clip(vectors, -limit, limit).astype(np.float16)


def write_features(path: Path, backbone: str, vectors: Mapping[str, NDArray[np.float16]]) -> None:
    """Write vectors by the name of their crop, whole or not at all."""
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    names = sorted(vectors)
    table = np.stack([vectors[name] for name in names]) if names else np.zeros((0, 0), dtype=np.float16)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, backbone=np.array(backbone), names=np.array(names, dtype="U64"), vectors=table)
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def backbone_of(path: Path) -> str | None:
    """Which backbone saw what the file holds; None where there is no such file."""
    try:
        with np.load(path, allow_pickle=False) as content:
            return str(content["backbone"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def read_features(path: Path, backbone: str) -> Vectors:
    """Vectors by the name of their crop; none where the file is absent, damaged, or of another backbone."""
    try:
        with np.load(path, allow_pickle=False) as content:
            if str(content["backbone"]) != backbone:
                return {}
            return dict(zip(content["names"].tolist(), content["vectors"].astype(np.float16), strict=True))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return {}


def known_features(paths: Sequence[Path], backbone: str) -> Vectors:
    """As read_features, of several files."""
    return {name: vector for path in paths for name, vector in read_features(path, backbone).items()}


def view_name(crop: str, number: int) -> str:
    """The name (64 hex digits) of a crop's view, numbered from 1; 0 is the crop itself."""
    return hashlib.sha256(f"{VERSION} {crop} {number}".encode()).hexdigest() if number else crop


def view_features(
    snapshot: Snapshot,
    cells: Sequence[LabelledCell],
    count: int,
    extractor: Extractor,
    known: Mapping[str, NDArray[np.float16]],
    keep: Path,
    tell: Callable[[dict[str, Any]], None],
    wanted: Callable[[], bool] = lambda: True,
) -> list[NDArray[np.float32]]:
    """(n, C) of n cells for each of so many views. What is `known` or what `keep` holds is not computed again; what it
    holds of cells that the snapshot no longer has is dropped, so that it does not grow with every border that is moved.
    Raises as features_of."""
    numbers = range(1, count + 1)
    found = [features_of(snapshot, cells, extractor, known, keep, tell, wanted, number) for number in numbers]
    held = read_features(keep, extractor.name)
    present = {cell.crop for cell in labelled_cells(snapshot.manifest)}
    names = {view_name(crop, number) for crop in present for number in range(1, MOST_VIEWS + 1)}
    if held.keys() - names:
        write_features(keep, extractor.name, {name: held[name] for name in held.keys() & names})
    return found


def features_of(
    snapshot: Snapshot,
    cells: Sequence[LabelledCell],
    extractor: Extractor,
    known: Mapping[str, NDArray[np.float16]],
    keep: Path,
    tell: Callable[[dict[str, Any]], None],
    wanted: Callable[[], bool] = lambda: True,
    number: int = 0,
) -> NDArray[np.float32]:
    """(n, C) of n cells, or of a view of each. What is not `known` is computed, written to `keep` and told of as
    events "features".

    Raises Stopped where it is no longer `wanted`, and OSError where an image cannot be read."""
    return seen(opened_by(snapshot), cells, extractor, known, keep, tell, wanted, number)


def seen(
    opened: Callable[[str], Image.Image],
    cells: Sequence[LabelledCell],
    extractor: Extractor,
    known: Mapping[str, NDArray[np.float16]],
    keep: Path,
    tell: Callable[[dict[str, Any]], None] = lambda event: None,
    wanted: Callable[[], bool] = lambda: True,
    number: int = 0,
    stains: Recolouring | None = None,
) -> NDArray[np.float32]:
    """As features_of, of images by their sha256; with `stains` each crop is recoloured before."""
    vectors = dict(known) | read_features(keep, extractor.name)
    named = {cell.crop: view_name(cell.crop if stains is None else stains.name(cell), number) for cell in cells}
    missing = sorted((cell for cell in cells if named[cell.crop] not in vectors), key=lambda cell: cell.sha256)
    begun = saved = time.monotonic()
    made: Vectors = {name: vector for name, vector in vectors.items() if name not in known}
    for start in range(0, len(missing), BATCH):
        if not wanted():
            write_features(keep, extractor.name, made)
            raise Stopped
        batch = missing[start : start + BATCH]
        crops = [cut(opened(cell.sha256), cell.square) for cell in batch]
        if stains is not None:
            crops = [stains.picture(crop, cell) for crop, cell in zip(crops, batch, strict=True)]
        if number:
            crops = [drawn_view(crop, named[cell.crop]) for crop, cell in zip(crops, batch, strict=True)]
        found = as_stored(extractor.extract(crops))
        made |= {named[cell.crop]: vector for cell, vector in zip(batch, found, strict=True)}
        now = time.monotonic()
        done = start + len(batch)
        left = (now - begun) / done * (len(missing) - done)
        tell({"event": "features", "done": done, "cells": len(missing), "eta_seconds": round(left, 1)})
        if now - saved > SAVE_SECONDS or done == len(missing):
            write_features(keep, extractor.name, made)
            saved = now
    vectors |= made
    return np.stack([vectors[named[cell.crop]] for cell in cells]).astype(np.float32)


def drawn_view(crop: Image.Image, name: str) -> Image.Image:
    """Drawn by its name, so that it is the same whoever makes it, and when."""
    return view(crop, np.random.default_rng(int(name[:16], 16)))


def opened_by(snapshot: Snapshot) -> Callable[[str], Image.Image]:
    """Opens images by their sha256, decoded; keeps the last, whose cells may reach into two batches."""
    files = {image["sha256"]: snapshot.path(image) for image in snapshot.images}

    @lru_cache(maxsize=1)
    def opened(sha256: str) -> Image.Image:
        with Image.open(files[sha256]) as file:
            return file.convert("RGB")

    return opened
