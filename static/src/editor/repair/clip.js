// Sums and differences of rings ([[x, y], …] in image pixels, first point not repeated), by Clipper2 on whole
// hundredths of a pixel. Rings that enclose are positive, rings of holes negative, as Clipper2 has them.
import { Clipper64, ClipperOffset, ClipType, EndType, FillRule, JoinType } from "clipper2-ts";
import { outline } from "../cells/geometry.js";
import { fromGrid, gridSteps, isSimple, mended, toGrid, twiceArea } from "./simple-ring.js";

const SMALLEST = 0.02; // twice the area in square pixels: less is a leftover of rounding, not a part of a cell
const CELL_RADIUS = 34; // pixels: an ellipse of this size has 48 points, and a larger one needs no more

export const union = (rings) => clip(ClipType.Union, rings, []);
export const difference = (rings, others) => clip(ClipType.Difference, rings, others);
export const intersection = (rings, others) => clip(ClipType.Intersection, rings, others);

/** The area in square pixels that rings enclose together: holes are negative. */
export const areaOfRings = (rings) => rings.reduce((sum, ring) => sum + twiceArea(ring) / 2, 0);

/** Valid rings widened by so many pixels (narrowed where negative), corners rounded. */
export function grown(rings, by, precision = 0.02) {
  return offset(rings.map(clockwise), by, EndType.Polygon, precision);
}

/** What a round brush of that radius covers when it is moved along points. */
export function swept(points, radius) {
  const path = points.map(([x, y]) => [x, y]);
  return offset([path], radius, EndType.Round, Math.max(0.05, radius * 0.012));
}

/** The largest of the enclosing rings, valid and without its holes (a cell's border is one ring), or null. */
export function largest(rings) {
  const outer = rings.filter((ring) => twiceArea(ring) > SMALLEST).sort((a, b) => twiceArea(b) - twiceArea(a));
  for (const ring of outer) {
    const valid = mended(toGrid(ring));
    if (valid) {
      const result = fromGrid(valid);
      if (Math.abs(twiceArea(result)) > SMALLEST) return clockwise(result);
    }
  }
  return null;
}

/** The ring as it can be kept: rounded, clockwise, meeting itself nowhere; of one that does its largest part. */
export function cleaned(ring) {
  const points = toGrid(ring);
  if (points.length < 3) return null;
  const rounded = fromGrid(points);
  if (!isSimple(points)) return largest(clip(ClipType.Union, [rounded], [], false));
  return Math.abs(twiceArea(rounded)) > SMALLEST ? clockwise(rounded) : null;
}

/** A border of any kind as a clean ring, or null where it encloses nothing. */
export function ringOf(border) {
  if (!border || border.kind === "point") return null;
  const radius = Math.max(border.r ?? 0, border.rx ?? 0, border.ry ?? 0);
  if (radius <= CELL_RADIUS) return cleaned(outline(border));
  const scale = radius / CELL_RADIUS;
  const { kind, cx, cy, r, rx, ry, theta } = border;
  const small = outline({ kind, cx: 0, cy: 0, r: r / scale, rx: rx / scale, ry: ry / scale, theta });
  return cleaned(small.map(([x, y]) => [cx + x * scale, cy + y * scale]));
}

/** A ring as a border, valid as stored; null where nothing is left of it. */
export function polygon(ring) {
  const points = ring && cleaned(ring);
  return points ? { kind: "polygon", points } : null;
}

/** The border's part inside the image; the border itself where it lies inside as a whole, null where none does. */
export function clipped(border, width, height) {
  const ring = ringOf(border);
  if (!ring) return null;
  if (ring.every(([x, y]) => x >= 0 && y >= 0 && x <= width && y <= height)) return border;
  return polygon(largest(intersection([ring], [[[0, 0], [width, 0], [width, height], [0, height]]])));
}

function clockwise(ring) {
  return twiceArea(ring) < 0 ? ring.toReversed() : ring;
}

const toPath = (ring) => ring.map(([x, y]) => ({ x: Math.round(gridSteps(x)), y: Math.round(gridSteps(y)) }));
const toRing = (path) => fromGrid(path.map(({ x, y }) => [x, y]));

function clip(type, subjects, clips, turned = true) {
  // Rings that run different ways would cancel out where they overlap.
  const paths = (rings) => rings.map((ring) => toPath(turned ? clockwise(ring) : ring));
  const clipper = new Clipper64();
  clipper.addSubject(paths(subjects));
  if (clips.length) clipper.addClip(paths(clips));
  const solution = [];
  clipper.execute(type, FillRule.NonZero, solution);
  return solution.map(toRing);
}

function offset(rings, by, endType, precision) {
  const clipper = new ClipperOffset(2, gridSteps(precision));
  clipper.addPaths(rings.map(toPath), JoinType.Round, endType);
  const solution = [];
  clipper.execute(gridSteps(by), solution);
  return solution.map(toRing);
}
