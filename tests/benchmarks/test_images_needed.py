"""Where a curve crosses the value wanted: what the comparison of orders rests on."""

import pytest

from tests.benchmarks.image_order import images_needed


def test_the_crossing_is_interpolated_between_two_steps():
    assert images_needed([10, 20, 30], [0.90, 0.94, 0.98]) == pytest.approx(22.5)
    assert images_needed([10, 20], [0.93, 0.95]) == pytest.approx(20)
    # The first time counts, whatever comes after it.
    assert images_needed([10, 20, 30], [0.90, 1.0, 0.90]) == pytest.approx(15)


def test_the_first_step_is_the_least_and_none_is_said():
    assert images_needed([10, 20], [0.97, 0.98]) == 10
    assert images_needed([10, 20], [0.5, 0.6]) is None
