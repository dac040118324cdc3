// Commands that repair what is selected: merge, share edges, simplify, smooth. Each is one step.
import { stateOf } from "../cells/cells.js";
import { areaOf, boundsOf, sameBorder } from "../cells/geometry.js";
import { merged } from "../repair/merge.js";
import { simplified, smoothed } from "../repair/simplify.js";
import { sharedEdge } from "../repair/snap.js";
import { reshaped } from "./select.js";

const NEAR = 6; // screen pixels between borders that are merged, or fitted to each other
const TOLERANCE = 1; // image pixels that a simplified border strays at most

/** The largest of the selected cells keeps its id and its labels; the others go. */
export function merge(editor) {
  const cells = editor.selected.filter((cell) => !cell.ignored && cell.border.kind !== "point");
  if (cells.length < 2) {
    editor.say("Select two cells or more to merge them (Shift+click, or Shift+G for the nearest).");
    return;
  }
  const border = merged(cells.map((cell) => cell.border), gap(editor));
  if (border.reason) {
    editor.say(border.reason);
    return;
  }
  const [kept, ...others] = cells.toSorted((a, b) => areaOf(b.border) - areaOf(a.border));
  const gone = others.map((cell) => [cell.id, { ...stateOf(cell), status: "deleted" }]);
  if (!editor.change([[kept.id, reshaped(kept, border)], ...gone], "Merge")) return;
  editor.selection.only(kept.id);
  editor.say(`${cells.length} cells merged into one.`);
}

/** Fit the selected borders to their neighbours: small gaps close, overlaps go, the edge is the same for both. */
export function shareEdges(editor) {
  const cells = editor.selected.filter((cell) => !cell.ignored && cell.border.kind !== "point");
  if (!cells.length) {
    editor.say("Select the cells that shall share edges with their neighbours.");
    return;
  }
  const distance = gap(editor);
  const fitted = new Map();
  const borderOf = (cell) => fitted.get(cell.id) ?? cell.border;
  for (const cell of cells) {
    const neighbours = around(editor.layers, cell, distance)
      .filter((other) => other.id !== cell.id && !other.ignored && other.border.kind !== "point")
      .map(borderOf);
    const border = sharedEdge(cell.border, neighbours, distance);
    if (border && !sameBorder(border, cell.border)) fitted.set(cell.id, border);
  }
  if (!fitted.size) {
    editor.say("No neighbour is near enough: zoom out, or draw the borders nearer to each other.");
    return;
  }
  editor.reshape(cells.filter((cell) => fitted.has(cell.id)).map((cell) => [cell, fitted.get(cell.id)]), "Share edges");
  editor.say(fitted.size === 1 ? "The border is fitted to its neighbours." : `${fitted.size} borders are fitted.`);
}

export const simplify = (editor) => perPolygon(editor, (border) => simplified(border, TOLERANCE), "Simplify");
export const smooth = (editor) => perPolygon(editor, smoothed, "Smooth");

function perPolygon(editor, change, name) {
  const cells = editor.selected.filter((cell) => cell.border.kind === "polygon");
  if (!cells.length) {
    editor.say(`Select polygons to ${name.toLowerCase()} them; an ellipse is as smooth and simple as can be.`);
    return;
  }
  const count = (borders) => borders.reduce((sum, border) => sum + border.points.length, 0);
  const targets = cells.map((cell) => [cell, change(cell.border) ?? cell.border]);
  const [before, after] = [count(cells.map((cell) => cell.border)), count(targets.map(([, border]) => border))];
  const fewer = ([cell, border]) => border.points.length < cell.border.points.length;
  const better = name === "Simplify" ? targets.filter(fewer) : targets;
  if (better.length) editor.reshape(better, name);
  if (name === "Smooth") editor.say(`Smoothed: ${after} vertices.`);
  else editor.say(better.length ? `${after} vertices instead of ${before}.` : "There is no vertex too many.");
}

/** Select the cell nearest to those that are selected as well. */
export function selectNear(editor) {
  const { selection, selected, cells, layers } = editor;
  const here = selected.at(-1);
  if (!here) {
    editor.say("Select a cell first.");
    return;
  }
  const middle = ({ bounds: [x0, y0, x1, y1] }) => [(x0 + x1) / 2, (y0 + y1) / 2];
  const [x, y] = middle(here);
  const far = (cell) => Math.hypot(middle(cell)[0] - x, middle(cell)[1] - y);
  const others = cells.shown().filter((cell) => !cell.ignored && !selection.has(cell.id));
  if (!others.length) return;
  const nearest = others.reduce((best, cell) => (far(cell) < far(best) ? cell : best));
  selection.add(nearest.id);
  layers.reveal(nearest);
}

const gap = (editor) => Math.max(2, NEAR * editor.layers.resolution);

function around(layers, { border }, reach) {
  const [x0, y0, x1, y1] = boundsOf(border);
  return layers.near([(x0 + x1) / 2, (y0 + y1) / 2], Math.max(x1 - x0, y1 - y0) / 2 + reach);
}
