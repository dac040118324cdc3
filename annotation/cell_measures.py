"""Measuring a cell by its border and its pixels: `measure` answers the table of annotation/measure_table.py.

What cannot be said is None, never NaN: all of a point, of a border that is broken or as good as nothing; size and shape
of a cell that the image's edge cuts off; what lies within a nucleus that does not stand out. Pure.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely import GEOSException, convex_hull, multipoints
from shapely.geometry import Polygon

from annotation.borders import area, bounds, is_point, outline
from annotation.measure_table import MEASURES, PARTS
from annotation.nucleus import AROUND, Mask, lightness, nucleus_of

Values = dict[str, float | None]
Pixels = NDArray[np.uint8]

# Below so many pixels there is nothing to be seen of a cell, or of a part of it.
LEAST_PIXELS = 30
# A border that comes so near to the image's edge, in px, is cut off by it.
_AT_EDGE = 0.5
# Finer pixels are put together: the optics shows no more (0.2 to 0.3 µm), and noise is no granule.
_FINEST_UM = 0.2
# Larger cells are looked at in fewer pixels: a border around half a field must not hold up the others.
_MOST_PX = 384
# Windows of granularity in µm, and in diameters of the cell where nobody knows the scale (of about 15 µm).
_WINDOWS = {"granularity_fine": 0.6, "granularity": 1.5, "granularity_coarse": 3.0}
_TYPICAL_UM = 15.0
_NAMES = tuple(measure.name for measure in MEASURES)


def measure(pixels: Pixels, border: Mapping[str, Any], um_per_pixel: float | None) -> Values:
    """All measures of one cell, by name, None for what cannot be said; lengths in µm where `um_per_pixel` is given,
    else in px. pixels: the whole image (h, w, 3). Raises nothing for a broken border."""
    found: Values = dict.fromkeys(_NAMES)
    try:
        if is_point(border) or not area(border) > 0:
            return found
        shape = Polygon(outline(border, 200))
        scale = um_per_pixel or 1.0
        cut = _is_cut(border, pixels)
        if not cut:
            found |= _geometry(border, shape, scale)
        view = _view(pixels, shape, um_per_pixel)
        if view is not None:
            found |= _looks(view, um_per_pixel, None if cut else shape)
    except (KeyError, TypeError, ValueError, OverflowError, GEOSException):
        return dict.fromkeys(_NAMES)
    return {name: float(value) if value is not None and math.isfinite(value) else None for name, value in found.items()}


def _is_cut(border: Mapping[str, Any], pixels: Pixels) -> bool:
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = bounds(border)
    return x0 <= _AT_EDGE or y0 <= _AT_EDGE or x1 >= width - _AT_EDGE or y1 >= height - _AT_EDGE


# --- by the border alone ---


def _geometry(border: Mapping[str, Any], shape: Polygon, scale: float) -> Values:
    enclosed, around = area(border) * scale**2, shape.length * scale
    hull = shape.convex_hull
    feret, breadth = (length * scale for length in _feret(np.asarray(hull.exterior.coords)[:-1]))
    major, minor = (length * scale for length in _axes(np.asarray(shape.exterior.coords)))
    return {
        "area": enclosed,
        "perimeter": around,
        "diameter": math.sqrt(4 * enclosed / math.pi),
        "feret_diameter": feret,
        "breadth": breadth,
        "volume": math.pi / 6 * major * minor**2,
        "circularity": 4 * math.pi * enclosed / around**2,
        "roundness": 4 * enclosed / (math.pi * feret**2),
        "solidity": shape.area / hull.area,
        "aspect_ratio": major / minor if minor > 0 else None,
    }


def _feret(hull: NDArray[np.float64]) -> tuple[float, float]:
    """The largest and the least width of a convex ring (n, 2). The least lies across one of its edges."""
    apart = hull[:, None] - hull[None]
    edges = np.roll(hull, -1, axis=0) - hull
    lengths = np.hypot(*edges.T)
    normals = np.stack([-edges[:, 1], edges[:, 0]], axis=1)[lengths > 0] / lengths[lengths > 0, None]
    across = normals @ hull.T
    return float(np.sqrt((apart**2).sum(axis=2).max())), float((across.max(axis=1) - across.min(axis=1)).min())


def _axes(ring: NDArray[np.float64]) -> tuple[float, float]:
    """Major and minor axis of the ellipse with the second moments of a closed ring (n + 1, 2)."""
    x, y = (ring - ring[:-1].mean(axis=0)).T
    cross = x[:-1] * y[1:] - x[1:] * y[:-1]
    whole = cross.sum() / 2
    cx, cy = (float(((v[:-1] + v[1:]) * cross).sum() / (6 * whole)) for v in (x, y))
    xx, yy = (float(((v[:-1] ** 2 + v[:-1] * v[1:] + v[1:] ** 2) * cross).sum() / (12 * whole)) for v in (x, y))
    xy = float(
        ((x[:-1] * y[1:] + 2 * x[:-1] * y[:-1] + 2 * x[1:] * y[1:] + x[1:] * y[:-1]) * cross).sum() / (24 * whole)
    )
    least, most = np.linalg.eigvalsh([[xx - cx * cx, xy - cx * cy], [xy - cx * cy, yy - cy * cy]])
    return 4 * math.sqrt(max(0.0, most)), 4 * math.sqrt(max(0.0, least))


# --- by the pixels ---


@dataclass(frozen=True)
class _View:
    """What is seen of a cell: pixels (h, w, 3), which of them are the cell, and which the cell or what lies about it.
    `px`: pixels of the image for one of these, along one side."""

    pixels: Pixels
    inside: Mask
    around: Mask
    px: int


def _view(pixels: Pixels, shape: Polygon, um_per_pixel: float | None) -> _View | None:
    from PIL import Image

    height, width = pixels.shape[:2]
    margin = max(2.0, AROUND * math.sqrt(4 * shape.area / math.pi))
    # Coarsely: an outline of a brush's hundreds of points takes ten times as long.
    wide = shape.simplify(margin / 4).buffer(margin, quad_segs=4)
    x0, y0, x1, y1 = wide.bounds
    left, top = max(0, math.floor(x0)), max(0, math.floor(y0))
    right, bottom = min(width, math.ceil(x1)), min(height, math.ceil(y1))
    if right <= left or bottom <= top:
        return None
    patch = pixels[top:bottom, left:right]
    px = max(math.ceil(max(patch.shape) / _MOST_PX), round(_FINEST_UM / um_per_pixel) if um_per_pixel else 1)
    if px > 1:
        patch = np.asarray(Image.fromarray(np.ascontiguousarray(patch)).reduce(px))
    inside, around = (_filled(ring, left, top, px, patch.shape[:2]) for ring in (shape, wide))
    if np.count_nonzero(inside) < LEAST_PIXELS:
        return None
    return _View(patch, inside, around | inside, px)


def _filled(shape: Polygon, left: int, top: int, px: int, size: tuple[int, ...]) -> Mask:
    """The pixels whose centre lies within a ring, of a patch that begins at `left` and `top`. By where its edges cross
    each row: skimage.draw.polygon asks every pixel of every edge, a hundred times as long for a brush's outline."""
    height, width = size
    x, y = ((np.asarray(shape.exterior.coords) - (left, top)) / px - 0.5).T
    above = y[None] <= np.arange(height)[:, None]
    rows, edges = np.nonzero(above[:, 1:] != above[:, :-1])
    slope = (x[edges + 1] - x[edges]) / (y[edges + 1] - y[edges])
    columns = np.clip(np.ceil(x[edges] + (rows - y[edges]) * slope), 0, width).astype(np.intp)
    crossings = np.bincount(rows * (width + 1) + columns, minlength=height * (width + 1))
    return np.cumsum(crossings.reshape(height, width + 1), axis=1)[:, :width] % 2 == 1


def _looks(view: _View, um_per_pixel: float | None, whole: Polygon | None) -> Values:
    """What the pixels say; of sizes of the nucleus only where the `whole` cell is in the image."""
    light = lightness(view.pixels)
    ring = view.around & ~view.inside
    found: Values = {}
    if ring.any():
        found["contrast"] = float(np.median(light[ring])) - float(light[view.inside].mean())
    nucleus = nucleus_of(light, view.inside, view.around)
    if nucleus is None:
        return found
    cytoplasm = view.inside & ~nucleus
    if whole is not None:
        found |= _of_nucleus(view, nucleus, cytoplasm, (um_per_pixel or 1.0) * view.px)
    scale = um_per_pixel or _TYPICAL_UM / math.sqrt(4 * np.count_nonzero(view.inside) * view.px**2 / math.pi)
    for part, mask in zip(PARTS, (cytoplasm, nucleus), strict=True):
        if np.count_nonzero(mask) >= LEAST_PIXELS:
            found |= _colours(part, view.pixels[mask])
            for name, um in _WINDOWS.items():
                if part == "cytoplasm":
                    found[name] = _local_spread(light, mask, um / (scale * view.px))
            if part == "nucleus":
                found["chromatin"] = _local_spread(light, mask, _WINDOWS["granularity"] / (scale * view.px))
    if np.count_nonzero(cytoplasm) >= LEAST_PIXELS:
        found["nucleus_contrast"] = float(light[cytoplasm].mean()) - float(light[nucleus].mean())
    return found


def _of_nucleus(view: _View, nucleus: Mask, cytoplasm: Mask, scale: float) -> Values:
    from scipy.ndimage import label

    own, rest = np.count_nonzero(nucleus), np.count_nonzero(cytoplasm)
    ys, xs = np.nonzero(nucleus)
    all_ys, all_xs = np.nonzero(view.inside)
    off = math.hypot(ys.mean() - all_ys.mean(), xs.mean() - all_xs.mean())
    return {
        "nucleus_area": own * scale**2,
        "nucleus_share": own / (own + rest),
        "nc_ratio": own / rest if rest else None,
        "nucleus_parts": float(label(nucleus)[1]),
        "nucleus_solidity": _solidity(nucleus),
        "nucleus_offset": off / math.sqrt(4 * (own + rest) / math.pi),
    }


def _solidity(mask: Mask) -> float | None:
    """Pixels of a mask by the area of its hull, which goes around their corners, so that a block has 1."""
    rows = np.nonzero(mask.any(axis=1))[0]
    first, last = mask[rows].argmax(axis=1), mask.shape[1] - mask[rows, ::-1].argmax(axis=1)
    corners = [(x, y + dy) for x in (first, last) for dy in (0, 1) for y in (rows,)]
    points = np.concatenate([np.stack(corner, axis=1) for corner in corners])
    hull = convex_hull(multipoints(points))
    return np.count_nonzero(mask) / hull.area if hull.area > 0 else None


def _colours(part: str, pixels: NDArray[np.uint8]) -> Values:
    """Mean and spread of red, green, blue, and of two axes of opponent colours, of pixels (n, 3)."""
    values = pixels.astype(np.float64)
    means, covariance = values.mean(axis=0), np.cov(values.T)
    axes = {
        "red": np.array([1.0, 0, 0]),
        "green": np.array([0, 1.0, 0]),
        "blue": np.array([0, 0, 1.0]),
        "red_green": np.array([1.0, -1, 0]) / math.sqrt(2),
        "blue_yellow": np.array([-1.0, -1, 2]) / math.sqrt(6),
    }
    return dict(_along(part, axes, means, covariance))


def _along(
    part: str, axes: Mapping[str, NDArray[np.float64]], means: NDArray[np.float64], covariance: NDArray[np.float64]
) -> Iterator[tuple[str, float]]:
    for name, axis in axes.items():
        yield f"{part}_{name}", float(axis @ means)
        yield f"{part}_{name}_spread", math.sqrt(max(0.0, float(axis @ covariance @ axis)))


def _local_spread(light: NDArray[np.float32], mask: Mask, window: float) -> float | None:
    """The mean, over a part of the cell, of how much lightness spreads in a square of `window` px around a pixel: of
    its pixels that belong to the part."""
    from scipy.ndimage import uniform_filter

    size = max(3, round((window - 1) / 2) * 2 + 1)
    ys, xs = np.nonzero(mask)
    box = np.s_[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    own = mask[box].astype(np.float32)
    # Around zero, so that the squares lose nothing.
    values = (light[box] - light[mask].mean()) * own
    share, first, second = (uniform_filter(v, size, mode="constant") for v in (own, values, values**2))
    within = mask[box] & (share > 0.3)
    if not within.any():
        return None
    mean = first[within] / share[within]
    return float(np.sqrt(np.maximum(0, second[within] / share[within] - mean**2)).mean())
