"""The cytoplasm: basophilia, hof, vacuoles and the three kinds of granules."""

import numpy as np

from annotation.synthetic.cell_types import Appearance
from annotation.synthetic.patch import Patch
from annotation.synthetic.stain import AZUROPHIL, BLUE, EOSIN, NUCLEAR, STAINS
from annotation.synthetic.textures import Field


def draw_cytoplasm(
    patch: Patch,
    look: Appearance,
    depth: Field,
    cover: Field,
    radius: float,
    hof: tuple[float, float],
    granularity: float,
) -> Field:
    """Concentrations (4, height, width) within a cell of the given depth (µm) and coverage.

    hof: its centre in µm from the cell's; granularity: how heavily this patient's promyelocytes are granulated, a
    factor.
    """
    rng = patch.rng
    stains = np.zeros((STAINS, *patch.shape), np.float32)
    mottle = 1 + np.float32(0.14) * patch.noise("mid") + np.float32(0.11) * patch.noise("clump")
    mottle += np.float32(0.06) * patch.noise("fine") + np.float32(0.1) * patch.noise("broad")
    inward = np.clip(depth / np.float32(radius), 0, 1)
    pale = np.exp(
        -((patch.x - np.float32(hof[0])) ** 2 + (patch.y - np.float32(hof[1])) ** 2)
        / np.float32((radius * rng.uniform(0.3, 0.48)) ** 2)
    )
    rim = np.exp(-inward / np.float32(0.22))
    blue = 1 + np.float32(look.rim) * (rim - np.float32(0.25)) - np.float32(rng.uniform(*look.hof)) * pale
    stains[BLUE] = np.float32(rng.uniform(*look.blue)) * np.maximum(blue, 0.1) * mottle
    stains[EOSIN] = np.float32(rng.uniform(*look.eosin)) * mottle * (1 + np.float32(0.5) * pale * (look.hof[1] > 0.3))
    # A breath of violet: no stain is as pure as its dye.
    stains[NUCLEAR] = np.float32(rng.uniform(0.0, 0.05)) * mottle
    stains[AZUROPHIL] = np.float32(rng.uniform(*look.azurophil_haze) * min(granularity, 1.0)) * mottle
    # The membrane: a thin darker line where it is seen edge on.
    membrane = np.exp(-((depth - np.float32(0.16)) ** 2) / np.float32(0.03))
    stains[BLUE] += np.float32(rng.uniform(0.0, 0.02 + 0.11 * look.blue[1])) * membrane * mottle
    _granules(patch, look, stains, granularity)
    for _ in range(int(rng.integers(0, look.vacuoles + 1))):
        angle, distance = rng.uniform(0, 2 * np.pi), radius * rng.uniform(0.45, 0.9)
        x = patch.x - np.float32(distance * np.cos(angle))
        y = patch.y - np.float32(distance * np.sin(angle))
        size = rng.uniform(0.2, 0.65)
        gap = np.sqrt(x * x + y * y) - np.float32(size)
        stains *= 1 - np.float32(rng.uniform(0.4, 0.8)) * np.clip(0.5 - gap / np.float32(0.25), 0, 1)
    stains *= cover
    return stains


def _granules(patch: Patch, look: Appearance, stains: Field, granularity: float) -> None:
    rng, textures = patch.rng, patch.textures
    # Granules gather in some parts of a cell and leave others free.
    crowd = np.clip(0.85 + 0.4 * patch.noise("mid"), 0.1, 1.3).astype(np.float32)

    def density(bounds: tuple[float, float], factor: float = 1.0) -> float:
        return float(np.clip(rng.uniform(*bounds) * factor, 0, 1))

    fine, medium = density(look.granules_fine, granularity), density(look.granules_medium, granularity)
    strength = np.float32(rng.uniform(0.6, 1.05))
    if fine > 0.03:
        stains[AZUROPHIL] += strength * crowd * textures.granules("fine", patch.shape, rng, fine)
    if medium > 0.03:
        stains[AZUROPHIL] += strength * crowd * textures.granules("medium", patch.shape, rng, medium)
    lilac = density(look.lilac)
    if lilac > 0.03:
        dust = textures.granules("fine", patch.shape, rng, lilac)
        stains[EOSIN] += np.float32(0.3) * crowd * dust
        stains[NUCLEAR] += np.float32(0.24) * crowd * dust
    eosinophilic = density(look.eosinophilic)
    if eosinophilic > 0.03:
        beads = textures.granules("coarse", patch.shape, rng, eosinophilic)
        beads = np.maximum(beads, textures.granules("coarse", patch.shape, rng, eosinophilic))
        stains[EOSIN] += np.float32(0.5) * beads
