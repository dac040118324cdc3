import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { added, pushed, taken } from "../../static/src/editor/repair/brush.js";
import { areaOfRings, difference, ringOf } from "../../static/src/editor/repair/clip.js";
import { area, assertValid, border, cell, check, disc, near, perimeter, place, square, stroke } from "./shapes.mjs";

const round = disc(100, 100, 40, 60);
const beyond = (one, other) => areaOfRings(difference([ringOf(one)], [ringOf(other)]));

test("the brush adds what it covers", () => {
  const result = added(square(50, 50, 100), [[150, 100], [180, 100]], 10);
  assertValid(result);
  near(area(result), 10000 + 30 * 20 + (Math.PI * 100) / 2, 8);
});

test("the brush takes what it covers", () => {
  const result = taken(square(50, 50, 100), [[180, 100], [120, 100]], 10);
  assertValid(result);
  near(area(result), 10000 - 30 * 20 - (Math.PI * 100) / 2, 8);
});

test("a brush that does not touch the border leaves the very border", () => {
  const ellipse = { kind: "ellipse", cx: 100, cy: 100, rx: 40, ry: 30, theta: 0 };
  assert.equal(added(ellipse, [[10, 10]], 5), ellipse);
  assert.equal(added(ellipse, [[100, 100]], 5), ellipse, "inside there is nothing to add");
  assert.equal(taken(ellipse, [[10, 10]], 5), ellipse);
  assert.equal(taken(ellipse, [[100, 100]], 5), ellipse, "a hole is filled");
  assert.equal(pushed(ellipse, [10, 10], [20, 10], 5), ellipse);
  assert.equal(pushed(ellipse, [95, 100], [105, 100], 5), ellipse);
});

test("cut in two, the larger part stays; wiped out, nothing", () => {
  const result = taken(square(50, 50, 100), [[80, 30], [80, 170]], 10);
  assertValid(result);
  near(area(result), 6000, 5);
  assert.ok(result.points.every(([x]) => x >= 89.9));
  assert.equal(taken(round, [[60, 100], [140, 100]], 60), null);
});

test("pushed from within the edge bulges, pushed from outside it dents", () => {
  const out = pushed(round, [120, 100], [140, 100], 10);
  assertValid(out);
  assert.ok(area(out) > area(round) + 100);
  near(Math.max(...out.points.map(([x]) => x)), 150, 0.2);
  const dent = pushed(round, [160, 100], [140, 100], 10);
  assertValid(dent);
  assert.ok(area(dent) < area(round) - 100);
  const ahead = dent.points.filter(([x, y]) => x > 100 && Math.abs(y - 100) < 3);
  near(Math.min(...ahead.map(([x]) => x)), 130, 0.3);
});

test("far from the brush every vertex stays", () => {
  for (const result of [
    pushed(round, [120, 100], [140, 100], 10),
    added(round, [[140, 100]], 10),
    taken(round, [[140, 100]], 10),
  ]) {
    for (const [x, y] of round.points.filter((point) => point[0] < 125)) {
      assert.ok(result.points.some((point) => point[0] === x && point[1] === y));
    }
  }
});

test("a long way of many pushes keeps the number of vertices bounded", () => {
  let result = round;
  for (let step = 0; step < 200; step++) {
    const at = (i) => [100 + 36 * Math.cos(i / 15), 100 + 36 * Math.sin(i / 15)];
    result = pushed(result, at(step), at(step + 1), 9);
  }
  assertValid(result);
  assert.ok(result.points.length <= 120, String(result.points.length));
  near(area(result), Math.PI * 45 ** 2, 150);
});

test("pushed along in small steps, a straight edge gets few vertices", () => {
  let result = round;
  for (let y = 150; y > 50; y -= 1) result = pushed(result, [125, y], [125, y - 1], 10);
  assertValid(result);
  const straight = result.points.filter(([x, y]) => Math.abs(x - 115) < 0.5 && y > 75 && y < 125);
  assert.ok(straight.length <= 12, String(straight.length));
});

test("adding covers the border, taking stays within it", () => {
  const radius = fc.integer({ min: 2, max: 30 });
  check(fc.property(cell, stroke, radius, (shape, line, r) => {
    const slack = 0.1 + perimeter(shape) * 0.05;
    const more = added(shape, line, r);
    assertValid(more);
    assert.ok(beyond(shape, more) <= slack + r * 0.5, `${beyond(shape, more)} lost by adding`);
    const less = taken(shape, line, r);
    if (less) {
      assertValid(less);
      assert.ok(beyond(less, shape) <= slack + r * 0.5, `${beyond(less, shape)} won by taking`);
    }
  }), 100);
});

test("any brush over any border gives a valid border, the same, or nothing", () => {
  const radius = fc.constantFrom(0.5, 3, 11.7, 60);
  check(fc.property(border, stroke, radius, place, place, (shape, line, r, from, to) => {
    for (const result of [added(shape, line, r), taken(shape, line, r), pushed(shape, from, to, r)]) {
      if (!result || result === shape) continue;
      assertValid(result);
      assert.ok(result.points.length <= 120, `${result.points.length} vertices`);
    }
  }), 300);
});
