// Copied cells: they can be pasted on the same image, on the next one, and after a reload of the page.
import { stateOf } from "../cells/cells.js";
import { boundsOf, moved } from "../cells/geometry.js";
import { newId } from "../cells/new-id.js";

const KEPT = "marrowloop-copied";
const OFFSET = 14; // screen pixels that a paste is set off, so that it does not hide what it is a copy of

export class Clipboard {
  #editor;
  #pasted = 0;

  constructor(editor) {
    this.#editor = editor;
  }

  copy() {
    // Words that are marked in the page are what Ctrl+C means.
    const marked = getSelection();
    if (marked && !marked.isCollapsed) return false;
    const { selected, image, say } = this.#editor;
    const cells = selected.filter((cell) => !cell.ignored).map((cell) => {
      const { border, labels, confidence, texts } = stateOf(cell);
      return { border, labels, confidence, texts };
    });
    if (!cells.length) return selected.length ? say.call(this.#editor, "Ignored regions are not copied.") : false;
    sessionStorage.setItem(KEPT, JSON.stringify({ image: image.id, study: image.study, cells }));
    this.#pasted = 0;
    const one = cells.length === 1;
    this.#editor.say(one ? "Copied. V pastes it at the pointer." : `${cells.length} cells copied. V pastes them.`);
    return undefined;
  }

  paste() {
    const editor = this.#editor;
    const copied = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
    if (!copied) {
      editor.say("Nothing is copied. C copies the selected cells.");
      return;
    }
    const { width, height } = editor.image;
    const [dx, dy] = this.#way(copied);
    const known = new Set(editor.scheme.labels.map((label) => label.id));
    const same = JSON.stringify(copied.study) === JSON.stringify(editor.image.study);
    const targets = copied.cells.map(({ border, labels, confidence, texts }) => [
      newId(),
      {
        status: "confirmed",
        border: moved(border, dx, dy, width, height),
        // Labels of another study mean nothing here.
        labels: same ? labels.filter((id) => known.has(id)) : [],
        confidence: same ? confidence : {},
        texts: same ? texts : {},
      },
    ]);
    if (!editor.change(targets, "Paste")) return;
    editor.selection.only(...targets.map(([id]) => id));
    editor.say(targets.length === 1 ? "Pasted." : `${targets.length} cells pasted.`);
  }

  /** How far the copies are set from where they were: to the pointer, else a little aside, else nowhere. */
  #way({ image: from, cells }) {
    const { pointer, image, layers } = this.#editor;
    const { over } = pointer;
    if (over && over[0] >= 0 && over[1] >= 0 && over[0] <= image.width && over[1] <= image.height) {
      const all = cells.map(({ border }) => boundsOf(border));
      const middle = (low, high) =>
        (Math.min(...all.map((bounds) => bounds[low])) + Math.max(...all.map((bounds) => bounds[high]))) / 2;
      return [over[0] - middle(0, 2), over[1] - middle(1, 3)];
    }
    if (from !== image.id && !this.#pasted) {
      this.#pasted += 1;
      return [0, 0];
    }
    this.#pasted += 1;
    return [this.#pasted * OFFSET * layers.resolution, this.#pasted * OFFSET * layers.resolution];
  }
}
