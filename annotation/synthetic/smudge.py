"""Smudge cells: burst nuclei, spread out, without a cell border."""

import numpy as np

from annotation.synthetic.outline import Outline
from annotation.synthetic.patch import Patch
from annotation.synthetic.stain import BLUE, NUCLEAR, STAINS
from annotation.synthetic.textures import Field


def draw_smudge(patch: Patch, outline: Outline) -> tuple[Field, Field]:
    """Concentrations (4, height, width) and coverage of a smudge within its outline."""
    rng = patch.rng
    depth = outline.depth(patch.x, patch.y)
    depth += np.float32(rng.uniform(0.2, 0.9)) * patch.noise("broad") + np.float32(0.22) * patch.noise("mid")
    cover = np.clip(depth / np.float32(rng.uniform(1.0, 3.0)), 0, 1)
    # Strands run along the direction in which the nucleus was smeared.
    angle = rng.uniform(0, np.pi)
    across = patch.y * np.float32(np.cos(angle)) - patch.x * np.float32(np.sin(angle))
    strands = np.sin(across * np.float32(rng.uniform(1.6, 3.2)) + np.float32(1.2) * patch.noise("broad"))
    texture = 1 + np.float32(rng.uniform(0.0, 0.2)) * strands + np.float32(0.1) * patch.noise("clump")
    texture += np.float32(0.08) * patch.noise("fine") + np.float32(0.14) * patch.noise("mid")
    stains = np.zeros((STAINS, *patch.shape), np.float32)
    stains[NUCLEAR] = np.float32(rng.uniform(0.4, 1.0)) * np.maximum(texture, 0.15) * cover
    stains[BLUE] = np.float32(0.06) * cover
    return stains, np.float32(0.6) * cover
