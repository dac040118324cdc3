"""What networks that see crops themselves (training/cell_network.py) say of cells of a study: computed once for each
crop, and kept in a file by the name of the networks, as features are kept by that of their backbone. Cells whose border
was changed are seen anew.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db.models import QuerySet
from numpy.typing import NDArray

from annotation.cell_crops import CellCrop, crops_of, typical_px
from annotation.models import Cell, Study
from inference.cell_feature_jobs import Extractor, Made, look
from training.crop_features import SAVE_SECONDS, as_stored, read_features, write_features
from training.pixel_cache import trim

# A score takes two bytes: this holds those of many studies.
_MOST_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Seen:
    """What heads look at of a study's cells: a table (n, C) of n cells, by what is called `name`."""

    name: str
    cells: Sequence[UUID]
    table: NDArray[np.float32]
    made: Made

    def of(self, cells: Sequence[UUID]) -> NDArray[np.float32]:
        """(m, C) of m of its cells."""
        place = {cell: row for row, cell in enumerate(self.cells)}
        return self.table[[place[cell] for cell in cells]]


def network_scores(
    study: Study,
    networks: Extractor,
    cells: QuerySet[Cell],
    progress: Callable[[int, int], bool] | None = None,
) -> Seen:
    """The scores of those of the cells whose image is there. `progress` as of cell_feature_jobs.compute: what is
    computed before it ends the pass stays. A disk that is full costs the time to compute them again."""
    path = _path(study, networks.name)
    known = read_features(path, networks.name)
    crops = list(crops_of(cells, typical_px(study)))
    scores = {crop.hash: known[crop.hash] for crop in crops if crop.hash in known}
    saved = time.monotonic()

    def kept(seen: Sequence[CellCrop], vectors: NDArray[Any]) -> None:
        nonlocal saved
        scores.update(zip((crop.hash for crop in seen), as_stored(vectors), strict=True))
        if time.monotonic() - saved > SAVE_SECONDS:
            _keep(path, networks.name, scores)
            saved = time.monotonic()

    # Each crop once, though several cells may show it.
    wanted = {crop.hash: crop for crop in crops if crop.hash not in scores}
    made = look(list(wanted.values()), networks, kept, progress)
    if made.cells or len(scores) < len(known):
        _keep(path, networks.name, scores)
    there = [crop for crop in crops if crop.hash in scores]
    table = np.array([scores[crop.hash] for crop in there], dtype=np.float32)
    return Seen(networks.name, [crop.cell for crop in there], table, made)


def _keep(path: Path, name: str, scores: dict[str, NDArray[np.float16]]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_features(path, name, scores)
        trim(path.parent.parent, _MOST_BYTES)
    except OSError:
        return


def _path(study: Study, name: str) -> Path:
    content = name.rpartition(":")[2]
    return Path(settings.DATA_FOLDER) / "cache" / "networks" / content[:2] / f"{content}-{study.pk}.npz"
