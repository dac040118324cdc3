// A line divides a merged border.
import { contains } from "../cells/geometry.js";
import { cleaned, ringOf } from "./clip.js";
import { crossings, stretch } from "./crossings.js";
import { douglasPeucker } from "./simplify.js";
import { twiceArea } from "./simple-ring.js";

const SMALLEST = 1; // square pixels: less is no part of a cell
const REACH = 6; // screen pixels that a line may stop short of the border

/**
 * The parts into which a line ([[x, y], …], image pixels) divides a border, the largest first; null where it does not
 * divide it. Together they have the border's area. `resolution`: image pixels a screen pixel; a line that stops just
 * short of the border is drawn on across it.
 */
export function split(border, line, resolution = 0) {
  const ring = ringOf(border);
  if (!ring || line.length < 2) return null;
  const cut = withoutLoops(prolonged(douglasPeucker(line, 0.3 * resolution), REACH * resolution));
  const places = crossings(ring, cut).map((crossing) => ({ ...crossing, point: crossing.point.map(hundredth) }));
  let pieces = [withPlaces(ring, places)];
  for (let i = 0; i + 1 < places.length; i++) {
    const chord = stretch(cut, places[i], places[i + 1]);
    if (!runsInside(ring, chord)) continue;
    pieces = pieces.flatMap((piece) => divided(piece, places[i].point, places[i + 1].point, chord));
  }
  if (pieces.length < 2) return null;
  return pieces
    .map(cleaned)
    .filter((piece) => piece)
    .sort((a, b) => Math.abs(twiceArea(b)) - Math.abs(twiceArea(a)))
    .map((points) => ({ kind: "polygon", points }));
}

/** A piece in two along a chord between two of its points (the very objects), or alone where they are not both its. */
function divided(piece, from, to, chord) {
  const [i, j] = [piece.indexOf(from), piece.indexOf(to)];
  if (i < 0 || j < 0) return [piece];
  const inner = chord.slice(1, -1);
  const walk = (a, b) => (a <= b ? piece.slice(a, b + 1) : [...piece.slice(a), ...piece.slice(0, b + 1)]);
  const parts = [[...walk(j, i), ...inner], [...walk(i, j), ...inner.toReversed()]];
  const whole = (part) => {
    const ring = cleaned(part);
    return ring && Math.abs(twiceArea(ring)) >= 2 * SMALLEST;
  };
  return parts.every(whole) ? parts : [piece];
}

/** The ring with the crossings' points among its own. */
function withPlaces(ring, places) {
  const inOrder = places.toSorted((a, b) => a.round - b.round);
  return ring.flatMap((point, i) => [
    point,
    ...inOrder.filter(({ round }) => Math.floor(round) === i).map((place) => place.point),
  ]);
}

/** Whether a chord runs within the ring: its ends lie on it, so a point in between tells. */
function runsInside(ring, chord) {
  const [a, b] = chord.length > 2 ? [chord[0], chord[1]] : chord;
  return contains({ kind: "polygon", points: ring }, [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]);
}

function prolonged(line, by) {
  if (!by || line.length < 2) return line;
  const beyond = ([ax, ay], [bx, by_]) => {
    const length = Math.hypot(bx - ax, by_ - ay);
    return length ? [bx + ((bx - ax) / length) * by, by_ + ((by_ - ay) / length) * by] : [bx, by_];
  };
  return [beyond(line[1], line[0]), ...line, beyond(line.at(-2), line.at(-1))];
}

/** The line without the loops where it crosses itself: what remains divides cleanly. */
function withoutLoops(line) {
  const result = [line[0]];
  for (const to of line.slice(1)) {
    const from = result.at(-1);
    let cutAt = -1;
    let place = null;
    for (let i = 0; i + 2 < result.length && !place; i++) {
      place = crossing(result[i], result[i + 1], from, to);
      cutAt = i;
    }
    if (place) result.splice(cutAt + 1, result.length, place);
    result.push(to);
  }
  return result;
}

function crossing(a, b, c, d) {
  const along = (b[0] - a[0]) * (d[1] - c[1]) - (b[1] - a[1]) * (d[0] - c[0]);
  if (!along) return null;
  const s = ((c[0] - a[0]) * (d[1] - c[1]) - (c[1] - a[1]) * (d[0] - c[0])) / along;
  const t = ((c[0] - a[0]) * (b[1] - a[1]) - (c[1] - a[1]) * (b[0] - a[0])) / along;
  return s >= 0 && s <= 1 && t > 0 && t <= 1 ? [a[0] + s * (b[0] - a[0]), a[1] + s * (b[1] - a[1])] : null;
}

const hundredth = (value) => Math.round(value * 100) / 100;
