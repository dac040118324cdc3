// Touching cells share their edge: a point is drawn to a neighbour's border, and a finished border is fitted to it.
import { boundsOf, nearestEdge, outline } from "../cells/geometry.js";
import { areaOfRings, difference, grown, intersection, largest, polygon, ringOf, union } from "./clip.js";
import { thinned } from "./simplify.js";
import { twiceArea } from "./simple-ring.js";

const HAIR = 0.08; // pixels: thinner gaps are roundings of the closing, not gaps between cells
const UNTOUCHED = 0.02; // square pixels

/**
 * Where a point is drawn to by neighbouring borders: their nearest vertex within `tolerance` pixels or, where there is
 * none, their nearest edge; null where neither is that near. {point, role: "vertex" or "edge", neighbour (which of
 * them), index (of the vertex, or of the edge's first)}.
 */
export function snapped([x, y], neighbours, tolerance) {
  let vertex = null;
  let edge = null;
  neighbours.forEach((border, neighbour) => {
    if (border.kind === "point") return;
    const [x0, y0, x1, y1] = boundsOf(border);
    if (x < x0 - tolerance || y < y0 - tolerance || x > x1 + tolerance || y > y1 + tolerance) return;
    // An ellipse has no vertices: what its outline is drawn with is nothing to be drawn to.
    if (border.kind === "polygon" || border.kind === "rectangle") {
      outline(border).forEach((point, index) => {
        const distance = Math.hypot(point[0] - x, point[1] - y);
        if (distance <= (vertex?.distance ?? tolerance)) vertex = { point, role: "vertex", neighbour, index, distance };
      });
    }
    const { distance, index, point } = nearestEdge(border, [x, y]);
    if (distance <= (edge?.distance ?? tolerance)) edge = { point, role: "edge", neighbour, index, distance };
  });
  const found = vertex ?? edge;
  if (!found) return null;
  const { point, role, neighbour, index } = found;
  return { point: point.map((value) => Math.round(value * 100) / 100), role, neighbour, index };
}

/**
 * A border fitted to its neighbours: where its edge runs within `tolerance` pixels of a neighbour's it takes that edge,
 * vertex by vertex, and what overlaps a neighbour is taken off. The border itself where no neighbour is that near;
 * null where the neighbours leave nothing of it.
 */
export function sharedEdge(border, neighbours, tolerance) {
  const ring = ringOf(border);
  if (!ring) return null;
  const near = neighbours.map(ringOf).filter((other) => other && boxesMeet(ring, other, tolerance));
  const gaps = near.flatMap((other) => gapsBetween(ring, other, tolerance));
  const overlap = near.length ? areaOfRings(intersection([ring], near)) : 0;
  if (!gaps.length && overlap < UNTOUCHED) return border;
  const fitted = withoutSlivers(largest(difference(union([ring, ...gaps]), near)), Math.min(0.3, tolerance / 4));
  if (!fitted) return null;
  const key = ([x, y]) => `${Math.round(x * 100)} ${Math.round(y * 100)}`;
  const old = new Set([ring, ...near].flat().map(key));
  // The ends of the filled gaps are fillets of many points; without them the edge may dip into a neighbour again.
  const light = thinned(fitted, Math.min(0.3, tolerance / 8), (point) => old.has(key(point)));
  return polygon(largest(difference([light], near)));
}

/** The spaces between a ring and a neighbour that are at most so wide, a hair wider themselves so that they join. */
function gapsBetween(ring, other, width) {
  // A disc does not fit between two bent edges that are less than its diameter apart: what it cannot reach is a gap.
  const radius = 0.1 + width / 2 + width ** 2 / 200;
  const closed = grown(grown([ring, other], radius), -radius);
  const between = difference(closed, [ring, other]);
  const wide = grown(grown(between.filter((gap) => twiceArea(gap) > 0), -HAIR), 2.5 * HAIR);
  return wide.filter((gap) => intersection([gap], [ring]).length && intersection([gap], [other]).length);
}

/** A ring without its parts thinner than `width` pixels; the rest keeps its very points. */
function withoutSlivers(ring, width) {
  if (!ring) return null;
  const core = largest(grown([ring], -width / 2));
  return core && largest(intersection([ring], grown([core], width)));
}

function boxesMeet(ring, other, distance) {
  const [a, b] = [ring, other].map((points) => boundsOf({ kind: "polygon", points }));
  return a[0] - distance <= b[2] && b[0] - distance <= a[2] && a[1] - distance <= b[3] && b[1] - distance <= a[3];
}
