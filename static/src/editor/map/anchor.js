// Where what belongs to a cell is pinned: on its border at the upper right, clear of its name and of its neighbours.
import { outline } from "../cells/geometry.js";

/** The point of a border, in image pixels, that lies farthest to the upper right. */
export function upperRight(border) {
  if (border.kind === "point") return [border.cx, border.cy];
  return outline(border).reduce((best, point) => (point[0] - point[1] > best[0] - best[1] ? point : best));
}
