"""The geometry of a border: its kinds, mending, bounds, outline, area, overlap. Knows neither rows nor pixels.

A border is a JSON object in image pixels, origin top left, y down:

    {"kind": "polygon", "points": [[x, y], ...]}                    at least 3 points, not closed
    {"kind": "rectangle", "x": , "y": , "width": , "height": }
    {"kind": "ellipse", "cx": , "cy": , "rx": , "ry": , "theta": }  radians, clockwise on screen as in VIA
    {"kind": "circle", "cx": , "cy": , "r": }
    {"kind": "point", "cx": , "cy": }                               a cell is here, its border is not drawn yet
"""

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely import GEOSException, make_valid, polygons, set_precision
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry

Border = dict[str, Any]
Bounds = tuple[float, float, float, float]

FIELDS: dict[str, tuple[str, ...]] = {
    "polygon": ("points",),
    "rectangle": ("x", "y", "width", "height"),
    "ellipse": ("cx", "cy", "rx", "ry", "theta"),
    "circle": ("cx", "cy", "r"),
    "point": ("cx", "cy"),
}
MAX_POINTS = 10_000
# A polygon that crosses itself more often is a scribble, and taking it apart would keep the server busy for minutes.
MAX_CROSSINGS = 10_000
_SAMPLED = 200
# Nothing that belongs to an image lies so many pixels away; far beyond it geometry has no exact numbers left.
FARTHEST = 1_000_000
# A hundredth of a pixel: finer than any pointer, and numbers stay short and compare equal after a round trip.
DECIMALS = 2


class BorderError(ValueError):
    """A border that cannot be mended; the message says why in one sentence."""


def clean(border: Mapping[str, Any], width: int, height: int) -> Border:
    """Validate and mend a border of an image of width × height pixels. What is clean already comes back the same.

    Numbers are rounded to 0.01 px; a polygon loses repeated points, a self-crossing one becomes its largest part
    without holes, and what lies outside the image is cut off. Ellipses and circles keep their kind: a cell cut by
    the image's edge is still drawn as the whole ellipse, only its bounds are clipped.

    Raises BorderError where nothing is left to mend.
    """
    kind = border.get("kind") if isinstance(border, Mapping) else None
    if not isinstance(kind, str) or kind not in FIELDS:
        raise BorderError(f"A border's kind is one of {', '.join(FIELDS)}, not {_shortened(kind)}.")
    if kind == "polygon":
        return _clean_polygon(border.get("points"), width, height)
    values = {name: _number(border.get(name, 0.0 if name == "theta" else None), name) for name in FIELDS[kind]}
    if kind == "rectangle":
        return _clean_rectangle(values, width, height)
    mended: Border = {"kind": kind}
    # An angle is not a length: a hundredth of a radian would move the tip of a long ellipse by a pixel.
    mended.update({name: round(v, 4) + 0.0 if name == "theta" else _round(v) for name, v in values.items()})
    inside = 0 <= mended["cx"] <= width and 0 <= mended["cy"] <= height
    if kind == "point":
        if not inside:
            raise BorderError("The point lies outside the image.")
        return mended
    if any(mended.get(name, 1) <= 0 for name in ("rx", "ry", "r")):
        raise BorderError(f"The {kind} has no area.")
    x0, y0, x1, y1 = bounds(mended, width, height)
    # With its centre in the image it surely reaches into it; only at the edge is its outline asked.
    if x0 >= x1 or y0 >= y1 or not (inside or _shape(mended).intersection(box(0, 0, width, height)).area > 0):
        raise BorderError(f"The {kind} lies outside the image.")
    return mended


def bounds(border: Mapping[str, Any], width: float | None = None, height: float | None = None) -> Bounds:
    """x0, y0, x1, y1 of a cleaned border in pixels, clipped to the image where its size is given."""
    kind = border["kind"]
    if kind == "polygon":
        xs = [p[0] for p in border["points"]]
        ys = [p[1] for p in border["points"]]
        x0, y0, x1, y1 = min(xs), min(ys), max(xs), max(ys)
    elif kind == "rectangle":
        x0, y0 = border["x"], border["y"]
        x1, y1 = x0 + border["width"], y0 + border["height"]
    elif kind == "point":
        x0, y0 = x1, y1 = border["cx"], border["cy"]
    else:
        rx, ry, theta = _radii(border)
        dx = math.hypot(rx * math.cos(theta), ry * math.sin(theta))
        dy = math.hypot(rx * math.sin(theta), ry * math.cos(theta))
        x0, y0, x1, y1 = border["cx"] - dx, border["cy"] - dy, border["cx"] + dx, border["cy"] + dy
    if width is not None and height is not None:
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    return _round(x0), _round(y0), _round(x1), _round(y1)


def outline(border: Mapping[str, Any], points: int = 64) -> list[list[float]]:
    """The border as a closed ring's vertices (first not repeated), `points` of them for an ellipse or circle.

    A point is the one vertex that it is.
    """
    kind = border["kind"]
    if kind == "polygon":
        return [[float(x), float(y)] for x, y in border["points"]]
    if kind == "rectangle":
        x0, y0, x1, y1 = bounds(border)
        return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
    if kind == "point":
        return [[float(border["cx"]), float(border["cy"])]]
    rx, ry, theta = _radii(border)
    cos, sin = math.cos(theta), math.sin(theta)
    ring = []
    for i in range(points):
        t = 2 * math.pi * i / points
        u, v = rx * math.cos(t), ry * math.sin(t)
        ring.append([_round(border["cx"] + u * cos - v * sin), _round(border["cy"] + u * sin + v * cos)])
    return ring


def inscribed_ellipse(x0: float, y0: float, x1: float, y1: float) -> Border:
    """The upright ellipse that touches the four sides of a box, as a detector's proposal."""
    return {
        "kind": "ellipse",
        "cx": _round((x0 + x1) / 2),
        "cy": _round((y0 + y1) / 2),
        "rx": _round((x1 - x0) / 2),
        "ry": _round((y1 - y0) / 2),
        "theta": 0.0,
    }


def area(border: Mapping[str, Any]) -> float:
    """Enclosed area in square pixels; a point encloses none."""
    kind = border["kind"]
    if kind == "point":
        return 0.0
    if kind == "rectangle":
        return float(border["width"] * border["height"])
    if kind == "polygon":
        return float(Polygon(border["points"]).area)
    rx, ry, _ = _radii(border)
    return math.pi * rx * ry


def is_box(border: Mapping[str, Any]) -> bool:
    return border["kind"] == "rectangle"


def is_point(border: Mapping[str, Any]) -> bool:
    return border["kind"] == "point"


def iou(a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    """Intersection over union: of the bounds where one of the two is a box, of the outlines otherwise.

    A point overlaps nothing, not even itself.
    """
    ax0, ay0, ax1, ay1 = bounds(a)
    bx0, by0, bx1, by1 = bounds(b)
    across, down = min(ax1, bx1) - max(ax0, bx0), min(ay1, by1) - max(ay0, by0)
    if across <= 0 or down <= 0:
        return 0.0
    if is_box(a) or is_box(b):
        shared = across * down
        return shared / ((ax1 - ax0) * (ay1 - ay0) + (bx1 - bx0) * (by1 - by0) - shared)
    shape_a, shape_b = _shape(a), _shape(b)
    shared = shape_a.intersection(shape_b).area
    whole = shape_a.area + shape_b.area - shared
    return float(shared / whole) if whole > 0 else 0.0


def shared_area(a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    """The share of the outline `a` that lies within the outline `b`, 0 to 1; 0 where one of them is a point."""
    if is_point(a) or is_point(b):
        return 0.0
    shape = _shape(a)
    return float(shape.intersection(_shape(b)).area / shape.area) if shape.area > 0 else 0.0


def _shape(border: Mapping[str, Any]) -> Polygon:
    return Polygon(outline(border))


def _radii(border: Mapping[str, Any]) -> tuple[float, float, float]:
    if border["kind"] == "circle":
        return border["r"], border["r"], 0.0
    return border["rx"], border["ry"], border.get("theta", 0.0)


def _clean_rectangle(values: Mapping[str, float], width: int, height: int) -> Border:
    x0, x1 = sorted((values["x"], values["x"] + values["width"]))
    y0, y1 = sorted((values["y"], values["y"] + values["height"]))
    x0, y0, x1, y1 = (_round(v) for v in (max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)))
    if x1 <= x0 or y1 <= y0:
        raise BorderError("The rectangle has no area inside the image.")
    return {"kind": "rectangle", "x": x0, "y": y0, "width": _round(x1 - x0), "height": _round(y1 - y0)}


def _clean_polygon(points: Any, width: int, height: int) -> Border:
    if not isinstance(points, list | tuple) or len(points) < 3:
        raise BorderError("A polygon needs at least 3 points.")
    if len(points) > MAX_POINTS:
        raise BorderError(f"A polygon has at most {MAX_POINTS} points, not {len(points)}.")
    if _plain(points):
        rounded = [(round(x, DECIMALS) + 0.0, round(y, DECIMALS) + 0.0) for x, y in points]
    else:
        rounded = [_place(point) for point in points]
    ring = _without_repeats(rounded)
    if len(ring) < 3:
        raise BorderError("The polygon's points fall on fewer than 3 places.")
    try:
        polygon = polygons(ring)
        inside = all(0 <= x <= width and 0 <= y <= height for x, y in ring)
        if not inside or not polygon.is_valid:
            if len(ring) > _SAMPLED and _crossings(ring) > MAX_CROSSINGS:
                raise BorderError("The polygon crosses itself too often to be mended.")
            ring = _mended(polygon, width, height)
        elif polygon.area <= 0:
            raise BorderError("The polygon has no area.")
    except GEOSException:
        raise BorderError("The polygon crosses itself in a way that cannot be mended.") from None
    return {"kind": "polygon", "points": [[x, y] for x, y in ring]}


def _plain(points: Sequence[Any]) -> bool:
    """All are pairs of numbers near the image: a batch brings thousands, and one look at all is faster than each."""
    if not (set(map(type, points)) <= {list, tuple} and set(map(len, points)) == {2}):
        return False
    values = list(chain.from_iterable(points))
    # The sum is no number where one of them is none, and comparisons would not say so.
    return set(map(type, values)) <= {float, int} and max(map(abs, values)) <= FARTHEST and math.isfinite(sum(values))


def _place(point: Any) -> tuple[float, float]:
    if not isinstance(point, list | tuple) or len(point) != 2:
        raise BorderError("Each point of a polygon is a pair x, y.")
    return _round(_number(point[0], "x")), _round(_number(point[1], "y"))


def _mended(polygon: Polygon, width: int, height: int) -> list[tuple[float, float]]:
    """The largest part of a broken polygon inside the image, valid in the numbers as they are stored."""
    # By structure: a loop drawn one and a half times around a cell is the whole cell, not what is covered once.
    valid = make_valid(polygon, method="structure", keep_collapsed=False)
    shape = _largest(valid.intersection(box(0, 0, width, height)))
    for _ in range(3):
        # On the grid of the stored numbers: rounding afterwards would make slivers cross themselves again.
        shape = _largest(set_precision(shape, 10**-DECIMALS))
        ring = _without_repeats([(_round(x), _round(y)) for x, y in shape.exterior.coords])
        if len(ring) > MAX_POINTS:
            raise BorderError("The polygon crosses itself too often to be mended.")
        if len(ring) >= 3 and Polygon(ring).is_valid and Polygon(ring).area > 0:
            return ring
        if len(ring) < 3:
            break
        shape = _largest(make_valid(Polygon(ring), method="structure", keep_collapsed=False))
    raise BorderError("The polygon has no area inside the image.")


def _crossings(ring: Sequence[tuple[float, float]]) -> float:
    """About how often a ring crosses itself, from some 200 of its edges against all."""
    ends = np.asarray(ring)
    starts = np.roll(ends, 1, axis=0)
    step = max(1, len(ring) // _SAMPLED)
    a, b = starts[::step, None], ends[::step, None]
    along, across = b - a, ends - starts

    def side(direction: NDArray[np.float64], to: NDArray[np.float64]) -> NDArray[np.bool_]:
        return direction[..., 0] * to[..., 1] > direction[..., 1] * to[..., 0]

    parted = side(along, starts - a) != side(along, ends - a)
    parted &= side(across, a - starts) != side(across, b - starts)
    # Each crossing is met from both of its edges; that neighbours share a corner may count once or twice more.
    return float(parted.sum()) * step / 2


def _without_repeats(ring: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """A ring without points that follow themselves, its closing one included."""
    kept = [point for point, before in zip(ring, [None, *ring], strict=False) if point != before]
    while len(kept) > 1 and kept[0] == kept[-1]:
        kept.pop()
    return kept


def _largest(shape: BaseGeometry) -> Polygon:
    """The largest polygon within a geometry, without its holes: a cell's border is one ring."""
    parts = [shape] if isinstance(shape, Polygon) else list(getattr(shape, "geoms", []))
    found: list[Polygon] = []
    for part in parts:
        if isinstance(part, Polygon) and part.area > 0:
            found.append(Polygon(part.exterior))
        elif isinstance(part, MultiPolygon):
            found.extend(Polygon(p.exterior) for p in part.geoms)
    if not found:
        raise BorderError("The polygon has no area inside the image.")
    return max(found, key=lambda p: p.area)


def _number(value: Any, name: str) -> float:
    # bool is an int in Python, never a coordinate; a comparison with NaN is never true.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < math.inf:
        raise BorderError(f"The border's {name} must be a finite number, not {_shortened(value)}.")
    if abs(value) > FARTHEST:
        raise BorderError(f"The border's {name} lies too far from any image: {_shortened(value)}.")
    return float(value)


def _shortened(value: Any) -> str:
    if isinstance(value, int) and abs(value) > 10 * FARTHEST:
        # Python refuses to write out the longest ones.
        return f"a number of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _round(value: float) -> float:
    # Adding 0.0 turns -0.0 into 0.0.
    return round(value, DECIMALS) + 0.0
