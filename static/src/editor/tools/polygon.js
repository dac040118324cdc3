// Draw a polygon: a click sets a vertex, a drag draws freehand, in any order. Enter, a double click, a click on the
// first vertex or a stroke that comes back to it finishes. Undo and redo go vertex by vertex, stroke by stroke.
import { areaOf, polygonOf } from "../cells/geometry.js";
import { polygon } from "../repair/clip.js";
import { borderOfStroke } from "../repair/freehand.js";
import { douglasPeucker } from "../repair/simplify.js";
import { drawn } from "./drawn.js";
import { inImage } from "./in-image.js";

const DOUBLE_CLICK = 500; // ms
const STEP = 2; // screen pixels between the points of a stroke
const DETAIL = 0.5; // screen pixels: the hand is not finer
const GAP = 0.15; // share of a stroke's length that may lack at its end: it is a loop all the same
// What would leave the image or the tool, and lose a border that is half drawn.
const LEAVING = ["next-image", "previous-image", "left", "right"];

export class PolygonTool {
  name = "polygon";
  hint =
    "Click around the cell, or drag for freehand. Enter or double click finishes, Backspace goes back, Esc ends it.";
  #editor;
  #steps = []; // of points: one for a click, many for a stroke
  #undone = [];
  #stroke = null;
  #trail = null;
  #pressed = null;
  #pointer = null;
  #held = false;
  #clicked = null;

  constructor(editor) {
    this.#editor = editor;
  }

  get drawing() {
    return this.#steps.length > 0 || this.#stroke !== null;
  }

  get canUndo() {
    return this.#steps.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  get #points() {
    return [...this.#steps.flat(), ...(this.#trail ?? []), ...(this.#stroke ?? [])];
  }

  stop() {
    this.cancel();
  }

  move({ point, reach }, event) {
    const place = this.#snapped(point, event);
    this.#pointer = place;
    const held = place[0] !== point[0] || place[1] !== point[1];
    if (event.shiftKey && this.#steps.length) this.#follow((this.#trail ??= []), place);
    else this.#endTrail();
    if (this.drawing || held || this.#held) {
      this.#held = held;
      this.#draw();
    }
    return this.#closes(point, reach) ? "pointer" : "crosshair";
  }

  leave() {
    const shown = this.drawing || this.#held;
    this.#pointer = null;
    this.#held = false;
    if (shown) this.#draw();
  }

  down({ point }, event) {
    this.#pressed = this.#snapped(point, event);
    return true;
  }

  drag({ point }, event) {
    if (!this.#pressed) return;
    this.#endTrail();
    this.#stroke ??= [this.#pressed];
    this.#pointer = null;
    this.#follow(this.#stroke, this.#snapped(point, event));
    this.#draw();
  }

  up({ point, reach }, wasDragged) {
    const stroke = this.#stroke;
    this.#pressed = this.#stroke = null;
    if (!wasDragged || !stroke) return;
    const alone = !this.#steps.length;
    this.#add(douglasPeucker(stroke, DETAIL * this.#editor.layers.resolution));
    const [first] = this.#steps[0];
    const gap = Math.hypot(first[0] - point[0], first[1] - point[1]);
    if (gap <= 2 * reach || (alone && gap <= GAP * lengthOf(stroke))) this.finish();
  }

  click({ point, reach }, event) {
    this.#endTrail();
    if (this.#closes(point, reach)) {
      this.finish();
      return;
    }
    // OpenLayers calls any two quick clicks a double click; here two quick clicks in two places are two vertices.
    const last = this.#clicked;
    if (this.#steps.length && last && Math.hypot(last.point[0] - point[0], last.point[1] - point[1]) <= reach) {
      if (performance.now() - last.at < DOUBLE_CLICK) this.finish();
      return;
    }
    this.#clicked = { point, at: performance.now() };
    this.#add([this.#snapped(point, event)]);
    // A finger leaves no pointer behind.
    if (event.pointerType === "touch") this.#pointer = null;
    this.#draw();
  }

  finish() {
    this.#endTrail();
    if (!this.#steps.length) return false;
    const border = this.#border();
    if (!border || areaOf(border) < 1) {
      this.#editor.say("A border needs three vertices at least.");
      return true;
    }
    this.cancel();
    drawn(this.#editor, border);
    return true;
  }

  back() {
    return this.#travel("undo");
  }

  /** While a border is half drawn, keys act on it and not on the cells. */
  takes(command, event) {
    if (command === "redo") return this.#travel("redo");
    if (!this.drawing) return false;
    if (command === "undo" || command === "delete") return this.#travel("undo");
    // CVAT's key to finish; and Enter while Shift is still held from drawing freehand.
    if ((command === "next-image" && event?.type === "keydown") || command === "accept-all") return this.finish();
    if (!LEAVING.includes(command) && !(command in this.#editor.tools)) return false;
    event?.preventDefault();
    this.#editor.say("Finish the border first (Enter), or give it up (Esc).");
    return true;
  }

  /** A second finger: the stroke goes, the vertices stay. */
  abort() {
    this.#pressed = this.#stroke = this.#pointer = null;
    this.#draw();
  }

  cancel() {
    const { drawing } = this;
    this.#steps = [];
    this.#undone = [];
    this.#pressed = this.#stroke = this.#trail = this.#clicked = null;
    this.#held = false;
    this.#editor.layers.sketch(null);
    if (drawing) this.#editor.toolBox.refresh();
    return drawing;
  }

  #border() {
    const points = this.#points;
    const byHand = this.#steps.some((step) => step.length > 1);
    if (!byHand) return points.length < 3 ? null : polygonOf(points);
    // One loop of the hand is tidied up; vertices that were clicked stay where they are.
    return this.#steps.length === 1 ? borderOfStroke(points, this.#editor.layers.resolution) : polygon(points);
  }

  #travel(direction) {
    const [from, to] = direction === "undo" ? [this.#steps, this.#undone] : [this.#undone, this.#steps];
    this.#endTrail();
    if (!from.length) return false;
    to.push(from.pop());
    this.#clicked = null;
    this.#editor.toolBox.refresh();
    this.#draw();
    return true;
  }

  #add(points) {
    this.#steps.push(points);
    this.#undone = [];
    this.#editor.toolBox.refresh();
  }

  #follow(line, point) {
    const last = line.at(-1);
    const step = STEP * this.#editor.layers.resolution;
    if (!last || Math.hypot(last[0] - point[0], last[1] - point[1]) >= step) line.push(point);
  }

  /** Shift was let go: what the pointer drew meanwhile is one step. */
  #endTrail() {
    const trail = this.#trail;
    this.#trail = null;
    if (trail?.length > 1) this.#add(douglasPeucker(trail, DETAIL * this.#editor.layers.resolution));
  }

  #closes([x, y], reach) {
    const points = this.#points;
    return points.length >= 3 && Math.hypot(points[0][0] - x, points[0][1] - y) <= reach * 1.4;
  }

  #snapped(point, event) {
    return inImage(this.#editor.snapping.at(point, event), this.#editor.image);
  }

  #draw() {
    const points = this.#points;
    const vertices = this.#steps.flatMap((step) => (step.length === 1 ? step : [step[0], step.at(-1)]));
    // Where a click would set a vertex on a neighbour's border, that place is shown before.
    if (this.#held && this.#pointer) vertices.push(this.#pointer);
    if (points.length && this.#pointer) points.push(this.#pointer);
    this.#editor.layers.sketch(points.length || vertices.length ? { points, vertices } : null);
  }
}

function lengthOf(line) {
  return line.slice(1).reduce((sum, [x, y], i) => sum + Math.hypot(x - line[i][0], y - line[i][1]), 0);
}
