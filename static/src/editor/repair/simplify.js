// Fewer vertices (Douglas and Peucker 1973) and smoother borders.
import { cleaned, polygon, ringOf } from "./clip.js";
import { isSimple, toGrid, twiceArea } from "./simple-ring.js";

const SAMPLES = 96; // places on the ring that smoothing works on
const FEWEST = 12; // vertices of a smoothed border
const MOST = 60;
const WIDTH = 0.02; // of the low pass (its standard deviation), as a share of the way round
const KEPT = 0.02; // share by which smoothing may change the area

/** The border with as few vertices as stray at most `tolerance` pixels from it; valid, at least 3 of them. */
export function simplified(border, tolerance) {
  const ring = ringOf(border);
  return ring ? polygon(fewer(ring, tolerance)) : null;
}

/**
 * The border without the jitter of the hand: a low pass over the outline, its area kept within 2 %, 12 to 60 vertices.
 * Where that cannot be had without the border crossing itself, it is smoothed less.
 */
export function smoothed(border) {
  const ring = ringOf(border);
  if (!ring) return null;
  const area = Math.abs(twiceArea(ring));
  for (const width of [WIDTH, WIDTH / 2, WIDTH / 4, 0]) {
    const even = lowPass(resampled(ring, SAMPLES), width * SAMPLES);
    const result = cleaned(bounded(sized(withFewVertices(sized(even, area)), area), MOST));
    if (result && Math.abs(twiceArea(result) / area - 1) <= KEPT) return { kind: "polygon", points: result };
  }
  return polygon(ring);
}

/** A clean ring with fewer points: as `tolerance` says, or less where that would make it touch itself. */
export function fewer(ring, tolerance) {
  for (let within = tolerance; within >= 0.005; within /= 2) {
    const result = closedDouglasPeucker(ring, within);
    if (isSimple(toGrid(result))) return result;
  }
  return ring;
}

/** A ring of at most so many points, thinned where it is that they are missed least. */
export function bounded(ring, most) {
  let result = ring;
  for (let tolerance = 0.1; result.length > most && tolerance < 1e5; tolerance *= 1.5) result = fewer(ring, tolerance);
  return result;
}

/** A ring without needless points but with every point for which `isKept` holds. */
export function thinned(ring, tolerance, isKept) {
  const start = ring.findIndex(isKept);
  if (start < 0) return fewer(ring, tolerance);
  const turned = [...ring.slice(start), ...ring.slice(0, start), ring[start]];
  const result = [];
  let from = 0;
  for (let i = 1; i < turned.length; i++) {
    if (i < turned.length - 1 && !isKept(turned[i])) continue;
    result.push(...douglasPeucker(turned.slice(from, i + 1), tolerance).slice(0, -1));
    from = i;
  }
  return isSimple(toGrid(result)) ? result : ring;
}

/** An open line with fewer points; its ends stay. */
export function douglasPeucker(line, tolerance) {
  if (line.length < 3) return line;
  const kept = new Uint8Array(line.length);
  kept[0] = kept[line.length - 1] = 1;
  const open = [[0, line.length - 1]];
  while (open.length) {
    const [first, last] = open.pop();
    let farthest = tolerance;
    let index = 0;
    for (let i = first + 1; i < last; i++) {
      const distance = distanceToSegment(line[i], line[first], line[last]);
      if (distance > farthest) [farthest, index] = [distance, i];
    }
    if (!index) continue;
    kept[index] = 1;
    open.push([first, index], [index, last]);
  }
  return line.filter((_, i) => kept[i]);
}

export function distanceToSegment([x, y], [ax, ay], [bx, by]) {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const share = length ? Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / length)) : 0;
  return Math.hypot(ax + share * dx - x, ay + share * dy - y);
}

function closedDouglasPeucker(ring, tolerance) {
  // It begins at places that simplifying never takes away: simplified once more, nothing changes.
  let start = 0;
  ring.forEach(([x, y], i) => {
    if (x < ring[start][0] || (x === ring[start][0] && y < ring[start][1])) start = i;
  });
  const turned = [...ring.slice(start), ...ring.slice(0, start), ring[start]];
  let far = 0;
  let farthest = -1;
  turned.forEach(([x, y], i) => {
    const distance = (x - turned[0][0]) ** 2 + (y - turned[0][1]) ** 2;
    if (distance > farthest) [farthest, far] = [distance, i];
  });
  const there = douglasPeucker(turned.slice(0, far + 1), tolerance);
  const back = douglasPeucker(turned.slice(far), tolerance);
  return [...there.slice(0, -1), ...back.slice(0, -1)];
}

/** So many points at equal steps along the ring. */
function resampled(ring, count) {
  const lengths = ring.map(([x, y], i) => {
    const [nx, ny] = ring[(i + 1) % ring.length];
    return Math.hypot(nx - x, ny - y);
  });
  const step = lengths.reduce((sum, length) => sum + length, 0) / count;
  const samples = [];
  let edge = 0;
  let passed = 0; // the way up to the edge's first point
  for (let i = 0; i < count; i++) {
    const place = i * step;
    while (edge < ring.length - 1 && place > passed + lengths[edge]) passed += lengths[edge++];
    const [a, b] = [ring[edge], ring[(edge + 1) % ring.length]];
    const share = lengths[edge] ? Math.min(1, (place - passed) / lengths[edge]) : 0;
    samples.push([a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])]);
  }
  return samples;
}

/** A Gaussian of that standard deviation (in points) over a closed ring of evenly spaced points. */
function lowPass(ring, deviation) {
  if (!deviation) return ring;
  const reach = Math.ceil(3 * deviation);
  const weights = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-((i - reach) ** 2) / (2 * deviation ** 2)));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const n = ring.length;
  return ring.map((_, i) => {
    let [x, y] = [0, 0];
    weights.forEach((weight, k) => {
      const point = ring[(i + k - reach + n * reach) % n];
      x += weight * point[0];
      y += weight * point[1];
    });
    return [x / sum, y / sum];
  });
}

/** The ring widened or narrowed about its middle until it encloses that area (twice, as of twiceArea). */
function sized(ring, twice) {
  const now = Math.abs(twiceArea(ring));
  if (!now) return ring;
  const scale = Math.sqrt(twice / now);
  const middle = [0, 1].map((axis) => ring.reduce((sum, point) => sum + point[axis], 0) / ring.length);
  return ring.map(([x, y]) => [middle[0] + scale * (x - middle[0]), middle[1] + scale * (y - middle[1])]);
}

/** Douglas-Peucker at the coarsest of some tolerances that leaves enough vertices to stay round. */
function withFewVertices(ring) {
  const size = Math.sqrt(Math.abs(twiceArea(ring)));
  for (const share of [0.004, 0.002, 0.001]) {
    const result = closedDouglasPeucker(ring, size * share);
    if (result.length >= FEWEST && result.length <= MOST) return result;
  }
  return resampled(ring, 2 * FEWEST);
}
