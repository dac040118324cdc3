"""Frozen batch norms folded into the convolutions before them, at every pass: the same network, a sixth less work.

A frozen norm multiplies and shifts each channel of a feature map by constants. Multiplying the kernels instead is the
same function with the same gradients, and spares two passes over maps that are thousands of times larger than kernels.
The parameters stay where they are and as they are: what was trained without folding loads here, and the other way.
"""

from functools import partial

import torch
from timm.layers import Conv2dSame
from timm.layers.conv2d_same import conv2d_same
from timm.models._efficientnet_blocks import DepthwiseSeparableConv, InvertedResidual
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

# In the order in which the blocks call them.
_PAIRS: dict[type[nn.Module], tuple[tuple[str, str], ...]] = {
    DepthwiseSeparableConv: (("conv_dw", "bn1"), ("conv_pw", "bn2")),
    InvertedResidual: (("conv_pw", "bn1"), ("conv_dw", "bn2"), ("conv_pwl", "bn3")),
}


class FoldedNorm(FrozenBatchNorm2d):
    """A frozen norm whose work is done by the convolution before it."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def fold_norms(body: nn.Module) -> int:
    """Fold the frozen norms of an EfficientNet of timm's, and return how many. Other networks stay as they are."""
    folded = 0
    pairs = [(body, "conv_stem", "bn1")] if hasattr(body, "conv_stem") else []
    for block in body.modules():
        # Exactly these: what is derived from them calls its parts in an order of its own.
        pairs += [(block, conv, norm) for conv, norm in _PAIRS.get(type(block), ())]
    for block, conv, norm in pairs:
        folded += _fold(block, getattr(block, conv), norm)
    return folded


def _fold(block: nn.Module, conv: nn.Module, name: str) -> bool:
    child = getattr(block, name)
    frozen = child[0] if isinstance(child, nn.Sequential) else child
    if type(conv) not in (nn.Conv2d, Conv2dSame) or conv.bias is not None or type(frozen) is not FrozenBatchNorm2d:
        return False
    folded = FoldedNorm(frozen.weight.numel(), eps=frozen.eps)
    folded.load_state_dict(frozen.state_dict())
    if isinstance(child, nn.Sequential):
        child[0] = folded
    else:
        setattr(block, name, folded)
    # An attribute and no submodule: the names of the parameters stay.
    conv.forward = partial(_convolve, conv, folded)  # type: ignore[method-assign]
    return True


def _convolve(conv: nn.Conv2d, norm: FoldedNorm, x: Tensor) -> Tensor:
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    shift = norm.bias - norm.running_mean * scale
    kernel = (conv.weight * scale[:, None, None, None]).contiguous(memory_format=torch.channels_last)
    if isinstance(conv, Conv2dSame):
        stride, dilation = ((pair[0], pair[1]) for pair in (conv.stride, conv.dilation))
        return conv2d_same(x, kernel, shift, stride, (0, 0), dilation, conv.groups)
    return conv._conv_forward(x, kernel, shift)
