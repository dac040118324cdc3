// A line across a cell makes two of it: the larger part stays the cell that it was.
import { stateOf } from "../cells/cells.js";
import { newId } from "../cells/new-id.js";
import { split } from "../repair/split.js";
import { reshaped } from "./select.js";
import { cellsCrossed, StrokeTool } from "./stroke.js";

export class SplitTool extends StrokeTool {
  name = "split";
  hint = "Draw a line across a cell: it becomes two, with the same labels. The larger part stays the cell that it was.";

  stroked(line) {
    const { editor } = this;
    const chosen = editor.selected.filter((cell) => !cell.ignored);
    for (const cell of [...chosen, ...cellsCrossed(editor.layers, line)]) {
      const parts = split(cell.border, line, editor.layers.resolution);
      if (!parts) continue;
      const [first, ...rest] = parts;
      const made = rest.map((border) => [newId(), { ...stateOf(cell), status: "confirmed", border }]);
      if (editor.change([[cell.id, reshaped(cell, first)], ...made], "Split")) {
        editor.selection.only(cell.id, ...made.map(([id]) => id));
        editor.say(`Split into ${parts.length} cells.`);
      }
      return;
    }
    editor.say("The line must run through a cell from one side to the other.");
  }
}
