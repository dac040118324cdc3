"""Auer rods: needles of fused azurophil granules, 0.3 to 0.5 µm wide, singly or in bundles (faggot cells)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotation.synthetic.patch import Patch
from annotation.synthetic.textures import Field

_STEPS = 9
_CANDIDATES = 90


@dataclass(frozen=True)
class RodParameters:
    """Rods of one patient: share of blasts and promyelocytes with rods, share of those that are faggot cells;
    ranges of width and length (µm) and of contrast (concentration of azurophil stain)."""

    share_of_myeloblasts: float
    share_of_promyelocytes: float
    share_of_faggots: float
    width: tuple[float, float]
    length: tuple[float, float]
    contrast: tuple[float, float]


@dataclass(frozen=True)
class AuerRod:
    """A rod's line: points (x, y) in image pixels; its width in µm."""

    points: tuple[tuple[float, float], ...]
    width: float


@dataclass(frozen=True)
class _Line:
    points: NDArray[np.float64]  # (steps, 2), µm from the cell's centre
    width: float
    contrast: float


def place_rods(
    patch: Patch, free: NDArray[np.bool_], rods: RodParameters, count: int, rng: np.random.Generator
) -> list[_Line]:
    """Up to count lines that lie in free cytoplasm (a mask of the patch's shape); none where there is no room."""
    lines: list[_Line] = []
    bundle = count > 4
    heading = rng.uniform(0, np.pi)
    ys, xs = np.nonzero(free)
    if not len(xs):
        return lines
    for _ in range(count):
        width, contrast = rng.uniform(*rods.width), rng.uniform(*rods.contrast)
        length = rng.uniform(*rods.length) * (0.8 if bundle else 1.0)
        picks = rng.integers(0, len(xs), _CANDIDATES)
        spread = 0.35 if bundle and rng.random() < 0.75 else np.pi
        angles = heading + rng.uniform(-spread, spread, _CANDIDATES)
        middle = np.stack([patch.x[0, xs[picks]], patch.y[ys[picks], 0]], axis=1).astype(np.float64)
        if bundle and lines:
            # Needles of a bundle lie beside one another, like sticks.
            anchor = lines[0].points[_STEPS // 2]
            near = np.hypot(*(middle - anchor).T) < 2.2
            middle, angles = (middle[near], angles[near]) if near.any() else (middle, angles)
        for shorter in (1.0, 0.75, 0.55):
            points = _curves(middle, angles, length * shorter, rng.normal(0, 0.05, len(middle)))
            inside = _share_free(patch, free, points)
            best = int(np.argmax(inside))
            if inside[best] >= 0.85 and length * shorter >= 1.4:
                lines.append(_Line(points[best], width, contrast))
                break
    return lines


def draw_rods(patch: Patch, lines: list[_Line]) -> Field:
    """Concentration of azurophil stain that the rods add, of the patch's shape."""
    stain = np.zeros(patch.shape, np.float32)
    um = patch.textures.um_per_pixel
    for line in lines:
        x0, y0 = line.points.min(axis=0) - 1.0
        x1, y1 = line.points.max(axis=0) + 1.0
        columns = slice(*np.searchsorted(patch.x[0], (x0, x1)))
        rows = slice(*np.searchsorted(patch.y[:, 0], (y0, y1)))
        x, y = patch.x[:, columns], patch.y[rows]
        if not x.size or not y.size:
            continue
        nearest = np.full((y.size, x.size), 9.0, np.float32)
        for (ax, ay), (bx, by), t in zip(line.points[:-1], line.points[1:], np.linspace(0, 1, _STEPS - 1), strict=True):
            span = max((bx - ax) ** 2 + (by - ay) ** 2, 1e-9)
            along = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / span, 0, 1)
            gap = np.sqrt((x - ax - along * (bx - ax)) ** 2 + (y - ay - along * (by - ay)) ** 2)
            # Needles taper towards both ends.
            nearest = np.minimum(nearest, gap + np.float32(line.width * 0.28 * (2 * abs(t - 0.5)) ** 4))
        softness = max(0.1, um)
        profile = np.clip((np.float32(line.width / 2) - nearest) / np.float32(softness) + 0.5, 0, 1)
        part = stain[rows, columns]
        np.maximum(part, np.float32(line.contrast) * profile, out=part)
    return stain


def rods_in_image(patch: Patch, lines: list[_Line], x: float, y: float) -> tuple[AuerRod, ...]:
    """The lines as truth: image pixels, for a cell whose centre is at (x, y) µm."""
    um = patch.textures.um_per_pixel
    return tuple(
        AuerRod(
            tuple((round(float((px + x) / um), 2), round(float((py + y) / um), 2)) for px, py in line.points),
            round(line.width, 3),
        )
        for line in lines
    )


def _curves(
    middle: NDArray[np.float64], angles: NDArray[np.float64], length: float, bend: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Slightly bent lines, (candidates, steps, 2)."""
    t = np.linspace(-0.5, 0.5, _STEPS)
    along = np.stack([np.cos(angles), np.sin(angles)], axis=1)[:, None, :] * (t * length)[None, :, None]
    across = np.stack([-np.sin(angles), np.cos(angles)], axis=1)[:, None, :]
    return middle[:, None, :] + along + across * (bend[:, None] * length * (1 - 4 * t**2)[None, :])[:, :, None]


def _share_free(patch: Patch, free: NDArray[np.bool_], points: NDArray[np.float64]) -> NDArray[np.float64]:
    um = patch.textures.um_per_pixel
    columns = np.floor((points[..., 0] - patch.x[0, 0]) / um + 0.5).astype(int)
    rows = np.floor((points[..., 1] - patch.y[0, 0]) / um + 0.5).astype(int)
    height, width = patch.shape
    within = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    hit = free[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)] & within
    # A rod that leaves the picture or the cell would make the truth wrong: both ends must be free.
    share = hit.mean(axis=1)
    return np.where(within.all(axis=1) & hit[:, 0] & hit[:, -1], share, 0.0)
