"""The May-Grünwald-Giemsa stain as light absorption.

Each stain has an optical density per unit of concentration in red, green and blue (Beer and Lambert): densities of
what lies above one another add, and the light that is left is the background times exp(-density).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: order of the concentration planes
NUCLEAR, BLUE, EOSIN, AZUROPHIL = range(4)
STAINS = 4

# Read off real smears: (red, green, blue) density relative to the strongest channel.
_NUCLEAR = (0.62, 1.00, 0.27)
_NUCLEAR_RED = (0.46, 1.00, 0.34)
_BLUE = (1.00, 0.80, 0.24)
_BLUE_GREY = (0.95, 0.84, 0.42)
_EOSIN_PINK = (0.36, 1.00, 0.62)
_EOSIN_GREY = (0.72, 1.00, 0.84)
_AZUROPHIL = (0.38, 1.00, 0.36)
#: light of an empty field, three looks between which patients lie: warm, neutral grey, pink to violet
_BACKGROUNDS = ((0.98, 0.91, 0.81), (0.87, 0.86, 0.86), (0.88, 0.82, 0.90))


@dataclass(frozen=True)
class Stain:
    """Colours of one patient's slide.

    matrix: (4 stains, 3 channels) optical density per unit of concentration; background: (red, green, blue) from
    0 to 1 of the empty field; pallor: how pale the centre of a red cell is, 0 to 1; plasma: density of the protein
    film between the cells; halo: how bright the rim around cells is, 0 to 1.
    """

    matrix: tuple[tuple[float, float, float], ...]
    background: tuple[float, float, float]
    pallor: float
    plasma: float
    halo: float

    def densities(self, concentrations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Optical density (height, width, 3) of concentrations (4, height, width)."""
        matrix = np.asarray(self.matrix, np.float32)
        stains, height, width = concentrations.shape
        return (concentrations.reshape(stains, -1).T @ matrix).reshape(height, width, 3)


def draw_stain(rng: np.random.Generator) -> Stain:
    """A slide's stain: hue between azure and red, strength of each dye, and the light of the empty field."""

    def between(
        a: tuple[float, ...], b: tuple[float, ...], share: float, strength: float
    ) -> tuple[float, float, float]:
        jitter = rng.normal(1.0, 0.035, 3)
        red, green, blue = ((x + (y - x) * share) * strength * j for x, y, j in zip(a, b, jitter, strict=True))
        return (float(red), float(green), float(blue))

    # One balance for the slide: more eosin goes with redder nuclei (acid buffer), more azure with bluer ones.
    redness = float(np.clip(rng.normal(0.45, 0.26), 0, 1))
    depth = float(rng.uniform(0.82, 1.16))
    matrix = (
        between(_NUCLEAR, _NUCLEAR_RED, redness, depth),
        between(_BLUE, _BLUE_GREY, float(rng.uniform(0, 1)), depth * float(rng.uniform(0.8, 1.2))),
        between(_EOSIN_GREY, _EOSIN_PINK, redness, float(rng.uniform(0.75, 1.2)) * (0.8 + 0.4 * redness)),
        between(_AZUROPHIL, _NUCLEAR_RED, float(rng.uniform(0, 0.7)), depth * float(rng.uniform(0.85, 1.2))),
    )
    shares = rng.dirichlet((0.8, 1.0, 0.45))
    background = np.clip(shares @ np.asarray(_BACKGROUNDS) * rng.uniform(0.95, 1.03), 0, 0.995)
    return Stain(
        matrix=matrix,
        background=(float(background[0]), float(background[1]), float(background[2])),
        pallor=float(rng.uniform(0.15, 0.85)),
        plasma=float(rng.uniform(0.03, 0.11)),
        halo=float(rng.uniform(0.0, 0.8) ** 1.5),
    )
