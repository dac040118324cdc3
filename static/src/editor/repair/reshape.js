// A stroke drawn across a border replaces the part of it that it cuts off.
import { nearestEdge } from "../cells/geometry.js";
import { cleaned, polygon, ringOf } from "./clip.js";
import { arc, crossings, stretch } from "./crossings.js";
import { bounded, douglasPeucker } from "./simplify.js";
import { twiceArea } from "./simple-ring.js";

const REACH = 4; // screen pixels from the border at which a stroke's end counts as on it
const DETAIL = 0.6; // screen pixels: the hand is not finer
const MOST = 160; // points a border keeps

/**
 * The border with the stroke ([[x, y], …], image pixels) in the place of its part between the stroke's first and last
 * crossing, or null where the stroke does not cross it twice.
 *
 * Of the two borders that the stroke makes with either of the remaining parts, the larger is meant, as in QGIS: a
 * stroke that leaves the cell and comes back adds what it encloses, one that enters and leaves takes away the smaller
 * side. `resolution`: image pixels a screen pixel; an end that stops just short of the border counts as on it.
 */
export function reshaped(border, stroke, resolution = 0) {
  const ring = ringOf(border);
  if (!ring || stroke.length < 2) return null;
  const crossed = crossings(ring, stroke);
  if (crossed.length < 2) addEnds(crossed, ring, stroke, REACH * resolution);
  if (crossed.length < 2) return null;
  const [from, to] = [crossed[0], crossed.at(-1)];
  const line = douglasPeucker(stretch(stroke, from, to), Math.max(0.05, DETAIL * resolution));
  const candidates = [
    [...line, ...arc(ring, to, from)],
    [...line.toReversed(), ...arc(ring, from, to)],
  ].map(cleaned);
  const size = (candidate) => (candidate ? Math.abs(twiceArea(candidate)) : 0);
  const larger = size(candidates[0]) >= size(candidates[1]) ? candidates[0] : candidates[1];
  return larger && polygon(bounded(larger, MOST));
}

/** Adds the stroke's ends to its crossings where they lie that near to the ring. */
function addEnds(crossed, ring, stroke, reach) {
  const last = stroke.length - 1;
  const ends = [[0, stroke[0]], [last, stroke[last]]].map(([along, point]) => {
    const edge = nearestEdge({ kind: "polygon", points: ring }, point);
    const [a, b] = [ring[edge.index], ring[(edge.index + 1) % ring.length]];
    const share = Math.hypot(edge.point[0] - a[0], edge.point[1] - a[1]) / Math.hypot(b[0] - a[0], b[1] - a[1]);
    return { along, round: edge.index + Math.min(share, 1 - 1e-9), point: edge.point, distance: edge.distance };
  });
  const far = (end) => crossed.every(({ point }) => distance(point, end.point) > 2 * reach);
  if (ends[0].distance <= reach && far(ends[0])) crossed.unshift(ends[0]);
  if (ends[1].distance <= reach && far(ends[1])) crossed.push(ends[1]);
}

const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
