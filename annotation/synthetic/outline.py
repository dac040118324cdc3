"""The outline of a drawn cell: a closed curve given by its radius at each angle, and the border made from it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotation.synthetic.textures import Field

ANGLES = 1024
BORDER_POINTS = 34
_THETA = np.arange(ANGLES) * (2 * np.pi / ANGLES)


@dataclass
class Outline:
    """Centre (x, y) in µm from the image's top left corner, and the radius in µm at each of ANGLES angles."""

    x: float
    y: float
    radii: NDArray[np.float64]

    @property
    def reach(self) -> float:
        """Largest radius, µm."""
        return float(self.radii.max())

    def flatten_against(self, x: float, y: float, distance: float) -> None:
        """Press the outline against a neighbour at (x, y): a soft chord at the distance (µm) towards it."""
        direction = np.arctan2(y - self.y, x - self.x)
        cosine = np.cos(_THETA - direction)
        chord = np.where(cosine > 0.05, distance / np.maximum(cosine, 0.05), np.inf)
        # Soft minimum, so that a contact face ends in rounded corners.
        self.radii = (self.radii**-10.0 + chord**-10.0) ** -0.1

    def contains(self, x: NDArray[np.float64], y: NDArray[np.float64], margin: float = 0.0) -> NDArray[np.bool_]:
        """Whether points (µm) lie inside the outline grown by the margin (µm)."""
        dx, dy = x - self.x, y - self.y
        index = (np.arctan2(dy, dx) * (ANGLES / (2 * np.pi))).astype(int) % ANGLES
        return np.hypot(dx, dy) < self.radii[index] + margin

    def depth(self, x: Field, y: Field) -> Field:
        """About the distance in µm to the outline, positive inside; x (1, width), y (height, 1) from the centre."""
        index = (np.arctan2(y, x) * np.float32(ANGLES / (2 * np.pi)) + np.float32(0.5)).astype(np.int32) & (ANGLES - 1)
        slope = (np.roll(self.radii, -1) - np.roll(self.radii, 1)) * (ANGLES / (4 * np.pi))
        steepness = (1 / np.sqrt(1 + (slope / self.radii) ** 2)).astype(np.float32)
        return (self.radii.astype(np.float32)[index] - np.sqrt(x * x + y * y)) * steepness[index]

    def polygon(self, um_per_pixel: float) -> NDArray[np.float64]:
        """Corners (BORDER_POINTS, 2) in image pixels."""
        index = np.arange(BORDER_POINTS) * ANGLES // BORDER_POINTS
        # Chords cut off a little of a round shape: grow by what makes the areas equal.
        radii = self.radii[index] * (1 + (np.pi / BORDER_POINTS) ** 2 / 3)
        x = self.x + radii * np.cos(_THETA[index])
        y = self.y + radii * np.sin(_THETA[index])
        return np.stack([x, y], axis=1) / um_per_pixel


def draw_outline(
    rng: np.random.Generator, x: float, y: float, radius: float, elongation: float, irregularity: float
) -> Outline:
    """An outline of mean radius (µm); elongation is long to short axis minus 1, irregularity the size of bumps."""
    axis = rng.uniform(0, 2 * np.pi)
    radii = 1 + elongation / 2 * np.cos(2 * (_THETA - axis))
    for order in range(3, 10):
        amplitude = irregularity * rng.normal() / (order - 1) ** 1.5
        radii += amplitude * np.cos(order * _THETA + rng.uniform(0, 2 * np.pi))
    return Outline(x, y, radius * np.clip(radii, 0.55, 1.6))


def clip_polygon(points: NDArray[np.float64], width: float, height: float) -> NDArray[np.float64]:
    """The part of a polygon inside the image (Sutherland and Hodgman 1974); no rows where none is."""
    for axis, limit, sign in ((0, 0.0, 1), (0, width, -1), (1, 0.0, 1), (1, height, -1)):
        kept: list[NDArray[np.float64]] = []
        for k, b in enumerate(points):
            a = points[k - 1]
            a_in, b_in = sign * (a[axis] - limit) >= 0, sign * (b[axis] - limit) >= 0
            if a_in != b_in:
                cut = a + (b - a) * ((limit - a[axis]) / (b[axis] - a[axis]))
                cut[axis] = limit
                kept.append(cut)
            if b_in:
                kept.append(b)
        points = np.array(kept).reshape(-1, 2)
        if not len(points):
            break
    return points


def polygon_area(points: NDArray[np.float64]) -> float:
    """Area in the points' units squared (shoelace formula)."""
    x, y = points[:, 0], points[:, 1]
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def densify(points: NDArray[np.float64], least: int = 20) -> NDArray[np.float64]:
    """Split the longest sides until the polygon has at least the given number of corners."""
    corners = list(points)
    while len(corners) < least:
        lengths = [float(np.hypot(*(corners[k] - corners[k - 1]))) for k in range(len(corners))]
        k = int(np.argmax(lengths))
        corners.insert(k, (corners[k] + corners[k - 1]) / 2)
    return np.array(corners)
