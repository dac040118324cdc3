"""What cells look like, for comparing them by the hundred thousand: their stored features as short unit vectors, in a
file that every process of the server maps into memory.

Features are centred and scaled over the study's cells (learning_order.directions) and turned onto the axes along which
these differ most. The file is made anew when features have been computed; it holds nothing that rows do not.
"""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import connection
from numpy.typing import NDArray

from annotation.models import CellLabel, LabelGroup, Study
from inference.learning_order import directions
from inference.models import CellFeatureJob, CellFeatures
from inference.packed_ids import pack, packed_rows, places
from inference.shown_labels import shown_labels

Table = NDArray[Any]

# Axes that cells are compared along, and cells that these and the scale of each channel are learned from.
AXES = 128
_LEARNED_FROM = 4_000
# Rows that are read at a time: a hundred thousand vectors of a backbone would take half a gigabyte.
_CHUNK = 2_000
# While features are being computed the file is not made anew for each request.
_HOLDS = 60  # seconds
# Smaller classes have no typical look.
_LEAST_CLASS = 3


@dataclass(frozen=True)
class Looks:
    """ids: (n, 16) uint8, packed, sorted. table: (n, D) unit vectors; a row of zeros is like nothing."""

    ids: NDArray[np.uint8]
    table: Table


def looks_of(study: Study, *, latest: bool = False) -> Looks | None:
    """The looks of a study's cells; None where no features are stored. Makes the file where it is missing or old; with
    `latest` also where it is but a little out of date."""
    folder = Path(settings.DATA_FOLDER) / "cache" / "looks" / str(study.pk)
    made = folder / _version(study)
    kept = _mapped(made)
    if kept is None and not latest and (before := _latest(folder)) is not None:
        kept = _mapped(before)
    if kept is not None:
        return kept
    looks = _made(study)
    if looks is not None:
        _keep(made, looks)
    return looks


def alike(looks: Looks, cells: Sequence[UUID]) -> NDArray[np.float64] | None:
    """(n,) cosine of each cell to the mean look of some; None where nothing is known of any of those."""
    known = places(looks.ids, pack(cells))
    known = known[known >= 0]
    if not len(known):
        return None
    mean = looks.table[known].mean(axis=0)
    return (looks.table @ mean).astype(np.float64)


def outlying(looks: Looks, study: Study, viewer: int) -> NDArray[np.float64] | None:
    """(n,) how unlike the cells of its class each cell is, 0 to 2, by the labels of the study's first group of one
    choice; a cell without a label of it is compared with the class that it is most like. None without any class."""
    classes = _classes(looks, study, viewer)
    centres, members = [], []
    for label in np.unique(classes[classes >= 0]):
        own = np.flatnonzero(classes == label)
        if len(own) < _LEAST_CLASS:
            continue
        centre = looks.table[own].mean(axis=0)
        centres.append(centre / (np.linalg.norm(centre) + 1e-12))
        members.append(own)
    if not centres:
        return None
    near = looks.table @ np.array(centres).T
    figure = 1.0 - near.max(axis=1)
    for column, own in enumerate(members):
        figure[own] = 1.0 - near[own, column]
    return figure.astype(np.float64)


def _classes(looks: Looks, study: Study, viewer: int) -> NDArray[np.int64]:
    """(n,) the label id of each cell in the first group of one choice; -1 where there is none."""
    classes = np.full(len(looks.ids), -1, dtype=np.int64)
    group = LabelGroup.objects.filter(study=study, multiple=False).first()
    labels = CellLabel.objects.filter(shown_labels(study, viewer), label__group=group).order_by("pk")
    ids, chosen = packed_rows(labels.values("cell", "label"))
    at = places(looks.ids, ids)
    classes[at[at >= 0]] = chosen[at >= 0]
    return classes


def _version(study: Study) -> str:
    """Names the stored features of a study: by the last job, and by how many there are of all studies, which is counted
    out of the index alone. Two queries."""
    job = CellFeatureJob.objects.filter(study=study).values_list("pk", "state").first()
    return "-".join(map(str, (CellFeatures.objects.count(), *(job or ("0", "none")))))


def _latest(folder: Path) -> Path | None:
    """The file before the present one, if it is so young that it still holds."""
    with contextlib.suppress(OSError):
        times = {path: path.stat().st_mtime for path in folder.iterdir() if not path.name.endswith(".part")}
        if times and time.time() - max(times.values()) < _HOLDS:
            return max(times, key=lambda path: times[path])
    return None


def _made(study: Study) -> Looks | None:
    backbone = _usual_backbone(study)
    if backbone is None:
        return None
    rows = CellFeatures.objects.filter(cell__image__study=study, backbone=backbone).order_by("cell_id")
    # Ids are drawn at random, so the first are a sample.
    sample = np.array([_vector(packed) for packed in rows.values_list("vector", flat=True)[:_LEARNED_FROM]])
    seen = _Glasses(sample)
    ids, tables, chunk = [], [], []
    for key, packed in rows.values_list("cell_id", "vector").iterator(chunk_size=_CHUNK):
        ids.append(key)
        chunk.append(_vector(packed))
        if len(chunk) == _CHUNK:
            tables.append(seen.through(np.array(chunk)))
            chunk = []
    if chunk:
        tables.append(seen.through(np.array(chunk)))
    return Looks(pack(ids), np.concatenate(tables))


class _Glasses:
    """Centre, scale and axes as a sample of vectors has them, put on others."""

    def __init__(self, sample: Table) -> None:
        self._mean = sample.mean(axis=0)
        spread = sample.std(axis=0)
        self._scale = 1.0 / (spread + spread.mean() + 1e-12)
        self._axes = _axes(directions(sample))

    def through(self, vectors: Table) -> Table:
        turned = ((vectors - self._mean) * self._scale) @ self._axes
        length = np.linalg.norm(turned, axis=1, keepdims=True)
        units = np.divide(turned, length, out=np.zeros_like(turned), where=length > 1e-9)
        return units.astype(np.float32)


def _axes(units: Table) -> Table:
    """(C, D) the axes along which n vectors lie, D at most AXES: by a randomized range finder with two passes (Halko
    et al. 2011), since a whole decomposition of some thousand channels takes many seconds."""
    count, width = units.shape
    rank = min(AXES, count, width)
    more = min(width, rank + 16)
    tried = np.random.default_rng(0).standard_normal((width, more)).astype(units.dtype)
    for _ in range(3):
        tried, _ = np.linalg.qr(units.T @ (units @ tried))
    _, _, turned = np.linalg.svd(units @ tried, full_matrices=False)
    axes: Table = tried @ turned[:rank].T
    return axes


def _vector(packed: bytes | memoryview) -> Table:
    return np.frombuffer(bytes(packed), dtype="<f2").astype(np.float32)


def _usual_backbone(study: Study) -> str | None:
    """That by which most cells were seen, as vectors of two cannot be compared; None where there are no features."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT features.backbone FROM inference_cellfeatures features"
            " JOIN annotation_cell cell ON cell.id = features.cell_id"
            " JOIN annotation_smearimage image ON image.id = cell.image_id"
            " WHERE image.study_id = %s GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
            [study.pk],
        )
        found = cursor.fetchone()
    return found[0] if found else None


def _mapped(folder: Path) -> Looks | None:
    try:
        ids = np.load(folder / "ids.npy", mmap_mode="r", allow_pickle=False)
        table = np.load(folder / "table.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return Looks(ids, table) if len(ids) == len(table) else None


def _keep(made: Path, looks: Looks) -> None:
    """In the place of whatever was there before; a folder that cannot be written costs the next request its time."""
    with contextlib.suppress(OSError):
        made.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=made.parent, suffix=".part"))
        np.save(part / "ids.npy", looks.ids, allow_pickle=False)
        np.save(part / "table.npy", looks.table, allow_pickle=False)
        with contextlib.suppress(OSError):
            os.rename(part, made)
        for other in made.parent.iterdir():
            if other != made:
                shutil.rmtree(other, ignore_errors=True)
