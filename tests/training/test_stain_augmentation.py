"""Views of a crop: by the generator alone, unlike the crop in colour, alike in what it shows."""

import numpy as np
import pytest
from PIL import Image

from training.stain_augmentation import Ranges, recoloured, turned, view


@pytest.fixture
def crop() -> Image.Image:
    """A violet nucleus, off the middle, on a pale field with a red cell."""
    y, x = np.mgrid[:99, :99]
    pixels = np.full((99, 99, 3), (236, 224, 220), np.uint8)
    pixels[(x - 60) ** 2 + (y - 50) ** 2 < 20**2] = (96, 48, 150)
    pixels[(x - 20) ** 2 + (y - 25) ** 2 < 12**2] = (214, 150, 150)
    return Image.fromarray(pixels)


def test_the_same_generator_gives_the_same_view_and_another_one_another(crop: Image.Image) -> None:
    first, again, other = (np.asarray(view(crop, np.random.default_rng(seed))) for seed in (3, 3, 4))

    assert np.array_equal(first, again)
    assert first.shape == (99, 99, 3)
    assert np.abs(first.astype(int) - other).mean() > 3


def test_ranges_of_nothing_leave_the_colours_as_they_are(crop: Image.Image) -> None:
    same = np.asarray(recoloured(crop, np.random.default_rng(0), Ranges().times(0)))

    assert np.abs(same.astype(int) - np.asarray(crop)).max() <= 1


def test_views_differ_in_colour_far_more_than_in_where_the_dark_is(crop: Image.Image) -> None:
    before = np.asarray(crop, dtype=float)
    dark = before.mean(axis=2) < 130
    shifts = []
    for seed in range(8):
        after = np.asarray(recoloured(crop, np.random.default_rng(seed)), dtype=float)
        shifts.append(np.abs(after[dark].mean(axis=0) - before[dark].mean(axis=0)).max())
        assert after[dark].mean() < after[~dark].mean() - 20
    assert max(shifts) > 25


def test_stronger_views_are_farther_from_the_crop(crop: Image.Image) -> None:
    def far(strength: float) -> float:
        ranges = Ranges().times(strength)
        views = [np.asarray(recoloured(crop, np.random.default_rng(seed), ranges), dtype=float) for seed in range(12)]
        return float(np.mean([np.abs(each - np.asarray(crop)).mean() for each in views]))

    assert far(0.3) < far(1.0) < far(1.6)


def test_turning_keeps_the_nucleus_and_its_distance_from_the_middle(crop: Image.Image) -> None:
    angles = []
    for seed in range(6):
        dark = np.asarray(turned(crop, np.random.default_rng(seed)), dtype=float).mean(axis=2) < 130
        y, x = np.nonzero(dark)
        assert dark.sum() == pytest.approx(np.pi * 20**2, rel=0.05)
        assert np.hypot(x.mean() - 49, y.mean() - 49) == pytest.approx(np.hypot(11, 1), abs=1)
        angles.append(np.arctan2(y.mean() - 49, x.mean() - 49))
    assert np.ptp(angles) > 1


def test_what_a_turn_brings_in_from_beyond_is_reflected_and_not_black() -> None:
    pale = Image.new("RGB", (61, 61), (236, 224, 220))

    for seed in range(5):
        assert np.asarray(turned(pale, np.random.default_rng(seed), scale=0.3)).min() >= 219


def test_a_smaller_scale_makes_the_cell_smaller(crop: Image.Image) -> None:
    sizes = [
        (np.asarray(turned(crop, np.random.default_rng(seed), scale=0.2), dtype=float).mean(axis=2) < 130).sum()
        for seed in range(10)
    ]

    assert min(sizes) < 0.9 * np.pi * 20**2
    assert max(sizes) > 1.1 * np.pi * 20**2
