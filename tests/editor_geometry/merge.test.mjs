import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { areaOfRings, difference, ringOf, union } from "../../static/src/editor/repair/clip.js";
import { merged } from "../../static/src/editor/repair/merge.js";
import { split } from "../../static/src/editor/repair/split.js";
import { area, assertValid, border, cell, check, disc, near, perimeter, square, stroke } from "./shapes.mjs";

test("overlapping borders become their union", () => {
  const result = merged([square(0, 0, 60), square(30, 30, 60)]);
  assertValid(result);
  near(area(result), 2 * 3600 - 900, 1e-6);
});

test("borders that share an edge become one", () => {
  const result = merged([square(0, 0, 50), square(50, 0, 50)]);
  assertValid(result);
  near(area(result), 5000, 0.1);
});

test("a gap is bridged where it is small enough", () => {
  const [one, other] = [disc(50, 50, 30), disc(114, 50, 30)];
  const result = merged([one, other], 5);
  assertValid(result);
  const more = area(result) - area(one) - area(other);
  assert.ok(more > 4 && more < 300, `the bridge is ${more} square pixels`);
  assert.match(merged([one, other], 3).reason, /do not touch: they are 4\.0 pixels apart/);
  assert.match(merged([one, other]).reason, /do not touch/);
});

test("three in a row, given in any order", () => {
  assertValid(merged([disc(50, 50, 20), disc(150, 50, 20), disc(100, 50, 32)]));
  assertValid(merged([disc(50, 50, 20), disc(138, 50, 20), disc(94, 50, 20)], 6));
});

test("a hole between them is filled", () => {
  const bar = (x, y, width, height) => ({ kind: "rectangle", x, y, width, height });
  const frame = [bar(0, 0, 20, 60), bar(40, 0, 20, 60), bar(0, 0, 60, 20), bar(0, 40, 60, 20)];
  near(area(merged(frame)), 3600, 1e-6);
});

test("one border is none to merge", () => {
  assert.ok(merged([square(0, 0, 10)]).reason);
  assert.ok(merged([square(0, 0, 10), { kind: "point", cx: 1, cy: 1 }]).reason);
});

test("what was split merges back", () => {
  check(fc.property(cell, stroke, (shape, line) => {
    const parts = split(shape, line);
    if (!parts) return;
    const result = merged(parts);
    assert.ok(!result.reason, result.reason);
    assertValid(result);
    near(area(result), area(shape), 0.1 + parts.length * 0.02 * perimeter(shape));
  }), 300);
});

test("where they touch, the union; else nothing is lost by bridging", () => {
  check(fc.property(cell, cell, fc.constantFrom(0, 4, 40), (one, other, gap) => {
    const result = merged([one, other], gap);
    if (result.reason) return;
    assertValid(result);
    const rings = [ringOf(one), ringOf(other)];
    assert.ok(areaOfRings(difference(rings, [ringOf(result)])) < 1);
    if (gap === 0) {
      const sum = areaOfRings(union(rings).filter((ring) => areaOfRings([ring]) > 0));
      // Half a pixel apart is touching, too: it takes a small bridge.
      const more = area(result) - sum;
      assert.ok(more > -1 && more < 25, `${more} square pixels more than the union`);
    }
  }), 100);
});

test("any borders merge to a valid one or to a reason", () => {
  check(fc.property(fc.array(border, { maxLength: 4 }), fc.constantFrom(0, 5, 50), (shapes, gap) => {
    const result = merged(shapes, gap);
    if (!result.reason) assertValid(result);
  }), 300);
});
