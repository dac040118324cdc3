// Borders as the server has them: image pixels, origin top left, y down, theta clockwise on the screen.
// Pure functions; only `toMap` and `fromMap` know that OpenLayers counts y upwards.

/** An image point [x, y] as a map coordinate of an image of that height, and back. */
export const toMap = ([x, y], height) => [x, height - y];
export const fromMap = ([x, y], height) => [x, height - y];

const hundredth = (value) => Math.round(value * 100) / 100;

/** The border's ring of [x, y], first point not repeated. */
export function outline(border) {
  if (border.kind === "polygon") return border.points;
  if (border.kind === "point") return [[border.cx, border.cy]];
  if (border.kind === "rectangle") {
    const { x, y, width, height } = border;
    return [[x, y], [x + width, y], [x + width, y + height], [x, y + height]];
  }
  const { rx, ry, theta } = radii(border);
  // As many points as keep it round on the screen at any zoom that shows the whole of it.
  const points = Math.round(Math.min(120, 24 + 0.7 * Math.max(rx, ry)));
  const ring = [];
  for (let i = 0; i < points; i++) {
    const angle = (2 * Math.PI * i) / points;
    ring.push(onEllipse(border, rx, ry, theta, Math.cos(angle), Math.sin(angle)));
  }
  return ring;
}

function radii(border) {
  if (border.kind === "circle") return { rx: border.r, ry: border.r, theta: 0 };
  return { rx: border.rx, ry: border.ry, theta: border.theta ?? 0 };
}

function onEllipse(border, rx, ry, theta, u, v) {
  const cos = Math.cos(theta);
  const sin = Math.sin(theta);
  return [border.cx + u * rx * cos - v * ry * sin, border.cy + u * rx * sin + v * ry * cos];
}

/** [x0, y0, x1, y1] of a border. */
export function boundsOf(border) {
  const bounds = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of outline(border)) {
    bounds[0] = Math.min(bounds[0], x);
    bounds[1] = Math.min(bounds[1], y);
    bounds[2] = Math.max(bounds[2], x);
    bounds[3] = Math.max(bounds[3], y);
  }
  return bounds;
}

/** Length and width in pixels: the axes of an ellipse, the sides of the bounds of anything else; longer first. */
export function extentsOf(border) {
  let sides;
  if (border.kind === "ellipse" || border.kind === "circle") {
    const { rx, ry } = radii(border);
    sides = [2 * rx, 2 * ry];
  } else {
    const [x0, y0, x1, y1] = boundsOf(border);
    sides = [x1 - x0, y1 - y0];
  }
  return sides.sort((a, b) => b - a);
}

/** Enclosed area in square pixels; a point has none. */
export function areaOf(border) {
  if (border.kind === "ellipse" || border.kind === "circle") {
    const { rx, ry } = radii(border);
    return Math.PI * rx * ry;
  }
  const ring = outline(border);
  let twice = 0;
  for (let i = 0; i < ring.length; i++) {
    const [x0, y0] = ring[i];
    const [x1, y1] = ring[(i + 1) % ring.length];
    twice += x0 * y1 - x1 * y0;
  }
  return Math.abs(twice) / 2;
}

/** Whether a point lies inside a border. */
export function contains(border, [x, y]) {
  const ring = outline(border);
  let inside = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [xi, yi] = ring[i];
    const [xj, yj] = ring[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

/** The nearest place on a border's edge: {distance, index of the edge's first point, point}. */
export function nearestEdge(border, point) {
  const ring = outline(border);
  let nearest = { distance: Infinity, index: 0, point };
  for (let i = 0; i < ring.length; i++) {
    const a = ring[i];
    const b = ring[(i + 1) % ring.length];
    const length = (b[0] - a[0]) ** 2 + (b[1] - a[1]) ** 2;
    const share = length ? ((point[0] - a[0]) * (b[0] - a[0]) + (point[1] - a[1]) * (b[1] - a[1])) / length : 0;
    const t = Math.max(0, Math.min(1, share));
    const place = [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])];
    const distance = Math.hypot(place[0] - point[0], place[1] - point[1]);
    if (distance < nearest.distance) nearest = { distance, index: i, point: place };
  }
  return nearest;
}

/**
 * Where a border can be grabbed: [{role, index, point}].
 * Roles: vertex (of a polygon), corner (of a rectangle), place (of a point), axis (of an ellipse, by index: +rx, +ry, -rx, -ry),
 * radius (of a circle), rotate (`reach` pixels beyond the first axis of an ellipse).
 */
export function handlesOf(border, reach) {
  if (border.kind === "polygon") return border.points.map((point, index) => ({ role: "vertex", index, point }));
  if (border.kind === "rectangle") return outline(border).map((point, index) => ({ role: "corner", index, point }));
  if (border.kind === "point") return [{ role: "place", index: 0, point: [border.cx, border.cy] }];
  const { rx, ry, theta } = radii(border);
  const role = border.kind === "circle" ? "radius" : "axis";
  const ends = [[1, 0], [0, 1], [-1, 0], [0, -1]].map(([u, v], index) => ({
    role,
    index,
    point: onEllipse(border, rx, ry, theta, u, v),
  }));
  if (role === "axis") {
    ends.push({ role: "rotate", index: 0, point: onEllipse(border, rx, ry, theta, (rx + reach) / rx, 0) });
  }
  return ends;
}

/** The border with one of its handles dragged to a point. */
export function dragged(border, handle, point) {
  const [x, y] = point;
  switch (handle.role) {
    case "vertex":
      return { ...border, points: border.points.map((old, i) => (i === handle.index ? point.map(hundredth) : old)) };
    case "corner": {
      const [fx, fy] = outline(border)[(handle.index + 2) % 4];
      return rectangleBetween([fx, fy], point);
    }
    case "place":
      return { ...border, cx: hundredth(x), cy: hundredth(y) };
    case "radius":
      return { ...border, r: hundredth(Math.max(1, Math.hypot(x - border.cx, y - border.cy))) };
    case "rotate":
      return { ...border, theta: Math.round(Math.atan2(y - border.cy, x - border.cx) * 1e4) / 1e4 };
    case "axis": {
      // The opposite end of the axis stays where it is, as with the handle of a window.
      const along = handle.index % 2 ? "ry" : "rx";
      const direction = border.theta + handle.index * (Math.PI / 2);
      const [ux, uy] = [Math.cos(direction), Math.sin(direction)];
      const reach = (x - border.cx) * ux + (y - border.cy) * uy;
      const radius = Math.max(1, (reach + border[along]) / 2);
      const shift = radius - border[along];
      return {
        ...border,
        [along]: hundredth(radius),
        cx: hundredth(border.cx + ux * shift),
        cy: hundredth(border.cy + uy * shift),
      };
    }
  }
  return border;
}

export function rectangleBetween([ax, ay], [bx, by]) {
  return {
    kind: "rectangle",
    x: hundredth(Math.min(ax, bx)),
    y: hundredth(Math.min(ay, by)),
    width: hundredth(Math.abs(ax - bx)),
    height: hundredth(Math.abs(ay - by)),
  };
}

/** The upright ellipse that touches the sides of the box between two points. */
export function ellipseBetween([ax, ay], [bx, by]) {
  return {
    kind: "ellipse",
    cx: hundredth((ax + bx) / 2),
    cy: hundredth((ay + by) / 2),
    rx: hundredth(Math.abs(ax - bx) / 2),
    ry: hundredth(Math.abs(ay - by) / 2),
    theta: 0,
  };
}

export function polygonOf(points) {
  return { kind: "polygon", points: points.map((point) => point.map(hundredth)) };
}

/** The border moved by dx, dy, but never with its centre outside the image: it could not be got back. */
export function moved(border, dx, dy, width, height) {
  const [x0, y0, x1, y1] = boundsOf(border);
  const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
  const sx = clamp(dx, -(x0 + x1) / 2, width - (x0 + x1) / 2);
  const sy = clamp(dy, -(y0 + y1) / 2, height - (y0 + y1) / 2);
  if (border.kind === "polygon") {
    return { ...border, points: border.points.map(([x, y]) => [hundredth(x + sx), hundredth(y + sy)]) };
  }
  const [left, top] = border.kind === "rectangle" ? ["x", "y"] : ["cx", "cy"];
  return { ...border, [left]: hundredth(border[left] + sx), [top]: hundredth(border[top] + sy) };
}

/** A polygon with a vertex more, after the one at `index`. */
export function withVertex(border, index, point) {
  return { ...border, points: border.points.toSpliced(index + 1, 0, point.map(hundredth)) };
}

/** A polygon with a vertex less, or null where only three are left. */
export function withoutVertex(border, index) {
  return border.points.length > 3 ? { ...border, points: border.points.toSpliced(index, 1) } : null;
}

/** Whether two borders are the same; both come from JSON or from the functions above. */
export function sameBorder(a, b) {
  if (a === b) return true;
  if (!a || !b || a.kind !== b.kind) return false;
  const flat = (border) => (border.kind === "polygon" ? border.points.flat() : outline(border).flat());
  const [left, right] = [flat(a), flat(b)];
  return left.length === right.length && left.every((value, i) => Math.abs(value - right[i]) < 0.005);
}
