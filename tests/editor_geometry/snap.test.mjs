import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { contains, nearestEdge } from "../../static/src/editor/cells/geometry.js";
import { areaOfRings, intersection, ringOf } from "../../static/src/editor/repair/clip.js";
import { sharedEdge, snapped } from "../../static/src/editor/repair/snap.js";
import { area, assertValid, border, cell, check, disc, near, polygon, square } from "./shapes.mjs";

const overlap = (one, other) => areaOfRings(intersection([ringOf(one)], [ringOf(other)]));
const has = (shape, [x, y]) => shape.points.some((point) => point[0] === x && point[1] === y);

test("a vertex comes before an edge, the nearest first", () => {
  const cells = [square(0, 0, 50), square(60, 0, 50)];
  assert.deepEqual(snapped([52, 1], cells, 4), { point: [50, 0], role: "vertex", neighbour: 0, index: 1 });
  assert.deepEqual(snapped([58, 25], cells, 4), { point: [60, 25], role: "edge", neighbour: 1, index: 3 });
  assert.equal(snapped([55, 25], cells, 4), null);
  assert.equal(snapped([25, 25], cells, 4), null);
  assert.equal(snapped([25, 25], [], 4), null);
});

test("an ellipse is snapped to anywhere on its edge, a point never", () => {
  const cells = [{ kind: "circle", cx: 100, cy: 100, r: 30 }, { kind: "point", cx: 131, cy: 101 }];
  const { point, role } = snapped([131, 101], cells, 4);
  assert.equal(role, "edge");
  near(Math.hypot(point[0] - 100, point[1] - 100), 30, 0.15);
});

test("a narrow gap is closed with the neighbour's own vertices", () => {
  const neighbour = polygon([100, 0], [150, 0], [150, 100], [100, 100], [101, 60], [99, 40]);
  const result = sharedEdge(square(37, 20, 60), [neighbour], 4);
  assertValid(result);
  for (const vertex of [[101, 60], [99, 40]]) assert.ok(has(result, vertex), `${vertex} is not shared`);
  near(overlap(result, neighbour), 0, 0.05);
  near(area(result), 3600 + 60 * 3, 25);
});

test("an overlap is taken off, vertex by vertex", () => {
  const [one, other] = [disc(100, 100, 30, 40), disc(150, 100, 30, 36)];
  const result = sharedEdge(one, [other], 4);
  assertValid(result);
  near(overlap(result, other), 0, 0.05);
  const inside = other.points.filter(([x, y]) => Math.hypot(x - 100, y - 100) < 29.5);
  assert.ok(inside.length >= 5);
  for (const vertex of inside) assert.ok(has(result, vertex));
  for (const vertex of one.points.filter(([x]) => x < 100)) assert.ok(has(result, vertex), "the far side moved");
});

test("both neighbours of a cell between them are fitted to", () => {
  const [left, right] = [square(0, 0, 50), square(112, 0, 50)];
  const result = sharedEdge(square(52, 0, 58), [left, right], 4);
  assertValid(result);
  near(area(result), 62 * 50 + 58 * 8, 40);
  near(overlap(result, left) + overlap(result, right), 0, 0.05);
});

test("far neighbours leave the very border, a covering one nothing", () => {
  const ellipse = { kind: "ellipse", cx: 100, cy: 100, rx: 40, ry: 30, theta: 0 };
  assert.equal(sharedEdge(ellipse, [square(200, 200, 50)], 4), ellipse);
  assert.equal(sharedEdge(ellipse, [], 4), ellipse);
  assert.equal(sharedEdge(square(20, 20, 10), [square(0, 0, 100)], 4), null);
});

test("a fitted border is valid, overlaps nobody and stays near what was drawn", () => {
  const neighbours = fc.array(cell, { minLength: 1, maxLength: 3 });
  check(fc.property(cell, neighbours, fc.constantFrom(2, 4, 8), (shape, others, tolerance) => {
    const result = sharedEdge(shape, others, tolerance);
    if (!result || result === shape) return;
    assertValid(result);
    // A neighbour that lies inside as a whole stays there: a cell's border has no hole.
    for (const other of others.filter((each) => overlap(result, each) < area(each) * 0.99)) {
      assert.ok(overlap(result, other) < 0.5, `overlap of ${overlap(result, other)}`);
    }
    for (const point of result.points) {
      const nearest = nearestEdge(shape, point).distance;
      assert.ok(contains(shape, point) || nearest <= tolerance * 1.5 + 0.3, `a point ${nearest} px off`);
    }
  }), 150);
});

test("any border among any neighbours gives a valid border or nothing", () => {
  const neighbours = fc.array(border, { maxLength: 3 });
  check(fc.property(border, neighbours, fc.constantFrom(0.5, 4, 20), (shape, others, tolerance) => {
    const result = sharedEdge(shape, others, tolerance);
    if (result && result !== shape) assertValid(result);
  }), 200);
});
