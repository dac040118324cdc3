// What is drawn stays on the image.

/** The point of the image nearest to a point. */
export function inImage([x, y], { width, height }) {
  return [Math.max(0, Math.min(width, x)), Math.max(0, Math.min(height, y))];
}
