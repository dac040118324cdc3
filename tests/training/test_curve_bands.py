"""Bands of curves and the mean of folds: by hand, and what holds of all of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training import curve_bands as module
from training.classification_metrics import auroc
from training.curve_bands import PLACES, curve_bands

# (score, of the class, patient, fold): few scores, so that there are ties.
CELLS = st.lists(
    st.tuples(st.integers(0, 8), st.booleans(), st.integers(0, 5), st.integers(0, 2)), min_size=2, max_size=40
)


def bands_of(cells: list[tuple[int, bool, int, int]], draws: int = 40) -> dict[str, object] | None:
    scores, truth, patients, folds = zip(*cells, strict=True)
    return curve_bands(scores, truth, [str(each) for each in patients], folds, draws=draws)


@given(CELLS)
@settings(max_examples=40, deadline=None)
def test_a_band_holds_the_curve_and_stays_a_share(cells: list[tuple[int, bool, int, int]]) -> None:
    found = bands_of(cells)
    truth = [each[1] for each in cells]
    if all(truth) or not any(truth):
        assert found is None
        return
    assert found is not None
    scores = np.array([each[0] for each in cells], dtype=float)
    # The curve of all is the mean of one fold that holds them all.
    of_all = curve_bands(scores, truth, [str(each[2]) for each in cells], np.zeros(len(cells)), draws=2)
    for kind in ("roc", "pr"):
        band, own = found[kind], np.array(of_all[kind]["mean"])
        assert ((own >= 0) & (own <= 1)).all()
        if band["low"] is None:
            continue
        low, high = np.array(band["low"]), np.array(band["high"])
        assert (low <= high).all() and (low >= 0).all() and (high <= 1).all()
        assert (low <= own).all() and (own <= high).all()
        if kind == "roc":
            assert all((np.diff(each) >= 0).all() for each in (low, high, own)) and own[-1] == low[-1] == 1
    # Between the places a curve that only rises loses or gains less than one step of them.
    area = np.trapezoid(of_all["roc"]["mean"], PLACES)
    assert area == pytest.approx(auroc(scores, truth), abs=1 / (len(PLACES) - 1) + 1e-3)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 3))
@settings(max_examples=25, deadline=None)
def test_a_perfect_ranking_has_a_band_of_one(positives: int, others: int, seed: int) -> None:
    truth = np.arange(positives + others) < positives
    scores = -np.arange(positives + others, dtype=float)
    found = curve_bands(scores, truth, [str(each) for each in scores], draws=50, seed=seed)
    assert found is not None
    for kind in ("roc", "pr"):
        if found[kind]["low"] is not None:
            assert set(found[kind]["low"]) == set(found[kind]["high"]) == {1.0}


def test_by_hand_with_a_tie() -> None:
    # Nine tied cells, three of the class, below one of the class: precision between is no straight line.
    scores, truth = [0.9] + [0.5] * 9, [True] + [True] * 3 + [False] * 6
    found = curve_bands(scores, truth, [str(each) for each in range(10)], [0] * 10, draws=10)
    assert found is not None
    at = {round(float(x), 2): place for place, x in enumerate(PLACES)}
    # Half of the class: one hit and a third of the tie, which is one more of three and two of six.
    assert found["pr"]["mean"][at[0.5]] == 0.5
    assert found["pr"]["mean"][at[0.24]] == 1.0 and found["pr"]["mean"][at[1.0]] == 0.4
    # A quarter of the class is found before any other is taken; the tie is a straight line to all of both.
    assert found["roc"]["mean"][0] == 0.25 and found["roc"]["mean"][at[0.5]] == 0.625


def test_patients_are_drawn_not_cells() -> None:
    rng = np.random.default_rng(0)
    truth = np.tile([True, False], 200)
    patients = [str(each // 40) for each in range(400)]
    # Every patient's scores are told well or badly as a whole.
    scores = truth * np.repeat(rng.choice([-2.0, 2.0], 10), 40) + rng.normal(size=400)
    of_patients = curve_bands(scores, truth, patients, draws=200)
    of_cells = curve_bands(scores, truth, [str(each) for each in range(400)], draws=200)

    def width(found: dict[str, dict[str, list[float]]]) -> float:
        return float(np.mean(np.array(found["roc"]["high"]) - np.array(found["roc"]["low"])))

    assert of_patients is not None and of_cells is not None
    assert width(of_patients) > 2 * width(of_cells)
    assert curve_bands(scores, truth, patients, draws=200) == of_patients


def test_folds_of_one_class_alone_and_one_patient_alone() -> None:
    found = curve_bands([3, 2, 1, 0], [1, 0, 1, 1], list("abcd"), [0, 0, 1, 1], draws=50)
    assert found is not None and found["folds"] == 1
    assert found["roc"]["mean"] == [1.0] * len(PLACES)
    alone = curve_bands([3, 2], [1, 0], ["a", "a"], [0, 1], draws=50)
    assert alone is not None and alone["folds"] == 0
    assert alone["roc"]["low"] is None and alone["pr"]["mean"] is None
    assert curve_bands([3, 2], [1, 1], ["a", "b"]) is None and curve_bands([], [], []) is None


def test_many_thresholds_taken_together_change_little(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    truth = rng.random(3000) < 0.02
    scores, patients = truth + rng.normal(size=3000), [str(each % 30) for each in range(3000)]
    few = curve_bands(scores, truth, patients, np.zeros(3000), draws=50)
    monkeypatch.setattr(module, "_STEPS", 10_000)
    all_ = curve_bands(scores, truth, patients, np.zeros(3000), draws=50)
    assert few is not None and all_ is not None
    for kind in ("roc", "pr"):
        for name in ("low", "high", "mean"):
            assert np.abs(np.array(few[kind][name]) - np.array(all_[kind][name])).max() < 0.02, (kind, name)
