import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { areaOfRings, cleaned, intersection, ringOf } from "../../static/src/editor/repair/clip.js";
import { cellsWithin } from "../../static/src/editor/repair/within.js";
import { border, cell, check, disc, polygon, square, stroke } from "./shapes.mjs";

const region = square(0, 0, 100).points;
const names = (cells) => cellsWithin(cells, region).map(({ name }) => name);

test("centre and half of the area count", () => {
  const cells = [
    { name: "inside", border: disc(50, 50, 20) },
    { name: "mostly", border: { kind: "circle", cx: 95, cy: 50, r: 20 } },
    { name: "hardly", border: disc(105, 50, 20) },
    { name: "outside", border: disc(150, 50, 20) },
    // The middle of its bounds is inside, but its bulk is not.
    { name: "bent", border: polygon([60, 54], [110, 54], [110, 40], [138, 40], [138, 70], [110, 70], [60, 56]) },
    { name: "point", border: { kind: "point", cx: 99, cy: 1 } },
    { name: "other point", border: { kind: "point", cx: 101, cy: 1 } },
  ];
  assert.deepEqual(names(cells), ["inside", "mostly", "point"]);
});

test("a region without area takes in nothing", () => {
  assert.deepEqual(cellsWithin([{ border: disc(50, 50, 20) }], [[0, 0], [100, 100]]), []);
  assert.deepEqual(cellsWithin([{ border: disc(50, 50, 20) }], []), []);
});

test("a lasso that runs around a cell in a bend takes in only what it encloses", () => {
  const hook = [[0, 0], [100, 0], [100, 100], [60, 100], [60, 40], [0, 40]];
  const cells = [disc(20, 20, 10), disc(80, 80, 10), disc(20, 80, 10)].map((border) => ({ border }));
  assert.deepEqual(cellsWithin(cells, hook), cells.slice(0, 2));
});

test("it takes in at least half of each, whatever the region", () => {
  check(fc.property(fc.array(cell, { maxLength: 5 }), stroke, (borders, lasso) => {
    const ring = cleaned(lasso);
    for (const { border } of cellsWithin(borders.map((border) => ({ border })), lasso)) {
      const outline = ringOf(border);
      assert.ok(areaOfRings(intersection([outline], [ring])) >= 0.499 * areaOfRings([outline]));
    }
  }), 300);
  check(fc.property(fc.array(border, { maxLength: 5 }), stroke, (borders, lasso) => {
    cellsWithin(borders.map((border) => ({ border })), lasso);
  }));
});
