// What becomes of a border that was drawn: a new cell, or the border of a cell that so far was only marked.
import { contains } from "../cells/geometry.js";

export function drawn(editor, border) {
  const marked = editor.cells
    .shown()
    .filter((cell) => cell.border.kind === "point" && contains(border, [cell.border.cx, cell.border.cy]));
  if (marked.length !== 1) {
    editor.create(border);
    return;
  }
  editor.reshape([[marked[0], border]], "Draw the border of a marked cell");
  editor.selection.only(marked[0].id);
}
