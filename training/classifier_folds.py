"""Which labelled cells judge a classifier: folds by patient, from the slots that patients have for good, and a sentence
where what is labelled cannot be judged."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annotation.folds import fold_of

# As in Eckardt et al. 2022 and Manescu et al. 2023.
FOLDS = 3
# F1 of a class that fewer patients have says more of these patients than of the class.
LEAST_JUDGED = 5


class FoldsError(ValueError):
    """What is labelled cannot be cross-validated; the message says why in one sentence."""


def classifier_folds(
    targets: ArrayLike, names: Sequence[str], patients: Sequence[str], slots: Mapping[str, int], k: int = FOLDS
) -> NDArray[np.int_]:
    """The fold (n,) of each labelled cell, of class numbers (n,) from 0, the classes' names, its patient (n,), and the
    patients' slots. All cells of a patient are in one fold.

    Raises FoldsError where there is one class, fewer than k patients, or a class that fewer than k patients have or
    that all lies in one fold: then a fold's head would judge what it never saw. A class that may be missing (one of
    many in a group) is taken out first: see `classes_of`.
    """
    classes, groups = np.asarray(targets, dtype=int), np.asarray(patients)
    present = np.unique(classes)
    if not len(present):
        raise FoldsError("No cell is labelled yet.")
    if len(present) == 1:
        raise FoldsError(f"All labelled cells are {names[present[0]]}: a classifier needs two classes to tell apart.")
    count = len(np.unique(groups))
    if count < k:
        raise FoldsError(
            f"Labelled cells come from {_patients(count)}, and cross-validation in {k} folds needs {k}: "
            "patients never cross a split."
        )
    fold_of_patient = {name: fold_of(slots[name], k) for name in np.unique(groups).tolist()}
    folds = np.array([fold_of_patient[name] for name in groups.tolist()], dtype=int)
    for number in present:
        held_by = len(np.unique(groups[classes == number]))
        if held_by < k:
            raise FoldsError(
                f"{_capital(names[number])} is labelled in {_patients(held_by)}, and {k} folds need {k}: label it in "
                "more patients, or ask for fewer folds."
            )
        if len(np.unique(folds[classes == number])) == 1:
            raise FoldsError(
                f"All patients with {names[number]} are in one fold of {k}: label it in more patients, or ask for "
                "another number of folds."
            )
    if len(np.unique(folds)) < k:
        raise FoldsError(f"The labelled patients fill {len(np.unique(folds))} of {k} folds: label more patients.")
    return folds


def classes_of(targets: ArrayLike, patients: Sequence[str], least: int) -> list[int]:
    """The class numbers that at least so many patients have, ascending."""
    classes, groups = np.asarray(targets, dtype=int), np.asarray(patients)
    return [int(each) for each in np.unique(classes) if len(np.unique(groups[classes == each])) >= least]


def _patients(count: int) -> str:
    return "one patient" if count == 1 else f"{count} patients"


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]
