"""The nucleus: its shape as a union of ellipses and bridges, and its chromatin."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from annotation.synthetic.cell_types import Appearance
from annotation.synthetic.patch import Patch
from annotation.synthetic.textures import Field


@dataclass
class NucleusShape:
    """Parts in µm relative to the nucleus' centre, for a nucleus of unit radius until scaled.

    ellipses: (x, y, a, b, angle); bridges: (x0, y0, x1, y1, half width); clefts: (x, y, radius) cut out;
    join: µm over which parts melt together; crease: (x, y, angle) of a fold's line, or None.
    """

    ellipses: list[tuple[float, float, float, float, float]] = field(default_factory=list)
    bridges: list[tuple[float, float, float, float, float]] = field(default_factory=list)
    clefts: list[tuple[float, float, float]] = field(default_factory=list)
    join: float = 0.15
    crease: tuple[float, float, float] | None = None


def _round(rng: np.random.Generator) -> NucleusShape:
    stretch = rng.uniform(1.0, 1.1)
    return NucleusShape([(0, 0, stretch, 1 / stretch, rng.uniform(0, np.pi))])


def _oval(rng: np.random.Generator) -> NucleusShape:
    stretch = rng.uniform(1.08, 1.3)
    return NucleusShape([(0, 0, stretch, 1 / stretch, rng.uniform(0, np.pi))])


def _blast(rng: np.random.Generator) -> NucleusShape:
    angle = rng.uniform(0, 2 * np.pi)
    stretch = rng.uniform(1.0, 1.22)
    shape = NucleusShape([(0, 0, stretch, 1 / stretch, angle)])
    if rng.random() < 0.3:
        radius = rng.uniform(0.2, 0.5)
        shape.clefts.append((1.2 * np.cos(angle + 1.4), 1.2 * np.sin(angle + 1.4), radius))
    if rng.random() < 0.25:
        shape.crease = (rng.normal(0, 0.25), rng.normal(0, 0.25), rng.uniform(0, np.pi))
    return shape


def _folded(rng: np.random.Generator) -> NucleusShape:
    """Two lobes like a butterfly, a folded sac or a kidney: abnormal promyelocytes, monocytes."""
    angle = rng.uniform(0, 2 * np.pi)
    opening = rng.uniform(0.5, 1.3)
    apart = rng.uniform(0.42, 0.66)
    size = rng.uniform(0.7, 1.0)
    dx, dy = np.cos(angle), np.sin(angle)
    shape = NucleusShape(
        [
            (apart * dx, apart * dy, 0.92, 0.66, angle + opening),
            (-apart * dx, -apart * dy, 0.92 * size, 0.66 * size, angle - opening),
        ],
        join=0.2,
    )
    shape.clefts.append((1.15 * np.sin(angle), -1.15 * np.cos(angle), rng.uniform(0.2, 0.6)))
    if rng.random() < 0.6:
        shape.crease = (0.0, 0.0, angle + np.pi / 2 + rng.normal(0, 0.3))
    return shape


def _kidney(rng: np.random.Generator) -> NucleusShape:
    angle = rng.uniform(0, 2 * np.pi)
    shape = NucleusShape([(0, 0, 1.3, 0.9, angle)])
    shape.clefts.append((-1.05 * np.sin(angle), 1.05 * np.cos(angle), rng.uniform(0.45, 0.75)))
    return shape


def _arc(rng: np.random.Generator, count: int, span: float, radius: float) -> list[tuple[float, float]]:
    start = rng.uniform(0, 2 * np.pi)
    angles = start + np.linspace(0, span, count)
    spread = radius * (1 + rng.normal(0, 0.1, count))
    x, y = spread * np.cos(angles), spread * np.sin(angles)
    return [(float(a - x.mean() * 0.6), float(b - y.mean() * 0.6)) for a, b in zip(x, y, strict=True)]


def _band(rng: np.random.Generator) -> NucleusShape:
    points = _arc(rng, 6, rng.uniform(2.6, 4.6), rng.uniform(0.95, 1.15))
    widths = rng.uniform(0.42, 0.56) * np.array([1.1, 1.0, 0.85, 0.85, 1.0, 1.15]) * rng.uniform(0.9, 1.1, 6)
    bridges = [(*points[k], *points[k + 1], float(widths[k])) for k in range(5)]
    return NucleusShape(bridges=bridges, join=0.3)


def _lobes(rng: np.random.Generator, count: int) -> NucleusShape:
    points = _arc(rng, count, rng.uniform(1.2, 1.6) * (count - 1), rng.uniform(0.9, 1.15))
    shape = NucleusShape(join=0.08)
    for x, y in points:
        size = rng.uniform(0.52, 0.72) * (1.15 if count == 2 else 1.0)
        stretch = rng.uniform(1.0, 1.3)
        shape.ellipses.append((x, y, size * stretch, size / stretch, rng.uniform(0, np.pi)))
    for k in range(count - 1):
        shape.bridges.append((*points[k], *points[k + 1], float(rng.uniform(0.08, 0.24))))
    return shape


def _segmented(rng: np.random.Generator) -> NucleusShape:
    return _lobes(rng, int(rng.choice([3, 3, 4, 4, 5])))


def _bilobed(rng: np.random.Generator) -> NucleusShape:
    return _lobes(rng, int(rng.choice([2, 2, 3])))


SHAPES: dict[str, Callable[[np.random.Generator], NucleusShape]] = {
    "round": _round,
    "oval": _oval,
    "blast": _blast,
    "folded": _folded,
    "kidney": _kidney,
    "band": _band,
    "segmented": _segmented,
    "bilobed": _bilobed,
}


def _melt(a: Field, b: Field, over: float) -> Field:
    """Smooth maximum of two depths (polynomial, Quilez)."""
    h = np.clip(0.5 + (a - b) * np.float32(0.5 / over), 0, 1)
    return b + (a - b) * h + np.float32(over) * h * (1 - h)


def nucleus_depth(patch: Patch, shape: NucleusShape, x0: float, y0: float, radius: float, warp: float) -> Field:
    """Depth in µm inside the nucleus (negative outside), shape of the patch; warp: µm by which it is uneven."""
    uneven = np.float32(0.12 * warp) * patch.noise("mid")
    x = (patch.x - np.float32(x0) + np.float32(warp) * patch.noise("broad") + uneven) / np.float32(radius)
    y = (patch.y - np.float32(y0) + np.float32(warp) * patch.noise("broad") - uneven) / np.float32(radius)
    depth: Field | None = None
    for cx, cy, a, b, angle in shape.ellipses:
        cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        u = ((x - cx) * cosine + (y - cy) * sine) / np.float32(a)
        v = ((y - cy) * cosine - (x - cx) * sine) / np.float32(b)
        part = (1 - np.sqrt(u * u + v * v)) * np.float32(min(a, b))
        depth = part if depth is None else _melt(depth, part, shape.join)
    for ax, ay, bx, by, half in shape.bridges:
        length = np.float32((bx - ax) ** 2 + (by - ay) ** 2 + 1e-6)
        t = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length, 0, 1)
        part = np.float32(half) - np.sqrt((x - ax - t * (bx - ax)) ** 2 + (y - ay - t * (by - ay)) ** 2)
        depth = part if depth is None else _melt(depth, part, shape.join)
    assert depth is not None
    for cx, cy, cleft in shape.clefts:
        gap = np.float32(cleft) - np.sqrt((x - cx) ** 2 + (y - cy) ** 2)
        depth = -_melt(-depth, gap, 0.12)
    return (depth * np.float32(radius)).astype(np.float32)


def chromatin(
    patch: Patch,
    look: Appearance,
    depth: Field,
    shape: NucleusShape,
    centre: tuple[float, float],
    radius: float,
) -> tuple[Field, Field]:
    """Concentration of nuclear stain in a nucleus of unit mean, and of the blue of its nucleoli (patch shape)."""
    rng = patch.rng
    # Chromatin is a dark net with paler holes (parachromatin): coarse ones in mature cells, fine ones in blasts.
    coarse = np.clip(patch.noise("clump") + np.float32(0.5) * patch.noise("mid") - np.float32(0.1), 0, 2)
    fine = np.clip(patch.noise("fine"), -0.8, 2)
    texture = np.float32(0.35 * look.clumps) - np.float32(look.clumps) * coarse - np.float32(0.55 * look.fine) * fine
    texture += np.float32(0.06) * patch.noise("broad") + np.float32(0.05) * patch.noise("mid")
    density = 1 + np.clip(np.float32(1.25) * texture, -0.55, 0.4)
    # The membrane, where chromatin lies dense and the nucleus is seen edge on.
    density += np.float32(0.13) * np.exp(-((depth - np.float32(0.25)) ** 2) / np.float32(0.08))
    density *= np.float32(0.88) + np.float32(0.16) * np.clip(depth / np.float32(0.45 * radius), 0, 1)
    blue = np.zeros_like(density)
    for _ in range(int(rng.integers(look.nucleoli[0], look.nucleoli[1] + 1))):
        angle, distance = rng.uniform(0, 2 * np.pi), radius * np.sqrt(rng.uniform(0, 0.4))
        size = rng.uniform(0.7, 1.5) * min(1.0, radius / 5)
        x = patch.x - np.float32(centre[0] + distance * np.cos(angle))
        y = patch.y - np.float32(centre[1] + distance * np.sin(angle))
        gap = np.sqrt(x * x + y * y * np.float32(rng.uniform(0.7, 1.4))) - np.float32(size)
        gap += np.float32(0.12) * patch.noise("clump")
        inside = np.clip(0.5 - gap / np.float32(0.6), 0, 1)
        density *= 1 - np.float32(rng.uniform(0.22, 0.46)) * inside
        density += np.float32(0.11) * np.exp(-((gap - np.float32(0.35)) ** 2) / np.float32(0.08))
        blue += np.float32(rng.uniform(0.04, 0.14)) * inside
    if shape.crease is not None:
        cx, cy, angle = shape.crease
        x = patch.x - np.float32(centre[0] + cx * radius)
        y = patch.y - np.float32(centre[1] + cy * radius)
        across = x * np.float32(-np.sin(angle)) + y * np.float32(np.cos(angle))
        across += np.float32(0.35) * patch.noise("mid")
        density *= 1 - np.float32(0.2) * np.exp(-(across**2) / np.float32(0.05))
        density += np.float32(0.14) * np.exp(-((across - np.float32(0.45)) ** 2) / np.float32(0.09))
    return density.astype(np.float32), blue.astype(np.float32)
