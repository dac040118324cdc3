"""Maps of what a head looks at: on crops whose class is a spot, they lie on the spot."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from annotation.crop import CROP
from inference.cell_saliency import Saliency, grad_cam, occlusion
from inference.occlusion import Stopped
from training.cell_features import FeatureExtractor
from training.cell_head import Head, fit_head

SIDE = 44
RED, BLUE = (220, 40, 40), (40, 70, 200)


@pytest.fixture(scope="module")
def extractor() -> FeatureExtractor:
    return FeatureExtractor()


def crop(seed: int, spot: tuple[int, int], colour: tuple[int, int, int]) -> Image.Image:
    """A round cell on pale ground with a spot in it."""
    rng = np.random.default_rng(seed)
    picture = Image.fromarray((rng.normal(0, 4, (CROP, CROP, 3)) + (225, 210, 205)).clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((60, 60, 240, 240), fill=(150, 120, 180))
    x, y = spot
    draw.ellipse((x - SIDE // 2, y - SIDE // 2, x + SIDE // 2, y + SIDE // 2), fill=colour)
    return picture


@pytest.fixture(scope="module")
def head(extractor: FeatureExtractor) -> Head:
    """Tells crops with a red spot, wherever it is, from those with a blue one."""
    rng = np.random.default_rng(3)
    crops = [crop(n, tuple(rng.integers(95, 205, 2).tolist()), (BLUE, RED)[n % 2]) for n in range(16)]
    return fit_head(extractor.extract(crops), np.arange(16) % 2, None, [str(n) for n in range(16)])


def distance(found: Saliency, spot: tuple[int, int]) -> NDArray[np.float64]:
    """Of each place of a map from a spot, in px of the crop."""
    count = len(found.values)
    at = (np.arange(count) + 0.5) * CROP / count
    return np.hypot(at[None] - spot[0], at[:, None] - spot[1])


def share_near(found: Saliency, spot: tuple[int, int]) -> float:
    """The share of what speaks for the label that lies within a spot's width of its middle: 7% of the crop."""
    for_it = found.values.clip(min=0)
    return float(for_it[distance(found, spot) < SIDE].sum() / for_it.sum())


@pytest.mark.parametrize("spot", [(115, 120), (190, 150), (150, 205)])
def test_gradients_lie_on_the_spot_that_the_head_tells_by(extractor: FeatureExtractor, head: Head, spot) -> None:
    picture = crop(99, spot, RED)
    found = grad_cam(extractor, head, 1, picture)
    assert found.values.shape == (32, 32) and found.values.dtype == np.float32
    assert found.probability == pytest.approx(head.probabilities(extractor.extract([picture]))[0, 1], abs=1e-5)
    assert found.probability > 0.9 and share_near(found, spot) > 0.75
    # What speaks for one of two classes speaks against the other.
    other = grad_cam(extractor, head, 0, picture)
    assert other.values == pytest.approx(-found.values, abs=1e-4)
    assert other.probability == pytest.approx(1 - found.probability, abs=1e-5)


def test_covering_the_spot_takes_the_probability(extractor: FeatureExtractor, head: Head) -> None:
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> bool:
        told.append((done, total))
        return True

    spot = (190, 150)
    picture = crop(99, spot, RED)
    found = occlusion(extractor, head, 1, picture, blocks=7, overlap=2.5, progress=progress, batch=20)
    assert found.values.shape == (14, 14) and found.probability > 0.9
    assert found.values.max() > 0.1
    away = distance(found, spot)
    assert away.flat[found.values.argmax()] < SIDE
    # Beyond the reach of the blocks that lie on the spot there is next to nothing.
    assert found.values[away < SIDE / 2].mean() > 20 * abs(found.values[away > 110]).mean()
    assert told == [(0, 49), (20, 49), (40, 49), (49, 49)]


def test_a_pass_that_nobody_waits_for_ends(extractor: FeatureExtractor, head: Head) -> None:
    with pytest.raises(Stopped):
        occlusion(extractor, head, 1, crop(99, (150, 150), BLUE), progress=lambda done, total: False)
