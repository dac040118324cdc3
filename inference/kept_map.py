"""A study's map of cells (inference/cell_map.py) as files that every process of the server reads, replaced as a whole.

A map stays when the features have changed: it says so, and is made anew when somebody asks for it.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from annotation.models import Study
from inference.models import CellFeatureJob, CellFeatures
from inference.packed_ids import Ids

_FACTS = "facts.json"


@dataclass(frozen=True)
class KeptMap:
    """ids: (n, 16) packed, sorted; pca, umap: (n, 2). features: what the features were (stand_of). explained: the share
    of the variance that each PCA axis holds, learned from `learned_from` cells. name: of this map and no other.

    A study has a map for each space: "" is what the backbone sees, the name of a decision what MILLIE sees for it."""

    name: str
    ids: Ids
    pca: NDArray[np.float32]
    umap: NDArray[np.float32]
    features: str
    backbone: str
    explained: tuple[float, float]
    learned_from: int
    made_at: datetime


def kept_map(study: Study, space: str = "") -> KeptMap | None:
    """The study's map of a space; None where none was made, or its files are gone or damaged."""
    folder = _folder(study, space)
    try:
        # The newest: the one before goes only when this one is whole.
        made = max(path for path in folder.iterdir() if not path.name.endswith(".part"))
        facts = json.loads((made / _FACTS).read_bytes())
        ids, pca, umap = (
            np.load(made / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in ("ids", "pca", "umap")
        )
        if not len(ids) == len(pca) == len(umap):
            return None
        return KeptMap(
            made.name,
            ids,
            pca,
            umap,
            facts["features"],
            facts["backbone"],
            (facts["explained"][0], facts["explained"][1]),
            facts["learned_from"],
            datetime.fromisoformat(facts["made_at"]),
        )
    except (OSError, ValueError, KeyError, EOFError, IndexError):
        return None


def keep(
    study: Study, tables: dict[str, NDArray[Any]], made_at: datetime, facts: dict[str, Any], space: str = ""
) -> None:
    """Write a map in the place of the one before: `tables` ids, pca and umap, and the rest of what KeptMap says. Raises
    OSError where the disk refuses."""
    folder = _folder(study, space)
    folder.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder, suffix=".part"))
    try:
        for name, table in tables.items():
            np.save(part / f"{name}.npy", table, allow_pickle=False)
        (part / _FACTS).write_text(json.dumps(facts | {"made_at": made_at.isoformat()}))
        # Names sort by time.
        made = folder / f"{made_at:%Y%m%d%H%M%S%f}"
        os.rename(part, made)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    for other in folder.iterdir():
        if other.name < made.name:
            with contextlib.suppress(OSError):
                shutil.rmtree(other)


def stand_of(study: Study, bundle: str = "") -> str:
    """Names the stored features of a study, by their number and the last job that computed any, and the bundle that
    looks at them where one does. Two queries."""
    number = CellFeatures.objects.filter(cell__image__study=study).count()
    jobs = CellFeatureJob.objects.filter(study=study, progress__total__gt=0)
    last = jobs.values_list("pk", flat=True).first() or 0
    return f"{number}-{last}-{bundle}" if bundle else f"{number}-{last}"


def _folder(study: Study, space: str = "") -> Path:
    beside = f"-{hashlib.sha256(space.encode()).hexdigest()[:12]}" if space else ""
    return Path(settings.DATA_FOLDER) / "maps" / f"{study.pk}{beside}"
