"""Features of a cell's crop under a frozen backbone: computed once, shared by all heads, and alike for cells that look
alike.

Tried on apl-patients (21 Nov 2026), judged inside the training patients of three folds, AUROC of promyelocytes and of
blasts. With ridge regression: the last map's mean over the whole image 0.843 and 0.914, over the middle of the crop
with the map before it 0.861 and 0.953. With the head of training/cell_head.py: the middle of three maps 0.888 and
0.968, with how the channels of the first vary together 0.895 and 0.971. That is what tells promyelocytes from blasts,
by their granules (0.87 on these two, 0.76 to 0.81 from any later map alone). Little or no gain: tighter or wider
crops (180 and 220 of 260 px, the whole field), all of them together (0.892 and 0.970, at three times the cost), largest
values, spreads, the paper's layer of 1,280 channels, the light of the empty field divided out (0.885 and 0.968), pairs
of channels of the later maps, and 77 measures of colour, size, shape and granularity (0.888 and 0.971 beside the maps).
Later the same day, on the version as it is (0.887 and 0.967): EfficientNet-Lite2 alone 0.884 and 0.966, beside this one
0.889 and 0.968, which is less than views gain (training/stain_augmentation.py); the mean of the patient's cells taken
off by a third 0.885 and 0.964, wholly 0.797 and 0.916, or put beside 0.882 and 0.966.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from training.backbone import DEFAULT, build_body, feature_info, freeze_norms, input_scale
from training.folded_norm import fold_norms

# What the backbone sees of a crop, in px a side: FIELD_UM at the sharpness of an oil immersion lens (0.1 µm a pixel).
INPUT = 256
# Of backbones that were made for another size.
INPUTS = {"legacy_xception": 299}
# Spread of the window around the cell, as a share of the crop's side: neighbours hardly count.
_SPREAD = 0.2
# Channels of the first map whose pairs are looked at; of a map that has more, so many mixtures.
_PAIRED = 40
# Changes with what is computed of a crop, so that vectors of different kinds are never compared.
_VERSION = 2
# Of backbones that want other light than from -1 to 1: those before were shown it all the same.
_OTHER_VERSION = 3


class FeatureExtractor:
    """A backbone with ImageNet weights that sees crops: of each of its maps (strides 8, 16 and 32) the mean around the
    centre, and of the first how its channels vary together there (texture, granules); each of the four is scaled to
    length 1, one after the other.

    A crop's vector depends on that crop alone, whatever it is computed together with. `weights` are of the body, in
    place of ImageNet's. Raises BackboneError for a backbone whose weights cannot be had, and RuntimeError for weights
    of another.
    """

    def __init__(self, backbone: str = DEFAULT, weights: Mapping[str, Tensor] | None = None) -> None:
        body = build_body(backbone, pretrained=weights is None)
        freeze_norms(body)
        fold_norms(body)
        if weights is not None:
            body.load_state_dict(weights)
        self.body = body.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.backbone, self.side = backbone, INPUTS.get(backbone, INPUT)
        channels = feature_info(body).channels()
        self._mixing = _mixing(channels[0])
        paired = min(channels[0], _PAIRED)
        scale, shift = input_scale(backbone)
        self._scale, self._shift = np.array(scale, dtype=np.float32), np.array(shift, dtype=np.float32)
        self.name = f"{backbone}/{_VERSION if set(shift) == {1.0} else _OTHER_VERSION}"
        self.width = sum(channels) + paired * (paired + 1) // 2

    def extract(self, crops: Sequence[Image.Image]) -> NDArray[np.float32]:
        """(n, width) of RGB crops of one size."""
        vectors = np.zeros((len(crops), self.width), dtype=np.float32)
        with torch.inference_mode():
            # One by one: on a CPU batches gain nothing, and would round differently by their size.
            for vector, crop in zip(vectors, crops, strict=True):
                vector[:] = self.pooled(self.maps(crop)).numpy()
        return vectors

    def maps(self, crop: Image.Image) -> list[Tensor]:
        """The maps (1, C, h, w) that the features of a crop are made of, the finest first."""
        found: list[Tensor] = self.body(self.as_input(crop))
        return found

    def as_input(self, crop: Image.Image) -> Tensor:
        """(1, 3, side, side) in the light that the backbone's weights were trained on."""
        pixels = np.asarray(crop.convert("RGB").resize((self.side,) * 2, Image.Resampling.BICUBIC), dtype=np.float32)
        image = torch.from_numpy(pixels / self._scale - self._shift).permute(2, 0, 1)[None]
        return image.contiguous(memory_format=torch.channels_last)

    def pooled(self, maps: Sequence[Tensor]) -> Tensor:
        """(width,) the features that are made of maps; gradients go back through it."""
        middles = [_Middle.of(each) for each in maps]
        parts = [each.mean() for each in middles] + [middles[0].texture(self._mixing)]
        return torch.cat([part / part.norm().clamp_min(1e-6) for part in parts])


@dataclass(frozen=True)
class _Middle:
    """A map as values (C, places), and how much each place counts (places,): most in the middle, where the cell is."""

    values: Tensor
    window: Tensor

    @classmethod
    def of(cls, found: Tensor) -> "_Middle":
        """Of a map (1, C, h, w)."""
        height, width = found.shape[2:]
        y = (torch.arange(height, device=found.device) + 0.5) / height - 0.5
        x = (torch.arange(width, device=found.device) + 0.5) / width - 0.5
        window = torch.exp(-(y[:, None] ** 2 + x[None] ** 2) / (2 * _SPREAD**2)).flatten()
        return cls(found[0].flatten(1), window / window.sum())

    def mean(self) -> Tensor:
        return self.values @ self.window

    def texture(self, mixing: Tensor | None) -> Tensor:
        """Covariances of each pair of channels, or of mixtures (P, C) of them; as signed roots, since they are
        squares."""
        values = self.values if mixing is None else mixing.to(self.values.device) @ self.values
        around = values - (values @ self.window)[:, None]
        covariance = (around * self.window) @ around.T
        first, second = torch.triu_indices(len(values), len(values))
        pairs = covariance[first, second]
        return pairs.sign() * pairs.abs().sqrt()


def _mixing(channels: int) -> Tensor | None:
    if channels <= _PAIRED:
        return None
    drawn = np.random.default_rng(0).normal(0, channels**-0.5, (_PAIRED, channels))
    return torch.from_numpy(drawn.astype(np.float32))
