"""Where in its crop a head sees that a cell has a label: by the gradients of its word (Grad-CAM), or by covering one
place after the other (occlusion). Free of Django.

Both maps say what this model looks at, which need not be what makes the cell what it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from inference.occlusion import mean_colour, occlude
from training.cell_head import Head
from training.cell_layers import tensor_scores

Map = NDArray[np.float32]

# Places a side of a map of gradients: those of the finest map of the default backbone (stride 8 of 256 px).
PLACES = 32
# Blocks a side that are covered in turn, and how many times as wide a block is as the step to the next one: so what
# is up to two steps wide (5 µm) is hidden whole by one of them, and they tell the place more finely than they are wide.
BLOCKS, OVERLAP = 10, 3.0


class Mapped(Protocol):
    """A backbone whose features are made of maps (training/cell_features.py), or a network whose scores are
    (training/cell_network.py)."""

    def extract(self, crops: Sequence[Image.Image]) -> NDArray[np.float32]: ...

    def maps(self, crop: Image.Image) -> list[Tensor]: ...

    def pooled(self, maps: Sequence[Tensor]) -> Tensor: ...


@dataclass(frozen=True)
class Saliency:
    """What speaks for a label (above 0) and against it (below) at each place (h, w) of a crop, and the probability of
    the label as the crop is. By occlusion a value is how much of the probability goes when the place is covered; by
    gradients it is a share of the log odds, whose size says nothing beyond one map."""

    values: Map
    probability: float


def grad_cam(extractor: Mapped, head: Head, column: int, crop: Image.Image, places: int = PLACES) -> Saliency:
    """By the gradients of the log odds of class `column` in all maps that the features are made of.

    At each place of a map, gradient times what the map has there beyond its mean, added up over its channels and over
    the maps (HiResCAM, Draelos and Carin 2020: as the features are means around the centre, gradients differ from place
    to place, and their mean over the map, as in the first Grad-CAM, would lose the place). One pass of the backbone.
    """
    with torch.inference_mode():
        found = extractor.maps(crop)
    maps = [each.clone().requires_grad_() for each in found]
    odds = _log_odds(extractor.pooled(maps), head, column)
    gradients = torch.autograd.grad(odds, maps)
    values = torch.zeros(places, places)
    for each, gradient in zip(maps, gradients, strict=True):
        # Features are scaled to a length, so what all places have in common adds nothing.
        beyond = each.detach() - each.detach().mean(dim=(2, 3), keepdim=True)
        shares = (gradient * beyond).sum(dim=1, keepdim=True)
        # Shares of an area: of a coarse map each place is spread over those of the fine one.
        spread = functional.interpolate(shares, (places, places), mode="bilinear", align_corners=False)
        values += spread[0, 0] * shares[0, 0].numel() / places**2
    return Saliency(values.numpy(), float(torch.sigmoid(odds.detach())))


def occlusion(
    extractor: Mapped,
    head: Head,
    column: int,
    crop: Image.Image,
    *,
    blocks: int = BLOCKS,
    overlap: float = OVERLAP,
    progress: Callable[[int, int], bool] | None = None,
    batch: int = 16,
) -> Saliency:
    """By covering `blocks` x `blocks` places one after the other, each by a block `overlap` steps wide of the crop's
    mean colour (a blur would leave the colour, which may be what tells); blocks² + 1 passes of the backbone.

    `progress` is told how many of how many are done and ends the pass by returning False, which raises Stopped.
    """

    def told(crops: Sequence[Image.Image]) -> NDArray[np.float64]:
        chances: NDArray[np.float64] = head.probabilities(extractor.extract(crops))[:, column]
        return chances

    found = occlude(
        crop,
        told,
        columns=blocks,
        rows=blocks,
        overlap=overlap,
        colour=mean_colour(crop),
        batch=batch,
        progress=progress,
    )
    return Saliency(found.spread(), found.probability)


def _log_odds(features: Tensor, head: Head, column: int) -> Tensor:
    """Of a class against all others, calibrated as the head's probabilities are."""
    scores = tensor_scores(head, features)
    offset = np.zeros(len(head.bias), dtype=np.float32) if head.offset is None else head.offset
    logits = head.temperature * scores + torch.from_numpy(offset)
    others = torch.cat([logits[:column], logits[column + 1 :]])
    return logits[column] - torch.logsumexp(others, dim=0)
