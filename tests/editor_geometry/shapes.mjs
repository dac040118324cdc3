// What the geometry tests draw with and measure by; the measures share no code with what they judge.
import assert from "node:assert/strict";
import fc from "fast-check";
import { outline } from "../../static/src/editor/cells/geometry.js";

const hundredth = (value) => Math.round(value * 100) / 100 + 0;

export const polygon = (...points) => ({ kind: "polygon", points });

export const square = (x, y, side) => polygon([x, y], [x + side, y], [x + side, y + side], [x, y + side]);

export function disc(cx, cy, radius, count = 40) {
  const points = Array.from({ length: count }, (_, i) => {
    const angle = (2 * Math.PI * i) / count;
    return [hundredth(cx + radius * Math.cos(angle)), hundredth(cy + radius * Math.sin(angle))];
  });
  return { kind: "polygon", points };
}

export function area(border) {
  const ring = outline(border);
  let twice = 0;
  ring.forEach(([x, y], i) => {
    const [nx, ny] = ring[(i + 1) % ring.length];
    twice += x * ny - nx * y;
  });
  return Math.abs(twice) / 2;
}

export function perimeter(border) {
  const ring = outline(border);
  return ring.reduce((sum, [x, y], i) => {
    const [nx, ny] = ring[(i + 1) % ring.length];
    return sum + Math.hypot(nx - x, ny - y);
  }, 0);
}

/** A smooth outline as of a cell: a circle with a few waves. */
export const cell = fc
  .record({
    cx: fc.integer({ min: 60, max: 140 }),
    cy: fc.integer({ min: 60, max: 140 }),
    radius: fc.integer({ min: 12, max: 50 }),
    count: fc.integer({ min: 12, max: 60 }),
    waves: fc.array(fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 62 })), { maxLength: 4 }),
  })
  .map(({ cx, cy, radius, count, waves }) => {
    const points = Array.from({ length: count }, (_, i) => {
      const angle = (2 * Math.PI * i) / count;
      const wave = ([size, phase], k) => (size / 100) * Math.cos((k + 2) * angle + phase / 10);
      const far = radius * waves.reduce((sum, each, k) => sum + wave(each, k), 1);
      return [hundredth(cx + far * Math.cos(angle)), hundredth(cy + far * Math.sin(angle))];
    });
    return { kind: "polygon", points };
  });

const hundredths = fc.integer({ min: 0, max: 20000 });

export const place = fc.tuple(hundredths, hundredths).map(([x, y]) => [x / 100, y / 100]);

/** A place on a coarse grid, so that lines run through vertices and along edges. */
const twenties = fc.integer({ min: 0, max: 10 }).map((value) => value * 20);
const coarse = fc.tuple(twenties, twenties);

/** Anything at all with three points: self-crossing, repeated points, no area. */
export const broken = fc
  .array(fc.oneof(place, coarse), { minLength: 3, maxLength: 14 })
  .map((points) => polygon(...points));

export const border = fc.oneof(
  { weight: 4, arbitrary: cell },
  { weight: 2, arbitrary: broken },
  fc.constant({ kind: "ellipse", cx: 100, cy: 100, rx: 40, ry: 20, theta: 0.5 }),
  fc.constant({ kind: "circle", cx: 100, cy: 100, r: 80 }),
  fc.constant({ kind: "rectangle", x: 60, y: 60, width: 80, height: 40 }),
);

/** A line drawn by hand: a few far places, or many near ones. */
const pace = fc.integer({ min: -8, max: 8 });
const wandering = fc.tuple(place, fc.array(fc.tuple(pace, pace), { maxLength: 60 })).map(([start, steps]) => {
  const line = [start];
  for (const [dx, dy] of steps) line.push([line.at(-1)[0] + dx, line.at(-1)[1] + dy]);
  return line;
});
export const stroke = fc.oneof(fc.array(fc.oneof(place, coarse), { minLength: 1, maxLength: 12 }), wandering);

/** Fails unless a border is a polygon as the server keeps it: hundredths, at least 3 points, meets itself nowhere. */
export function assertValid(border) {
  assert.equal(border.kind, "polygon");
  const { points } = border;
  assert.ok(points.length >= 3, `only ${points.length} points`);
  for (const value of points.flat()) assert.equal(value, hundredth(value), `${value} is no whole hundredth`);
  const grid = points.map(([x, y]) => [Math.round(x * 100), Math.round(y * 100)]);
  const n = grid.length;
  for (let i = 0; i < n; i++) {
    const [a, b] = [grid[i], grid[(i + 1) % n]];
    assert.ok(a[0] !== b[0] || a[1] !== b[1], `point ${i} is repeated`);
    for (let j = i + 1; j < n; j++) {
      const [c, d] = [grid[j], grid[j + 1 === n ? 0 : j + 1]];
      if (apart(a, b, c, d, 0) || apart(a, b, c, d, 1)) continue;
      const neighbours = j === i + 1 || (i === 0 && j === n - 1);
      const meets = neighbours ? overlaps(...(j === i + 1 ? [a, b, d] : [c, a, b])) : touches(a, b, c, d);
      if (meets) assert.fail(`edges ${i} and ${j} meet in ${JSON.stringify(border)}`);
    }
  }
  assert.ok(area(border) > 0);
}

const apart = (a, b, c, d, axis) =>
  Math.max(a[axis], b[axis]) < Math.min(c[axis], d[axis]) || Math.max(c[axis], d[axis]) < Math.min(a[axis], b[axis]);
const cross = (a, b, c) => (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
const overlaps = (a, tip, c) =>
  cross(a, tip, c) === 0 && (a[0] - tip[0]) * (c[0] - tip[0]) + (a[1] - tip[1]) * (c[1] - tip[1]) > 0;

function touches(a, b, c, d) {
  const on = (p, q, r) =>
    cross(p, q, r) === 0 &&
    Math.min(p[0], q[0]) <= r[0] &&
    r[0] <= Math.max(p[0], q[0]) &&
    Math.min(p[1], q[1]) <= r[1] &&
    r[1] <= Math.max(p[1], q[1]);
  if (on(a, b, c) || on(a, b, d) || on(c, d, a) || on(c, d, b)) return true;
  return cross(a, b, c) > 0 !== cross(a, b, d) > 0 && cross(c, d, a) > 0 !== cross(c, d, b) > 0;
}

export function near(actual, expected, tolerance, message = "") {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${message} ${actual} is not ${expected} ± ${tolerance}`);
}

/** Properties are checked on the same cases in every run. */
export function check(property, runs = 200) {
  fc.assert(property, { numRuns: runs, seed: 20260101 });
}
