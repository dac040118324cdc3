// The toolbar and the bar of the tool in use: which buttons have something to do, and the way through them by keys.

const NEEDS = {
  copy: (chosen) => chosen.length > 0,
  merge: (chosen) => chosen.length > 1,
  "share-edges": (chosen) => chosen.length > 0,
  simplify: (chosen) => chosen.some((cell) => cell.border.kind === "polygon"),
  smooth: (chosen) => chosen.some((cell) => cell.border.kind === "polygon"),
};
const ALWAYS = ["copy"]; // also of an image that is reviewed

export class Toolbar {
  #editor;
  #bar = document.querySelector(".toolbar");
  #options = document.getElementById("tool-options");

  constructor(editor) {
    this.#editor = editor;
    this.#bar.addEventListener("keydown", (event) => this.#walk(event));
    this.#bar.addEventListener("focusin", ({ target }) => this.#stop(target));
    this.#stop(this.#bar.querySelector("button"));
    for (const button of this.#options.querySelectorAll("[data-brush]")) {
      button.addEventListener("click", () => {
        editor.tools.brush.mode = button.dataset.brush;
        for (const other of this.#options.querySelectorAll("[data-brush]")) {
          other.setAttribute("aria-pressed", other === button);
        }
      });
    }
    this.showSnap();
  }

  showSnap() {
    for (const button of this.#bar.querySelectorAll('[data-command="snap"]')) {
      button.setAttribute("aria-pressed", this.#editor.snapping.on);
    }
  }

  refresh() {
    const { selected, canEdit, history, pointer } = this.#editor;
    const { canUndo, canRedo } = pointer.tool;
    this.#enable("undo", canEdit && (canUndo || history.canUndo));
    this.#enable("redo", canEdit && (canRedo || history.canRedo));
    for (const [command, needed] of Object.entries(NEEDS)) {
      this.#enable(command, needed(selected) && (canEdit || ALWAYS.includes(command)));
    }
    this.#enable("accept-above", canEdit && this.#editor.cells.proposals().length > 0);
    this.#enable("paste", canEdit);
    if (this.#bar.querySelector('button[tabindex="0"]')?.disabled) this.#stop(this.#bar.querySelector("button"));
  }

  #enable(command, on) {
    for (const button of this.#bar.querySelectorAll(`[data-command="${command}"]`)) button.disabled = !on;
  }

  /** One stop for Tab; the arrow keys go on from there, as in any toolbar. */
  #stop(button) {
    for (const other of this.#bar.querySelectorAll("button")) other.tabIndex = other === button ? 0 : -1;
  }

  #walk(event) {
    const way = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!way || event.ctrlKey || event.metaKey) return;
    const open = [...this.#bar.querySelectorAll("button:not(:disabled)")];
    const at = open.indexOf(document.activeElement);
    open[(at + way + open.length) % open.length]?.focus();
    // They move the selected cells only when the image has the focus.
    event.preventDefault();
    event.stopPropagation();
  }
}
