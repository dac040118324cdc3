import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { borderOfStroke } from "../../static/src/editor/repair/freehand.js";
import { area, assertValid, check, near, stroke } from "./shapes.mjs";

const turn = (turns, count, radius = 30) =>
  Array.from({ length: count }, (_, i) => {
    const angle = (2 * Math.PI * turns * i) / (count - 1);
    return [100 + radius * Math.cos(angle), 100 + radius * Math.sin(angle)];
  });

test("a loop becomes a border of few points", () => {
  const border = borderOfStroke(turn(0.98, 300), 1);
  assertValid(border);
  near(area(border), Math.PI * 900, 40);
  assert.ok(border.points.length < 45, String(border.points.length));
});

test("circled twice is circled once", () => {
  near(area(borderOfStroke(turn(1.9, 500), 1)), Math.PI * 900, 40);
});

test("ends that cross leave no tail", () => {
  const border = borderOfStroke([[100, 96], [150, 100], [150, 150], [100, 150], [104, 80]], 0.5);
  assertValid(border);
  assert.ok(Math.min(...border.points.map(([, y]) => y)) > 90);
});

test("the screen's pixels say how fine it is", () => {
  const fine = borderOfStroke(turn(1, 300), 0.2);
  const coarse = borderOfStroke(turn(1, 300), 4);
  assert.ok(fine.points.length > 2 * coarse.points.length);
});

test("no area is no border", () => {
  assert.equal(borderOfStroke([[1, 1], [50, 50]], 1), null);
  assert.equal(borderOfStroke([[1, 1], [50, 50], [1, 1], [50, 50]], 1), null);
  assert.equal(borderOfStroke([[1, 1], [2, 1], [2, 2], [1, 2]], 1), null, "a slip of the hand");
  assert.equal(borderOfStroke([], 1), null);
});

test("any stroke gives a valid border or nothing", () => {
  check(fc.property(stroke, fc.constantFrom(0.1, 1, 5), (points, resolution) => {
    const border = borderOfStroke(points, resolution);
    if (!border) return;
    assertValid(border);
    assert.ok(border.points.length <= 120);
  }), 1500);
});
