"""What classifiers said of cells, as a table: kept beside its job as numbers, written as CSV for whoever asks."""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import UUID

import numpy as np
from django.conf import settings

from annotation.formats.csv import safe_text
from inference.classification import Classified, Probabilities
from inference.models import ClassifyJob
from inference.packed_ids import pack, unpacked

COLUMNS = ("image", "cell", "x", "y", "label", "probability")


def lines_of(rows: Iterable[tuple[str, UUID, float, float, str, float]]) -> Iterator[str]:
    """The lines of a CSV, the first with the names of its columns. `rows` as classification.rows_of() gives them."""
    table = csv.writer(_Line())
    yield table.writerow(COLUMNS)  # type: ignore[misc]
    for image, cell, x, y, label, probability in rows:
        line = [safe_text(image), cell, f"{x:.1f}", f"{y:.1f}", safe_text(label), f"{probability:.6f}"]
        yield table.writerow(line)  # type: ignore[misc]


class _Line:
    """A file that gives back what is written into it."""

    def write(self, text: str) -> str:
        return text


def keep_table(job: ClassifyJob, classified: Classified) -> None:
    """In the place of those of the study's earlier jobs. Raises OSError where the disk cannot take it."""
    path = _path(job)
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = classified.labels
    table = np.stack(list(labels.values()), axis=1) if labels else np.zeros((len(classified.cells), 0))
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(
            file, cells=pack(classified.cells), table=table.astype(np.float32), labels=np.array(json.dumps([*labels]))
        )
    part.replace(path)
    for other in path.parent.glob("*.npz"):
        if other != path:
            other.unlink(missing_ok=True)


def kept_table(job: ClassifyJob) -> tuple[list[UUID], Probabilities] | None:
    """The cells, and by label how probable it is of each; None where it is not kept any more."""
    try:
        with np.load(_path(job), allow_pickle=False) as kept:
            cells = [UUID(bytes=bytes(row)) for row in unpacked(kept["cells"].tobytes())]
            table, labels = kept["table"], json.loads(str(kept["labels"]))
    except (OSError, ValueError, KeyError):
        return None
    return cells, {name: table[:, column] for column, name in enumerate(labels)}


def _path(job: ClassifyJob) -> Path:
    return Path(settings.DATA_FOLDER) / "classified" / str(job.study_id) / f"{job.pk}.npz"
