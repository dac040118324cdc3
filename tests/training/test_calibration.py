"""From scores to probabilities: what the curve learns, and what it leaves alone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.calibration import BELIEF, LEAST_DETECTIONS, Calibration, fit_calibration, hits_of
from training.reliability import reliability


def fields(scores: list[float], hits: list[bool]) -> tuple[list[dict], list[dict]]:
    """One field a detection: on the cell, or far from it."""
    on, off = [0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 60.0, 60.0]
    detections = [
        {"boxes": torch.tensor([on if hit else off]), "scores": torch.tensor([score])}
        for score, hit in zip(scores, hits, strict=True)
    ]
    return detections, [{"boxes": torch.tensor([on]), "ignored": torch.zeros(0, 4)}] * len(scores)


def test_scores_that_promise_too_much_are_lowered():
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(600, generator=generator) * 0.9 + 0.05
    # Right half as often as they say.
    hits = torch.rand(600, generator=generator) < scores / 2
    detections, truth = fields(scores.tolist(), hits.tolist())
    curve = fit_calibration(detections, truth)
    before, after = (reliability(*hits_of(each, truth)).error for each in (detections, curve.applied(detections)))
    assert before > 0.2 and after < 0.06
    assert curve.detections == 600
    assert float(curve(torch.tensor([0.8]))) == pytest.approx(0.4, abs=0.08)


def test_few_detections_and_such_that_are_all_right_change_nothing():
    few = fields([0.9] * (LEAST_DETECTIONS - 1), [False] * (LEAST_DETECTIONS - 1))
    right = fields([0.5, 0.9] * LEAST_DETECTIONS, [True, True] * LEAST_DETECTIONS)
    assert fit_calibration(*few) == fit_calibration(*right) == Calibration()
    assert torch.equal(Calibration()(torch.tensor([0.2, 0.7])), torch.tensor([0.2, 0.7]))


def test_scores_that_say_the_opposite_stay_as_they_are():
    scores = [0.1, 0.9] * 40
    assert fit_calibration(*fields(scores, [score < 0.5 for score in scores])).slope >= 0


@given(st.floats(0.1, 5), st.floats(-4, 4), st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_the_order_of_scores_stays(slope: float, offset: float, scores: list[float]):
    ranked = torch.tensor(sorted(scores))
    found = Calibration(slope, offset)(ranked)
    assert bool((found.diff() >= 0).all())
    assert float(found.min()) >= 0 and float(found.max()) <= 1


def test_a_second_detection_of_a_cell_is_no_hit_and_one_in_an_ignored_region_does_not_count():
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [1.0, 0.0, 10.0, 10.0], [80.0, 80.0, 90.0, 90.0]])
    detections = [{"boxes": boxes, "scores": torch.tensor([0.9, 0.8, 0.7])}]
    truth = [{"boxes": boxes[:1], "ignored": torch.tensor([[75.0, 75.0, 95.0, 95.0]])}]
    scores, hits = hits_of(detections, truth)
    assert scores.tolist() == pytest.approx([0.9, 0.8]) and hits.tolist() == [1, 0]


def test_arrays_lists_and_tensors_say_the_same():
    generator = torch.Generator().manual_seed(1)
    scores = torch.rand(60, generator=generator)
    detections, truth = fields(scores.tolist(), (torch.rand(60, generator=generator) < scores).tolist())
    lists = [{name: value.tolist() for name, value in each.items()} for each in detections]
    curve = fit_calibration(detections, truth)
    assert fit_calibration(lists, truth).slope == pytest.approx(curve.slope)
    torch.testing.assert_close(torch.from_numpy(curve(scores.numpy())), curve(scores))


def test_the_curve_is_the_one_of_least_cross_entropy():
    """No curve beside it says the hits better, for all that the belief in scores weighs."""
    generator = torch.Generator().manual_seed(2)
    scores = torch.rand(400, generator=generator)
    detections, truth = fields(scores.tolist(), (torch.rand(400, generator=generator) < scores**2).tolist())
    curve = fit_calibration(detections, truth)
    logits, hits = scores.clamp(1e-4, 1 - 1e-4).logit(), torch.from_numpy(hits_of(detections, truth)[1]).float()

    def loss(slope: float, offset: float) -> float:
        entropy = torch.nn.functional.binary_cross_entropy_with_logits(slope * logits + offset, hits)
        return float(entropy) + BELIEF * ((slope - 1) ** 2 + offset**2)

    beside = [(curve.slope + x, curve.offset + y) for x in (-0.05, 0, 0.05) for y in (-0.05, 0, 0.05) if x or y]
    assert all(loss(curve.slope, curve.offset) < loss(*each) for each in beside)


def test_a_bundle_from_before_keeps_its_scores():
    assert Calibration.from_card({}) == Calibration()
    assert Calibration.from_card({"calibration": Calibration(2, -1, 50).as_dict()}) == Calibration(2, -1, 50)
