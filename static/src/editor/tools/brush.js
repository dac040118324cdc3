// A round brush that pushes a border, adds to it or takes from it. Its size is one of the screen: zooming in makes it
// finer.
import { cellAt } from "../cells/cells.js";
import { nearestEdge } from "../cells/geometry.js";
import { added, pushed, taken } from "../repair/brush.js";

const KEPT = "marrowloop-brush";
const [SMALLEST, LARGEST, FIRST] = [3, 150, 18]; // screen pixels of its radius
const GROWTH = 1.2;
const LONGEST = 40; // points of a path that are added in one piece

export class BrushTool {
  name = "brush";
  hint = "Drag: push a border. With Shift add to it, with Alt take from it. [ and ] or Ctrl+wheel change the size.";
  mode = "push";
  #editor;
  #point = null;
  #stroke = null;
  #frame = null;

  constructor(editor) {
    this.#editor = editor;
    this.size = Number(localStorage.getItem(KEPT)) || FIRST;
  }

  get drawing() {
    return this.#stroke !== null;
  }

  /** In image pixels. */
  get #radius() {
    return this.size * this.#editor.layers.resolution;
  }

  start() {
    this.#point = this.#editor.pointer?.over ?? null;
    this.#draw();
  }

  stop() {
    this.cancel();
    this.leave();
  }

  leave() {
    this.#point = null;
    this.#draw();
  }

  move({ point }) {
    this.#point = point;
    this.#draw();
    return "crosshair";
  }

  down({ point }, event) {
    this.#point = point;
    const cell = this.#target(point);
    if (!cell) {
      this.#editor.say("Begin on a border, or select a cell first.");
      return true;
    }
    const mode = event.shiftKey ? "add" : event.altKey ? "take" : this.mode;
    this.#stroke = { cell, mode, border: cell.border, base: cell.border, path: [point], fresh: [point] };
    return true;
  }

  drag({ point }) {
    this.#point = point;
    this.#draw();
    if (!this.#stroke) return;
    if (!this.#stroke.begun) {
      this.#stroke.begun = true;
      this.#editor.selection.only(this.#stroke.cell.id);
    }
    this.#stroke.fresh.push(point);
    // Once a frame, however many moves there were.
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      this.#apply();
      if (this.#stroke) this.#editor.layers.preview([[this.#stroke.cell.id, this.#stroke.border]]);
    });
  }

  up(place, wasDragged) {
    if (wasDragged) this.#apply();
    const stroke = this.#stroke;
    if (wasDragged && stroke) {
      if (stroke.empty) this.#editor.say("That would leave nothing of the cell. Del deletes it.");
      else if (stroke.border !== stroke.cell.border) {
        this.#editor.reshape([[stroke.cell, stroke.border]], { push: "Push", add: "Add", take: "Take" }[stroke.mode]);
      }
    }
    this.cancel();
  }

  click(place, event) {
    this.#editor.tools.select.click(place, { shiftKey: event.shiftKey });
  }

  wheel(event) {
    if (!event.ctrlKey && !event.altKey) return false;
    this.resize(event.deltaY < 0 ? 1 : -1);
    return true;
  }

  cancel() {
    const stroke = this.#stroke;
    this.#stroke = null;
    cancelAnimationFrame(this.#frame);
    this.#frame = null;
    if (!stroke?.begun) return false;
    this.#editor.layers.preview([[stroke.cell.id, null]]);
    return true;
  }

  /** One step larger (1) or smaller (-1). */
  resize(steps) {
    this.size = Math.max(SMALLEST, Math.min(LARGEST, this.size * GROWTH ** steps));
    localStorage.setItem(KEPT, this.size.toFixed(1));
    this.#draw();
    this.#editor.say(`Brush: ${Math.round(2 * this.size)} pixels of the screen across.`);
  }

  /** The selected cell where the brush touches it or nothing else is there; else the cell under the brush. */
  #target(point) {
    const { layers, selected } = this.#editor;
    const radius = this.#radius;
    const touches = ({ border }) => cellAt([{ border }], point, radius) !== null;
    const chosen = selected.filter((cell) => cell.border.kind !== "point");
    const near = layers.near(point, radius).filter((cell) => !cell.ignored && cell.border.kind !== "point");
    const inReach = near.filter(touches);
    const distance = (cell) => nearestEdge(cell.border, point).distance;
    const nearest = inReach.sort((a, b) => distance(a) - distance(b))[0];
    return chosen.find(touches) ?? nearest ?? (chosen.length === 1 ? chosen[0] : null);
  }

  #apply() {
    const stroke = this.#stroke;
    if (!stroke?.fresh.length) return;
    const radius = this.#radius;
    if (stroke.mode === "push") {
      let from = stroke.path.at(-1);
      for (const to of stroke.fresh) {
        stroke.border = pushed(stroke.border, from, to, radius);
        from = to;
      }
      stroke.path = [from];
    } else {
      stroke.path.push(...stroke.fresh);
      const change = stroke.mode === "add" ? added : taken;
      const border = change(stroke.base, stroke.path, radius);
      stroke.empty = border === null;
      stroke.border = border ?? stroke.border;
      // A long path is added piece by piece: else each move would cost more than the last.
      if (border && stroke.path.length > LONGEST) {
        stroke.base = border;
        stroke.path = stroke.path.slice(-1);
      }
    }
    stroke.fresh = [];
  }

  #draw() {
    const { layers } = this.#editor;
    layers.sketch(this.#point ? { brush: { point: this.#point, radius: this.#radius } } : null);
  }
}
