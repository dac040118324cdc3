// Select, move, and repair: vertices of polygons, handles of ellipses, circles and rectangles.
import { cellAt, stateOf } from "../cells.js";
import { contains, dragged, handlesOf, moved, nearestEdge, withVertex, withoutVertex } from "../geometry.js";
import { ROTATE_REACH } from "../layers.js";

export class SelectTool {
  name = "select";
  hint = "Click a cell to select it (Shift adds). Drag the image to pan.";
  #editor;
  #grabbed = null;

  constructor(editor) {
    this.#editor = editor;
  }

  stop() {
    this.cancel();
  }

  /** What lies under the pointer of the one selected cell: a handle, an edge of a polygon, its inside, or null. */
  #part({ point, reach }) {
    const { selection, cells, layers, canEdit } = this.#editor;
    if (!canEdit) return null;
    const chosen = selection.ids.map((id) => cells.get(id)).filter((cell) => cell && !cell.ignored);
    if (chosen.length === 1) {
      const [cell] = chosen;
      const handles = handlesOf(cell.border, ROTATE_REACH * layers.resolution).map((handle) => ({
        handle,
        distance: Math.hypot(handle.point[0] - point[0], handle.point[1] - point[1]),
      }));
      handles.sort((a, b) => a.distance - b.distance);
      if (handles[0].distance <= reach * 1.2) return { part: "handle", cell, handle: handles[0].handle };
      const edge = nearestEdge(cell.border, point);
      if (cell.border.kind === "polygon" && edge.distance <= reach) return { part: "edge", cell, edge };
    }
    // A smaller cell on top of the selected one is meant by itself.
    const under = cellAt(layers.near(point, reach), point, 0);
    const inside = chosen.find((cell) => contains(cell.border, point));
    if (inside && (!under || selection.has(under.id))) return { part: "inside", cell: inside };
    return null;
  }

  /** Whether a handle of the selected cell lies under the pointer: it can be pulled whatever the tool. */
  hasHandleAt(place) {
    return this.#part(place)?.part === "handle";
  }

  move(place, event) {
    const part = this.#part(place);
    if (part?.part === "handle") {
      if (part.handle.role === "vertex") return event.altKey || event.ctrlKey ? "not-allowed" : "crosshair";
      return part.handle.role === "rotate" ? "grab" : "pointer";
    }
    if (part?.part === "edge") return "copy";
    if (part?.part === "inside") return "move";
    return cellAt(this.#editor.layers.near(place.point, place.reach), place.point, place.reach) ? "pointer" : "";
  }

  down(place, event) {
    const part = this.#part(place);
    if (!part || event.shiftKey) return false;
    this.#grabbed = { ...part, from: place.point, border: part.cell.border };
    return true;
  }

  drag({ point }) {
    const { layers, selection, cells, image } = this.#editor;
    const grabbed = this.#grabbed;
    if (!grabbed) return;
    if (grabbed.part === "inside") {
      const [dx, dy] = [point[0] - grabbed.from[0], point[1] - grabbed.from[1]];
      grabbed.targets = selection.ids
        .map((id) => cells.get(id))
        .filter((cell) => cell && !cell.ignored)
        .map((cell) => [cell, moved(cell.border, dx, dy, image.width, image.height)]);
      for (const [cell, border] of grabbed.targets) layers.preview(cell.id, border);
      return;
    }
    if (grabbed.part === "edge") {
      // Dragging an edge makes a vertex there, and it is that vertex which is dragged from now on.
      grabbed.border = withVertex(grabbed.border, grabbed.edge.index, point);
      grabbed.handle = { role: "vertex", index: grabbed.edge.index + 1 };
      grabbed.part = "handle";
    }
    grabbed.border = dragged(grabbed.border, grabbed.handle, this.#inImage(point));
    grabbed.targets = [[grabbed.cell, grabbed.border]];
    layers.preview(grabbed.cell.id, grabbed.border);
  }

  up(place, wasDragged) {
    const grabbed = this.#grabbed;
    this.#grabbed = null;
    if (!grabbed?.targets || !wasDragged) return;
    const name = grabbed.part === "inside" ? "Move" : "Reshape";
    this.#editor.reshape(grabbed.targets, name);
    for (const [cell] of grabbed.targets) this.#editor.layers.preview(cell.id, null);
  }

  click(place, event) {
    const { selection, layers, canEdit } = this.#editor;
    const part = this.#part(place);
    if (canEdit && (event.altKey || event.ctrlKey || event.metaKey) && part) {
      if (part.part === "handle" && part.handle.role === "vertex") {
        const border = withoutVertex(part.cell.border, part.handle.index);
        if (border) this.#editor.reshape([[part.cell, border]], "Remove vertex");
        else this.#editor.say("A border keeps three vertices at least.");
        return;
      }
      if (part.part === "edge") {
        const border = withVertex(part.cell.border, part.edge.index, part.edge.point);
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

  /** Esc: put back what is being dragged; true where something was. */
  cancel() {
    const grabbed = this.#grabbed;
    this.#grabbed = null;
    if (!grabbed?.targets) return false;
    for (const [cell] of grabbed.targets) this.#editor.layers.preview(cell.id, null);
    return true;
  }

  /** Arrow keys. */
  nudge(dx, dy) {
    const { selection, cells, image } = this.#editor;
    const targets = selection.ids
      .map((id) => cells.get(id))
      .filter((cell) => cell && !cell.ignored)
      .map((cell) => [cell, moved(cell.border, dx, dy, image.width, image.height)]);
    this.#editor.reshape(targets, "Move");
  }

  #inImage([x, y]) {
    const { width, height } = this.#editor.image;
    return [Math.max(0, Math.min(width, x)), Math.max(0, Math.min(height, y))];
  }
}

/** A cell's state with another border: a proposal that is reshaped is accepted by it. */
export function reshaped(cell, border) {
  return { ...stateOf(cell), status: "confirmed", border };
}
