import numpy as np
import pytest
import torch
from PIL import Image

from annotation.crop import CROP
from training import backbone
from training.backbone import BackboneError, build_body, freeze_norms, input_scale, last_blocks
from training.cell_features import FeatureExtractor, _Middle, _mixing


@pytest.fixture(scope="module")
def extractor():
    return FeatureExtractor()


def crop(seed, nucleus=(90, 50, 140), radius=60, size=CROP):
    """A round cell in the middle of pale ground."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(0, 4, (size, size, 3)) + (235, 215, 205)
    y, x = np.mgrid[:size, :size] - size / 2
    pixels[np.hypot(x, y) < radius] += np.array(nucleus) - (235, 215, 205)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def test_a_crop_has_the_same_features_whatever_it_comes_with(extractor):
    crops = [crop(i, radius=30 + 15 * i) for i in range(4)]
    together = extractor.extract(crops)
    assert together.shape == (4, extractor.width) and together.dtype == np.float32
    assert (extractor.extract(crops) == together).all()
    for i in range(4):
        assert (extractor.extract([crops[i]])[0] == together[i]).all()
    assert (extractor.extract(crops[::-1]) == together[::-1]).all()
    assert (FeatureExtractor().extract(crops[:1]) == together[:1]).all()


def test_no_crops_have_no_features(extractor):
    assert extractor.extract([]).shape == (0, extractor.width)


def test_alike_cells_have_alike_features_and_what_lies_at_the_edge_counts_little(extractor):
    cell, twin, other = crop(1), crop(2), crop(3, nucleus=(60, 30, 160), radius=35)
    neighbour = cell.copy()
    neighbour.paste((150, 60, 70), (0, 0, 60, CROP))
    vectors = extractor.extract([cell, twin, other, neighbour])
    away = np.linalg.norm(vectors - vectors[0], axis=1)
    assert away[1] < 0.5 * away[2]
    assert away[3] < away[2]


def test_features_can_be_stored_as_half_numbers(extractor):
    vectors = extractor.extract([crop(1)])
    assert np.isfinite(vectors).all() and np.abs(vectors).max() < 100
    assert vectors.astype(np.float16).astype(np.float32) == pytest.approx(vectors, abs=2e-3)


def test_a_larger_backbone_comes_by_pip_too_and_its_features_are_others():
    larger = FeatureExtractor("efficientnet_lite2")
    assert larger.name == "efficientnet_lite2/2"
    cell, twin, other = larger.extract([crop(1), crop(2), crop(3, nucleus=(60, 30, 160), radius=35)])
    assert np.linalg.norm(twin - cell) < 0.5 * np.linalg.norm(other - cell)


def test_weights_by_pip_without_their_package_say_which_one_is_wanted(monkeypatch):
    gone = {"efficientnet_lite2": ("tf_efficientnet_lite2", "no_such_package", "ModelFile")}
    monkeypatch.setattr("training.backbone._BY_PIP", gone)
    with pytest.raises(BackboneError, match="no-such-package"):
        FeatureExtractor("efficientnet_lite2")


def test_a_backbone_that_is_not_known_is_refused():
    with pytest.raises(BackboneError, match="not known"):
        FeatureExtractor("no_such_network")


def test_texture_is_how_channels_vary_together_in_the_middle():
    rng = np.random.default_rng(0)
    found = torch.from_numpy(rng.normal(size=(1, 3, 8, 8)).astype(np.float32))
    middle = _Middle.of(found)
    values, window = found[0].flatten(1).numpy().astype(float), middle.window.numpy().astype(float)
    covariance = np.cov(values, aweights=window, bias=True)
    expected = covariance[np.triu_indices(3)]
    texture = middle.texture(None).numpy()
    assert texture * np.abs(texture) == pytest.approx(expected, abs=1e-5)
    # The same everywhere: there is no texture, whatever the colour.
    assert _Middle.of(torch.full((1, 3, 8, 8), 7.0)).texture(None).abs().max() < 5e-3


def test_of_many_channels_so_many_mixtures_are_paired_always_the_same():
    assert _mixing(40) is None
    assert _mixing(256).shape == (40, 256)
    assert (_mixing(256) == _mixing(256)).all()


def test_the_backbone_of_the_paper_sees_crops_in_the_light_it_was_trained_on(extractor):
    """VGG-19 in MILLIE's paper. A smaller sister stands for it, with weights drawn here: ImageNet's are on a hub."""
    assert input_scale("vgg11") == input_scale("vgg19")
    vgg = FeatureExtractor("vgg11", weights=build_body("vgg11", pretrained=False).state_dict())
    white = Image.new("RGB", (CROP, CROP), (255, 255, 255))
    torch.testing.assert_close(
        vgg.as_input(white)[0, :, 0, 0], (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    )
    assert (extractor.as_input(white) == 1).all()
    assert vgg.name == "vgg11/3" and extractor.name == "efficientnet_lite0/2"
    found = vgg.extract([white.resize((64, 64))])
    assert found.shape == (1, vgg.width) and np.isfinite(found).all()


def test_the_papers_xception_sees_299_px_and_says_where_its_weights_are_missing(monkeypatch):
    body = build_body("legacy_xception", pretrained=False)
    freeze_norms(body)
    # Its weights as a bundle would hold them.
    eye = FeatureExtractor("legacy_xception", body.state_dict())
    crop = Image.fromarray(np.full((CROP, CROP, 3), 200, dtype=np.uint8))
    maps = eye.maps(crop)
    assert eye.as_input(crop).shape == (1, 3, 299, 299) and [each.shape[1] for each in maps] == [256, 728, 2048]
    assert eye.pooled(maps).shape == (eye.width,) and eye.name.startswith("legacy_xception/")
    # The last that has weights of its own is the last convolution, the last but two the last block.
    assert [len(list(block.parameters())) > 0 for block in last_blocks(body, 3)] == [True] * 3
    assert len(last_blocks(body, 99)) > 10 and last_blocks(body, 0) == []
    made = backbone.timm.create_model

    def offline(*given, **more):
        if more.get("pretrained"):
            raise OSError("<urlopen error Name or service not known>\nmore")
        return made(*given, **more)

    monkeypatch.setattr(backbone.timm, "create_model", offline)
    with pytest.raises(BackboneError) as refused:
        FeatureExtractor("legacy_xception")
    assert str(refused.value) == (
        "The ImageNet weights of the backbone 'legacy_xception' are not on this machine, and could not be fetched "
        "(urlopen error Name or service not known): connect it for once, or choose efficientnet_lite0 or "
        "efficientnet_lite2, whose weights come with the program."
    )
