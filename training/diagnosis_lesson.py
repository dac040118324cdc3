"""What a snapshot teaches about patients: their diagnoses, their cells, and what is said of the cells. Free of Django
and of torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation.crop import crop_hash, crop_square
from annotation.folds import fold_of
from training.classifier_folds import classes_of
from training.classifier_lesson import LabelledCell
from training.decisions import Decision, DecisionError, allowed

# Classes that fewer patients have are not learned.
LEAST_PATIENTS = 2


@dataclass(frozen=True)
class LabelFacts:
    """A label of cells: what it stands for in a diagnosis, and whether its cells enter ratios."""

    role: str
    counted: bool


@dataclass(frozen=True)
class CellClasses:
    """What cell classifiers learn for a diagnosis: the class numbers (n,) of all cells by the group of one choice that
    most cells have a label of, -1 where none is said, and which cells have Auer rods: 1, 0, or -1 where nobody looked.
    """

    names: tuple[str, ...]
    facts: Mapping[str, LabelFacts]
    targets: NDArray[np.int64]
    auer: NDArray[np.int64]

    @property
    def has_auer(self) -> bool:
        return bool((self.auer == 1).any())


@dataclass(frozen=True)
class DiagnosisLesson:
    """cells: all of the snapshot; patient (n,): the number of each cell's patient; counts (n,): whether it enters bags
    and ratios (those picked for their kind do not). patients, diagnoses, folds: by number. classes: None where cells
    have no labels to learn."""

    cells: tuple[LabelledCell, ...]
    patient: NDArray[np.int64]
    counts: NDArray[np.bool_]
    patients: tuple[str, ...]
    diagnoses: tuple[str, ...]
    folds: NDArray[np.int64]
    images: Mapping[str, int]
    classes: CellClasses | None
    decisions: tuple[Decision, ...]
    left_out: Mapping[str, str]

    def of(self, decision: Decision) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The numbers of the patients that a decision is about and that have cells, and their classes."""
        with_cells = np.bincount(self.patient[self.counts], minlength=len(self.patients)) > 0
        chosen = [
            number for number, each in enumerate(self.diagnoses) if each in decision.classes and with_cells[number]
        ]
        classes = [decision.classes.index(self.diagnoses[number]) for number in chosen]
        return np.array(chosen, dtype=np.int64), np.array(classes, dtype=np.int64)


def diagnosis_lesson(manifest: Mapping[str, Any], decisions: Sequence[Decision], k: int) -> DiagnosisLesson:
    """Raises DecisionError with one sentence where no decision can be learned and judged."""
    cells, diagnoses, slots, images = _read(manifest)
    if not cells:
        raise DecisionError("No patient has a cell yet: detect or draw cells first.")
    names = sorted({cell.patient for cell in cells})
    number = {name: place for place, name in enumerate(names)}
    counts = np.array([not cell.extra for cell in cells])
    with_cells = {cell.patient for cell in cells if not cell.extra}
    known = {name: diagnoses[name] for name in names if name in with_cells}
    kept, left_out = allowed(decisions, known, slots, k)
    return DiagnosisLesson(
        cells=tuple(cells),
        patient=np.array([number[cell.patient] for cell in cells], dtype=np.int64),
        counts=counts,
        patients=tuple(names),
        diagnoses=tuple(diagnoses[name] for name in names),
        folds=np.array([fold_of(slots[name], k) for name in names], dtype=np.int64),
        images={sha256: fold_of(slot, k) for sha256, slot in images.items()},
        classes=_classes(manifest, cells),
        decisions=kept,
        left_out=left_out,
    )


def _read(
    manifest: Mapping[str, Any],
) -> tuple[list[LabelledCell], dict[str, str], dict[str, int], dict[str, int]]:
    typical = manifest.get("typical_cell_px")
    cells: list[LabelledCell] = []
    diagnoses: dict[str, str] = {}
    slots: dict[str, int] = {}
    images: dict[str, int] = {}
    for image in manifest["images"]:
        patient = image["group"]
        diagnoses[patient] = image["diagnosis"] or "unknown"
        slots[patient] = images[image["sha256"]] = image["fold"]
        for border in image["borders"]:
            if border["ignored"]:
                continue
            x0, y0, x1, y1 = border["bounds"]
            square = crop_square((x0, y0, x1, y1), image["um_per_pixel"], typical)
            cells.append(
                LabelledCell(
                    id=border["id"],
                    sha256=image["sha256"],
                    square=square,
                    crop=crop_hash(image["sha256"], square),
                    patient=patient,
                    slot=image["fold"],
                    labels=border["choices"],
                    extra=image.get("sample") == "extra",
                )
            )
    return cells, diagnoses, slots, images


def _classes(manifest: Mapping[str, Any], cells: Sequence[LabelledCell]) -> CellClasses | None:
    offered = [label for label in manifest["labels"] if not label.get("retired")]
    single = {label["group"] for label in offered if not label.get("multiple")}
    held = {group: sum(bool(cell.labels.get(group)) for cell in cells) for group in sorted(single)}
    group = max(held, key=lambda each: held[each], default=None)
    if group is None or not held[group]:
        return None
    names = [label["name"] for label in offered if label["group"] == group]
    place = {name: number for number, name in enumerate(names)}
    said = np.array([place.get(next(iter(cell.labels.get(group, ())), ""), -1) for cell in cells], dtype=np.int64)
    labelled = np.flatnonzero(said >= 0)
    learned = classes_of(said[labelled], [cells[row].patient for row in labelled.tolist()], LEAST_PATIENTS)
    if len(learned) < 2:
        return None
    renumbered = {number: new for new, number in enumerate(learned)}
    targets = np.array([renumbered.get(number, -1) for number in said.tolist()], dtype=np.int64)
    facts = {
        label["name"]: LabelFacts(label.get("role", "other"), label.get("counted", True))
        for label in offered
        if label["group"] == group
    }
    return CellClasses(tuple(names[number] for number in learned), facts, targets, _auer(offered, cells))


def _auer(offered: Sequence[Mapping[str, Any]], cells: Sequence[LabelledCell]) -> NDArray[np.int64]:
    """Who labelled a cell and marked no Auer rod saw none."""
    marks = {(label["group"], label["name"]) for label in offered if label.get("role") == "auer_rod"}
    found = []
    for cell in cells:
        own = {(group, name) for group, names in cell.labels.items() for name in names}
        found.append(int(bool(own & marks)) if own else -1)
    return np.array(found, dtype=np.int64)
