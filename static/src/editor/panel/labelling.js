// What a person says about the selected cells: their labels, how sure of each, and texts. Every step can be undone.
import { stateOf } from "../cells/cells.js";

/** How sure one is, in words and as it is stored; null: not said. */
export const CERTAINTY = [
  ["sure", 1],
  ["likely", 0.7],
  ["unsure", 0.4],
];

export class Labelling {
  #editor;
  #scheme;

  constructor(editor, scheme) {
    this.#editor = editor;
    this.#scheme = scheme;
    editor.register({ certainty: () => this.turnCertainty() });
  }

  /** Set a label on all selected cells; where all of them have it, take it off. */
  press(label) {
    const cells = this.#cells("Select a cell first; then a number sets its label.");
    if (!cells) return;
    const on = !cells.every((cell) => cell.labels.includes(label.id));
    this.#change(cells, (cell) => ({ ...stateOf(cell), labels: this.#scheme.pressed(cell.labels, label, on) }), "Label");
  }

  /** Say how sure a label is: 0 to 1, or null for not said. Cells that do not have the label stay as they are. */
  setConfidence(label, value) {
    const cells = this.#cells("Select a cell with a label first.");
    if (cells) this.#confide(cells, [label.id], value);
  }

  /** The next step of certainty for all labels of the selected cells: sure, likely, unsure, not said. */
  turnCertainty() {
    const cells = this.#cells("Select a cell with a label first.");
    if (!cells) return;
    const ids = [...new Set(cells.flatMap((cell) => cell.labels))];
    if (!ids.length) {
      this.#editor.say("Set a label first; then say how sure it is.");
      return;
    }
    const first = cells.find((cell) => cell.labels.length);
    const now = first.confidence?.[first.labels[0]] ?? null;
    const steps = [null, ...CERTAINTY.map(([, value]) => value)];
    const value = steps[(steps.indexOf(now) + 1) % steps.length];
    this.#confide(cells, ids, value);
    this.#editor.say(value === null ? "How sure: not said." : `How sure: ${CERTAINTY.find((step) => step[1] === value)[0]}.`);
  }

  /** Write something about the cells of these ids; an empty text is none. */
  write(ids, attribute, text) {
    const cells = ids.map((id) => this.#editor.cells.get(id)).filter((cell) => cell && cell.status !== "deleted");
    this.#change(
      cells,
      (cell) => {
        const state = stateOf(cell);
        return { ...state, texts: { ...state.texts, [attribute.id]: text } };
      },
      attribute.name,
    );
  }

  #confide(cells, ids, value) {
    this.#change(
      cells,
      (cell) => {
        const state = stateOf(cell);
        return { ...state, confidence: { ...state.confidence, ...Object.fromEntries(ids.map((id) => [id, value])) } };
      },
      "How sure",
    );
  }

  #change(cells, state, name) {
    this.#editor.change(cells.map((cell) => [cell.id, state(cell)]), name);
  }

  /** The selected cells that can be labelled, or null after saying why there are none. */
  #cells(otherwise) {
    const { selected } = this.#editor;
    if (!selected.length) {
      this.#editor.say(otherwise);
      return null;
    }
    const cells = selected.filter((cell) => !cell.ignored);
    if (!cells.length) this.#editor.say("An ignored region takes no labels.");
    return cells.length ? cells : null;
  }
}
