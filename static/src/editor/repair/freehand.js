// A loop drawn by hand becomes a border.
import { cleaned } from "./clip.js";
import { bounded, fewer } from "./simplify.js";
import { twiceArea } from "./simple-ring.js";

const DETAIL = 0.4; // screen pixels: the hand is not finer
const SMALLEST = 3; // screen pixels: a loop with less area than this squared is a slip of the hand
const MOST = 120; // vertices

/**
 * The border that a stroke encloses ([[x, y], …], image pixels; its ends are joined), or null where it has no area.
 * Self-crossings are mended: the largest part stays, and what is circled twice counts as circled.
 * `resolution`: image pixels a screen pixel.
 */
export function borderOfStroke(points, resolution = 1) {
  if (points.length < 3) return null;
  const ring = cleaned(points);
  if (!ring || Math.abs(twiceArea(ring)) < 2 * (SMALLEST * resolution) ** 2) return null;
  return { kind: "polygon", points: bounded(fewer(ring, DETAIL * resolution), MOST) };
}
