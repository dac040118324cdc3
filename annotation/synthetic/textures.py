"""Tileable noise and granule fields from which chromatin, cytoplasm and background are cut.

Making band-limited noise for each cell would dominate the drawing time. One periodic tile of each kind is made per
scale instead; a cell takes a window at a random offset in one of eight orientations, so that no two look alike.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Field = NDArray[np.float32]

TILE = 512
#: wavelength in µm of each noise
NOISES = {"broad": 8.0, "mid": 3.2, "clump": 1.35, "fine": 0.65}
#: (sigma of one granule in µm, granules per µm²)
GRANULES = {"fine": (0.095, 4.0), "medium": (0.15, 3.0), "coarse": (0.27, 1.9)}


class Textures:
    """Noise and granule tiles at one scale (µm per pixel)."""

    def __init__(self, um_per_pixel: float) -> None:
        self.um_per_pixel = um_per_pixel
        self._noises = {
            name: _band_noise(max(2.2, wavelength / um_per_pixel), seed)
            for seed, (name, wavelength) in enumerate(NOISES.items())
        }
        self._granules = {
            name: _granule_tile(max(0.5, sigma / um_per_pixel), density * um_per_pixel**2, 100 + seed)
            for seed, (name, (sigma, density)) in enumerate(GRANULES.items())
        }

    def noise(self, name: str, shape: tuple[int, int], rng: np.random.Generator) -> Field:
        """Band-limited noise of mean 0 and standard deviation 1, shape (height, width)."""
        return _window(self._noises[name], shape, rng)

    def granules(self, name: str, shape: tuple[int, int], rng: np.random.Generator, density: float) -> Field:
        """Granules with peaks up to 1, shape (height, width); density 0 to 1 is the share of granules that show."""
        granules = _window(self._granules[name], shape, rng)
        threshold = np.float32(1.0 - density)
        shown: Field = np.clip((granules - threshold) / np.float32(max(density, 0.35)), 0.0, 1.0)
        return shown


@lru_cache(maxsize=4)
def textures(um_per_pixel: float) -> Textures:
    """The tiles of a scale, made once per process (about 0.1 s)."""
    return Textures(um_per_pixel)


def _window(tile: Field, shape: tuple[int, int], rng: np.random.Generator) -> Field:
    orientation = int(rng.integers(8))
    y0, x0 = (int(v) for v in rng.integers(0, TILE, 2))
    height, width = shape
    if orientation & 4:
        tile = tile.T
    rows = (y0 + (np.arange(height) if orientation & 1 else -np.arange(height))) % TILE
    columns = (x0 + (np.arange(width) if orientation & 2 else -np.arange(width))) % TILE
    return tile[np.ix_(rows, columns)]


def _band_noise(wavelength: float, seed: int) -> Field:
    """Periodic noise whose spectrum peaks at the wavelength (pixels)."""
    white = np.random.default_rng([20221, seed]).standard_normal((TILE, TILE))
    fy = np.fft.fftfreq(TILE)[:, None]
    fx = np.fft.rfftfreq(TILE)[None, :]
    frequency = np.hypot(fy, fx) * wavelength
    noise = np.fft.irfft2(np.fft.rfft2(white) * frequency**2 * np.exp(-(frequency**2)), s=(TILE, TILE))
    return (noise / noise.std()).astype(np.float32)


def _granule_tile(sigma: float, per_pixel: float, seed: int) -> Field:
    rng = np.random.default_rng([20221, seed])
    count = max(1, int(per_pixel * TILE * TILE))
    tile = np.zeros((TILE, TILE), np.float32)
    rows, columns = rng.integers(0, TILE, (2, count))
    # The level of a granule decides at which density it begins to show.
    tile[rows, columns] = rng.uniform(0.05, 1.0, count)
    tile = ndimage.gaussian_filter(tile, sigma, mode="wrap") * (2 * np.pi * sigma**2 if sigma > 0.6 else 2.4)
    return np.minimum(tile, 1.0).astype(np.float32)
