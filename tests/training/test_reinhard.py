"""Colours of one stain given to another: statistics arrive, flat pictures survive."""

import numpy as np
import pytest
from PIL import Image

from training.reinhard import from_lab, statistics_of, to_lab, transferred


def _noisy(colour: tuple[int, int, int], spread: float, seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    pixels = np.array(colour) + rng.normal(0, spread, (64, 64, 1)) + rng.normal(0, spread / 3, (64, 64, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def test_lab_of_known_colours() -> None:
    picture = Image.new("RGB", (1, 1), (255, 0, 0))

    assert to_lab(picture)[0, 0] == pytest.approx([53.24, 80.09, 67.20], abs=0.05)
    assert to_lab(Image.new("RGB", (1, 1), (255, 255, 255)))[0, 0] == pytest.approx([100, 0, 0], abs=0.05)


def test_there_and_back_changes_no_pixel_by_more_than_one() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 50, 3)).astype(np.uint8)

    back = np.asarray(from_lab(to_lab(Image.fromarray(pixels))))

    assert np.abs(back.astype(int) - pixels).max() <= 1


def test_the_target_s_statistics_arrive() -> None:
    violet, pink = _noisy((120, 80, 150), 14, 1), _noisy((200, 150, 170), 9, 2)
    target = statistics_of([pink])

    found = statistics_of([transferred(violet, statistics_of([violet]), target)])

    assert found.mean == pytest.approx(target.mean, abs=0.5)
    assert found.spread == pytest.approx(target.spread, rel=0.1)


def test_an_amount_of_nothing_changes_nothing() -> None:
    violet, pink = _noisy((120, 80, 150), 14, 1), _noisy((200, 150, 170), 9, 2)

    same = transferred(violet, statistics_of([violet]), statistics_of([pink]), amount=0)

    assert np.abs(np.asarray(same).astype(int) - np.asarray(violet)).max() <= 1


def test_a_patient_s_statistics_are_those_of_all_pixels_together() -> None:
    first, second = _noisy((120, 80, 150), 10, 1), _noisy((200, 150, 170), 10, 2)
    beside = Image.fromarray(np.concatenate([np.asarray(first), np.asarray(second)]))

    both, whole = statistics_of([first, second]), statistics_of([beside])

    assert both.mean == pytest.approx(whole.mean, abs=1e-3)
    assert both.spread == pytest.approx(whole.spread, abs=1e-3)
    with pytest.raises(ValueError, match="no picture"):
        statistics_of([])


def test_flat_pictures_are_moved_and_not_torn_apart() -> None:
    flat, pink = Image.new("RGB", (20, 20), (230, 225, 220)), _noisy((200, 150, 170), 20, 2)

    moved = np.asarray(transferred(flat, statistics_of([flat]), statistics_of([pink])))
    onto_flat = np.asarray(transferred(pink, statistics_of([pink]), statistics_of([flat])))

    assert np.ptp(moved.reshape(-1, 3), axis=0).max() == 0
    assert moved.mean() == pytest.approx(np.asarray(pink).mean(), abs=4)
    assert onto_flat.std() > 5
