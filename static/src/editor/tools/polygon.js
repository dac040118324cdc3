// Draw a polygon: a click a vertex; Enter, a double click or a click on the first vertex finishes.
import { areaOf, polygonOf } from "../geometry.js";

const DOUBLE_CLICK = 500; // ms

export class PolygonTool {
  name = "polygon";
  hint = "Click around the cell. Enter or double click finishes, Backspace takes a vertex back, Esc gives up.";
  #editor;
  #points = [];
  #pointer = null;
  #clickedAt = 0;

  constructor(editor) {
    this.#editor = editor;
  }

  get drawing() {
    return this.#points.length > 0;
  }

  stop() {
    this.cancel();
  }

  move({ point, reach }) {
    this.#pointer = point;
    if (this.#points.length) this.#draw();
    return this.#closes(point, reach) ? "pointer" : "crosshair";
  }

  click({ point, reach }) {
    if (this.#closes(point, reach)) {
      this.finish();
      return;
    }
    const last = this.#points.at(-1);
    // OpenLayers calls any two quick clicks a double click; here two quick clicks in two places are two vertices.
    if (last && Math.hypot(last[0] - point[0], last[1] - point[1]) <= reach) {
      if (performance.now() - this.#clickedAt < DOUBLE_CLICK) this.finish();
      return;
    }
    this.#clickedAt = performance.now();
    this.#points.push(this.#inImage(point));
    this.#draw();
  }

  finish() {
    if (!this.#points.length) return false;
    const border = polygonOf(this.#points);
    if (this.#points.length < 3 || areaOf(border) < 1) {
      this.#editor.say("A border needs three vertices at least.");
      return true;
    }
    this.cancel();
    this.#editor.create(border);
    return true;
  }

  back() {
    if (!this.#points.length) return false;
    this.#points.pop();
    this.#draw();
    return true;
  }

  cancel() {
    const drawing = this.#points.length > 0;
    this.#points = [];
    this.#editor.layers.sketch(null);
    return drawing;
  }

  #closes([x, y], reach) {
    const [first] = this.#points;
    return this.#points.length >= 3 && Math.hypot(first[0] - x, first[1] - y) <= reach * 1.4;
  }

  #draw() {
    if (!this.#points.length) {
      this.#editor.layers.sketch(null);
      return;
    }
    const points = this.#pointer ? [...this.#points, this.#pointer] : this.#points;
    this.#editor.layers.sketch({ points, vertices: this.#points });
  }

  #inImage([x, y]) {
    const { width, height } = this.#editor.image;
    return [Math.max(0, Math.min(width, x)), Math.max(0, Math.min(height, y))];
  }
}
