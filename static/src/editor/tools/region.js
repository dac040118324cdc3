// A region drawn around cells: all its proposals are accepted or rejected at once, or what is in it is selected.
import { stateOf } from "../cells/cells.js";
import { cellsWithin } from "../repair/within.js";
import { cellsAbout, StrokeTool } from "./stroke.js";

export class RegionTool extends StrokeTool {
  name = "region";
  hint = "Draw around proposals (Shift: a box). Then Enter accepts them, Del rejects them, A selects all cells in it.";
  closed = true;
  #bar = document.getElementById("region-bar");
  #ring = null;
  #cells = [];

  constructor(editor) {
    super(editor);
    for (const button of this.#bar.querySelectorAll("[data-region]")) {
      button.addEventListener("click", () => this.#settle(button.dataset.region));
    }
  }

  down(place, event) {
    this.#close();
    return super.down(place, event);
  }

  /** Clicking selects as ever; it also puts the region away. */
  click(place, event) {
    this.#close();
    super.click(place, event);
  }

  extended(stroke, point, event) {
    if (!event.shiftKey) return super.extended(stroke, point);
    const [[x0, y0]] = stroke;
    const [x1, y1] = point;
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
  }

  stroked(ring, place, event) {
    const { editor } = this;
    this.#cells = cellsWithin(cellsAbout(editor.layers, ring), ring);
    const proposals = this.#proposals;
    if (!this.#cells.length) {
      editor.say("There is no cell in the region: it takes in what lies in it with its middle and half its area.");
      return;
    }
    this.#ring = ring;
    this.#draw();
    this.#bar.querySelector("[data-count]").textContent = inWords(proposals.length, "proposal");
    for (const button of this.#bar.querySelectorAll("[data-region=accept], [data-region=reject]")) {
      button.hidden = !proposals.length || !editor.canEdit;
    }
    this.#bar.querySelector("[data-region=select] span").textContent = `Select ${inWords(this.#cells.length, "cell")}`;
    this.#open(event);
  }

  takes(command) {
    if (!this.#ring) return false;
    const choice = { finish: "accept", delete: "reject", back: "reject", "select-all": "select" }[command];
    if (!choice) {
      // Undo, other images, other tools: the region was drawn for what is seen now.
      if (!["zoom-in", "zoom-out", "fit"].includes(command)) this.#close();
      return command === "cancel";
    }
    this.#settle(choice);
    return true;
  }

  cancel() {
    const open = this.#close();
    return super.cancel() || open;
  }

  get #proposals() {
    const now = this.#cells.map(({ id }) => this.editor.cells.get(id)).filter((cell) => cell);
    return now.filter((cell) => cell.status === "proposed");
  }

  #settle(choice) {
    const { editor } = this;
    const proposals = this.#proposals;
    const cells = this.#cells.map(({ id }) => id);
    this.#close();
    if (choice === "select") {
      editor.use("select");
      editor.selection.only(...cells);
    } else if (choice === "accept" || choice === "reject") {
      const [status, name, done] =
        choice === "accept" ? ["confirmed", "Accept region", "accepted"] : ["deleted", "Reject region", "rejected"];
      if (!proposals.length) editor.say("There is no open proposal in the region.");
      else if (editor.change(proposals.map((cell) => [cell.id, { ...stateOf(cell), status }]), name)) {
        const kept = editor.selection.ids.filter((id) => editor.cells.get(id)?.status !== "deleted");
        editor.selection.only(...kept);
        editor.say(`${inWords(proposals.length, "proposal")} ${done}. Ctrl+Z takes it back.`);
      }
    }
    document.getElementById("map").focus({ preventScroll: true });
  }

  #draw() {
    this.editor.layers.select(this.#cells.map(({ id }) => id), false);
    this.editor.layers.sketch({ points: this.#ring });
  }

  /** Beside the pointer, within the image's part of the window. */
  #open({ clientX, clientY }) {
    const bar = this.#bar;
    bar.hidden = false;
    const stage = document.getElementById("map").getBoundingClientRect();
    const { width, height } = bar.getBoundingClientRect();
    const within = (value, low, high) => Math.max(low + 8, Math.min(high - 8, value));
    bar.style.left = `${within(clientX - width / 2, stage.left, stage.right - width)}px`;
    bar.style.top = `${within(clientY + 14, stage.top, stage.bottom - height - 40)}px`;
  }

  #close() {
    if (!this.#ring) return false;
    this.#ring = null;
    this.#bar.hidden = true;
    this.editor.layers.sketch(null);
    this.editor.layers.select(this.editor.selection.ids, this.editor.handles);
    return true;
  }
}

const inWords = (count, word) => (count === 1 ? `1 ${word}` : `${count} ${word}s`);
