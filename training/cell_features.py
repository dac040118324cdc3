"""Features of a cell's crop under a frozen backbone: computed once, shared by all heads, and alike for cells that look
alike."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from training.backbone import DEFAULT, build_body, feature_info, freeze_norms
from training.folded_norm import fold_norms

# What the backbone sees of a crop, in px a side: FIELD_UM at the sharpness of an oil immersion lens (0.1 µm a pixel).
INPUT = 256
# Spread of the window around the cell, as a share of the crop's side: neighbours hardly count.
_SPREAD = 0.2
# Changes with what is computed of a crop, so that vectors of different kinds are never compared.
_VERSION = 1


class FeatureExtractor:
    """A backbone with ImageNet weights that sees crops: of each of its maps (strides 16 and 32) the mean around the
    centre, scaled to length 1, one after the other.

    A crop's vector depends on that crop alone, whatever it is computed together with. Raises BackboneError for a
    backbone whose weights cannot be had.
    """

    def __init__(self, backbone: str = DEFAULT) -> None:
        body = build_body(backbone, pretrained=True)
        freeze_norms(body)
        fold_norms(body)
        self._body = body.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.name = f"{backbone}/{_VERSION}"
        self.width = sum(feature_info(body).channels()[1:])

    def extract(self, crops: Sequence[Image.Image]) -> NDArray[np.float32]:
        """(n, width) of RGB crops of one size."""
        vectors = np.zeros((len(crops), self.width), dtype=np.float32)
        with torch.inference_mode():
            # One by one: on a CPU batches gain nothing, and would round differently by their size.
            for vector, crop in zip(vectors, crops, strict=True):
                maps = self._body(_as_input(crop))[1:]
                vector[:] = torch.cat([_centre(each) for each in maps]).numpy()
        return vectors


def _as_input(crop: Image.Image) -> Tensor:
    """(1, 3, INPUT, INPUT) from -1 to 1, which is what the default's weights were trained on."""
    pixels = np.asarray(crop.convert("RGB").resize((INPUT, INPUT), Image.Resampling.BICUBIC), dtype=np.float32)
    image = torch.from_numpy(pixels / 127.5 - 1).permute(2, 0, 1)[None]
    return image.contiguous(memory_format=torch.channels_last)


def _centre(found: Tensor) -> Tensor:
    """(C,) of length 1 from a map (1, C, h, w)."""
    mean = (found[0] * _window(found.shape[2], found.shape[3])).sum(dim=(1, 2))
    return mean / mean.norm().clamp_min(1e-6)


def _window(height: int, width: int) -> Tensor:
    y = (torch.arange(height) + 0.5) / height - 0.5
    x = (torch.arange(width) + 0.5) / width - 0.5
    window = torch.exp(-(y[:, None] ** 2 + x[None] ** 2) / (2 * _SPREAD**2))
    return window / window.sum()
