// Shapes drawn by one drag (ellipse, circle, rectangle), and the point that marks a cell by a click.
import { ellipseBetween, outline, rectangleBetween } from "../cells/geometry.js";
import { drawn } from "./drawn.js";
import { inImage } from "./in-image.js";

const SMALLEST = 2; // pixels of the image: less is a slip of the hand

class DragShape {
  repairs = true;
  #editor;
  #from = null;
  #border = null;

  constructor(editor) {
    this.#editor = editor;
  }

  get drawing() {
    return this.#from !== null;
  }

  stop() {
    this.cancel();
  }

  move() {
    return "crosshair";
  }

  down({ point }) {
    this.#from = point;
    return true;
  }

  drag({ point }, event) {
    if (!this.#from) return;
    this.#border = this.between(this.#from, point, event);
    this.#editor.layers.sketch({ points: outline(this.#border) });
  }

  up(place, wasDragged) {
    const border = this.#border;
    this.cancel();
    if (wasDragged && border && sidesOf(border).every((side) => side >= 2 * SMALLEST)) drawn(this.#editor, border);
  }

  cancel() {
    const drawing = this.#border !== null;
    this.#from = this.#border = null;
    this.#editor.layers.sketch(null);
    return drawing;
  }
}

function sidesOf(border) {
  if (border.kind === "circle") return [2 * border.r];
  return border.kind === "ellipse" ? [2 * border.rx, 2 * border.ry] : [border.width, border.height];
}

/** The corner of the box to a point that has sides of the same length where `even`. */
function corner([fx, fy], [x, y], even) {
  if (!even) return [x, y];
  const side = Math.max(Math.abs(x - fx), Math.abs(y - fy));
  return [fx + Math.sign(x - fx) * side, fy + Math.sign(y - fy) * side];
}

export class EllipseTool extends DragShape {
  name = "ellipse";
  hint = "Drag over the cell, corner to corner (Shift keeps it round). Then pull its handles; the yellow one turns it.";

  between(from, point, event) {
    return ellipseBetween(from, corner(from, point, event.shiftKey));
  }
}

export class CircleTool extends DragShape {
  name = "circle";
  hint = "Drag from the middle of the cell to its border. Then pull its handles.";

  between([cx, cy], [x, y]) {
    const r = Math.round(Math.hypot(x - cx, y - cy) * 100) / 100;
    return { kind: "circle", cx: Math.round(cx * 100) / 100, cy: Math.round(cy * 100) / 100, r };
  }
}

export class RectangleTool extends DragShape {
  name = "rectangle";
  hint = "Drag over the cell, corner to corner (Shift keeps it square). Then pull its corners.";

  between(from, point, event) {
    return rectangleBetween(from, corner(from, point, event.shiftKey));
  }
}

/** A cell is here, its border is not drawn yet: a border drawn around the mark later becomes its border. */
export class PointTool {
  name = "point";
  hint = "Click a cell to mark it; a border drawn around the mark later becomes its border. Drag the image to pan.";
  repairs = true;
  #editor;

  constructor(editor) {
    this.#editor = editor;
  }

  move() {
    return "crosshair";
  }

  click({ point }) {
    const { image } = this.#editor;
    if (point.some((value, axis) => value < 0 || value > [image.width, image.height][axis])) return;
    const [cx, cy] = inImage(point, image).map((value) => Math.round(value * 100) / 100);
    this.#editor.create({ kind: "point", cx, cy });
  }
}
