"""Folding changes how the network is computed, and nothing of what."""

import copy

import torch
from torch import nn

from training.backbone import PyramidBackbone, build_body, freeze_norms
from training.folded_norm import FoldedNorm, fold_norms


def plain_and_folded() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    plain = build_body("efficientnet_lite0", pretrained=True)
    freeze_norms(plain)
    folded = copy.deepcopy(plain)
    # The stem, one block of two norms, and fifteen of three.
    assert fold_norms(folded) == 48
    return plain, folded


def gradients(body: nn.Module, images: torch.Tensor) -> tuple[list[torch.Tensor], dict[str, torch.Tensor]]:
    maps = body(images)
    sum(level.square().mean() for level in maps).backward()
    return maps, {name: value.grad for name, value in body.named_parameters() if value.grad is not None}


def test_maps_and_gradients_are_those_of_the_plain_network() -> None:
    plain, folded = plain_and_folded()
    images = torch.randn(2, 3, 97, 128)
    expected, expected_gradients = gradients(plain, images)
    found, found_gradients = gradients(folded, images)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
    assert found_gradients.keys() == expected_gradients.keys()
    for name, gradient in expected_gradients.items():
        close = torch.nn.functional.cosine_similarity(gradient.flatten(), found_gradients[name].flatten(), dim=0)
        assert close > 0.9999, name
        assert torch.isclose(gradient.norm(), found_gradients[name].norm(), rtol=1e-3), name


def test_parameters_keep_their_names_and_load_both_ways() -> None:
    plain, folded = plain_and_folded()
    assert plain.state_dict().keys() == folded.state_dict().keys()
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    folded.load_state_dict(plain.state_dict())
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(folded(images)[-1], plain(images)[-1], rtol=1e-3, atol=1e-4)


def test_a_copy_computes_with_its_own_parameters() -> None:
    _, folded = plain_and_folded()
    other = copy.deepcopy(folded)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = folded(images)[-1]
        for parameter in other.parameters():
            parameter.zero_()
        torch.testing.assert_close(folded(images)[-1], before)


def test_other_networks_stay_as_they_are() -> None:
    body = build_body("resnet18", pretrained=False)
    freeze_norms(body)
    assert fold_norms(body) == 0
    assert not any(isinstance(module, FoldedNorm) for module in body.modules())


def test_the_pyramid_is_folded() -> None:
    backbone = PyramidBackbone("efficientnet_lite0", 32, 2, pretrained=False)
    assert sum(isinstance(module, FoldedNorm) for module in backbone.modules()) == 48
