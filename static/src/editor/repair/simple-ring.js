// When a ring is simple (touches itself nowhere), and how a touch is mended. Exact: points lie on a grid of whole
// hundredths of a pixel, as borders are kept, so that no rounding hides between the check and what is stored.

const GRID = 100; // grid steps a pixel

/** A ring's points on the grid, without repeated ones; and the same back in pixels. */
export function toGrid(ring) {
  return withoutRepeats(ring.map(([x, y]) => [Math.round(x * GRID) + 0, Math.round(y * GRID) + 0]));
}

export function fromGrid(points) {
  return points.map(([x, y]) => [x / GRID, y / GRID]);
}

export const gridSteps = (pixels) => pixels * GRID;

/** Twice the ring's area; positive where it runs clockwise on the screen. */
export function twiceArea(ring) {
  let twice = 0;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    twice += ring[j][0] * ring[i][1] - ring[i][0] * ring[j][1];
  }
  return twice;
}

/** Whether grid points form a ring that meets itself nowhere but from one edge to the next. */
export function isSimple(points) {
  return points.length >= 3 && firstContact(points) === null;
}

/**
 * The grid points with every place where the ring meets itself taken out: there it falls into two loops, and the
 * larger stays. For the touches and hairline crossings that rounding leaves; null where fewer than 3 points remain.
 */
export function mended(points) {
  let ring = withoutRepeats(points);
  // Each round leaves fewer points, so it ends.
  while (ring.length >= 3) {
    const contact = firstContact(ring);
    if (!contact) return ring;
    const { i, j, place } = contact;
    if (!place) {
      ring = withoutRepeats(ring.toSpliced(i, 1));
      continue;
    }
    const one = withoutRepeats([place, ...ring.slice(i + 1, j + 1)]);
    const other = withoutRepeats([place, ...ring.slice(j + 1), ...ring.slice(0, i + 1)]);
    ring = Math.abs(twiceArea(one)) >= Math.abs(twiceArea(other)) ? one : other;
  }
  return null;
}

function withoutRepeats(points) {
  const kept = points.filter(([x, y], i) => {
    const [px, py] = points[(i || points.length) - 1];
    return x !== px || y !== py;
  });
  return kept;
}

/**
 * Where edges i and j (i < j; each named by its first point) meet, as {i, j, place}; a spike at point i that runs back
 * on itself, as {i}; null where there is neither.
 */
function firstContact(points) {
  const n = points.length;
  const next = (i) => points[i + 1 === n ? 0 : i + 1];
  // Edges from left to right: each is held only against those that begin before it ends.
  const left = points.map((point, i) => Math.min(point[0], next(i)[0]));
  const right = points.map((point, i) => Math.max(point[0], next(i)[0]));
  const order = points.map((_, i) => i).sort((a, b) => left[a] - left[b]);
  for (let m = 0; m < n; m++) {
    const first = order[m];
    const [a, b] = [points[first], next(first)];
    const top = Math.min(a[1], b[1]);
    const bottom = Math.max(a[1], b[1]);
    for (let k = m + 1; k < n && left[order[k]] <= right[first]; k++) {
      const second = order[k];
      const [c, d] = [points[second], next(second)];
      if ((c[1] < top && d[1] < top) || (c[1] > bottom && d[1] > bottom)) continue;
      const [i, j] = first < second ? [first, second] : [second, first];
      if (j === i + 1) {
        if (foldsBack(points[i], points[j], next(j))) return { i: j };
      } else if (i === 0 && j === n - 1) {
        if (foldsBack(points[j], points[0], points[1])) return { i: 0 };
      } else {
        const place = meeting(a, b, c, d);
        if (place) return { i, j, place };
      }
    }
  }
  return null;
}

function turn([ax, ay], [bx, by], [cx, cy]) {
  return Math.sign((bx - ax) * (cy - ay) - (by - ay) * (cx - ax));
}

function foldsBack(before, tip, after) {
  if (turn(before, tip, after) !== 0) return false;
  return (tip[0] - before[0]) * (after[0] - tip[0]) + (tip[1] - before[1]) * (after[1] - tip[1]) < 0;
}

const between = (value, one, other) => (value - one) * (value - other) <= 0;
const inBox = ([x, y], a, b) => between(x, a[0], b[0]) && between(y, a[1], b[1]);

/** A grid point where two segments meet (the nearest one to a crossing), or null. */
function meeting(a, b, c, d) {
  const [tc, td] = [turn(a, b, c), turn(a, b, d)];
  if (tc === 0 && inBox(c, a, b)) return c;
  if (td === 0 && inBox(d, a, b)) return d;
  if (tc === td) return null;
  const [ta, tb] = [turn(c, d, a), turn(c, d, b)];
  if (ta === 0 && inBox(a, c, d)) return a;
  if (tb === 0 && inBox(b, c, d)) return b;
  if (ta === tb || !tc || !td || !ta || !tb) return null;
  const along = (b[0] - a[0]) * (d[1] - c[1]) - (b[1] - a[1]) * (d[0] - c[0]);
  const share = ((c[0] - a[0]) * (d[1] - c[1]) - (c[1] - a[1]) * (d[0] - c[0])) / along;
  return [Math.round(a[0] + share * (b[0] - a[0])), Math.round(a[1] + share * (b[1] - a[1]))];
}
