// Accept all proposals above a score: those that would be accepted are shown before it is done.
import { stateOf } from "../cells/cells.js";

const KEPT = "marrowloop-accept-above";

export class AboveScore {
  #editor;
  #form = document.getElementById("accept-above");
  #number = this.#form.querySelector("input[type=number]");
  #slider = this.#form.querySelector("input[type=range]");
  #count = this.#form.querySelector("[data-count]");
  #button = this.#form.querySelector("button[type=submit]");
  #due = null;

  constructor(editor) {
    this.#editor = editor;
    const form = this.#form;
    for (const input of [this.#number, this.#slider]) {
      input.addEventListener("input", () => {
        (input === this.#number ? this.#slider : this.#number).value = input.value;
        this.#soon();
      });
    }
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#accept();
    });
    form.addEventListener("toggle", ({ newState }) => newState === "closed" && this.#closed());
  }

  open() {
    const editor = this.#editor;
    const proposals = editor.cells.proposals();
    if (!editor.canEdit || !proposals.length) {
      editor.say(editor.canEdit ? "There is no open proposal." : "This image is reviewed. A reviewer can reopen it.");
      return;
    }
    const value = localStorage.getItem(KEPT) ?? "0.80";
    this.#number.value = this.#slider.value = value;
    this.#form.showPopover();
    this.#place();
    this.#preview();
    this.#number.select();
  }

  show() {
    if (this.#form.matches(":popover-open")) this.#form.hidePopover();
  }

  /** Beside its button, as a whole in the window. */
  #place() {
    const form = this.#form;
    const button = document.querySelector('.toolbar [data-command="accept-above"]');
    const { height } = form.getBoundingClientRect();
    form.style.left = `${button.closest(".toolbar").getBoundingClientRect().right + 10}px`;
    form.style.top = `${Math.max(8, Math.min(innerHeight - height - 8, button.getBoundingClientRect().top - 8))}px`;
  }

  get #chosen() {
    const least = this.#number.valueAsNumber;
    // A proposal without a score is none above any.
    return Number.isNaN(least) ? [] : this.#editor.cells.proposals().filter((cell) => (cell.score ?? -1) >= least);
  }

  #soon() {
    this.#due ??= requestAnimationFrame(() => {
      this.#due = null;
      if (this.#form.matches(":popover-open")) this.#preview();
    });
  }

  #preview() {
    const chosen = this.#chosen;
    const all = this.#editor.cells.proposals().length;
    this.#count.textContent = `${chosen.length} of ${all === 1 ? "1 proposal" : `${all} proposals`}`;
    this.#button.textContent = chosen.length ? `Accept ${chosen.length}` : "Accept";
    this.#button.disabled = !chosen.length;
    this.#editor.layers.select(chosen.map((cell) => cell.id), false);
  }

  #accept() {
    const editor = this.#editor;
    const chosen = this.#chosen;
    if (!chosen.length) return;
    const least = this.#number.valueAsNumber.toFixed(2);
    localStorage.setItem(KEPT, least);
    this.#form.hidePopover();
    const targets = chosen.map((cell) => [cell.id, { ...stateOf(cell), status: "confirmed" }]);
    if (editor.change(targets, "Accept above a score")) {
      editor.say(`${chosen.length} proposals from ${least} on accepted. Ctrl+Z takes it back.`);
    }
  }

  #closed() {
    const editor = this.#editor;
    editor.layers.select(editor.selection.ids, editor.handles);
    document.getElementById("map").focus({ preventScroll: true });
  }
}
