"""Augmentation of a smear image and its boxes: a cell looks the same from every side, in every stain and light."""

import random
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate


@dataclass(frozen=True)
class Strengths:
    scale: float = 0.2
    colour: float = 1.0
    brightness: float = 1.0


@dataclass(frozen=True)
class View:
    """What the images of one batch share: mixed orientations and scales would be padded to a square of the largest."""

    upright: bool
    factor: float

    @classmethod
    def draw(cls, strengths: Strengths, rng: random.Random) -> "View":
        return cls(rng.random() < 0.5, 1 + rng.uniform(-strengths.scale, strengths.scale))


def augment(
    image: Tensor, boxes: Tensor, view: View, strengths: Strengths, rng: random.Random
) -> tuple[Tensor, Tensor]:
    """A random view of image (3, H, W) from 0 to 1 with boxes (N, 4) in px; both are returned anew."""
    quarter_turns = 2 * rng.randrange(2) + (not view.upright)
    image, boxes = turn(image, boxes, quarter_turns=quarter_turns, mirrored=rng.random() < 0.5)
    image, boxes = rescale(image, boxes, view.factor)
    return recolour(image, strengths, rng), boxes


def turn(image: Tensor, boxes: Tensor, *, quarter_turns: int, mirrored: bool) -> tuple[Tensor, Tensor]:
    """Rotate by quarter turns against the clock, then mirror left to right."""
    for _ in range(quarter_turns % 4):
        width = image.shape[2]
        image = torch.rot90(image, 1, (1, 2))
        boxes = torch.stack([boxes[:, 1], width - boxes[:, 2], boxes[:, 3], width - boxes[:, 0]], dim=1)
    if mirrored:
        width = image.shape[2]
        image = image.flip(2)
        boxes = torch.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], dim=1)
    return image, boxes


def rescale(image: Tensor, boxes: Tensor, factor: float) -> tuple[Tensor, Tensor]:
    """Resize by a factor; boxes follow the size that the image really gets."""
    height, width = image.shape[1:]
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    image = interpolate(image[None], size=size, mode="bilinear", antialias=factor < 1, align_corners=False)[0]
    return image, boxes * boxes.new_tensor([size[1] / width, size[0] / height] * 2)


def recolour(image: Tensor, strengths: Strengths, rng: random.Random) -> Tensor:
    """Stain (gamma a channel, saturation) and light (contrast, brightness), drawn afresh."""
    if strengths.colour:
        gamma = torch.tensor([rng.uniform(-0.15, 0.15) * strengths.colour for _ in range(3)]).exp()
        image = image.clamp(1e-3, 1) ** gamma[:, None, None]
        grey = image.mean(dim=0, keepdim=True)
        image = grey + (image - grey) * (1 + rng.uniform(-0.3, 0.3) * strengths.colour)
    if strengths.brightness:
        mean = image.mean(dim=(1, 2), keepdim=True)
        image = mean + (image - mean) * (1 + rng.uniform(-0.25, 0.25) * strengths.brightness)
        image = image * (1 + rng.uniform(-0.2, 0.2) * strengths.brightness)
    return image.clamp(0, 1)
