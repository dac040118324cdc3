"""A network that says a diagnosis from an image as a whole, without knowing of cells: the baseline beside what looks at
cells (Eckardt et al. 2022 found it to be worse).

One body is shared by all decisions; each has a linear layer of its own on the mean of the last map.
"""

import copy
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.backbone import build_body, feature_info, freeze_norms, input_scale
from training.folded_norm import fold_norms

Pixels = NDArray[np.uint8]
Values = NDArray[np.float64]


class ImageNetwork(nn.Module):
    """Images (N, 3, H, W) as `as_input` gives them to the scores (N, K) of each decision; `widths` are the numbers K of
    diagnoses. Raises BackboneError for a body that cannot be had.
    """

    def __init__(self, backbone: str, widths: Sequence[int], dropout: float = 0.0, *, pretrained: bool = True) -> None:
        super().__init__()
        self.body = copy.deepcopy(_body(backbone, pretrained))
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(feature_info(self.body).channels()[-1], sum(widths))
        self._widths = list(widths)
        self._scale, self._shift = (torch.tensor(each)[:, None, None] for each in input_scale(backbone))

    def forward(self, images: Tensor) -> list[Tensor]:
        seen = self.body(images)[-1].mean(dim=(2, 3))
        return list(self.last(self.dropout(seen)).split(self._widths, dim=1))

    def as_input(self, pixels: Pixels) -> Tensor:
        """uint8 (N, 3, H, W) to what the body takes, where the network computes."""
        light = torch.from_numpy(np.array(pixels)).float() / self._scale - self._shift
        return light.contiguous(memory_format=torch.channels_last).to(self.last.weight.device)

    def scores(self, pixels: Pixels) -> list[Values]:
        """(K,) of each decision for one image (3, H, W), whatever its size."""
        return [each[0] for each in self.scores_of_each(pixels[None])]

    def scores_of_each(self, pixels: Pixels) -> list[Values]:
        """(N, K) of each decision for images of one size (N, 3, H, W)."""
        self.eval()
        with torch.inference_mode():
            found = self(self.as_input(pixels))
        return [each.double().cpu().numpy() for each in found]

    def to_tensors(self) -> dict[str, NDArray[np.float32]]:
        # In memory kernels lie with their channels last; a file of other strides would be read as noise.
        return {
            name: np.ascontiguousarray(value.detach().cpu().numpy(), dtype=np.float32)
            for name, value in self.state_dict().items()
        }

    @classmethod
    def from_tensors(cls, backbone: str, widths: Sequence[int], tensors: Mapping[str, Any]) -> "ImageNetwork":
        """Raises RuntimeError where they are not such a network's, BackboneError for a body that timm does not know."""
        network = cls(backbone, widths, pretrained=False)
        network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in tensors.items()})
        return network.eval()


@lru_cache(maxsize=2)
def _body(backbone: str, pretrained: bool) -> nn.Module:
    """Built once: a round teaches several networks that begin with it."""
    # Building it draws numbers: the first network of a process would begin elsewhere than the same one after others.
    with torch.random.fork_rng(devices=[]):
        body = build_body(backbone, pretrained)
    freeze_norms(body)
    fold_norms(body)
    return body.to(memory_format=torch.channels_last)
