from collections import Counter
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import numpy as np
from django.db import models
from numpy.typing import NDArray

from annotation.models import Cell
from training.crop_features import as_stored

Vectors = tuple[list[UUID], NDArray[np.float32]]


class CellFeatures(models.Model):
    """A cell as a frozen backbone sees its crop: computed once, so that heads are retrained in seconds."""

    cell = models.OneToOneField(Cell, on_delete=models.CASCADE, primary_key=True, related_name="features")
    # Of the crop that was seen (annotation/crop.py): another one where the border has been changed since.
    crop_hash = models.CharField(max_length=64)
    # The name of what saw it (training/cell_features.py): vectors of one name alone can be compared.
    backbone = models.CharField(max_length=100)
    # float16, little endian.
    vector = models.BinaryField()

    class Meta:
        verbose_name_plural = "cell features"

    def __str__(self) -> str:
        return f"{self.cell_id} under {self.backbone}"

    @staticmethod
    def pack(vector: NDArray[Any]) -> bytes:
        """A vector as it is stored."""
        return as_stored(vector).astype("<f2").tobytes()


def vectors_of(cells: Iterable[Any], backbone: str | None = None) -> Vectors:
    """The stored features of cells (rows, ids, or a query of cells): (ids, (n, C) float32), in the order of their ids.

    Cells without features are left out, and so are those that another backbone than `backbone` saw: None takes the
    one that saw most of the cells. (0, 0) where there are none. Costs one query.
    """
    rows = list(
        CellFeatures.objects.filter(cell__in=cells).order_by("cell_id").values_list("cell_id", "backbone", "vector")
    )
    if backbone is None and rows:
        backbone = Counter(name for _, name, _ in rows).most_common(1)[0][0]
    chosen = [(cell, bytes(packed)) for cell, name, packed in rows if name == backbone]
    if not chosen:
        return [], np.zeros((0, 0), dtype=np.float32)
    table = np.frombuffer(b"".join(packed for _, packed in chosen), dtype="<f2").reshape(len(chosen), -1)
    return [cell for cell, _ in chosen], table.astype(np.float32)
