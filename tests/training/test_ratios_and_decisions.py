"""Ratios with their intervals, decisions that patients allow, and how diagnoses are judged."""

import numpy as np
import pytest

from annotation.diagnoses import USUAL
from training.cell_reader import Reading
from training.decisions import DecisionError, allowed, parse_decisions
from training.diagnosis_judging import calibrate, judge, threshold_of
from training.diagnosis_lesson import LabelFacts
from training.ratios import ratios_of
from training.settings import SettingsError

FACTS = {
    "Blast": LabelFacts("myeloblast", True),
    "Lymphocyte": LabelFacts("mature", True),
    "Smudge cell": LabelFacts("no_cell", True),
    "Exclude": LabelFacts("other", False),
}


def reading(*types: int, auer: list[float] | None = None) -> Reading:
    return Reading(tuple(FACTS), FACTS, np.eye(4)[list(types)], None if auer is None else np.array(auer))


def test_ratios_are_of_viable_nucleated_cells_alone() -> None:
    found, left_out = ratios_of(reading(0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3))
    ratio = found["myeloblast"]
    assert (ratio.value, ratio.cells, ratio.count) == (0.2, 10, 2)
    # Wilson's interval of 2 among 10.
    assert (ratio.low, ratio.high) == pytest.approx((0.0567, 0.5098), abs=1e-3)
    assert left_out.keys() == {"promyelocyte", "auer_rod"}


def test_auer_rods_on_what_is_no_cell_do_not_count() -> None:
    found, _ = ratios_of(reading(0, 1, 2, 2, auer=[1.0, 0.0, 1.0, 1.0]))
    assert found["auer_rod"].value == 0.5


def test_without_a_viable_cell_there_is_no_ratio() -> None:
    found, left_out = ratios_of(reading(2, 2, 3))
    assert not found and left_out["myeloblast"] == "There is no viable nucleated cell."


def test_decisions_are_read_and_named() -> None:
    pair, three = parse_decisions("APL/non-APL AML, apl/non_apl_aml/healthy donor", USUAL)
    assert pair.name == "APL vs non-APL AML" and three.classes == ("apl", "non_apl_aml", "healthy")
    for wrong in ("apl", "apl/apl", "apl/flu", "apl/unknown", "apl/", ""):
        with pytest.raises(SettingsError):
            parse_decisions(wrong, USUAL)


def test_decisions_that_patients_do_not_allow_are_left_out_with_the_reason() -> None:
    both = parse_decisions("apl/non_apl_aml, apl/healthy", USUAL)
    diagnoses = {f"P{n}": "apl" if n % 2 else "non_apl_aml" for n in range(12)} | {"H": "healthy"}
    slots = {name: place // 2 for place, name in enumerate(diagnoses)}
    kept, left_out = allowed(both, diagnoses, slots, 3)
    assert kept == both[:1] and "One patient with cells has the diagnosis healthy donor" in left_out[both[1].name]
    with pytest.raises(DecisionError, match="No patient with cells has the diagnosis APL"):
        allowed(both, {"H": "healthy"}, slots, 3)
    with pytest.raises(DecisionError, match="do not fill 3 folds"):
        allowed(both[:1], diagnoses, dict.fromkeys(slots, 0), 3)


def test_three_diagnoses_are_judged_by_the_first() -> None:
    chance = np.random.default_rng(0)
    targets = np.arange(60) % 3
    scores = np.eye(3)[targets] * 4 + chance.normal(0, 1, (60, 3))
    probabilities = calibrate(scores, targets).probabilities(scores)
    assert probabilities.sum(axis=1) == pytest.approx(1)
    found = judge(probabilities, targets, targets, threshold=threshold_of(5), draws=100, seed=0)
    assert found["auroc"]["value"] > 0.9 and found["positives"] == 20
    # One diagnosis a fold: nothing to rank.
    assert {fold["auroc"] for fold in found["folds"]} == {None}


def test_calibration_brings_scores_down_that_promise_too_much() -> None:
    chance = np.random.default_rng(1)
    targets = chance.integers(0, 2, 400)
    wrong = chance.random(400) < 0.25
    sure = np.where(wrong, 1 - targets, targets)
    scores = np.eye(2)[sure] * 20
    found = calibrate(scores, targets).probabilities(scores)[np.arange(400), sure]
    assert found.mean() == pytest.approx(0.75, abs=0.03)


def test_the_threshold_weighs_what_is_missed() -> None:
    assert threshold_of(1) == 0.5 and threshold_of(9) == pytest.approx(0.1)
