// What each key does in the gallery. Commands that the editor has too have its names, so that a person's own keys for
// them (editor/keys/key-bindings.js) hold here as well; numbers set the study's labels.

/** [command, its usual keys, what it does, group], as KEYS of editor/keys/keys.js. */
export const GALLERY_KEYS = [
  ["left", ["ArrowLeft"], "The cell before (Shift: select as far as there)", "Going"],
  ["right", ["ArrowRight"], "The cell after", "Going"],
  ["up", ["ArrowUp"], "The cell above", "Going"],
  ["down", ["ArrowDown"], "The cell below", "Going"],
  ["page-up", ["PageUp"], "A screen up", "Going"],
  ["page-down", ["PageDown"], "A screen down", "Going"],
  ["first", ["Home"], "The first cell", "Going"],
  ["last", ["End"], "The last cell", "Going"],
  ["choose", ["x", "Space"], "Select the cell, or no longer", "Selecting"],
  ["select-all", ["a", "Ctrl+a"], "Select all that is shown, 1,000 at most", "Selecting"],
  ["cancel", ["Escape"], "Select nothing", "Selecting"],
  ["unidentified", ["u"], "Unidentified: nobody can name it; it is not counted", "Labelling"],
  ["uncounted", ["n"], "Not counted, whatever it is; or counted again", "Labelling"],
  ["certainty", ["Shift+c"], "How sure: sure, likely, unsure, not said", "Labelling"],
  ["strip", ["Delete", "Backspace"], "Take the labels off", "Labelling"],
  ["undo", ["Ctrl+z"], "Undo the last labelling", "Labelling"],
  ["redo", ["Ctrl+y", "Ctrl+Shift+z"], "Do it again", "Labelling"],
  ["classes", ["c"], "Go to the classes at the side", "Labelling"],
  ["enlarge", ["Enter", "e"], "The cell in large, with its field around", "Looking"],
  ["jump", ["g"], "Open the cell in its field", "Looking"],
  ["more-like", ["m"], "More like the selected cells", "Looking"],
  ["find", ["f"], "Find more of the cell’s label among those without one", "Looking"],
  ["resort", ["r"], "Sort all anew", "Looking"],
  ["zoom-in", ["+"], "Larger pictures", "Looking"],
  ["zoom-out", ["-"], "Smaller pictures", "Looking"],
  ["help", ["F1", "?"], "This help", "Looking"],
];

export const GALLERY_GESTURES = [
  ["Click", "Select one cell"],
  ["Ctrl+click", "One more or less"],
  ["Shift+click", "All from the last one to there"],
  ["Drag over cells", "Select by a box; with Ctrl or Shift besides what is selected"],
  ["Drag selected cells onto a class", "Label them"],
  ["Double click", "The cell in large, with its field around"],
  ["Click the number of a class", "Show its cells alone"],
];
