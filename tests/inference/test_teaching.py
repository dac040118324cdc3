"""The figures of the order of teaching, as they stand on the images after proposing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from annotation.models import Cell, SmearImage, Study
from inference.models import ImageFeatures
from inference.proposals import FirstProposals, propose
from tests.inference.test_proposals import Fixed, circle

pytestmark = pytest.mark.django_db


class Bundle(Fixed):
    """A detector that sees the colour of the first pixel, and proposes what it was given."""

    def __init__(self, name: str, *found: tuple[dict[str, Any], float]) -> None:
        super().__init__(*found)
        self.name = name
        self.looks = 0

    def features(self, image: Image.Image) -> NDArray[Any]:
        self.looks += 1
        return np.array(image.getpixel((0, 0)), dtype=np.float32)


@pytest.fixture
def plain(make_image: Callable[..., SmearImage], settings: Any) -> Callable[..., SmearImage]:
    """plain(study, "red", seed): an image that is red in its first pixel."""
    from annotation.store import ImageStore

    def make(study: Study, colour: str, seed: int, **fields: Any) -> SmearImage:
        image = make_image(study, seed=seed, name=f"{colour}-{seed}.png", **fields)
        pixels = Image.effect_noise((64, 48), 10 + seed).convert("RGB")
        pixels.putpixel((0, 0), {"red": (250, 10, 10), "green": (10, 250, 10), "blue": (10, 10, 250)}[colour])
        image.sha256 = ImageStore(Path(settings.IMAGE_STORE)).put(pixels)
        image.save()
        return image

    return make


def _figures(image: SmearImage) -> tuple[float | None, float | None, int | None]:
    image.refresh_from_db()
    return image.disagreement, image.novelty, image.learning_rank


def test_what_is_unlike_the_annotated_comes_first(study: Study, plain: Callable[..., SmearImage]) -> None:
    done = plain(study, "red", 1, state="annotated")
    alike, other, again = plain(study, "red", 2), plain(study, "blue", 3), plain(study, "blue", 4)
    bundle = Bundle("one", (circle(20, 20), 0.6))
    propose(study, bundle, [alike, other, again])
    assert _figures(alike)[1] == pytest.approx(0, abs=1e-6)
    assert _figures(other)[1] == pytest.approx(_figures(again)[1])
    assert _figures(other)[1] > 0.5  # type: ignore[operator]
    assert {_figures(other)[2], _figures(alike)[2], _figures(again)[2]} == {1, 2, 3}
    assert _figures(alike)[2] != 1
    # The finished image was looked at once and for all, and has no place in the order.
    assert bundle.looks == 4 and _figures(done) == (None, None, None)
    propose(study, bundle, [other])
    assert bundle.looks == 5


def test_nothing_annotated_means_nothing_to_be_unlike(study: Study, plain: Callable[..., SmearImage]) -> None:
    images = [plain(study, "red", 1), plain(study, "green", 2)]
    propose(study, FirstProposals(), images)
    assert [_figures(image)[:2] for image in images] == [(None, None)] * 2
    assert sorted(_figures(image)[2] or 0 for image in images) == [1, 2]


def test_vectors_of_an_earlier_bundle_go(study: Study, other_study: Study, plain: Callable[..., SmearImage]) -> None:
    here, elsewhere = plain(study, "red", 1), plain(other_study, "red", 2)
    propose(other_study, Bundle("one"), [elsewhere])
    propose(study, Bundle("one"), [here])
    propose(study, Bundle("two"), [here])
    assert sorted(ImageFeatures.objects.values_list("image", "bundle")) == sorted(
        [(here.pk, "two"), (elsewhere.pk, "one")]
    )
    assert np.frombuffer(bytes(ImageFeatures.objects.get(bundle="two").vector), "<f4").tolist() == [250, 10, 10]


def test_two_bundles_disagree_by_what_they_show(study: Study, plain: Callable[..., SmearImage]) -> None:
    image = plain(study, "red", 1)
    propose(study, FirstProposals(), [image])
    propose(study, Bundle("one", (circle(12, 12), 0.9), (circle(40, 30), 0.2)), [image])
    # The method without a model is no second opinion.
    assert _figures(image)[0] is None
    propose(study, Bundle("two", (circle(12, 12), 0.8), (circle(40, 30), 0.9)), [image])
    assert _figures(image)[0] == pytest.approx(1 / 3)
    # The same bundle again says nothing new.
    propose(study, Bundle("two", (circle(12, 12), 0.8), (circle(40, 30), 0.9)), [image])
    assert _figures(image)[0] == pytest.approx(1 / 3)
    propose(study, FirstProposals(), [image])
    assert _figures(image)[0] is None


def test_disputed_borders_are_needed_more(study: Study, plain: Callable[..., SmearImage]) -> None:
    calm, disputed = plain(study, "red", 1), plain(study, "red", 2)
    propose(study, Bundle("one", (circle(12, 12), 0.9)), [calm, disputed])
    SmearImage.objects.filter(pk=disputed.pk).update(disagreement=0.5)
    propose(study, Bundle("one", (circle(12, 12), 0.9)), [calm, disputed])
    assert (_figures(disputed)[2], _figures(calm)[2]) == (1, 2)


def test_borders_that_still_moved_are_needed_more(study: Study, plain: Callable[..., SmearImage]) -> None:
    tight, loose = plain(study, "red", 1), plain(study, "red", 2)
    bundle = Bundle("one", (circle(12, 12), 0.9))
    for image, tightness in ((tight, 0.99), (loose, 0.7)):
        bundle.found[0]["tightness"] = tightness
        propose(study, bundle, [image])
    assert (_figures(loose)[2], _figures(tight)[2]) == (1, 2)


def test_without_features_the_order_is_by_need(study: Study, make_image: Callable[..., SmearImage]) -> None:
    sure, unsure = make_image(study, seed=1), make_image(study, seed=2)
    propose(study, Fixed((circle(12, 12), 0.9)), [sure])
    propose(study, Fixed((circle(12, 12), 0.6)), [unsure])
    assert (_figures(unsure), _figures(sure)) == ((None, None, 1), (None, None, 2))


def test_an_image_whose_file_is_gone_is_passed_over(
    study: Study, plain: Callable[..., SmearImage], settings: Any
) -> None:
    done, waiting = plain(study, "red", 1, state="reviewed"), plain(study, "blue", 2)
    (settings.IMAGE_STORE / done.sha256[:2] / f"{done.sha256}.png").unlink()
    propose(study, Bundle("one"), [waiting])
    assert _figures(waiting) == (None, None, 1)


def test_a_pass_that_is_ended_leaves_the_order_as_it_was(study: Study, plain: Callable[..., SmearImage]) -> None:
    first, second = plain(study, "red", 1), plain(study, "blue", 2)
    propose(study, Bundle("one", (circle(12, 12), 0.9)), [first, second], lambda done, total: done < 1)
    assert Cell.objects.count() == 1 and _figures(first)[2] is None
