// What tools share whose gesture is one stroke of the pointer across the cells; a click selects.
import { boundsOf } from "../cells/geometry.js";
import { ringOf } from "../repair/clip.js";
import { crossings } from "../repair/crossings.js";

const STEP = 1.5; // screen pixels between the points of a stroke

export class StrokeTool {
  editor;
  #stroke = null;

  constructor(editor) {
    this.editor = editor;
  }

  get drawing() {
    return this.#stroke !== null;
  }

  stop() {
    this.cancel();
  }

  move() {
    return "crosshair";
  }

  down({ point }) {
    this.#stroke = [point];
    return true;
  }

  drag({ point }, event) {
    if (!this.#stroke) return;
    this.#stroke = this.extended(this.#stroke, point, event);
    this.editor.layers.sketch({ points: this.#stroke, open: !this.closed });
  }

  up(place, wasDragged, event) {
    const stroke = this.#stroke;
    this.cancel();
    if (wasDragged && stroke?.length > 1) this.stroked(stroke, place, event);
  }

  click(place, event) {
    this.editor.tools.select.click(place, { shiftKey: event.shiftKey });
  }

  cancel() {
    const drawing = this.#stroke?.length > 1;
    this.#stroke = null;
    this.editor.layers.sketch(null);
    return drawing;
  }

  /** The stroke as the pointer goes on to a point. */
  extended(stroke, point) {
    const [x, y] = stroke.at(-1);
    const step = STEP * this.editor.layers.resolution;
    return Math.hypot(point[0] - x, point[1] - y) < step ? stroke : [...stroke, point];
  }
}

/** The cells in sight (no ignored regions) about a stroke: all whose bounds meet its bounds are among them. */
export function cellsAbout(layers, stroke) {
  const [x0, y0, x1, y1] = boundsOf({ kind: "polygon", points: stroke });
  return layers
    .near([(x0 + x1) / 2, (y0 + y1) / 2], Math.max(x1 - x0, y1 - y0) / 2 + layers.resolution)
    .filter((cell) => !cell.ignored);
}

/** The cells that a stroke may be meant for, that which it crosses for the longest way first. */
export function cellsCrossed(layers, stroke) {
  return cellsAbout(layers, stroke)
    .filter((cell) => cell.border.kind !== "point")
    .map((cell) => ({ cell, way: crossed(crossings(ringOf(cell.border) ?? [], stroke), stroke) }))
    .sort((a, b) => b.way - a.way)
    .map(({ cell }) => cell);
}

/** How long a stroke runs between its first and its last crossing of a border, in pixels; 0 where it crosses none. */
function crossed(places, stroke) {
  if (places.length < 2) return 0;
  const [from, to] = [places[0], places.at(-1)];
  const way = [from.point, ...stroke.slice(Math.floor(from.along) + 1, Math.floor(to.along) + 1), to.point];
  return way.slice(1).reduce((sum, [x, y], i) => sum + Math.hypot(x - way[i][0], y - way[i][1]), 0);
}
