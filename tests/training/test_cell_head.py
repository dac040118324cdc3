import time

import numpy as np
import pytest
from safetensors.numpy import load, save

from training.cell_head import PENALTIES, Head, HeadError, _fitted, fit_head, main_directions, parts_of
from training.classification_metrics import auroc


def cells(seed, count=600, width=20, classes=3, noise=1.0, patients=12, shares=None):
    """Features that tell classes apart by their first numbers, under noise; each patient has a stain of its own."""
    rng = np.random.default_rng(seed)
    targets = rng.choice(classes, count, p=shares)
    groups = rng.integers(0, patients, count)
    stain = rng.normal(0, 0.3, (patients, width))
    features = rng.normal(0, noise, (count, width)) + stain[groups]
    features[:, :classes] += 2 * np.eye(classes)[targets]
    return features.astype(np.float32), targets, np.array([f"p{each}" for each in groups])


def likelihood(probabilities, targets):
    return float(np.log(probabilities[np.arange(len(targets)), targets]).mean())


def test_separable_classes_are_told_apart():
    head = fit_head(*with_weights(cells(0, noise=0.2)))
    features, targets, _ = cells(1, noise=0.2)
    found = head.probabilities(features)
    assert found.shape == (600, 3)
    assert found.sum(axis=1) == pytest.approx(np.ones(600))
    assert (found.argmax(axis=1) == targets).mean() > 0.99
    assert found.max(axis=1).mean() > 0.9


def with_weights(made, weights=None):
    features, targets, groups = made
    return features, targets, weights, groups


def test_noisy_classes_rank_as_well_as_they_can_and_promise_what_they_keep():
    features, targets, groups = cells(2, count=1500, classes=2, noise=1.5)
    head = fit_head(features[:1000], targets[:1000], None, groups[:1000])
    found = head.probabilities(features[1000:])[:, 1]
    true = targets[1000:]
    # What the two numbers that differ would allow: normal distributions 2 * sqrt(2) / 1.5 apart.
    assert auroc(found, true) == pytest.approx(0.908, abs=0.035)
    sure = found > 0.8
    assert abs(found[sure].mean() - true[sure].mean()) < 0.08


def test_labels_without_sense_teach_nothing_and_promise_nothing():
    features, targets, groups = cells(3, classes=2)
    nonsense = np.random.default_rng(9).permutation(targets)
    head = fit_head(features[:400], nonsense[:400], None, groups[:400])
    found = head.probabilities(features[400:])
    assert 0.4 < auroc(found[:, 1], nonsense[400:]) < 0.6
    assert found.max() < 0.75


def test_probabilities_have_the_shares_of_the_classes_though_rare_ones_weigh_more():
    shares = [0.9, 0.08, 0.02]
    head = fit_head(*with_weights(cells(4, count=3000, noise=1.0, shares=shares)))
    features, targets, _ = cells(5, count=3000, noise=1.0, shares=shares)
    found = head.probabilities(features)
    assert found.mean(axis=0) == pytest.approx(np.bincount(targets) / 3000, abs=0.02)
    plain = Head(head.weight, head.bias)
    assert likelihood(found, targets) > likelihood(plain.probabilities(features), targets) + 0.02


def test_a_cell_of_twice_the_weight_counts_as_two():
    features, targets, groups = cells(6, count=80, classes=2)
    doubled = np.concatenate([np.arange(80), np.arange(40)])
    weighted = _fitted(features, targets, np.r_[np.full(40, 2.0), np.ones(40)], 2, 0.01)
    repeated = _fitted(features[doubled], targets[doubled], np.ones(120), 2, 0.01)
    assert weighted == pytest.approx(repeated, abs=5e-3)
    # Labels that are wrong do little harm where they weigh little.
    wrong = targets.copy()
    wrong[:25] = 1 - wrong[:25]
    trusted = fit_head(features, wrong, np.r_[np.full(25, 0.01), np.ones(55)], groups)
    believed = fit_head(features, wrong, None, groups)
    new, true, _ = cells(7, classes=2)
    assert auroc(trusted.scores(new)[:, 1], true) > auroc(believed.scores(new)[:, 1], true) + 0.01


def test_rare_classes_are_heard():
    made = cells(8, count=2000, noise=1.0, shares=[0.49, 0.49, 0.02])
    head = fit_head(*with_weights(made))
    features, targets, _ = cells(9, count=2000, noise=1.0, shares=[0.49, 0.49, 0.02])
    assert auroc(head.probabilities(features)[:, 2], targets == 2) > 0.9


@pytest.mark.parametrize(("count", "width"), [(40, 60), (90, 60), (300, 500), (500, 300)])
def test_main_directions_hold_what_varies_whether_there_are_few_cells_or_many(count, width):
    rng = np.random.default_rng(10)
    varied = rng.normal(size=(count, 20)) @ rng.normal(size=(20, width))
    centred = (varied - varied.mean(axis=0)).astype(np.float32)
    found = main_directions(centred, 30)
    assert found.shape == (width, 20)
    assert np.abs(found.T @ found - np.eye(20)).max() < 1e-3
    assert np.abs(centred @ found @ found.T - centred).max() < 1e-2


def test_patients_that_are_set_aside_choose_the_penalty_whole():
    features, targets, groups = cells(11)
    parts = parts_of(groups, targets, 0)
    assert all(len(set(parts[groups == name])) == 1 for name in set(groups.tolist()))
    assert min(np.bincount(parts)) > 120
    assert any(fit_head(features, targets, None, groups).penalty == np.float32(each) for each in PENALTIES)


def test_the_same_cells_give_the_same_head_and_features_of_any_size_do():
    features, targets, groups = cells(12, count=200)
    head = fit_head(features, targets, None, groups, seed=3)
    again = fit_head(features, targets, None, groups, seed=3)
    assert all((value == again.to_tensors()[name]).all() for name, value in head.to_tensors().items())
    larger = fit_head(1000 * features + 500, targets, None, groups, seed=3)
    assert larger.probabilities(1000 * features + 500) == pytest.approx(head.probabilities(features), abs=0.01)


def test_a_head_comes_back_from_its_tensors_exactly():
    features, targets, groups = cells(13, count=150)
    head = fit_head(features, targets, None, groups)
    back = Head.from_tensors(load(save(head.to_tensors())))
    assert (back.probabilities(features) == head.probabilities(features)).all()
    assert back.penalty == head.penalty
    with pytest.raises(KeyError):
        Head.from_tensors({"weight": head.weight})
    with pytest.raises(ValueError, match="shapes"):
        Head.from_tensors({**head.to_tensors(), "bias": head.bias[:2]})


def test_a_class_without_cells_is_next_to_impossible():
    features, targets, groups = cells(14, count=300, classes=2, noise=0.3)
    found = fit_head(features, targets, None, groups, classes=4).probabilities(features)
    assert found.shape == (300, 4)
    assert found[:, 2:].max() < 0.05


def test_a_handful_of_cells_of_one_patient_is_enough_to_begin():
    features, targets, _ = cells(15, count=4, classes=2, noise=0.1)
    targets = np.array([0, 1, 0, 1])
    features[:, 0], features[:, 1] = targets == 0, targets == 1
    for count in (2, 3, 4):
        found = fit_head(features[:count], targets[:count], None, ["p"] * count).probabilities(features)
        assert (found.argmax(axis=1) == targets).all()


def test_what_cannot_be_learned_is_refused():
    features, targets, groups = cells(16, count=30)
    with pytest.raises(HeadError, match="one label"):
        fit_head(features, np.zeros(30), None, groups)
    features[3, 3] = np.inf
    with pytest.raises(HeadError, match="finite"):
        fit_head(features, targets, None, groups)
    head = fit_head(np.nan_to_num(features, posinf=0), targets, None, groups)
    with pytest.raises(ValueError, match="20 features"):
        head.probabilities(np.zeros((2, 19)))


def test_it_is_quick():
    features, targets, groups = cells(17, count=2000, width=400, classes=18, patients=80)
    begun = time.process_time()
    fit_head(features, targets, None, groups)
    assert time.process_time() - begun < 5
