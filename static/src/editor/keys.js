// What each key does, in one table: the handler, the help and the tooltips read it. VIA's and CVAT's keys where
// they do not clash; numbers belong to the study's labels (labels.js).

/** [command, keys as shown, what it does, group]; a key is written as `keyOf` names it. */
export const KEYS = [
  ["select", ["q"], "Select and repair", "Tools"],
  ["polygon", ["w"], "Draw a polygon", "Tools"],
  ["ellipse", ["e"], "Draw an ellipse", "Tools"],
  ["finish", ["Enter"], "Finish the polygon; accept the selected proposal", "Drawing and proposals"],
  ["back", ["Backspace"], "Take the last vertex back; else delete", "Drawing and proposals"],
  ["cancel", ["Escape"], "Give up drawing; deselect", "Drawing and proposals"],
  ["accept-all", ["Shift+Enter"], "Accept all proposals shown", "Drawing and proposals"],
  ["delete", ["Delete", "d"], "Delete the selected cells; reject a proposal", "Drawing and proposals"],
  ["undo", ["Ctrl+z"], "Undo", "Drawing and proposals"],
  ["redo", ["Ctrl+y", "Ctrl+Shift+z"], "Redo", "Drawing and proposals"],
  ["next-cell", ["Tab", "."], "Next cell, open proposals first", "Selecting"],
  ["previous-cell", ["Shift+Tab", ","], "Previous cell", "Selecting"],
  ["select-all", ["a", "Ctrl+a"], "Select all cells", "Selecting"],
  ["left", ["ArrowLeft"], "With a selection: move it by 1 px (Shift: 10). Without: previous image", "Selecting"],
  ["right", ["ArrowRight"], "With a selection: move it. Without: next image", "Selecting"],
  ["up", ["ArrowUp"], "Move the selection up", "Selecting"],
  ["down", ["ArrowDown"], "Move the selection down", "Selecting"],
  ["zoom-in", ["+"], "Zoom in (also the wheel)", "View"],
  ["zoom-out", ["-"], "Zoom out", "View"],
  ["fit", ["="], "Whole image", "View"],
  ["borders", ["b"], "Borders on and off", "View"],
  ["labels", ["l"], "Label names on and off", "View"],
  ["panel", ["i"], "Side panel on and off", "View"],
  ["next-image", ["n"], "Next image", "Images"],
  ["previous-image", ["p"], "Previous image", "Images"],
  ["help", ["F1", "?"], "This help", "Images"],
];

export const GESTURES = [
  ["Drag a vertex or handle", "Reshape; the yellow handle turns an ellipse"],
  ["Drag an edge, or Ctrl+click it", "Add a vertex"],
  ["Alt+click or Ctrl+click a vertex", "Remove it"],
  ["Drag inside the selected cell", "Move it"],
  ["Drag beside it, or Space+drag", "Pan"],
  ["Shift+click", "Select one more"],
];

const NAMES = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", Delete: "Del" };

/** A key as people read it. */
export function keyLabel(key) {
  return key
    .split(/(?<=.)\+/)
    .map((part) => NAMES[part] ?? (part.length === 1 ? part.toUpperCase() : part))
    .join("+");
}

function keyOf(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  // Shift is part of how + and ? are typed, and no key of its own there.
  const shift = event.shiftKey && (event.key.length > 1 || /[a-z]/.test(key)) ? "Shift+" : "";
  return (event.ctrlKey || event.metaKey ? "Ctrl+" : "") + shift + key;
}

const COMMANDS = new Map(KEYS.flatMap(([command, keys]) => keys.map((key) => [key, command])));

/**
 * Listen for keys. `run(command, event)` answers false where the command has nothing to do here, and the key keeps
 * its usual meaning; `number(digit)` sets labels; `space(held)` pans.
 */
export function listen(run, number, space) {
  const elsewhere = (event) =>
    event.target.closest("input:not([type=checkbox]), textarea, select, dialog, .menu") !== null;
  addEventListener("keydown", (event) => {
    if (elsewhere(event) || event.isComposing || event.altKey) return;
    if (event.key === " " && !event.target.closest("button, summary, a")) {
      space(true);
      event.preventDefault();
      return;
    }
    const key = keyOf(event);
    const arrow = event.key.startsWith("Arrow");
    const command = COMMANDS.get(arrow ? event.key : key);
    // On a button or a row of the list these keys do what they do there.
    if (event.target.closest("button, a, summary") && ["Enter", "Tab", "Shift+Tab"].includes(key)) return;
    if (/^[0-9]$/.test(key)) {
      if (number(key)) event.preventDefault();
    } else if (command && run(command, event) !== false) {
      event.preventDefault();
    }
  });
  addEventListener("keyup", (event) => {
    if (event.key === " ") space(false);
  });
  addEventListener("blur", () => space(false));
}
