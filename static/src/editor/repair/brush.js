// A round brush moved along points adds to a border, takes from it, or pushes its edge.
import { areaOfRings, difference, intersection, largest, polygon, ringOf, swept, union } from "./clip.js";
import { bounded, distanceToSegment, douglasPeucker, thinned } from "./simplify.js";

const MOST = 120; // vertices that brushing leaves at most
const UNTOUCHED = 0.01; // square pixels

/** The border with all that the brush covers; the border itself where the brush does not touch it. */
export function added(border, path, radius) {
  const [ring, brush] = [ringOf(border), brushed(path, radius)];
  if (!ring || areaOfRings(intersection([ring], brush)) < UNTOUCHED) return border;
  const whole = largest(union([ring, ...brush]));
  if (!whole || areaOfRings([whole]) - areaOfRings([ring]) < UNTOUCHED) return border;
  return tidy(whole, ring, path, radius) ?? border;
}

/**
 * The border without what the brush covers: its largest part, and holes are filled, for a cell's border is one ring.
 * The border itself where that changes nothing; null where nothing is left.
 */
export function taken(border, path, radius) {
  const ring = ringOf(border);
  if (!ring) return border;
  const rest = largest(difference([ring], brushed(path, radius)));
  if (!rest) return null;
  if (areaOfRings([ring]) - areaOfRings([rest]) < UNTOUCHED) return border;
  return tidy(rest, ring, path, radius);
}

/**
 * The border after the brush was pushed from one point to another as a solid disc: from within it pushes the edge
 * outwards, from outside inwards. The border itself where the disc meets no edge or would leave nothing.
 */
export function pushed(border, from, to, radius) {
  const ring = ringOf(border);
  if (!ring) return border;
  const way = [to[0] - from[0], to[1] - from[1]];
  const length = Math.hypot(...way);
  const ahead = length ? [way[0] / length, way[1] / length] : [1, 0];
  if (!meetsEdge(ring, from, to, radius)) return border;
  // Steps shorter than the radius: the edge never gets behind the middle of the disc.
  const steps = Math.ceil(length / Math.max(0.2, radius / 4));
  let points = ring;
  for (let step = 0; step <= steps; step++) {
    const share = steps ? step / steps : 1;
    points = pushedOnce(points, [from[0] + share * way[0], from[1] + share * way[1]], radius, ahead);
  }
  if (points === ring) return border;
  return tidy(points, ring, [from, to], radius) ?? border;
}

/** Whether a disc moved from one point to another may meet one of the ring's edges; never wrongly no. */
function meetsEdge(ring, from, to, radius) {
  const middle = [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2];
  const reach = radius + Math.hypot(to[0] - from[0], to[1] - from[1]) / 2;
  return ring.some((point, i) => distanceToSegment(middle, point, ring[(i + 1) % ring.length]) <= reach);
}

function brushed(path, radius) {
  return union(swept(douglasPeucker(path, radius * 0.04), radius));
}

function distanceToLine(point, line) {
  return line.reduce(
    (least, to, i) => Math.min(least, distanceToSegment(point, line[Math.max(0, i - 1)], to)),
    Infinity,
  );
}

function pushedOnce(ring, [cx, cy], radius, ahead) {
  const detail = Math.max(0.3, radius / 4);
  const result = [];
  let moved = false;
  const push = ([x, y]) => {
    const [dx, dy] = [x - cx, y - cy];
    const distance = Math.hypot(dx, dy);
    if (distance >= radius) return false;
    const [ux, uy] = distance > 1e-6 ? [dx / distance, dy / distance] : ahead;
    result.push([cx + ux * radius, cy + uy * radius]);
    return (moved = true);
  };
  for (let i = 0; i < ring.length; i++) {
    const [a, b] = [ring[i], ring[(i + 1) % ring.length]];
    if (!push(a)) result.push(a);
    // An edge under the disc bends around it, so it needs points of its own.
    const under = distanceToSegment([cx, cy], a, b) < radius;
    const pieces = under ? Math.ceil(Math.hypot(b[0] - a[0], b[1] - a[1]) / detail) : 1;
    for (let k = 1; k < pieces; k++) {
      const point = [a[0] + (k / pieces) * (b[0] - a[0]), a[1] + (k / pieces) * (b[1] - a[1])];
      if (!push(point)) result.push(point);
    }
  }
  return moved ? result : ring;
}

/**
 * A brushed ring as a border. Away from the brush it stays point for point; near it, needless points go: a brush that
 * is moved on in many small steps would otherwise leave a trail of them.
 */
function tidy(ring, before, path, radius) {
  const key = ([x, y]) => `${Math.round(x * 100)} ${Math.round(y * 100)}`;
  const old = new Set(before.filter((point) => distanceToLine(point, path) > 2 * radius).map(key));
  const valid = polygon(ring);
  if (!valid) return null;
  const light = thinned(valid.points, Math.max(0.06, radius * 0.015), (point) => old.has(key(point)));
  return polygon(bounded(light, MOST));
}
