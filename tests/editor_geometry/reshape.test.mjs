import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { reshaped } from "../../static/src/editor/repair/reshape.js";
import { area, assertValid, border, check, disc, near, square, stroke } from "./shapes.mjs";

const cell = square(50, 50, 100);

function reshapedTo(stroke, expected, shape = cell, resolution = 0) {
  const result = reshaped(shape, stroke, resolution);
  assertValid(result);
  near(area(result), expected, 2);
  return result;
}

test("a stroke that leaves the cell and comes back bulges it out", () => {
  reshapedTo([[130, 80], [180, 80], [180, 120], [130, 120]], 10000 + 30 * 40);
});

test("a stroke that enters the cell and leaves cuts in", () => {
  reshapedTo([[170, 80], [120, 80], [120, 120], [170, 120]], 10000 - 30 * 40);
});

test("a stroke right across keeps the larger part", () => {
  const result = reshapedTo([[30, 80], [170, 80]], 7000);
  assert.ok(result.points.every(([, y]) => y >= 80));
  reshapedTo([[170, 120], [30, 120]], 7000);
});

test("a stroke around a corner replaces the corner, in and out", () => {
  reshapedTo([[40, 70], [70, 70], [70, 40]], 10000 - 400);
  reshapedTo([[60, 80], [30, 80], [30, 30], [80, 30], [80, 60]], 10000 + 50 * 50 - 30 * 30);
});

test("the direction of the stroke makes no difference", () => {
  const line = [[130, 80], [180, 80], [180, 120], [130, 120]];
  const [one, other] = [reshaped(cell, line), reshaped(cell, line.toReversed())];
  near(area(one), area(other), 1e-6);
});

test("a stroke along most of the border redraws it", () => {
  // From the left side over the bottom and the right side to the top, 10 px inside: more than half of the way round.
  const line = [[40, 90], [60, 90], [60, 140], [140, 140], [140, 60], [90, 60], [90, 40]];
  reshapedTo(line, 40 * 40 + 80 * 80 - 30 * 30);
});

test("a stroke that wavers over the edge replaces it from the first to the last crossing", () => {
  const line = [[60, 45], [70, 55], [80, 45], [90, 55], [100, 45], [110, 55]];
  const result = reshapedTo(line, 10000);
  const has = (x, y) => result.points.some((point) => point[0] === x && point[1] === y);
  assert.ok(has(80, 45) && has(90, 55));
  assert.ok(!has(110, 55), "what hangs over the last crossing is left out");
});

test("a stroke across both sides and back gives a valid border", () => {
  assertValid(reshaped(cell, [[30, 90], [170, 90], [170, 110], [100, 110]]));
});

test("what the stroke does not replace stays point for point", () => {
  const shape = disc(100, 100, 40, 48);
  const result = reshaped(shape, [[120, 90], [160, 90], [160, 110], [120, 110]]);
  const left = shape.points.filter(([x]) => x < 130);
  for (const [x, y] of left) assert.ok(result.points.some(([px, py]) => px === x && py === y));
});

test("fewer than two crossings mean nothing", () => {
  assert.equal(reshaped(cell, [[60, 60], [140, 140]]), null);
  assert.equal(reshaped(cell, [[100, 100], [170, 100]]), null);
  assert.equal(reshaped(cell, [[10, 10], [20, 20]]), null);
  assert.equal(reshaped(cell, [[10, 10]]), null);
  assert.equal(reshaped({ kind: "point", cx: 3, cy: 3 }, [[0, 0], [9, 9]]), null);
});

test("an end that stops just short of the border counts as on it", () => {
  reshapedTo([[148, 80], [120, 80], [120, 120], [149, 120]], 10000 - 30 * 40, cell, 1);
  assert.equal(reshaped(cell, [[140, 80], [120, 80], [120, 120], [140, 120]], 1), null);
});

test("an ellipse becomes a polygon where it is reshaped", () => {
  const ellipse = { kind: "ellipse", cx: 100, cy: 100, rx: 40, ry: 30, theta: 0 };
  near(area(reshaped(ellipse, [[30, 100], [170, 100]])), (Math.PI * 40 * 30) / 2, 15);
});

test("any stroke over any border gives a valid border or nothing", () => {
  check(fc.property(border, stroke, fc.constantFrom(0, 0.5, 3), (shape, line, resolution) => {
    const result = reshaped(shape, line, resolution);
    if (result) assertValid(result);
  }), 1500);
});
