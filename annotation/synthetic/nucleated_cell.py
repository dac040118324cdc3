"""One nucleated cell in its patch: cytoplasm, nucleus, rods."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotation.synthetic.auer_rods import AuerRod, RodParameters, draw_rods, place_rods, rods_in_image
from annotation.synthetic.cell_types import LOOKS, Appearance
from annotation.synthetic.cytoplasm import draw_cytoplasm
from annotation.synthetic.nucleus import SHAPES, chromatin, nucleus_depth
from annotation.synthetic.outline import Outline
from annotation.synthetic.patch import Patch
from annotation.synthetic.stain import AZUROPHIL, BLUE, NUCLEAR
from annotation.synthetic.textures import Field


@dataclass
class DrawnCell:
    """Concentrations (4, height, width) and coverage (height, width) of a cell in its patch, and its rods."""

    stains: Field
    cover: Field
    rods: tuple[AuerRod, ...]


def draw_cell(
    patch: Patch,
    outline: Outline,
    look_name: str,
    granularity: float,
    rods: RodParameters,
    rod_count: int,
    rod_rng: np.random.Generator,
    covered: NDArray[np.bool_] | None,
) -> DrawnCell:
    """Draw a cell; covered marks pixels of the patch that a cell drawn later will hide (no rod lies there)."""
    look = LOOKS[look_name]
    rng = patch.rng
    depth = outline.depth(patch.x, patch.y)
    # Fraying finer than the border that an annotator would draw.
    depth += np.float32(0.02) * patch.noise("clump") + np.float32(0.06) * patch.noise("mid")
    softness = float(rng.uniform(0.2, 0.55))
    cover = patch.edge(depth, softness)
    radius = float(np.sqrt((outline.radii**2).mean()))
    size = radius * float(np.sqrt(rng.uniform(*look.nucleus)))
    angle = rng.uniform(0, 2 * np.pi)
    offset = max(0.0, radius - size) * rng.uniform(*look.eccentric)
    centre = (float(offset * np.cos(angle)), float(offset * np.sin(angle)))
    hof = (centre[0] - 0.95 * size * float(np.cos(angle)), centre[1] - 0.95 * size * float(np.sin(angle)))

    stains = draw_cytoplasm(patch, look, depth, cover, radius, hof, granularity)
    shape = SHAPES[look.nucleus_shape](rng)
    inside = nucleus_depth(patch, shape, *centre, size, _unevenness(look))
    # The nucleus stays within the cell and follows its outline where both are close.
    inside = np.minimum(inside, depth - np.float32(rng.uniform(0.15, 0.4)))
    nucleus = patch.edge(inside, 0.16)
    density, nucleolus = chromatin(patch, look, inside, shape, centre, size)
    stains *= 1 - np.float32(0.45) * nucleus
    stains[NUCLEAR] += np.float32(rng.uniform(*look.chromatin)) * density * nucleus
    stains[BLUE] += nucleolus * nucleus

    truth: tuple[AuerRod, ...] = ()
    if rod_count:
        free = (depth > 0.45) & (inside < -0.1)
        if covered is not None:
            free &= ~covered
        lines = place_rods(patch, free, rods, rod_count, rod_rng)
        stains[AZUROPHIL] += draw_rods(patch, lines)
        truth = rods_in_image(patch, lines, outline.x, outline.y)
    return DrawnCell(stains, cover, truth)


def _unevenness(look: Appearance) -> float:
    return 0.16 if look.nucleus_shape in ("round", "oval") else 0.26
