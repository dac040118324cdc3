import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.folds import SLOTS, fold_of
from training.classifier_folds import FoldsError, classes_of, classifier_folds

NAMES = ["blast", "promyelocyte", "other"]


@given(
    slots=st.lists(st.integers(0, SLOTS - 1), min_size=3, max_size=20),
    cells=st.lists(st.tuples(st.integers(0, 19), st.integers(0, 2)), min_size=1, max_size=80),
    k=st.sampled_from([2, 3, 5]),
)
def test_folds_never_share_a_patient_and_every_class_is_learnt_where_it_is_judged(slots, cells, k):
    slot_of = {f"p{i}": slot for i, slot in enumerate(slots)}
    patients = [f"p{i % len(slots)}" for i, _ in cells]
    targets = [target for _, target in cells]
    try:
        folds = classifier_folds(targets, NAMES, patients, slot_of, k)
    except FoldsError as refusal:
        assert str(refusal).endswith(".")
        return
    assert set(folds.tolist()) == set(range(k))
    for patient, fold in zip(patients, folds, strict=True):
        assert fold == fold_of(slot_of[patient], k)
    for fold in range(k):
        assert set(targets) == set(np.asarray(targets)[folds != fold])


def refusal(targets, patients, slots=None, k=3):
    slots = slots or {name: i for i, name in enumerate(sorted(set(patients)))}
    with pytest.raises(FoldsError) as caught:
        classifier_folds(targets, NAMES, patients, slots, k)
    return str(caught.value)


def test_what_cannot_be_judged_is_refused_in_a_sentence():
    assert refusal([], []) == "No cell is labelled yet."
    assert "All labelled cells are blast" in refusal([0, 0, 0], ["a", "b", "c"])
    assert "come from 2 patients" in refusal([0, 1, 0, 1], ["a", "a", "b", "b"])
    assert "come from one patient" in refusal([0, 1], ["a", "a"])
    assert refusal([0, 0, 0, 1], ["a", "b", "c", "c"]).startswith("Promyelocyte is labelled in one patient")
    together = {"a": 0, "b": 3, "c": 6, "d": 1, "e": 2}
    assert "All patients with promyelocyte are in one fold of 3" in refusal(
        [1, 1, 1, 0, 0, 0], ["a", "b", "c", "a", "d", "e"], together
    )
    assert "fill 2 of 3 folds" in refusal([0, 1, 0, 1, 0, 1], ["a", "a", "b", "b", "c", "c"], {"a": 0, "b": 1, "c": 3})


def test_classes_that_enough_patients_have():
    targets, patients = [0, 0, 0, 1, 1, 2], ["a", "b", "c", "a", "a", "b"]
    assert classes_of(targets, patients, 1) == [0, 1, 2]
    assert classes_of(targets, patients, 2) == [0]
    assert classes_of([], [], 1) == []
