import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { nearestEdge } from "../../static/src/editor/cells/geometry.js";
import { simplified, smoothed } from "../../static/src/editor/repair/simplify.js";
import { area, assertValid, border, cell, check, disc, near, perimeter, polygon, square } from "./shapes.mjs";

test("points on an edge go, corners stay", () => {
  const result = simplified(polygon([0, 0], [10, 0], [20, 0.1], [30, 0], [30, 30], [15, 30], [0, 30]), 0.5);
  assert.deepEqual(result.points, [[0, 0], [30, 0], [30, 30], [0, 30]]);
});

test("however coarse, three points stay", () => {
  const result = simplified(disc(100, 100, 30), 500);
  assertValid(result);
  assert.ok(result.points.length >= 3 && result.points.length <= 8);
});

test("simplified twice is simplified once, and never far off", () => {
  const tolerance = fc.constantFrom(0.1, 0.5, 1, 3, 20);
  check(fc.property(border, tolerance, (shape, within) => {
    const once = simplified(shape, within);
    if (!once) return;
    assertValid(once);
    assert.deepEqual(simplified(once, within), once);
  }), 600);
  check(fc.property(cell, tolerance, (shape, within) => {
    const result = simplified(shape, within);
    assert.ok(result.points.length <= shape.points.length);
    for (const point of shape.points) assert.ok(nearestEdge(result, point).distance <= within + 0.01);
  }));
});

test("smoothing keeps the area and the number of vertices", () => {
  check(fc.property(cell, (shape) => {
    const result = smoothed(shape);
    assertValid(result);
    assert.ok(result.points.length >= 12 && result.points.length <= 60, String(result.points.length));
    near(area(result), area(shape), 0.021 * area(shape));
  }), 400);
});

test("smoothing takes out the jitter of the hand", () => {
  const shaky = disc(100, 100, 30, 80);
  shaky.points = shaky.points.map(([x, y], i) => {
    const share = 1 + (i % 2 ? 0.03 : -0.03);
    return [100 + (x - 100) * share, 100 + (y - 100) * share];
  });
  const result = smoothed(shaky);
  assertValid(result);
  assert.ok(perimeter(result) < perimeter(shaky) * 0.92);
  near(perimeter(result), 2 * Math.PI * 30, 4);
});

test("smoothing rounds corners", () => {
  const result = smoothed(square(50, 50, 40));
  assertValid(result);
  assert.ok(result.points.length >= 12);
  for (const corner of square(50, 50, 40).points) assert.ok(nearestEdge(result, corner).distance > 0.5);
});

test("smoothing anything gives a valid border or nothing", () => {
  check(fc.property(border, (shape) => {
    const result = smoothed(shape);
    if (result) assertValid(result);
  }), 600);
});
