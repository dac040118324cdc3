"""Where the objects of a field lie: marrow cells crowd, touch, flatten against one another and now and then overlap."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotation.synthetic.cell_types import LOOKS, LOOKS_OF_TYPE, SMUDGE
from annotation.synthetic.outline import Outline, draw_outline
from annotation.synthetic.patient import SyntheticPatient

_MARGIN = 7.0


@dataclass
class PlacedCell:
    """A cell before it is drawn; rods: how many Auer rods it should have (None: as the patient's rates say)."""

    cell_type: str
    look: str
    outline: Outline
    rods: int | None = None


@dataclass(frozen=True)
class PlantedCell:
    """A cell asked for at (x, y) in image pixels, of a type, with so many Auer rods."""

    x: float
    y: float
    cell_type: str
    rods: int = 0


def place_cells(
    patient: SyntheticPatient,
    width_um: float,
    height_um: float,
    planted: tuple[PlacedCell, ...],
    rng: np.random.Generator,
) -> list[PlacedCell]:
    """Nucleated and smudge cells, in drawing order (a later one lies on top); at least one lies in the field."""
    area = (width_um + 2 * _MARGIN) * (height_um + 2 * _MARGIN) * 1e-6
    wanted = int(rng.poisson(patient.cells * (1 + patient.smudges) * area))
    names = [name for name, _ in patient.differential]
    shares = np.array([share for _, share in patient.differential])
    placed = list(planted)
    for k in range(max(1, wanted)):
        smudge = k > 0 and rng.random() < patient.smudges / (1 + patient.smudges)
        cell_type = SMUDGE if smudge else names[int(rng.choice(len(names), p=shares / shares.sum()))]
        look = _look(cell_type, patient, rng)
        radius = rng.uniform(*LOOKS[look].radius) if look in LOOKS else rng.uniform(5.0, 8.0)
        spot = _spot(placed, radius, width_um, height_um, not placed, rng)
        if spot is not None:
            placed.append(PlacedCell(cell_type, look, outline_of(look, *spot, radius, rng)))
    press_together(placed, rng)
    return placed


def plant(cell: PlantedCell, patient: SyntheticPatient, um_per_pixel: float, rng: np.random.Generator) -> PlacedCell:
    """The asked-for cell, ready to be placed first. ValueError for a type that the generator does not draw."""
    if cell.cell_type not in LOOKS_OF_TYPE:
        raise ValueError(f"The generator draws no cell type {cell.cell_type!r}, only {', '.join(LOOKS_OF_TYPE)}.")
    look = _look(cell.cell_type, patient, rng)
    if cell.cell_type == "promyelocyte" and cell.rods:
        look = "abnormal_promyelocyte"
    radius = float(rng.uniform(*LOOKS[look].radius))
    outline = outline_of(look, cell.x * um_per_pixel, cell.y * um_per_pixel, radius, rng)
    return PlacedCell(cell.cell_type, look, outline, cell.rods)


def outline_of(look: str, x: float, y: float, radius: float, rng: np.random.Generator) -> Outline:
    """An outline as the look has it; a smudge's is wide and ragged."""
    if look not in LOOKS:
        return draw_outline(rng, x, y, radius, float(rng.uniform(0.1, 0.5)), 0.12)
    appearance = LOOKS[look]
    return draw_outline(
        rng,
        x,
        y,
        radius,
        float(rng.uniform(*appearance.elongation)),
        float(rng.uniform(*appearance.irregularity)),
    )


def _look(cell_type: str, patient: SyntheticPatient, rng: np.random.Generator) -> str:
    if cell_type == SMUDGE:
        return SMUDGE
    if cell_type == "promyelocyte" and rng.random() < patient.abnormal_promyelocytes:
        return "abnormal_promyelocyte"
    looks = LOOKS_OF_TYPE[cell_type]
    return looks[int(rng.choice(len(looks), p=[share for _, share in looks]))][0]


def _spot(
    placed: list[PlacedCell],
    radius: float,
    width: float,
    height: float,
    within: bool,
    rng: np.random.Generator,
) -> tuple[float, float] | None:
    """A place for a cell: half the time against a neighbour, else anywhere; within: the centre must be in the field."""
    margin = -min(radius, width / 3, height / 3) if within else _MARGIN
    centres = np.array([(cell.outline.x, cell.outline.y) for cell in placed]).reshape(-1, 2)
    radii = np.array([_mean_radius(cell.outline) for cell in placed])
    # A few cells come to lie partly on one another; most only touch.
    closest = 0.72 if rng.random() < 0.12 else rng.uniform(0.88, 0.98)
    for _ in range(40):
        if len(placed) and rng.random() < 0.6:
            k = int(rng.integers(len(placed)))
            away, angle = (radii[k] + radius) * rng.uniform(closest, 1.05), rng.uniform(0, 2 * np.pi)
            x, y = centres[k, 0] + away * np.cos(angle), centres[k, 1] + away * np.sin(angle)
            if not (-margin < x < width + margin and -margin < y < height + margin):
                continue
        else:
            x, y = rng.uniform(-margin, width + margin), rng.uniform(-margin, height + margin)
        distances = np.hypot(centres[:, 0] - x, centres[:, 1] - y)
        if (distances >= (radii + radius) * closest).all():
            return float(x), float(y)
    return None


def press_together(placed: list[PlacedCell], rng: np.random.Generator) -> None:
    """Flatten cells where they touch, so that at most a narrow seam overlaps; a few pairs stay overlapping."""
    circles = [(c.outline.x, c.outline.y, _mean_radius(c.outline)) for c in placed]
    for i, (ax, ay, ar) in enumerate(circles):
        for j in range(i):
            bx, by, br = circles[j]
            distance = float(np.hypot(ax - bx, ay - by))
            if distance > (ar + br) * 1.35 or distance < 1e-6:
                continue
            overlapping = distance < (ar + br) * 0.88
            slack = rng.uniform(0.5, 1.6) if overlapping else rng.uniform(-0.2, 0.35)
            seam = (distance**2 + ar**2 - br**2) / (2 * distance)
            seam = float(np.clip(seam, 0.45 * ar, distance - 0.45 * br))
            placed[i].outline.flatten_against(bx, by, seam + slack / 2)
            placed[j].outline.flatten_against(ax, ay, distance - seam + slack / 2)


def place_red_cells(
    patient: SyntheticPatient,
    cells: list[PlacedCell],
    width_um: float,
    height_um: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Centres (n, 2) in µm of red cells: in the gaps, some under the edge of a nucleated cell, often in groups."""
    wanted = int(rng.poisson(patient.red_cells * (width_um + 8) * (height_um + 8) * 1e-6))
    centres = np.array([(c.outline.x, c.outline.y) for c in cells]).reshape(-1, 2)
    reach = np.array([_mean_radius(c.outline) for c in cells]) + 3.4
    kept: list[tuple[float, float]] = []
    for _ in range(wanted):
        for _ in range(12):
            if kept and rng.random() < 0.55:
                x0, y0 = kept[int(rng.integers(len(kept)))]
                away, angle = rng.uniform(4.6, 7.4), rng.uniform(0, 2 * np.pi)
                x, y = x0 + away * np.cos(angle), y0 + away * np.sin(angle)
            else:
                x, y = rng.uniform(-4, width_um + 4), rng.uniform(-4, height_um + 4)
            under = np.hypot(centres[:, 0] - x, centres[:, 1] - y) < reach * rng.uniform(0.78, 1.0)
            crowded = sum(np.hypot(x - a, y - b) < 4.2 for a, b in kept)
            if not under.any() and not crowded:
                kept.append((float(x), float(y)))
                break
    return np.array(kept).reshape(-1, 2)


def _mean_radius(outline: Outline) -> float:
    return float(np.sqrt((outline.radii**2).mean()))
