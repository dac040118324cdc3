"""Where a curve crosses the value wanted, and what several plays say together: so orders are compared."""

from typing import Any

import pytest

from tests.benchmarks.image_order import NotOfOneKind, combined, images_needed


def test_the_crossing_is_interpolated_between_two_steps():
    assert images_needed([10, 20, 30], [0.90, 0.94, 0.98]) == pytest.approx(22.5)
    assert images_needed([10, 20], [0.93, 0.95]) == pytest.approx(20)
    # The first time counts, whatever comes after it.
    assert images_needed([10, 20, 30], [0.90, 1.0, 0.90]) == pytest.approx(15)


def test_the_first_step_is_the_least_and_none_is_said():
    assert images_needed([10, 20], [0.97, 0.98]) == 10
    assert images_needed([10, 20], [0.5, 0.6]) is None


def play(order: str, seed: int, *map_50: float, **conditions: Any) -> dict[str, Any]:
    annotated = [10 * step for step in range(1, len(map_50) + 1)]
    return {"order": order, "seed": seed, "conditions": conditions, "annotated": annotated, "map_50": list(map_50)}


def test_plays_of_several_runs_are_combined():
    found = combined(
        [
            play("random", 0, 0.90, 0.94, 0.98),
            play("teaches-most", 1, 0.90, 0.95),
            play("teaches-most", 0, 0.90, 1.00),
            play("random", 1, 0.90, 0.90, 0.90, 0.95),
        ]
    )
    assert found["orders"]["teaches-most"]["images_needed"] == {0: 15.0, 1: 20.0}
    assert found["orders"]["random"]["mean_images_needed"] == pytest.approx((22.5 + 40) / 2, abs=0.06)
    ratio = found["ratio_to_random"]["teaches-most"]
    assert ratio == {"by_seed": {0: pytest.approx(15 / 22.5, abs=1e-3), 1: 0.5}, "of_means": 0.56}
    # Curves end where the value is reached; their mean is of the steps that all have.
    assert found["orders"]["random"]["map_50"] == pytest.approx([0.90, 0.92, 0.94])


def test_what_was_not_reached_is_not_averaged_over():
    found = combined([play("random", 0, 0.9, 0.9), play("random", 1, 0.96), play("novelty", 1, 0.96)])
    assert found["orders"]["random"] == {
        "images_needed": {0: None, 1: 10.0},
        "mean_images_needed": None,
        "map_50": [0.93],
    }
    # The ratio is of the seeds that both orders have.
    assert found["ratio_to_random"] == {"novelty": {"by_seed": {1: 1.0}, "of_means": 1.0}}


def test_plays_of_other_conditions_and_twice_the_same_are_refused():
    with pytest.raises(NotOfOneKind, match="different conditions"):
        combined([play("random", 0, 0.96, judges=100), play("novelty", 0, 0.96, judges=50)])
    with pytest.raises(NotOfOneKind, match="two plays of the order random and the seed 0"):
        combined([play("random", 0, 0.96), play("random", 0, 0.96)])
