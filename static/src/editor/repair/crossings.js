// Where a line drawn by hand crosses a ring.

// A line exactly through a vertex or along an edge would cross it an uncertain number of times. Borders lie on whole
// hundredths of a pixel, so a line moved by a part of a hundredth never does.
const ASIDE = [0.0031337, 0.0027183];

/**
 * The crossings of a line with a ring, in the line's order: [{along, round, point}].
 * `along` is the place on the line (index of the segment + share of it), `round` the same on the ring.
 */
export function crossings(ring, line) {
  const path = line.map(([x, y]) => [x + ASIDE[0], y + ASIDE[1]]);
  const found = [];
  for (let i = 0; i + 1 < path.length; i++) {
    const [a, b] = [path[i], path[i + 1]];
    const [left, right] = a[0] < b[0] ? [a[0], b[0]] : [b[0], a[0]];
    for (let j = 0; j < ring.length; j++) {
      const [c, d] = [ring[j], ring[(j + 1) % ring.length]];
      if ((c[0] < left && d[0] < left) || (c[0] > right && d[0] > right)) continue;
      const [sa, sb] = [side(c, d, a), side(c, d, b)];
      if (sa > 0 === sb > 0) continue;
      const [sc, sd] = [side(a, b, c), side(a, b, d)];
      if (sc > 0 === sd > 0) continue;
      const share = sc / (sc - sd);
      const point = [c[0] + share * (d[0] - c[0]), c[1] + share * (d[1] - c[1])];
      found.push({ along: i + sa / (sa - sb), round: j + Math.min(share, 1 - 1e-9), point });
    }
  }
  return found.sort((one, other) => one.along - other.along);
}

/** The line's own points between two of its crossings, the crossings themselves first and last. */
export function stretch(line, from, to) {
  return [from.point, ...line.slice(Math.floor(from.along) + 1, Math.floor(to.along) + 1), to.point];
}

/** The ring's points on the way on from one crossing to another, those of the crossings not among them. */
export function arc(ring, from, to) {
  let count = Math.floor(to.round) - Math.floor(from.round);
  if (count < 0 || (count === 0 && to.round < from.round)) count += ring.length;
  const first = Math.floor(from.round) + 1;
  return Array.from({ length: count }, (_, i) => ring[(first + i) % ring.length]);
}

const side = (a, b, p) => (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]);
