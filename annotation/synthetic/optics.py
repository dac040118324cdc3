"""From optical density to the picture of a microscope camera: illumination, focus, noise, JPEG."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter


@dataclass(frozen=True)
class Optics:
    """Focus and camera of one patient's slide.

    blur: µm (sigma) of the point spread in focus; tilt: further blur in µm at the worst corner; vignetting: share of
    light lost in the corners; noise: standard deviation in grey levels; quality: JPEG quality of the camera;
    fringe: extra blur of the blue channel, a share of blur.
    """

    blur: float
    tilt: float
    vignetting: float
    noise: float
    quality: int
    fringe: float


def draw_optics(rng: np.random.Generator) -> Optics:
    """A slide's optics; most are sharp, some are soft."""
    return Optics(
        blur=float(np.clip(rng.gamma(6.0, 0.021), 0.075, 0.26)),
        tilt=float(rng.choice([0.0, 0.0, rng.uniform(0.05, 0.22)])),
        vignetting=float(rng.uniform(0.0, 0.16)),
        noise=float(rng.uniform(0.8, 3.4)),
        quality=int(rng.integers(82, 97)),
        fringe=float(rng.uniform(0.05, 0.6)),
    )


def expose(
    density: NDArray[np.float32],
    background: tuple[float, float, float],
    optics: Optics,
    um_per_pixel: float,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """The picture, uint8 (height, width, 3), of optical densities (height, width, 3); density is overwritten."""
    height, width, _ = density.shape
    light = np.exp(np.negative(density, out=density), out=density)
    light *= np.asarray(background, np.float32) * np.float32(255 * rng.uniform(0.97, 1.02))
    light *= _illumination(height, width, optics, rng)[:, :, None]
    picture = Image.fromarray(np.clip(light, 0, 255, out=light).astype(np.uint8))
    picture = _focus(picture, optics, um_per_pixel, rng)
    return _compress(_add_noise(np.asarray(picture), optics.noise, rng), optics.quality)


def _illumination(height: int, width: int, optics: Optics, rng: np.random.Generator) -> NDArray[np.float32]:
    centre_x, centre_y = rng.normal(0, 0.12, 2)
    slope_x, slope_y = rng.normal(0, 0.012, 2)
    y = np.linspace(-1, 1, 48, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, 64, dtype=np.float32)[None, :]
    field = 1 - optics.vignetting * 0.5 * ((x - centre_x) ** 2 + (y - centre_y) ** 2) + slope_x * x + slope_y * y
    small = Image.fromarray(field.astype(np.float32))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def _focus(picture: Image.Image, optics: Optics, um_per_pixel: float, rng: np.random.Generator) -> Image.Image:
    defocus = float(np.clip(rng.normal(1.0, 0.15), 0.7, 1.5))
    blur = optics.blur * defocus

    def blurred(sigma: float) -> Image.Image:
        # Lenses focus the colours at slightly different depths: this gives edges their faint coloured fringe.
        radii = (sigma, sigma * 0.9, sigma * (1 + optics.fringe))
        channels = zip(picture.split(), radii, strict=True)
        return Image.merge("RGB", [c.filter(ImageFilter.GaussianBlur(r / um_per_pixel)) for c, r in channels])

    sharp = blurred(blur)
    if optics.tilt == 0:
        return sharp
    direction = rng.uniform(0, 2 * np.pi)
    y = np.linspace(-1, 1, 48)[:, None] * np.sin(direction)
    x = np.linspace(-1, 1, 64)[None, :] * np.cos(direction)
    weight = Image.fromarray((np.clip((x + y) / 1.4, 0, 1) * 255).astype(np.uint8)).resize(picture.size)
    return Image.composite(blurred(blur + optics.tilt), sharp, weight)


def _add_noise(pixels: NDArray[np.uint8], sigma: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width, _ = pixels.shape
    grain = rng.standard_normal((height, width), np.float32) * np.float32(sigma)
    noisy = pixels + grain[:, :, None]
    # Colour noise is the same grain shifted: as good to the eye, and a third of the random numbers.
    for channel, shift in enumerate((17, 59, 101)):
        noisy[:, :, channel] += np.float32(0.55) * np.roll(grain, (shift, 2 * shift), (0, 1))
    return np.clip(noisy, 0, 255, out=noisy).astype(np.uint8)


def _compress(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file))
