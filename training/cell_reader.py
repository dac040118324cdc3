"""What cell classifiers say of a patient's cells, and how the patient's smear was stained, by its own mature cells.

A reader is a head for the cell types, one for Auer rods where somebody marked them, and the mean features of each
type. No reader ever reads a patient that it was taught on (training/diagnosis_chain.py). Free of torch and Django.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.cell_head import Head, HeadError, fit_head
from training.diagnosis_lesson import CellClasses, LabelFacts

Features = NDArray[np.float32]
Values = NDArray[np.float64]

# Roles of which ratios are made, as annotation/label_roles.py names them.
MYELOBLAST, PROMYELOCYTE, AUER_ROD, MATURE, NO_CELL = "myeloblast", "promyelocyte", "auer_rod", "mature", "no_cell"
# So many cells that say nothing stand beside a patient's mature ones: few cells do not tell a stain.
_BELIEF = 3.0


class ReaderError(ValueError):
    """Labels that no reader can be taught on; the message says why in one sentence."""


@dataclass(frozen=True)
class Reading:
    """What a reader says of n cells: probabilities (n, K) of its types, and of Auer rods (n,) or None."""

    names: tuple[str, ...]
    facts: Mapping[str, LabelFacts]
    types: Values
    auer: Values | None

    @property
    def viable(self) -> Values:
        """(n,) how likely each is a viable nucleated cell that enters ratios."""
        out = [not self.facts[name].counted or self.facts[name].role == NO_CELL for name in self.names]
        viable: Values = 1 - self.types[:, np.array(out, dtype=bool)].sum(axis=1)
        return np.clip(viable, 0, 1)

    def of_role(self, role: str) -> Values | None:
        """(n,) how likely each plays the role; None where no type does, or nobody marked Auer rods."""
        if role == AUER_ROD and self.auer is not None:
            return self.auer
        own = np.array([self.facts[name].role == role for name in self.names], dtype=bool)
        if not own.any():
            return None
        found: Values = self.types[:, own].sum(axis=1)
        return found

    @property
    def malignant(self) -> Values | None:
        """(n,) how likely each is a blast or a promyelocyte, which leukaemias are made of; None where no type is."""
        found = [each for each in map(self.of_role, (MYELOBLAST, PROMYELOCYTE)) if each is not None]
        return np.sum(found, axis=0) if found else None


@dataclass(frozen=True)
class CellReader:
    """head: of the types. means (K, C): features of a type's cells. auer: of Auer rods, or None."""

    names: tuple[str, ...]
    facts: Mapping[str, LabelFacts]
    head: Head
    means: Features
    auer: Head | None = None

    def read(self, features: Features) -> Reading:
        auer = None if self.auer is None else self.auer.probabilities(features)[:, 1]
        return Reading(self.names, self.facts, self.head.probabilities(features), auer)

    def stain(self, features: Features, reading: Reading, patient: NDArray[np.int64]) -> Features:
        """(n, C) of each cell how its patient's mature cells (lymphocytes, neutrophils) look beside those that the
        reader was taught on: the smear's stain, and the scanner. Zeros where a patient has none."""
        mature = reading.of_role(MATURE)
        if mature is None or not len(features):
            return np.zeros_like(features)
        beside = features - reading.types.astype(np.float32) @ self.means
        numbers, of_cell = np.unique(patient, return_inverse=True)
        shift = np.zeros((len(numbers), features.shape[1]), dtype=np.float32)
        for number in range(len(numbers)):
            own = of_cell == number
            weight = mature[own].astype(np.float32)
            shift[number] = weight @ beside[own] / (weight.sum() + _BELIEF)
        return shift[of_cell]

    def to_tensors(self) -> dict[str, NDArray[np.float32]]:
        tensors = {f"types.{name}": value for name, value in self.head.to_tensors().items()} | {"means": self.means}
        if self.auer is not None:
            tensors |= {f"auer.{name}": value for name, value in self.auer.to_tensors().items()}
        return tensors

    def described(self) -> list[dict[str, Any]]:
        """Its types, for a bundle's card."""
        return [
            {"name": name, "role": self.facts[name].role, "counted": self.facts[name].counted} for name in self.names
        ]

    @classmethod
    def from_tensors(cls, types: Sequence[Mapping[str, Any]], tensors: Mapping[str, Any]) -> "CellReader":
        """Raises KeyError or ValueError where they are not a reader's."""
        names = tuple(str(each["name"]) for each in types)
        facts = {str(each["name"]): LabelFacts(str(each["role"]), bool(each["counted"])) for each in types}
        head = Head.from_tensors(_below(tensors, "types."))
        means = np.asarray(tensors["means"])
        if means.shape != head.weight.T.shape or len(names) != len(means):
            raise ValueError("The shapes of a reader's tensors do not fit together.")
        own = _below(tensors, "auer.")
        return cls(names, facts, head, means, Head.from_tensors(own) if own else None)


def teach(
    classes: CellClasses, features: Features, patients: NDArray[Any], rows: NDArray[np.bool_], seed: int
) -> CellReader:
    """A reader taught on the labelled cells among `rows` (n,). Raises ReaderError where they tell nothing apart."""
    taught = rows & (classes.targets >= 0)
    targets = classes.targets[taught]
    try:
        head = fit_head(features[taught], targets, None, patients[taught], seed=seed, classes=len(classes.names))
    except HeadError as problem:
        raise ReaderError(f"The cells of the training patients teach no cell types: {problem}") from problem
    whole = features[taught].mean(axis=0)
    means = np.stack(
        [
            features[taught][targets == number].mean(axis=0) if (targets == number).any() else whole
            for number in range(len(classes.names))
        ]
    )
    return CellReader(
        classes.names, classes.facts, head, means.astype(np.float32), _auer(classes, features, patients, rows, seed)
    )


def _auer(
    classes: CellClasses, features: Features, patients: NDArray[Any], rows: NDArray[np.bool_], seed: int
) -> Head | None:
    if not classes.has_auer:
        return None
    looked = rows & (classes.auer >= 0)
    if len(np.unique(classes.auer[looked])) < 2:
        raise ReaderError("Cells with Auer rods are marked in too few patients to be learned in each fold.")
    return fit_head(features[looked], classes.auer[looked], None, patients[looked], seed=seed, classes=2)


def _below(tensors: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
