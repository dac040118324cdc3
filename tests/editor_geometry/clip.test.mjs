import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  areaOfRings,
  cleaned,
  clipped,
  difference,
  intersection,
  polygon,
  ringOf,
  union,
} from "../../static/src/editor/repair/clip.js";
import { area, assertValid, border, broken, cell, check, disc, near, square } from "./shapes.mjs";

test("a clean ring stays point for point", () => {
  const { points } = square(10, 10, 20);
  assert.deepEqual(cleaned(points), points);
});

test("of a ring that crosses itself the largest part stays", () => {
  const eight = [[0, 0], [30, 30], [30, 0], [0, 20]];
  const border = polygon(eight);
  assertValid(border);
  near(area(border), 270, 0.1);
});

test("what touches itself in one point is two rings", () => {
  const border = polygon([[0, 0], [20, 0], [20, 20], [10, 0], [0, 20]]);
  assertValid(border);
  near(area(border), 100, 1e-9);
});

test("a spike and repeated points go", () => {
  const border = polygon([[0, 0], [10, 0], [10, 0], [40, 0], [10, 0], [10, 10], [0, 10]]);
  assert.deepEqual(border.points.toSorted(), [[0, 0], [0, 10], [10, 0], [10, 10]]);
});

test("no area is no border", () => {
  assert.equal(polygon([[0, 0], [10, 10], [20, 20]]), null);
  assert.equal(polygon([[0, 0], [0, 0], [0, 0.001]]), null);
  assert.equal(ringOf({ kind: "point", cx: 4, cy: 5 }), null);
});

test("an ellipse becomes a ring of about 48 points, however large", () => {
  for (const r of [12, 34, 60, 400]) {
    const ring = ringOf({ kind: "ellipse", cx: 500, cy: 500, rx: r, ry: r / 2, theta: 0.4 });
    assert.ok(ring.length >= 24 && ring.length <= 49, String(ring.length));
    near(areaOfRings([ring]), Math.PI * r * (r / 2), 0.02 * Math.PI * r * (r / 2));
  }
});

test("anything becomes valid or nothing", () => {
  check(fc.property(broken, (shape) => {
    const result = polygon(shape.points);
    if (result) assertValid(result);
  }), 1000);
});

test("what lies in the image stays itself, the rest is cut off", () => {
  const inside = disc(50, 50, 20);
  assert.equal(clipped(inside, 100, 100), inside);
  assert.equal(clipped(disc(-50, 50, 20), 100, 100), null);
  near(area(clipped(square(90, 90, 20), 100, 100)), 100, 1e-9);
  check(fc.property(border, (shape) => {
    const result = clipped(shape, 110, 90);
    if (!result || result === shape) return;
    assertValid(result);
    for (const [x, y] of result.points) assert.ok(x >= 0 && y >= 0 && x <= 110 && y <= 90);
  }));
});

test("areas of sum, difference and overlap agree", () => {
  check(fc.property(cell, cell, (one, other) => {
    const [a, b] = [[ringOf(one)], [ringOf(other)]];
    const shared = areaOfRings(intersection(a, b));
    near(areaOfRings(union([...a, ...b])), areaOfRings(a) + areaOfRings(b) - shared, 1);
    near(areaOfRings(difference(a, b)), areaOfRings(a) - shared, 1);
  }));
});
