// How sure the person is of what they said of the chosen cells: three steps, as in the editor's panel.
import { CERTAINTY } from "../editor/panel/labelling.js";
import { make } from "../editor/make.js";
import { certaintyOf } from "./labelling.js";

// What is stored below is unsure, above likely (inference/gallery_query.py).
const UNSURE = 0.55;

/** Whether somebody who chose a label said that they are unsure of it. */
export const isUnsure = ({ labels, confidence }) => labels.some((id) => confidence?.[id] < UNSURE);

/** "unsure", "likely" or "sure"; empty where nothing is said. */
export function certaintyWord(said) {
  const value = certaintyOf(said);
  if (value === null) return "";
  return value < UNSURE ? "unsure" : value < 0.9 ? "likely" : "sure";
}

export class Certainty {
  #buttons;

  /** `set(value)` is told of clicks: null takes back what was said. */
  constructor(element, set) {
    this.#buttons = CERTAINTY.map(([word, value]) => {
      const pressed = () => button.getAttribute("aria-pressed") === "true";
      const button = make("button", { type: "button", click: () => set(pressed() ? null : value) }, word);
      return [button, value];
    });
    element.append(...this.#buttons.map(([button]) => button));
    this.show([]);
  }

  /** What all of some cells with a label share. */
  show(cells) {
    const labelled = cells.filter(({ labels }) => labels.length);
    for (const [button, value] of this.#buttons) {
      button.disabled = !labelled.length;
      const all = labelled.length > 0 && labelled.every((cell) => certaintyOf(cell) === value);
      button.setAttribute("aria-pressed", all);
      button.title = all ? "Press again to take it back" : "How sure you are (Shift+C)";
    }
  }
}
