"""The measured cells of a study as columns of numbers, fetched in one packed value: a hundred thousand at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.core.exceptions import EmptyResultSet
from django.db.models import F
from numpy.typing import NDArray

from annotation.cell_crops import cells_to_classify
from annotation.measure_table import BY_NAME, PLACES, RECIPE
from annotation.models import CellLabel, Label, LabelGroup, SmearImage, Study
from inference.measured import in_um
from inference.packed_ids import ID, Ids, one_value, packed_rows, places
from inference.shown_labels import shown_labels


@dataclass(frozen=True)
class MeasuredCells:
    """n cells, by their ids: `values` (n, number of names), NaN where nothing can be said; `patients` and `images` by
    their keys, 0 for no patient; `extra`: picked for their kind, so that they enter no figure of a patient. `in_um`:
    whether lengths are in µm."""

    names: tuple[str, ...]
    in_um: bool
    ids: Ids
    images: NDArray[np.int64]
    patients: NDArray[np.int64]
    extra: NDArray[np.bool_]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)

    def of(self, name: str) -> NDArray[np.float64]:
        """(n,) of one measure."""
        return self.values[:, self.names.index(name)]

    def only(self, which: NDArray[np.bool_]) -> "MeasuredCells":
        parts = (self.ids, self.images, self.patients, self.extra, self.values)
        return MeasuredCells(self.names, self.in_um, *(part[which] for part in parts))  # type: ignore[arg-type]


def measured_cells(study: Study, names: Sequence[str]) -> MeasuredCells:
    """All measured cells of a study, with some of their measures. Two queries.

    Lengths are in one unit (inference/measured.py): those that cannot be compared are NaN.
    """
    scale = in_um(study)
    cells = cells_to_classify(study).filter(measures__recipe=RECIPE).order_by()
    figures = {f"figure_{place}": F(f"measures__values__{PLACES[name]}") for place, name in enumerate(names)}
    columns = ("pk", "image_id", "image__patient_id", "image__sample", "measures__in_um", *figures)
    width = ID + 8 * (4 + len(names))
    try:
        sql, parameters = cells.annotate(**figures).values_list(*columns).query.sql_with_params()
        listed = ", ".join(["id", "image", "patient", "sample", "um", *figures])
        packed = " || ".join(
            [
                "uuid_send(rows.id) || int8send(rows.image) || int8send(coalesce(rows.patient, 0))",
                "int8send((rows.sample = %s)::int) || int8send(rows.um::int)",
                *(f"float8send(coalesce(rows.{name}, 'NaN'))" for name in figures),
            ]
        )
        found = one_value(
            f"SELECT string_agg({packed}, ''::bytea) FROM ({sql}) AS rows({listed})",
            [SmearImage.Sample.EXTRA, *parameters],
        )
    except EmptyResultSet:
        found = None
    table = np.frombuffer(bytes(found or b""), dtype=np.uint8).reshape(-1, width)
    # By id: an id is drawn by chance, and so are the first of them.
    table = table[np.lexsort(table[:, 7::-1].T)]
    numbers = np.ascontiguousarray(table[:, ID : ID + 32]).view(">i8").astype(np.int64).reshape(-1, 4)
    values = np.ascontiguousarray(table[:, ID + 32 :]).view(">f8").astype(np.float64).reshape(-1, len(names))
    for place, name in enumerate(names):
        if BY_NAME[name].power:
            values[numbers[:, 3] != scale, place] = np.nan
    return MeasuredCells(
        tuple(names),
        scale,
        np.ascontiguousarray(table[:, :ID]),
        numbers[:, 0],
        numbers[:, 1],
        numbers[:, 2] == 1,
        values,
    )


def cells_by_label(cells: MeasuredCells, group: LabelGroup, viewer: int) -> list[tuple[Label, NDArray[np.int64]]]:
    """Which of the cells, by their places, have each label of a group, as far as the viewer may know; labels that none
    has are left out. A cell that people name differently is among each. Three queries."""
    said = CellLabel.objects.filter(
        shown_labels(group.study, viewer), label__group=group, cell__image__study=group.study
    )
    ids, labels = packed_rows(said.order_by().values_list("cell", "label"))
    at = places(cells.ids, ids)
    found = []
    for label in group.labels.all():
        own = np.unique(at[(labels == label.pk) & (at >= 0)])
        if len(own):
            found.append((label, own))
    return found
