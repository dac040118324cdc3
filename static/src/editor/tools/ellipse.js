// Draw an ellipse by dragging over the cell, corner to corner; with Shift a circle's shape.
import { ellipseBetween, outline } from "../geometry.js";

const SMALLEST = 2; // pixels of the image: less is a slip of the hand

export class EllipseTool {
  name = "ellipse";
  hint = "Drag over the cell, corner to corner (Shift keeps it round). Then pull its handles; the yellow one turns it.";
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
    let [x, y] = point;
    if (event.shiftKey) {
      const [dx, dy] = [x - this.#from[0], y - this.#from[1]];
      const side = Math.max(Math.abs(dx), Math.abs(dy));
      [x, y] = [this.#from[0] + Math.sign(dx) * side, this.#from[1] + Math.sign(dy) * side];
    }
    this.#border = ellipseBetween(this.#from, [x, y]);
    this.#editor.layers.sketch({ points: outline(this.#border) });
  }

  up(place, wasDragged) {
    const border = this.#border;
    this.cancel();
    if (wasDragged && border && border.rx >= SMALLEST && border.ry >= SMALLEST) this.#editor.create(border);
  }

  cancel() {
    const drawing = this.#border !== null;
    this.#from = this.#border = null;
    this.#editor.layers.sketch(null);
    return drawing;
  }
}
