// The classes at the side: how many cells have each, what to look for, and where chosen cells are dropped.
import { make } from "../editor/make.js";
import { keyLabel } from "../editor/keys/key-names.js";

export class Rail {
  #element;
  #rows = new Map();
  #none = make("span", { class: "class-count number" });

  /** `press(label)`: a class was clicked; `show(value)`: the cells of a class are to be shown alone. */
  constructor(element, scheme, { press, show }) {
    this.#element = element;
    for (const group of scheme.groups) {
      const rows = scheme.labels.filter((label) => label.group === group).map((label) => this.#row(label, press, show));
      const kind = make("span", { class: "muted" }, group.multiple ? " any number" : " one");
      element.append(make("section", { class: "class-group" }, make("h3", {}, group.name, kind), ...rows));
    }
    const show0 = make(
      "button",
      { type: "button", class: "class-show", title: "Show these cells", click: () => show("none") },
      this.#none,
    );
    element.append(
      make("div", { class: "class-row is-none" }, make("span", { class: "class-name muted" }, "No label"), show0),
    );
  }

  /** Put the focus on the first class. */
  focus() {
    this.#element.querySelector("button.class-set")?.focus();
  }

  /** `labels`: numbers by label id, `none`: of cells without any. */
  count({ labels, none }) {
    for (const [id, { count, row, label }] of this.#rows) {
      const number = labels[id] ?? 0;
      count.textContent = number.toLocaleString("en").replaceAll(",", "\u202f");
      // A label that is no longer offered is shown as long as cells have it.
      row.hidden = label.retired && !number;
    }
    this.#none.textContent = none.toLocaleString("en").replaceAll(",", "\u202f");
  }

  /** Show which labels the chosen cells have: all of them, or some. */
  mark(cells) {
    for (const [id, { set }] of this.#rows) {
      const having = cells.filter((cell) => cell.labels.includes(id)).length;
      set.setAttribute("aria-pressed", having === 0 ? "false" : having === cells.length ? "true" : "mixed");
    }
  }

  #row(label, press, show) {
    const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = label.colour;
    const words = make("span", { class: "class-name" }, label.name);
    const title = [label.description, label.counted ? "" : "Not counted.", label.retired ? "No longer offered." : ""];
    const set = make(
      "button",
      {
        type: "button",
        class: "class-set",
        "aria-pressed": "false",
        title: title.filter(Boolean).join(" ") || label.name,
        disabled: label.retired,
        click: () => press(label),
      },
      swatch,
      words,
      label.counted ? null : make("span", { class: "class-uncounted muted" }, "not counted"),
      label.key ? make("kbd", {}, keyLabel(label.key)) : null,
    );
    const count = make("span", { class: "class-count number" });
    const look = make(
      "button",
      {
        type: "button",
        class: "class-show",
        title: `Show the cells labelled ${label.name}`,
        "aria-label": `Show the cells labelled ${label.name}`,
        click: () => show(String(label.id)),
      },
      count,
    );
    const row = make("div", { class: "class-row", "data-label": label.id }, set, look);
    if (label.retired) row.hidden = true;
    else row.dataset.drop = label.id;
    this.#rows.set(label.id, { row, set, count, label });
    return row;
  }
}

/** Dragging chosen tiles onto a class. `drop(label id, ids)` is told where they were let go. */
export class DropOnClass {
  #drop;
  #ghost = null;
  #over = null;
  #ids = [];

  constructor(drop) {
    this.#drop = drop;
  }

  start(event, ids) {
    this.#ids = ids;
    this.#ghost = make(
      "div",
      { class: "drag-ghost", "aria-hidden": "true" },
      ids.length === 1 ? "1 cell" : `${ids.length} cells`,
    );
    document.body.append(this.#ghost);
    document.body.classList.add("is-dragging-cells");
    this.move(event);
  }

  move({ clientX, clientY }) {
    this.#ghost.style.transform = `translate(${clientX + 14}px, ${clientY + 10}px)`;
    const over = document.elementFromPoint(clientX, clientY)?.closest("[data-drop]") ?? null;
    if (over === this.#over) return;
    this.#over?.classList.remove("is-over");
    over?.classList.add("is-over");
    this.#over = over;
  }

  end(event) {
    this.move(event);
    const label = this.#over?.dataset.drop;
    const ids = this.#ids;
    this.cancel();
    if (label) this.#drop(Number(label), ids);
  }

  cancel() {
    this.#over?.classList.remove("is-over");
    this.#over = null;
    this.#ghost?.remove();
    this.#ghost = null;
    document.body.classList.remove("is-dragging-cells");
  }
}
