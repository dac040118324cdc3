// Select, move, and repair: vertices of polygons, handles of ellipses, circles and rectangles. Only a drag that began
// on what is selected moves anything; a click never does.
import { cellAt, stateOf } from "../cells/cells.js";
import { dragged, handlesOf, moved, nearestEdge, withVertex, withoutVertex } from "../cells/geometry.js";
import { ROTATE_REACH } from "../map/layers.js";
import { simplified } from "../repair/simplify.js";
import { cellsWithin } from "../repair/within.js";
import { inImage } from "./in-image.js";
import { cellsAbout } from "./stroke.js";

// Pixels that the vertices of an ellipse which becomes a polygon may leave its line.
const AS_POLYGON = 0.3;

export class SelectTool {
  name = "select";
  hint =
    "Click a cell to select it (Shift adds), Shift+drag for a box. Drag its vertices or inside. Drag beside it to pan.";
  #editor;
  repairs = true;
  #grabbed = null;
  #box = null;

  constructor(editor) {
    this.#editor = editor;
  }

  stop() {
    this.cancel();
  }

  /** What lies under the pointer of the one selected cell: a handle, an edge, its inside, or null. */
  #part({ point, reach }, event = {}) {
    const { selection, selected: chosen, layers, canEdit } = this.#editor;
    if (!canEdit) return null;
    if (chosen.length === 1) {
      const [cell] = chosen;
      const handles = handlesOf(cell.border, ROTATE_REACH * layers.resolution).map((handle) => ({
        handle,
        distance: Math.hypot(handle.point[0] - point[0], handle.point[1] - point[1]),
      }));
      handles.sort((a, b) => a.distance - b.distance);
      if (handles[0].distance <= reach * 1.2) return { part: "handle", cell, handle: handles[0].handle };
      const edge = cell.border.kind === "point" ? { distance: Infinity } : nearestEdge(cell.border, point);
      // An ellipse stays one, until somebody asks for a vertex on its edge.
      const takesVertex = cell.border.kind === "polygon" || event.ctrlKey || event.metaKey;
      if (takesVertex && edge.distance <= reach) return { part: "edge", cell, edge };
    }
    // A smaller cell on top of the selected one is meant by itself.
    const under = cellAt(layers.near(point, reach), point, 0);
    return under && selection.has(under.id) ? { part: "inside", cell: under } : null;
  }

  /** Whether a handle of the selected cell lies under the pointer: it can be pulled whatever the tool. */
  hasHandleAt(place) {
    return this.#part(place)?.part === "handle";
  }

  move(place, event) {
    const part = this.#part(place, event);
    if (part?.part === "handle") {
      if (part.handle.role === "vertex") return event.altKey || event.ctrlKey ? "not-allowed" : "crosshair";
      return part.handle.role === "rotate" ? "grab" : "pointer";
    }
    if (part?.part === "edge") return "copy";
    if (part?.part === "inside") return "move";
    return cellAt(this.#editor.layers.near(place.point, place.reach), place.point, place.reach) ? "pointer" : "";
  }

  down(place, event) {
    const part = this.#part(place, event);
    const onLine = part?.part === "handle" || part?.part === "edge";
    if (event.shiftKey || ((event.ctrlKey || event.metaKey) && !onLine)) {
      this.#box = { from: place.point, adds: event.shiftKey, ring: null };
      return true;
    }
    if (!part) return false;
    this.#grabbed = { ...part, from: place.point, border: part.cell.border };
    return true;
  }

  drag({ point }, event) {
    const { layers, selected, image, snapping } = this.#editor;
    const grabbed = this.#grabbed;
    if (this.#box) this.#stretch(point);
    if (!grabbed) return;
    if (grabbed.part === "inside") {
      const [dx, dy] = [point[0] - grabbed.from[0], point[1] - grabbed.from[1]];
      const { width, height } = image;
      grabbed.targets = selected.map((cell) => [cell, moved(cell.border, dx, dy, width, height)]);
      layers.preview(grabbed.targets.map(([cell, border]) => [cell.id, border]));
      return;
    }
    if (grabbed.part === "edge") {
      // Dragging an edge makes a vertex there, and it is that vertex which is dragged from now on.
      const { border, index } = vertexOnEdge(grabbed.border, grabbed.edge.point);
      Object.assign(grabbed, { border, handle: { role: "vertex", index }, part: "handle" });
    }
    const snaps = grabbed.handle.role === "vertex";
    const to = snaps ? snapping.at(point, event, grabbed.cell.id) : point;
    grabbed.border = dragged(grabbed.border, grabbed.handle, inImage(to, image));
    grabbed.targets = [[grabbed.cell, grabbed.border]];
    layers.preview([[grabbed.cell.id, grabbed.border]]);
  }

  up(place, wasDragged) {
    const grabbed = this.#grabbed;
    this.#grabbed = null;
    if (this.#box?.ring) this.#choose(this.#box);
    this.#endBox();
    if (!grabbed?.targets || !wasDragged) return;
    const name = grabbed.part === "inside" ? "Move" : "Reshape";
    this.#editor.reshape(grabbed.targets, name);
    this.#editor.layers.preview(grabbed.targets.map(([cell]) => [cell.id, null]));
  }

  click(place, event) {
    const { selection, layers, canEdit } = this.#editor;
    const part = this.#part(place, event);
    if (canEdit && (event.altKey || event.ctrlKey || event.metaKey) && part) {
      if (part.part === "handle" && part.handle.role === "vertex") {
        const border = withoutVertex(part.cell.border, part.handle.index);
        if (border) this.#editor.reshape([[part.cell, border]], "Remove vertex");
        else this.#editor.say("A border keeps three vertices at least.");
        return;
      }
      if (part.part === "edge") {
        const { border } = vertexOnEdge(part.cell.border, part.edge.point);
        this.#editor.reshape([[part.cell, border]], "Add vertex");
        return;
      }
    }
    const cell = cellAt(layers.near(place.point, place.reach), place.point, place.reach);
    if (event.shiftKey) {
      if (cell) selection.toggle(cell.id);
    } else if (part?.part !== "handle" && part?.part !== "edge") {
      selection.only(cell?.id);
    }
  }

  /** A finger that rests: the cell under it is selected, or with the selecting tool one more. */
  press(place) {
    this.click(place, { shiftKey: this.#editor.pointer.tool === this });
  }

  /** Esc: put back what is being dragged; true where something was. */
  cancel() {
    const grabbed = this.#grabbed;
    const boxed = Boolean(this.#box?.ring);
    this.#grabbed = null;
    if (this.#box) this.#endBox();
    if (!grabbed?.targets) return boxed;
    this.#editor.layers.preview(grabbed.targets.map(([cell]) => [cell.id, null]));
    return true;
  }

  /** Arrow keys. */
  nudge(dx, dy) {
    const { selected, image } = this.#editor;
    const targets = selected.map((cell) => [cell, moved(cell.border, dx, dy, image.width, image.height)]);
    this.#editor.reshape(targets, "Move");
  }

  #stretch([x, y]) {
    const [fx, fy] = this.#box.from;
    this.#box.ring = [[fx, fy], [x, fy], [x, y], [fx, y]];
    this.#editor.layers.sketch({ points: this.#box.ring });
  }

  #endBox() {
    this.#box = null;
    this.#editor.layers.sketch(null);
  }

  #choose({ ring, adds }) {
    const { layers, selection } = this.#editor;
    const ids = cellsWithin(cellsAbout(layers, ring), ring).map((cell) => cell.id);
    if (adds) selection.add(...ids);
    else selection.only(...ids);
  }
}

/** A border with a vertex more at a place on its edge, as a polygon, and the index of that vertex. */
function vertexOnEdge(border, point) {
  const polygon = border.kind === "polygon" ? border : simplified(border, AS_POLYGON);
  const { index } = nearestEdge(polygon, point);
  return { border: withVertex(polygon, index, point), index: index + 1 };
}

/** A cell's state with another border: a proposal that is reshaped is accepted by it. */
export function reshaped(cell, border) {
  return { ...stateOf(cell), status: "confirmed", border };
}
