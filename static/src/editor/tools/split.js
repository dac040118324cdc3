// A line across a cell makes two of it: the larger part stays the cell that it was.
import { stateOf } from "../cells.js";
import { newId } from "../new-id.js";
import { ringOf } from "../repair/clip.js";
import { crossings } from "../repair/crossings.js";
import { split } from "../repair/split.js";
import { reshaped } from "./select.js";
import { cellsNear, crossed, StrokeTool } from "./stroke.js";

export class SplitTool extends StrokeTool {
  name = "split";
  hint = "Draw a line across a cell: it becomes two, with the same labels. The larger part stays the cell that it was.";

  stroked(line) {
    const { editor } = this;
    const others = cellsNear(editor.layers, line)
      .map((cell) => ({ cell, way: crossed(crossings(ringOf(cell.border) ?? [], line), line) }))
      .sort((a, b) => b.way - a.way)
      .map(({ cell }) => cell);
    for (const cell of [...editor.selected.filter((each) => !each.ignored), ...others]) {
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
