"""A synthetic field of a bone marrow smear: pixels and full truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotation.synthetic.auer_rods import AuerRod
from annotation.synthetic.background import draw_film, draw_precipitate, draw_scratches
from annotation.synthetic.cell_types import SMUDGE
from annotation.synthetic.nucleated_cell import draw_cell
from annotation.synthetic.optics import expose
from annotation.synthetic.outline import Outline, clip_polygon, densify, draw_outline, polygon_area
from annotation.synthetic.patch import cut_patch
from annotation.synthetic.patient import SyntheticPatient
from annotation.synthetic.placement import PlacedCell, PlantedCell, place_cells, place_red_cells, plant
from annotation.synthetic.red_cells import draw_platelet, draw_red_cell, draw_red_cell_outline
from annotation.synthetic.smudge import draw_smudge
from annotation.synthetic.textures import Field, Textures, textures

UM_PER_PIXEL = 171 / 2560
#: an object that shows less than this is no object to an annotator, µm²
_LEAST_VISIBLE = 2.0
_FAGGOT_RODS = 5


@dataclass(frozen=True)
class SyntheticCell:
    """Truth of one cell.

    border: polygon in image pixels (border JSON), clipped to the image; auer_rods: the lines of its rods;
    characteristics: of "auer_rod", "faggot_cell", "abnormal"; cut_off: partly outside the image; ignored: neither
    hit nor miss for a detector, because of ignored_class "smudge" or "edge" (less than half in the image).
    """

    border: dict[str, object]
    cell_type: str
    auer_rod: bool
    auer_rods: tuple[AuerRod, ...]
    characteristics: tuple[str, ...]
    cut_off: bool
    ignored: bool
    ignored_class: str


@dataclass(frozen=True)
class SyntheticSmear:
    """A field: name (of a PNG file), pixels uint8 (height, width, 3), its scale, and the truth of its cells."""

    name: str
    pixels: NDArray[np.uint8]
    um_per_pixel: float
    cells: tuple[SyntheticCell, ...]


def draw_smear(
    patient: SyntheticPatient,
    image_index: int,
    width: int = 2560,
    height: int = 1920,
    um_per_pixel: float = UM_PER_PIXEL,
    planted: tuple[PlantedCell, ...] = (),
) -> SyntheticSmear:
    """Field number image_index of a patient; the same arguments give the same bytes.

    planted: cells to put at given places, whatever else the field holds. ValueError for a size below 16 pixels, a
    scale outside 0.02 to 1 µm per pixel, or a planted type that is not drawn.
    """
    if width < 16 or height < 16:
        raise ValueError("A synthetic smear needs at least 16×16 pixels.")
    if not 0.02 <= um_per_pixel <= 1:
        raise ValueError("The scale of a synthetic smear must lie between 0.02 and 1 µm per pixel.")
    if image_index < 0:
        raise ValueError("The index of a synthetic smear must not be negative.")
    tiles = textures(um_per_pixel)
    density = np.zeros((height, width, 3), np.float32)
    layout = _stream(patient, image_index, 0)
    asked = tuple(plant(cell, patient, um_per_pixel, layout) for cell in planted)
    cells = place_cells(patient, width * um_per_pixel, height * um_per_pixel, asked, layout)

    draw_film(density, patient.stain, patient.debris, tiles, _stream(patient, image_index, 1))
    _draw_red_cells(density, patient, cells, tiles, _stream(patient, image_index, 2))
    draw_scratches(density, patient.debris, tiles, _stream(patient, image_index, 3))
    truth = [_draw_nucleated(density, patient, cells, k, tiles, image_index) for k in range(len(cells))]
    _draw_platelets(density, patient, cells, tiles, _stream(patient, image_index, 4))
    draw_precipitate(density, patient.stain, patient.debris, tiles, _stream(patient, image_index, 5))
    pixels = expose(density, patient.stain.background, patient.optics, um_per_pixel, _stream(patient, image_index, 6))
    name = f"{patient.code}-{image_index:03d}.png"
    return SyntheticSmear(name, pixels, um_per_pixel, tuple(cell for cell in truth if cell is not None))


def _stream(patient: SyntheticPatient, image_index: int, part: int, item: int = 0) -> np.random.Generator:
    """Random numbers of one part of one field, so that a change of one part leaves the others as they are."""
    return np.random.default_rng([patient.seed, patient.index, 2, image_index, part, item])


def _draw_red_cells(
    density: Field,
    patient: SyntheticPatient,
    cells: list[PlacedCell],
    tiles: Textures,
    rng: np.random.Generator,
) -> None:
    height, width, _ = density.shape
    um = tiles.um_per_pixel
    for x, y in place_red_cells(patient, cells, width * um, height * um, rng):
        outline = draw_red_cell_outline(rng, float(x), float(y))
        patch = cut_patch(outline.x, outline.y, outline.reach + 0.8, width, height, tiles, rng)
        if patch is None:
            continue
        stains, depth = draw_red_cell(patch, outline, patient.stain.pallor)
        _brighten_rim(density, patch.window, depth, patient.stain.halo)
        # Where red cells overlap they thin one another: the sum of both would be far too dark.
        density[patch.window] *= (1 - np.float32(0.62) * patch.edge(depth, 0.2))[:, :, None]
        density[patch.window] += patient.stain.densities(stains)


def _brighten_rim(density: Field, window: tuple[slice, slice], depth: Field, strength: float) -> None:
    """The bright line around an object, where its edge bends the light and the film has drawn back."""
    rim = np.exp(-((depth + np.float32(0.3)) ** 2) / np.float32(0.05)) * (depth < 0)
    density[window] *= (1 - np.float32(0.75 * strength) * rim)[:, :, None]
    density[window] -= (np.float32(0.05 * strength) * rim)[:, :, None]


def _draw_nucleated(
    density: Field,
    patient: SyntheticPatient,
    cells: list[PlacedCell],
    k: int,
    tiles: Textures,
    image_index: int,
) -> SyntheticCell | None:
    height, width, _ = density.shape
    cell = cells[k]
    outline = cell.outline
    rng = _stream(patient, image_index, 7, k)
    patch = cut_patch(outline.x, outline.y, outline.reach + 0.9, width, height, tiles, rng)
    if patch is None:
        return None
    rods: tuple[AuerRod, ...] = ()
    if cell.cell_type == SMUDGE:
        stains, cover = draw_smudge(patch, outline)
    else:
        rod_rng = _stream(patient, image_index, 8, k)
        drawn = draw_cell(
            patch, outline, cell.look, patient.granularity, patient.rods, _rod_count(cell, patient, rod_rng), rod_rng,
            _covered(patch.x, patch.y, outline, [later.outline for later in cells[k + 1 :]]),
        )  # fmt: skip
        stains, cover, rods = drawn.stains, drawn.cover, drawn.rods
        _brighten_rim(density, patch.window, outline.depth(patch.x, patch.y), patient.stain.halo)
    density[patch.window] *= (1 - np.float32(0.74) * cover)[:, :, None]
    density[patch.window] += patient.stain.densities(stains)
    return _truth(cell, rods, width, height, tiles.um_per_pixel)


def _covered(x: Field, y: Field, outline: Outline, later: list[Outline]) -> NDArray[np.bool_] | None:
    covered: NDArray[np.bool_] | None = None
    for other in later:
        if np.hypot(other.x - outline.x, other.y - outline.y) < other.reach + outline.reach:
            hidden = other.depth(x + np.float32(outline.x - other.x), y + np.float32(outline.y - other.y)) > -0.3
            covered = hidden if covered is None else covered | hidden
    return covered


def _rod_count(cell: PlacedCell, patient: SyntheticPatient, rng: np.random.Generator) -> int:
    if cell.rods is not None:
        return cell.rods
    rods = patient.rods
    share = {"myeloblast": rods.share_of_myeloblasts, "promyelocyte": rods.share_of_promyelocytes}
    if rng.random() >= share.get(cell.cell_type, 0.0):
        return 0
    if cell.cell_type == "promyelocyte" and rng.random() < rods.share_of_faggots:
        return int(rng.integers(6, 16))
    return int(rng.choice([1, 1, 1, 2, 2, 3]))


def _truth(
    cell: PlacedCell, rods: tuple[AuerRod, ...], width: int, height: int, um_per_pixel: float
) -> SyntheticCell | None:
    whole = cell.outline.polygon(um_per_pixel)
    visible = clip_polygon(whole, width, height)
    if len(visible) < 3 or polygon_area(visible) * um_per_pixel**2 < _LEAST_VISIBLE:
        return None
    share = polygon_area(visible) / polygon_area(whole)
    ignored_class = SMUDGE if cell.cell_type == SMUDGE else "edge" if share < 0.5 else ""
    characteristics = ["auer_rod"] if rods else []
    if len(rods) >= _FAGGOT_RODS:
        characteristics.append("faggot_cell")
    if cell.look == "abnormal_promyelocyte":
        characteristics.append("abnormal")
    points = [[round(float(x), 2), round(float(y), 2)] for x, y in densify(visible)]
    return SyntheticCell(
        border={"kind": "polygon", "points": points},
        cell_type=cell.cell_type,
        auer_rod=bool(rods),
        auer_rods=rods,
        characteristics=tuple(characteristics),
        cut_off=share < 0.999,
        ignored=bool(ignored_class),
        ignored_class=ignored_class,
    )


def _draw_platelets(
    density: Field,
    patient: SyntheticPatient,
    cells: list[PlacedCell],
    tiles: Textures,
    rng: np.random.Generator,
) -> None:
    height, width, _ = density.shape
    um = tiles.um_per_pixel
    for _ in range(int(rng.poisson(patient.platelets * width * height * um**2 * 1e-6))):
        x, y = rng.uniform(0, width) * um, rng.uniform(0, height) * um
        outline = draw_outline(rng, x, y, float(rng.uniform(0.8, 1.7)), float(rng.uniform(0, 0.5)), 0.1)
        point = np.array([x]), np.array([y])
        patch = cut_patch(x, y, outline.reach + 0.5, width, height, tiles, rng)
        if patch is not None and not any(c.outline.contains(*point, margin=1.5).any() for c in cells):
            density[patch.window] += patient.stain.densities(draw_platelet(patch, outline))
