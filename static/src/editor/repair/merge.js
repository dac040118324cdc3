// Several borders become one.
import { difference, grown, intersection, largest, polygon, ringOf, swept, union } from "./clip.js";
import { distanceToSegment, thinned } from "./simplify.js";
import { twiceArea } from "./simple-ring.js";

const FILLET = 0.15; // pixels: the ends of a bridge are rounded no finer
const SEAM = 0.5; // pixels: borders this close touch, whatever gap is allowed (rounding parts those of a split)

/**
 * One border around several: their union, holes filled. Borders that lie at most `gap` pixels apart are bridged where
 * they are nearest. Where they lie farther apart, {reason} in one sentence.
 */
export function merged(borders, gap = 0) {
  const rings = borders.map(ringOf).filter((ring) => ring);
  if (rings.length < 2) return { reason: "It takes two borders to merge." };
  let parts = enclosing(union(rings));
  while (parts.length > 1) {
    const { one, other, distance, from, to } = nearestPair(parts);
    if (distance > Math.max(gap, SEAM)) {
      return { reason: `The borders do not touch: they are ${distance.toFixed(1)} pixels apart.` };
    }
    const joined = union([...parts, ...bridge(parts[one], parts[other], distance, from, to)]);
    const next = enclosing(joined);
    // Each bridge joins two parts; were one to fail by rounding, it must not be tried for ever.
    if (next.length >= parts.length) break;
    parts = next;
  }
  const whole = largest(parts);
  if (!whole) return { reason: "The borders enclose nothing." };
  const key = ([x, y]) => `${Math.round(x * 100)} ${Math.round(y * 100)}`;
  const old = new Set(rings.flat().map(key));
  return polygon(thinned(whole, FILLET, (point) => old.has(key(point))));
}

const enclosing = (rings) => rings.filter((ring) => twiceArea(ring) > 0);

/** What lies between two rings where they are near each other: what a disc too wide for the gap cannot reach. */
function bridge(one, other, distance, from, to) {
  const width = distance + 1.5;
  const closed = grown(grown([one, other], width), -width);
  const near = intersection(grown([one], 2 * width), grown([other], 2 * width));
  const between = largest(intersection(difference(closed, [one, other]), near));
  const overlapping = between ? grown([between], 0.05) : [];
  if (enclosing(union([one, other, ...overlapping])).length === 1) return overlapping;
  return swept([from, to], Math.max(1, distance / 2));
}

function nearestPair(rings) {
  let nearest = { distance: Infinity };
  for (let one = 0; one < rings.length; one++) {
    for (let other = one + 1; other < rings.length; other++) {
      for (const [a, b] of [[one, other], [other, one]]) {
        const found = nearestPoints(rings[a], rings[b]);
        if (found.distance < nearest.distance) nearest = { ...found, one, other };
      }
    }
  }
  return nearest;
}

/** The point of one ring that is nearest to another ring's edges, and the place there. */
function nearestPoints(ring, other) {
  let nearest = { distance: Infinity };
  for (const from of ring) {
    for (let i = 0; i < other.length; i++) {
      const [a, b] = [other[i], other[(i + 1) % other.length]];
      const distance = distanceToSegment(from, a, b);
      if (distance < nearest.distance) nearest = { distance, from, to: nearestOn(from, a, b) };
    }
  }
  return nearest;
}

function nearestOn([x, y], [ax, ay], [bx, by]) {
  const [dx, dy] = [bx - ax, by - ay];
  const share = Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)));
  return [ax + share * dx, ay + share * dy];
}
