"""Probabilities beside a patient's labelled cells: the patient's own mixture counts, a cell's own label does not."""

import numpy as np
import pytest

from training.patient_shares import beside_own_patient

ALIKE = np.full((6, 2), 0.5)
PATIENTS = ["a", "a", "a", "b", "b", "b"]


def test_a_class_is_likelier_where_the_patient_s_labelled_cells_have_it() -> None:
    found = beside_own_patient(ALIKE, PATIENTS, np.array([0, 1, 3, 4]), np.array([1, 1, 0, 0]), strength=2)

    # Patient a: (2 + 2 * 0.5) / (2 + 2) of class 1, and its probability was a half, as its share of all.
    assert found[2] == pytest.approx([0.25, 0.75])
    assert found[5] == pytest.approx([0.75, 0.25])
    assert found.sum(axis=1) == pytest.approx(1)


def test_a_cell_s_own_label_says_nothing_of_it() -> None:
    alone = beside_own_patient(ALIKE, PATIENTS, np.array([0, 3]), np.array([1, 0]), strength=2)

    assert alone[0] == pytest.approx([0.5, 0.5])
    assert alone[1, 1] > 0.5


def test_more_strength_moves_less_and_without_labels_nothing_moves() -> None:
    rows, targets = np.array([0, 1, 3, 4]), np.array([1, 1, 0, 0])

    weak, strong = (beside_own_patient(ALIKE, PATIENTS, rows, targets, strength=s)[2, 1] for s in (1, 100))

    assert weak > strong > 0.5
    assert beside_own_patient(ALIKE, PATIENTS, np.array([], int), np.array([], int)) is ALIKE


def test_a_class_that_nobody_labelled_keeps_its_finite_probability() -> None:
    three = np.full((6, 3), 1 / 3)

    found = beside_own_patient(three, PATIENTS, np.array([0, 3]), np.array([0, 1]))

    assert np.isfinite(found).all()
    assert (found > 0).all()
