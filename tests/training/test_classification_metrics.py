import math

import numpy as np
import pytest

from training.classification_metrics import (
    MOST_POINTS,
    Estimate,
    auprc,
    auroc,
    binary_estimates,
    by_patient,
    confusion,
    macro_f1,
    multiclass_estimates,
    precision_recall_curve,
    precision_recall_f1,
    roc_curve,
    with_interval,
)


def test_auroc_by_hand():
    # Pairs: (0.9 > 0.6), (0.9 > 0.2), (0.4 < 0.6), (0.4 > 0.2): three of four.
    assert auroc([0.9, 0.6, 0.4, 0.2], [1, 0, 1, 0]) == 0.75
    # A tie counts half.
    assert auroc([0.9, 0.6, 0.6, 0.2], [1, 0, 1, 0]) == 0.875
    assert auroc([0.5] * 4, [1, 0, 1, 0]) == 0.5
    assert math.isnan(auroc([0.1, 0.2], [1, 1])) and math.isnan(auroc([], []))


def test_auprc_by_hand():
    # Precision 1 at the first cell of the class, 2/3 at the second.
    assert auprc([0.9, 0.6, 0.4, 0.2], [1, 0, 1, 0]) == pytest.approx((1 + 2 / 3) / 2)
    # Tied cells are taken together: precision 2/3 at both.
    assert auprc([0.6, 0.6, 0.6, 0.2], [1, 0, 1, 0]) == pytest.approx(2 / 3)
    # Whatever their order, equal scores have the share of the class.
    assert auprc([0.5] * 4, [0, 0, 0, 1]) == 0.25
    assert math.isnan(auprc([0.1], [0]))


def test_auroc_is_the_share_of_pairs_in_order():
    rng = np.random.default_rng(3)
    scores, truth = rng.integers(0, 12, 200) / 12, rng.random(200) < 0.3
    pairs = scores[truth][:, None] - scores[~truth][None]
    assert auroc(scores, truth) == pytest.approx(((pairs > 0) + (pairs == 0) / 2).mean())


def test_a_cell_drawn_twice_counts_as_two_cells():
    rng = np.random.default_rng(4)
    scores, truth, counts = rng.integers(0, 9, 60) / 9, rng.random(60) < 0.4, rng.integers(0, 4, 60)
    repeated = np.repeat(np.arange(60), counts)
    assert auroc(scores, truth, counts) == pytest.approx(auroc(scores[repeated], truth[repeated]))
    assert auprc(scores, truth, counts) == pytest.approx(auprc(scores[repeated], truth[repeated]))
    assert (confusion(truth, scores > 0.5, 2, counts) == confusion(truth[repeated], scores[repeated] > 0.5, 2)).all()


def test_curves_by_hand():
    roc = roc_curve([0.9, 0.6, 0.4, 0.2], [1, 0, 1, 0])
    assert (roc.x, roc.y) == ([0, 0, 0.5, 0.5, 1], [0, 0.5, 0.5, 1, 1])
    assert roc.thresholds == [None, 0.9, 0.6, 0.4, 0.2]
    pr = precision_recall_curve([0.9, 0.6, 0.4, 0.2], [1, 0, 1, 0])
    assert pr.x == [0, 0.5, 0.5, 1, 1]
    assert pr.y == pytest.approx([1, 1, 0.5, 2 / 3, 0.5], abs=1e-5)


def test_long_curves_are_thinned_without_losing_their_area():
    rng = np.random.default_rng(5)
    truth = rng.random(20_000) < 0.2
    scores = rng.normal(truth, 1)
    roc = roc_curve(scores, truth)
    assert len(roc.x) <= MOST_POINTS + 2
    assert (roc.x[0], roc.y[0], roc.x[-1], roc.y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(roc.y, roc.x) == pytest.approx(auroc(scores, truth), abs=1e-3)


def test_confusion_precision_recall_and_f1_by_hand():
    truth, predicted = [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 0, 0]
    matrix = confusion(truth, predicted, 4)
    assert matrix.tolist() == [[2, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    precision, recall, f1 = precision_recall_f1(matrix)
    assert precision[:2].tolist() == [0.5, 0.5] and np.isnan(precision[2:]).all()
    assert recall[:3].tolist() == [2 / 3, 0.5, 0] and math.isnan(recall[3])
    assert f1[:3].tolist() == pytest.approx([4 / 7, 0.5, 0]) and math.isnan(f1[3])
    assert macro_f1(matrix, [0, 1]) == pytest.approx((4 / 7 + 0.5) / 2)
    # A class without cells says nothing.
    assert macro_f1(matrix, [0, 1, 3]) == macro_f1(matrix, [0, 1])


def test_an_interval_holds_its_value_and_draws_patients_not_cells():
    rng = np.random.default_rng(6)
    patients = np.repeat([f"p{i}" for i in range(12)], 50)
    # All cells of a patient are alike: 600 cells, but 12 trials.
    value = np.repeat(rng.random(12), 50)

    def mean(counts):
        return float((value * counts).sum() / counts.sum())

    by_patients = with_interval(mean, patients.tolist())
    by_cells = with_interval(mean, [str(i) for i in range(600)])
    assert by_patients.low < by_patients.value < by_patients.high
    assert by_patients.value == by_cells.value == pytest.approx(value.mean())
    spread = value.std() / math.sqrt(12)
    assert by_patients.high - by_patients.low == pytest.approx(2 * 1.96 * spread, rel=0.25)
    assert by_cells.high - by_cells.low < 0.3 * (by_patients.high - by_patients.low)


def test_no_interval_of_one_patient_or_where_most_draws_say_nothing():
    assert math.isnan(with_interval(lambda counts: 1.0, ["a", "a"]).low)
    rare = binary_estimates([0.9, 0.1, 0.2], [1, 0, 0], ["a", "a", "b"])
    assert rare["auroc"].value == 1
    seldom = with_interval(lambda counts: 1.0 if counts.max() == 1 else math.nan, ["a", "b", "c", "d"])
    assert seldom.value == 1 and math.isnan(seldom.low)
    assert Estimate(0.5).as_dict() == {"value": 0.5, "low": None, "high": None}


def test_binary_estimates_are_those_of_the_plain_functions():
    rng = np.random.default_rng(7)
    truth = rng.random(400) < 0.3
    scores = np.round(np.clip(rng.normal(0.3 + 0.3 * truth, 0.2), 0, 1), 2)
    patients = [f"p{i % 20}" for i in range(400)]
    found = binary_estimates(scores, truth, patients, draws=200)
    assert found["auroc"].value == pytest.approx(auroc(scores, truth))
    assert found["auprc"].value == pytest.approx(auprc(scores, truth))
    precision, recall, f1 = precision_recall_f1(confusion(truth, scores >= 0.5, 2))
    assert (found["precision"].value, found["recall"].value, found["f1"].value) == (precision[1], recall[1], f1[1])
    assert all(each.low <= each.value <= each.high for each in found.values())
    assert binary_estimates(scores, truth, patients, draws=200) == found


def test_cells_of_classes_that_are_not_judged_count_as_false():
    found = multiclass_estimates([0, 0, 1, 2], [0, 0, 1, 0], ["a", "b", "a", "b"], {0: "blast", 1: "monocyte"}, 3)
    assert found["f1"]["blast"].value == pytest.approx(0.8)
    assert found["f1"]["monocyte"].value == 1
    assert found["macro_f1"].value == pytest.approx(0.9)


def test_each_patient_is_told_apart():
    first, second = by_patient([0.9, 0.6, 0.1, 0.2], [1, 0, 0, 1], ["b", "b", "b", "a"])
    assert (first.patient, first.cells, first.positives, first.taken, first.hits) == ("a", 1, 1, 0, 0)
    assert (second.patient, second.cells, second.positives, second.taken, second.hits) == ("b", 3, 1, 2, 1)
    assert second.share == pytest.approx(1 / 3)
    assert second.promised == pytest.approx(1.6 / 3)
