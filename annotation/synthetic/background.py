"""What lies between and upon the cells: protein film, stain precipitate, needles, scratches, fat."""

import numpy as np
from PIL import Image

from annotation.synthetic.patch import cut_patch
from annotation.synthetic.stain import AZUROPHIL, BLUE, EOSIN, NUCLEAR, Stain
from annotation.synthetic.textures import Field, Textures


def draw_film(density: Field, stain: Stain, debris: float, textures: Textures, rng: np.random.Generator) -> None:
    """Add the dried plasma's uneven, speckled film to the optical density (height, width, 3)."""
    height, width, _ = density.shape
    film = np.zeros((height, width), np.float32)
    for um, amplitude in ((40.0, 0.6), (8.0, 0.5), (2.0, 0.4), (0.7, 0.3)):
        rows, columns = (max(3, int(side * textures.um_per_pixel / um) + 3) for side in (height, width))
        coarse = Image.fromarray(rng.standard_normal((rows, columns), np.float32))
        film += np.float32(amplitude) * np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))
    film = np.maximum(1 + np.float32(0.55) * film, 0) * np.float32(stain.plasma)
    matrix = np.asarray(stain.matrix, np.float32)
    tint = matrix[BLUE] * 0.55 + matrix[EOSIN] * 0.45
    for channel in range(3):
        density[:, :, channel] += film * tint[channel]
    # Specks: fragments and dried protein, mostly too small to have a shape.
    area = height * width * textures.um_per_pixel**2
    for _ in range(int(rng.poisson((0.006 + 0.03 * debris) * area))):
        x, y = rng.uniform(0, width) * textures.um_per_pixel, rng.uniform(0, height) * textures.um_per_pixel
        size = float(np.exp(rng.normal(-1.35, 0.5)))
        patch = cut_patch(x, y, 3 * size + 0.2, width, height, textures, rng)
        if patch is None:
            continue
        spot = np.exp(-(patch.x**2 * np.float32(rng.uniform(0.5, 2)) + patch.y**2) / np.float32(size**2))
        spot *= 1 + np.float32(0.4) * patch.noise("fine")
        colour = matrix[int(rng.choice([BLUE, NUCLEAR, AZUROPHIL, EOSIN]))]
        density[patch.window] += np.float32(rng.uniform(0.05, 0.3)) * spot[:, :, None] * colour


def draw_scratches(density: Field, debris: float, textures: Textures, rng: np.random.Generator) -> None:
    """Thin out the film along long pale lines, as the spreader leaves them, and around droplets of fat."""
    height, width, _ = density.shape
    um = textures.um_per_pixel
    scale = width * height * um**2 / 21900
    for _ in range(int(rng.poisson(1.2 * debris * scale))):
        x, y = rng.uniform(0, width) * um, rng.uniform(0, height) * um
        size = float(rng.gamma(3.0, 1.1))
        patch = cut_patch(x, y, size + 1, width, height, textures, rng)
        if patch is not None:
            gap = np.sqrt(patch.x**2 + patch.y**2 * np.float32(rng.uniform(0.8, 1.25))) - np.float32(size)
            gap += np.float32(0.2) * patch.noise("mid")
            density[patch.window] *= (1 - np.float32(0.96) * patch.edge(-gap, 0.5))[:, :, None]
            density[patch.window] -= (np.float32(0.05) * patch.edge(-gap, 0.5))[:, :, None]
    for _ in range(int(rng.poisson(0.5 * scale))):
        angle, offset = rng.uniform(0, np.pi), rng.uniform(0.1, 0.9)
        x = (np.arange(width, dtype=np.float32) - width * np.float32(offset))[None, :] * np.float32(um)
        y = (np.arange(height, dtype=np.float32) - height * np.float32(offset))[:, None] * np.float32(um)
        across = x * np.float32(np.sin(angle)) - y * np.float32(np.cos(angle))
        line = np.abs(across + np.float32(2.0) * np.sin((x + y) / np.float32(45))) < 1.0
        rows, columns = np.nonzero(line)
        near = across[rows, columns] + np.float32(2.0) * np.sin((x[0, columns] + y[rows, 0]) / np.float32(45))
        fade = np.exp(-((near / np.float32(rng.uniform(0.25, 0.5))) ** 2)) * np.float32(rng.uniform(0.3, 0.7))
        density[rows, columns] *= (1 - fade)[:, None]


def draw_precipitate(density: Field, stain: Stain, debris: float, textures: Textures, rng: np.random.Generator) -> None:
    """Stain that has come out upon the slide: dark grains, and needles and smears of stain across cells and gaps.

    The needles are what an Auer rod can be mistaken for: they are bluer or darker, lie on the slide rather than in
    the cytoplasm, and are often longer or out of focus.
    """
    height, width, _ = density.shape
    um = textures.um_per_pixel
    matrix = np.asarray(stain.matrix, np.float32)
    scale = width * height * um**2 / 21900
    for _ in range(int(rng.poisson((3 + 14 * debris) * scale))):
        patch = cut_patch(rng.uniform(0, width) * um, rng.uniform(0, height) * um, 3.2, width, height, textures, rng)
        if patch is None:
            continue
        spots = np.zeros(patch.shape, np.float32)
        for _ in range(int(rng.integers(1, 6))):
            dx, dy = rng.normal(0, 0.7, 2)
            size = float(np.exp(rng.normal(-1.3, 0.45)))
            gap = np.sqrt((patch.x - np.float32(dx)) ** 2 + (patch.y - np.float32(dy)) ** 2) - np.float32(size)
            spots = np.maximum(spots, patch.edge(-gap, 0.2))
        density[patch.window] += np.float32(rng.uniform(0.4, 1.5)) * spots[:, :, None] * matrix[NUCLEAR]
    for _ in range(int(rng.poisson((4 + 14 * debris) * scale))):
        length, width_um = float(rng.gamma(3.0, 1.6) + 1.5), float(rng.uniform(0.25, 0.7))
        x, y = rng.uniform(0, width) * um, rng.uniform(0, height) * um
        patch = cut_patch(x, y, length / 2 + 1, width, height, textures, rng)
        if patch is None:
            continue
        angle, bend = rng.uniform(0, np.pi), rng.normal(0, 0.05)
        along = patch.x * np.float32(np.cos(angle)) + patch.y * np.float32(np.sin(angle))
        across = patch.y * np.float32(np.cos(angle)) - patch.x * np.float32(np.sin(angle))
        across += np.float32(bend) * along**2
        softness = float(rng.choice([0.15, 0.3, 0.7]))
        line = patch.edge(np.float32(width_um / 2) - np.abs(across), softness)
        line *= patch.edge(np.float32(length / 2) - np.abs(along), 0.4)
        line *= np.clip(0.85 + 0.2 * patch.noise("broad"), 0, 1.2)
        dye = np.float32(0.7) * matrix[BLUE] + np.float32(0.3) * matrix[NUCLEAR]
        if rng.random() < 0.3:
            dye = matrix[EOSIN]
        density[patch.window] += np.float32(rng.uniform(0.2, 0.7)) * line[:, :, None] * dye
