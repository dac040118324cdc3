"""A rectangle of the field in which one object is drawn."""

from dataclasses import dataclass

import numpy as np

from annotation.synthetic.textures import Field, Textures


@dataclass
class Patch:
    """Pixels [top, bottom) × [left, right) of the field; x (1, width) and y (height, 1) in µm from the object's centre.

    rng is the object's own stream, so that one object never changes how another looks.
    """

    left: int
    top: int
    right: int
    bottom: int
    x: Field
    y: Field
    textures: Textures
    rng: np.random.Generator

    @property
    def shape(self) -> tuple[int, int]:
        return self.bottom - self.top, self.right - self.left

    @property
    def window(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def noise(self, name: str) -> Field:
        return self.textures.noise(name, self.shape, self.rng)

    def edge(self, depth: Field, softness: float = 0.09) -> Field:
        """Coverage 0 to 1 of a shape of the given depth (µm, positive inside), soft over softness µm or one pixel."""
        softness = max(softness, self.textures.um_per_pixel)
        return np.clip(depth / np.float32(softness) + np.float32(0.5), 0, 1)


def cut_patch(
    x: float, y: float, reach: float, width: int, height: int, textures: Textures, rng: np.random.Generator
) -> Patch | None:
    """The patch around (x, y) (µm) that reaches so far (µm) on each side, cut at the image; None where outside."""
    um = textures.um_per_pixel
    left, right = max(0, int((x - reach) / um)), min(width, int((x + reach) / um) + 1)
    top, bottom = max(0, int((y - reach) / um)), min(height, int((y + reach) / um) + 1)
    if left >= right or top >= bottom:
        return None
    columns = ((np.arange(left, right) + 0.5) * um - x).astype(np.float32)[None, :]
    rows = ((np.arange(top, bottom) + 0.5) * um - y).astype(np.float32)[:, None]
    return Patch(left, top, right, bottom, columns, rows, textures, rng)
