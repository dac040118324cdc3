import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { areaOfRings, intersection, ringOf } from "../../static/src/editor/repair/clip.js";
import { split } from "../../static/src/editor/repair/split.js";
import { area, assertValid, border, cell, check, near, perimeter, polygon, square, stroke } from "./shapes.mjs";

const areas = (parts) => parts.map((part) => Math.round(area(part)));
const sum = (parts) => parts.reduce((total, part) => total + area(part), 0);

test("a line across divides in two, the larger first", () => {
  const parts = split(square(50, 50, 100), [[30, 80], [170, 80]]);
  parts.forEach(assertValid);
  assert.deepEqual(areas(parts), [7000, 3000]);
});

test("a line that comes back divides in three", () => {
  assert.deepEqual(areas(split(square(50, 50, 100), [[30, 80], [170, 80], [170, 120], [30, 120]])), [4000, 3000, 3000]);
});

test("a loop in the line does not matter", () => {
  const line = [[30, 80], [100, 80], [110, 70], [100, 60], [90, 70], [100, 80.5], [170, 80]];
  const parts = split(square(50, 50, 100), line);
  parts.forEach(assertValid);
  assert.equal(parts.length, 2);
  near(sum(parts), 10000, 1);
});

test("a border with arms falls into as many parts as the line cuts off", () => {
  const teeth = [[80, 60], [80, 20], [60, 20], [60, 60], [40, 60], [40, 20], [20, 20], [20, 60]];
  const comb = polygon([0, 0], [100, 0], [100, 60], ...teeth, [0, 60]);
  const parts = split(comb, [[-10, 40], [110, 40]]);
  assert.deepEqual(areas(parts), [3200, 400, 400, 400]);
});

test("the parts share the very vertices of their common edge", () => {
  const [one, other] = split(square(50, 50, 100), [[30, 80], [100, 90], [170, 80]]);
  const shared = one.points.filter(([x, y]) => other.points.some((point) => point[0] === x && point[1] === y));
  assert.equal(shared.length, 3);
});

test("a line that does not divide means nothing", () => {
  const cell = square(50, 50, 100);
  assert.equal(split(cell, [[100, 100], [170, 100]]), null);
  assert.equal(split(cell, [[10, 10], [20, 170]]), null);
  assert.equal(split(cell, [[60, 60], [140, 60]]), null);
  assert.equal(split(cell, [[60, 60]]), null);
  assert.equal(split(cell, [[49, 51], [51, 49]]), null, "a sliver at a corner is no cell");
});

test("a line that stops just short of the border divides it", () => {
  const line = [[53, 80], [100, 80], [147, 80]];
  assert.equal(split(square(50, 50, 100), line), null);
  assert.deepEqual(areas(split(square(50, 50, 100), line, 1)), [7000, 3000]);
});

test("the parts add up to the border and do not overlap", () => {
  check(fc.property(cell, stroke, (shape, line) => {
    const parts = split(shape, line);
    if (!parts) return;
    assert.ok(parts.length >= 2);
    parts.forEach(assertValid);
    near(sum(parts), area(shape), 0.1 + parts.length * 0.02 * perimeter(shape));
    for (let i = 1; i < parts.length; i++) {
      assert.ok(areaOfRings(intersection([ringOf(parts[0])], [ringOf(parts[i])])) < 2);
    }
  }), 500);
});

test("any line over any border gives valid parts or nothing", () => {
  check(fc.property(border, stroke, fc.constantFrom(0, 0.5, 3), (shape, line, resolution) => {
    const parts = split(shape, line, resolution);
    if (!parts) return;
    assert.ok(parts.length >= 2);
    parts.forEach(assertValid);
  }), 1000);
});
