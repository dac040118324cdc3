"""Red cells: pale, biconcave, lying over one another; and platelets."""

import numpy as np

from annotation.synthetic.outline import Outline, draw_outline
from annotation.synthetic.patch import Patch
from annotation.synthetic.stain import AZUROPHIL, BLUE, EOSIN, STAINS
from annotation.synthetic.textures import Field


def draw_red_cell_outline(rng: np.random.Generator, x: float, y: float) -> Outline:
    """The outline of a red cell of about 7.2 µm, at times drawn out."""
    elongation = float(abs(rng.normal(0, 0.2)))
    return draw_outline(rng, x, y, float(rng.normal(3.65, 0.3)), elongation, float(rng.uniform(0.02, 0.075)))


def draw_red_cell(patch: Patch, outline: Outline, pallor: float) -> tuple[Field, Field]:
    """Concentrations (4, height, width) of a red cell, and the depth of its outline; pallor 0 flat to 1 pale centre."""
    rng = patch.rng
    depth = outline.depth(patch.x, patch.y)
    radius = float(outline.radii.mean())
    shift = rng.normal(0, 0.12 * radius, 2)
    from_centre = np.sqrt((patch.x - np.float32(shift[0])) ** 2 + (patch.y - np.float32(shift[1])) ** 2)
    dip = np.exp(-((from_centre / np.float32(radius * rng.uniform(0.38, 0.55))) ** 2))
    body = 1 - np.float32(pallor * rng.uniform(0.5, 1.0)) * dip
    body += np.float32(0.1) * np.exp(-((depth - np.float32(0.5)) ** 2) / np.float32(0.2))
    body *= 1 + np.float32(0.04) * patch.noise("mid") + np.float32(0.05) * patch.noise("broad")
    stains = np.zeros((STAINS, *patch.shape), np.float32)
    stains[EOSIN] = np.float32(rng.normal(0.26, 0.03)) * body * patch.edge(depth, 0.14)
    # Young red cells (polychromasia) keep a breath of blue.
    if rng.random() < 0.08:
        stains[BLUE] = np.float32(rng.uniform(0.05, 0.12)) * patch.edge(depth, 0.14)
    return stains, depth


def draw_platelet(patch: Patch, outline: Outline) -> Field:
    """Concentrations (4, height, width) of a platelet: pale lilac with granules in its middle."""
    depth = outline.depth(patch.x, patch.y)
    cover = patch.edge(depth, 0.3)
    stains = np.zeros((STAINS, *patch.shape), np.float32)
    stains[BLUE] = np.float32(0.12) * cover
    grains = patch.textures.granules("fine", patch.shape, patch.rng, 0.9)
    middle = np.clip(depth / np.float32(outline.reach * 0.6), 0, 1)
    stains[AZUROPHIL] = (np.float32(0.12) + np.float32(0.5) * grains) * middle
    return stains
