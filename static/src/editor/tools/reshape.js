// A stroke drawn across a border replaces that part of it: no vertex is grabbed.
import { reshaped } from "../repair/reshape.js";
import { cellsCrossed, StrokeTool } from "./stroke.js";

export class ReshapeTool extends StrokeTool {
  name = "reshape";
  hint = "Draw the new course across the border: out of the cell and back adds, into it and out takes away.";

  stroked(stroke) {
    const { editor } = this;
    const { resolution } = editor.layers;
    // What is selected is meant; only where the stroke does not cross it, the cell that it crosses most.
    for (const cell of [...editor.selected, ...cellsCrossed(editor.layers, stroke)]) {
      const border = reshaped(cell.border, stroke, resolution);
      if (!border) continue;
      editor.reshape([[cell, border]], "Reshape");
      editor.selection.only(cell.id);
      return;
    }
    editor.say("The stroke must cross a border twice.");
  }
}
