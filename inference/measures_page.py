"""What the page of measures shows: which measure of which cells, compared by label or by patient."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation.measure_table import BY_NAME, GROUPS, Measure
from annotation.models import LabelGroup, Patient, Study
from inference.measure_plots import GREY, Group, boxes, heading, histogram, scatter
from inference.measure_rows import MeasuredCells, cells_by_label, measured_cells

BY_PATIENT = "patient"
FIRST, SECOND = "area", "nc_ratio"
# Of patients, who have none of their own. Paul Tol's bright scheme, and more of his.
_COLOURS = (
    "#4477aa",
    "#ee6677",
    "#228833",
    "#ccbb44",
    "#66ccee",
    "#aa3377",
    "#ee7733",
    "#009988",
    "#882255",
    "#999933",
)


@dataclass(frozen=True)
class MeasuresQuery:
    """What somebody asked for. by: a label group's id or BY_PATIENT, empty for the first group. label, patient: ids of
    the only label and patient to be shown, empty for all."""

    measure: str = FIRST
    against: str = SECOND
    by: str = ""
    label: str = ""
    patient: str = ""

    @classmethod
    def parse(cls, parameters: Mapping[str, str]) -> "MeasuresQuery":
        """From the address; what is unknown there is as if it were not."""
        measure, against, by = (parameters.get(name, "") for name in ("measure", "against", "by"))
        return cls(
            measure=measure if measure in BY_NAME else FIRST,
            against=against if against in BY_NAME else SECOND,
            by=BY_PATIENT if by == BY_PATIENT else _id(by),
            label=_id(parameters.get("label", "")),
            patient=_id(parameters.get("patient", "")),
        )


@dataclass(frozen=True)
class PatientRow:
    """A patient's cells in a table: how many, and the quartiles of measures by name; None where nothing is known."""

    patient: Patient
    cells: int
    quartiles: Mapping[str, tuple[float, float, float] | None]


def page_context(study: Study, query: MeasuresQuery, viewer: int) -> dict[str, Any]:
    """Plots and the table of patients. A few queries, whatever the number of cells."""
    measure, against = BY_NAME[query.measure], BY_NAME[query.against]
    label_groups = list(LabelGroup.objects.filter(study=study).select_related("study").prefetch_related("labels"))
    patients = list(study.patients.order_by("code"))
    cells = chosen(measured_cells(study, list(dict.fromkeys((query.measure, query.against)))), query, study, viewer)
    group = next((each for each in label_groups if str(each.pk) == query.by), label_groups[0] if label_groups else None)
    if query.by == BY_PATIENT:
        group = None
    groups = _patients(cells, patients) if group is None else _labels(cells, group, viewer)
    return {
        "query": query,
        "by": BY_PATIENT if group is None else str(group.pk),
        "measures": measure_choices(cells.in_um),
        "label_groups": label_groups,
        "patients": patients,
        "measure": measure,
        "against": against,
        "heading": heading(measure, cells.in_um),
        "against_heading": heading(against, cells.in_um),
        "cells": len(cells),
        "unknown": int(np.count_nonzero(np.isnan(cells.of(query.measure)))) if len(cells) else 0,
        "in_um": cells.in_um,
        "boxes": boxes(cells, measure, groups),
        "histogram": histogram(cells, measure),
        "scatter": scatter(cells, measure, against, groups) if measure != against else None,
        "rows": [
            (row.patient, row.cells, [_words(BY_NAME[name], row.quartiles[name]) for name in cells.names])
            for row in patient_rows(cells, patients)
        ],
    }


def measure_choices(scale: bool) -> list[tuple[str, list[tuple[str, str]]]]:
    """Groups of measures with their names and words, for a form."""
    return [(group, [(each.name, heading(each, scale)) for each in measures]) for group, measures in GROUPS.items()]


def chosen(cells: MeasuredCells, query: MeasuresQuery, study: Study, viewer: int) -> MeasuredCells:
    """The cells that a query asks for."""
    if query.patient:
        cells = cells.only(cells.patients == int(query.patient))
    if query.label:
        group = LabelGroup.objects.filter(study=study, labels=int(query.label)).select_related("study").first()
        found = cells_by_label(cells, group, viewer) if group else []
        which = np.zeros(len(cells), dtype=bool)
        for label, own in found:
            if str(label.pk) == query.label:
                which[own] = True
        cells = cells.only(which)
    return cells


def patient_rows(cells: MeasuredCells, patients: list[Patient]) -> list[PatientRow]:
    """Patients with cells, without those that were picked for their kind: they say nothing of a patient."""
    rows = []
    for patient in patients:
        own = cells.only((cells.patients == patient.pk) & ~cells.extra)
        if len(own):
            quartiles = {name: _quartiles(own.of(name)) for name in cells.names}
            rows.append(PatientRow(patient, len(own), quartiles))
    return rows


def patient_table(study: Study, query: MeasuresQuery, viewer: int) -> list[list[str]]:
    """A table of all measures by patient, with its heading: cells, then quartiles of each measure."""
    names = list(BY_NAME)
    cells = chosen(measured_cells(study, names), query, study, viewer)
    columns = [BY_NAME[name].column(cells.in_um) for name in names]
    table = [["patient", "diagnosis", "cells"]]
    table[0] += [f"{column}_{what}" for column in columns for what in ("median", "first_quartile", "third_quartile")]
    for row in patient_rows(cells, list(study.patients.order_by("code"))):
        line = [row.patient.code, row.patient.diagnosis, str(row.cells)]
        for name in names:
            found = row.quartiles[name]
            line += ["", "", ""] if found is None else [f"{found[place]:.6g}" for place in (1, 0, 2)]
        table.append(line)
    return table


def _labels(cells: MeasuredCells, group: LabelGroup, viewer: int) -> list[Group]:
    found = cells_by_label(cells, group, viewer)
    return [Group(str(label.pk), label.name, label.colour or GREY, own) for label, own in found]


def _patients(cells: MeasuredCells, patients: list[Patient]) -> list[Group]:
    return [
        Group(str(patient.pk), patient.code, _COLOURS[place % len(_COLOURS)], own)
        for place, patient in enumerate(patients)
        if len(own := np.nonzero(cells.patients == patient.pk)[0])
    ]


def _quartiles(values: NDArray[np.float64]) -> tuple[float, float, float] | None:
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    first, median, third = np.quantile(known, [0.25, 0.5, 0.75])
    return float(first), float(median), float(third)


def _words(measure: Measure, quartiles: tuple[float, float, float] | None) -> tuple[str, str]:
    """The median, and the range of the middle half."""
    if quartiles is None:
        return "–", ""
    first, median, third = map(measure.text, quartiles)
    return median, f"{first} to {third}"


def _id(text: str) -> str:
    return str(int(text)) if text.isascii() and text.isdecimal() and len(text) <= 18 else ""
