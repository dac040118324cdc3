// Which cells a drawn region takes in: by a box or a lasso, to select them or to settle their proposals.
import { boundsOf, contains } from "../cells/geometry.js";
import { areaOfRings, cleaned, intersection, ringOf } from "./clip.js";

/**
 * The cells (anything with a border) whose centre and at least half of whose area lie within a ring ([[x, y], …], may
 * cross itself: its largest part counts). The centre is that of the bounds; a cell that is only a point has nothing
 * else.
 */
export function cellsWithin(cells, ring) {
  const region = cleaned(ring);
  if (!region) return [];
  const shape = { kind: "polygon", points: region };
  return [...cells].filter(({ border }) => {
    if (border.kind === "point") return contains(shape, [border.cx, border.cy]);
    const bounds = boundsOf(border);
    if (!contains(shape, [(bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2])) return false;
    // The centre is inside; where the region's edge stays away from the bounds, all of the cell is.
    if (!edgeNears(region, bounds)) return true;
    const outline = ringOf(border);
    if (!outline) return false;
    return areaOfRings(intersection([outline], [region])) >= 0.5 * areaOfRings([outline]);
  });
}

/** Whether one of the ring's edges may enter a box; never wrongly no. */
function edgeNears(ring, [x0, y0, x1, y1]) {
  return ring.some(([ax, ay], i) => {
    const [bx, by] = ring[(i + 1) % ring.length];
    return !(ax < x0 && bx < x0) && !(ax > x1 && bx > x1) && !(ay < y0 && by < y0) && !(ay > y1 && by > y1);
  });
}
