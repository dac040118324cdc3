"""What scores are worth on the images that judged: reliability before and after calibration, and each threshold's
corrections."""

from typing import Any

import numpy as np
import pytest

from training.calibration import Calibration
from training.corrections import THRESHOLDS, Corrections
from training.judged_scores import judged_scores
from training.reliability import reliability, share_interval

CELL, OTHER, NOWHERE = [10.0, 10.0, 30.0, 30.0], [50.0, 10.0, 70.0, 30.0], [80.0, 80.0, 90.0, 90.0]


def image(boxes: list[list[float]], scores: list[float], **fields: Any) -> dict[str, Any]:
    truth = {"sha256": "a", "group": "p:1", "truth": [CELL, OTHER], "ignored": []}
    return truth | {"boxes": boxes, "scores": scores} | fields


def test_a_bin_says_what_scores_promise_and_what_is_true_of_it() -> None:
    found = reliability(np.array([0.92, 0.98, 0.95, 0.95, 0.31]), np.array([1.0, 1.0, 1.0, 0.0, 0.0]))
    low, high = found.bins
    assert (low.low, low.high, low.detections, low.share) == pytest.approx((0.3, 0.4, 1, 0))
    assert (high.detections, high.promised, high.share) == pytest.approx((4, 0.95, 0.75))
    assert high.interval[0] < 0.75 < high.interval[1] < 1
    assert (found.detections, found.promised, found.share) == (5, pytest.approx(0.822), pytest.approx(0.6))
    assert found.error == pytest.approx((4 * 0.2 + 1 * 0.31) / 5)


def test_the_last_bin_holds_the_surest_and_no_detection_is_no_bin() -> None:
    assert reliability(np.array([1.0]), np.array([1.0])).bins[0].high == 1
    assert reliability(np.array([]), np.array([])).detections == 0


def test_an_interval_of_a_share_is_wide_of_few_and_stays_within_0_and_1() -> None:
    assert share_interval(1.0, 3) == (pytest.approx(0.438, abs=0.001), 1.0)
    # Wilson (1927), the interval of 50 of 100.
    assert share_interval(0.5, 100) == pytest.approx((0.404, 0.596), abs=0.001)


def test_scores_are_judged_after_the_bundles_own_curve() -> None:
    """Raw scores of 0.5 that are right always; the curve lifts them above the threshold."""
    images = [image([CELL, OTHER], [0.5, 0.5])] * 3
    plain = judged_scores(images, Calibration(), 0.8)
    assert plain.at_threshold == Corrections(added=6) and plain.shown.detections == 0
    lifted = judged_scores(images, Calibration(1.0, 3.0, 40), 0.8)
    assert lifted.at_threshold == Corrections() and lifted.shown.detections == 6
    assert lifted.before.promised == pytest.approx(0.5) and lifted.after.promised == pytest.approx(0.953, abs=0.001)
    assert lifted.after.error < lifted.before.error
    assert (lifted.images, lifted.cells) == (3, 6)


def test_the_curve_of_thresholds_has_its_fewest_on_these_images() -> None:
    found = judged_scores([image([CELL, OTHER, NOWHERE], [0.9, 0.8, 0.55])], Calibration(), 0.5)
    assert found.at_threshold == Corrections(deleted=1)
    assert [threshold for threshold, _ in found.by_threshold] == list(THRESHOLDS)
    assert 0.55 < found.best <= 0.8 and found.fewest == Corrections()


def test_images_without_cells_or_detections_are_counted_too() -> None:
    found = judged_scores([image([], []), image([NOWHERE], [0.9], truth=[])], Calibration(1.2, 0.1, 30), 0.6)
    assert found.at_threshold == Corrections(deleted=1, added=2)
    assert found.before.share == 0 and found.shown.detections == 1
