// The classes at the side: how many cells have each, what to look for, and where chosen cells are dropped.
import { make } from "../editor/make.js";
import { keyLabel } from "../editor/keys/key-names.js";

const PICKED = "Shares are of counted cells of fields and random draws; cells that were picked for their kind enter none.";

const number = (value) => value.toLocaleString("en").replaceAll(",", "\u202f");

export class Rail {
  #element;
  #rows = new Map();
  #none = make("span", { class: "class-count number" });
  #totals = new Map();
  #keyOf;

  /**
   * `press(label)`: a class was clicked; `show(value)`: the cells of a class are to be shown alone; `find(label)`: more
   * of a class are looked for. `keyOf(command)`: the key of a command, "" where it has none.
   */
  constructor(element, scheme, { press, show, find, keyOf }) {
    this.#element = element;
    this.#keyOf = keyOf;
    for (const group of scheme.groups) {
      const own = scheme.labels.filter((label) => label.group === group);
      const rows = (labels) => labels.map((label) => this.#row(label, { press, show, find }));
      const kind = make("span", { class: "muted" }, group.multiple ? " any number" : " one");
      const total = make("span", { class: "class-total muted", title: PICKED });
      const parts = [make("h3", {}, group.name, kind, total)];
      // As analyzers have it, what does not enter the count stands apart.
      const apart = group.multiple ? [] : own.filter(({ counted }) => !counted);
      parts.push(...rows(own.filter((label) => !apart.includes(label))));
      if (apart.length) parts.push(make("h4", { class: "muted" }, "Not counted"), ...rows(apart));
      if (!group.multiple) this.#totals.set(group.id, total);
      element.append(make("section", { class: "class-group" }, ...parts));
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

  /** `labels`: numbers by label id; `counted`: of those the cells that enter shares; `none`: cells without any label. */
  count({ labels, counted, none }) {
    const totals = new Map();
    for (const [id, { label }] of this.#rows)
      totals.set(label.group.id, (totals.get(label.group.id) ?? 0) + (counted[id] ?? 0));
    for (const [id, { count, share, row, label }] of this.#rows) {
      const cells = labels[id] ?? 0;
      const total = totals.get(label.group.id);
      count.textContent = number(cells);
      share.textContent = counted[id] && total ? shareOf(counted[id] / total) : "";
      // A label that is no longer offered is shown as long as cells have it.
      row.hidden = label.retired && !cells;
    }
    for (const [group, element] of this.#totals)
      element.textContent = totals.get(group) ? `${number(totals.get(group))} counted` : "";
    this.#none.textContent = number(none);
  }

  /** Show which labels the chosen cells have: all of them, or some. */
  mark(cells) {
    for (const [id, { set }] of this.#rows) {
      const having = cells.filter((cell) => cell.labels.includes(id)).length;
      set.setAttribute("aria-pressed", having === 0 ? "false" : having === cells.length ? "true" : "mixed");
    }
  }

  #row(label, { press, show, find }) {
    const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = label.colour;
    const title = [
      label.name,
      label.description,
      label.counted ? "" : "Not counted.",
      label.retired ? "No longer offered." : "",
    ];
    // Its number, or the key that every study has for it.
    const key = label.key || (label.mark && this.#keyOf(label.mark));
    const set = make(
      "button",
      {
        type: "button",
        class: "class-set",
        "aria-pressed": "false",
        title: title.filter(Boolean).join("\n"),
        disabled: label.retired,
        click: () => press(label),
      },
      swatch,
      make("span", { class: "class-name" }, label.name),
      key ? make("kbd", {}, keyLabel(key)) : null,
    );
    const more = make(
      "button",
      {
        type: "button",
        class: "class-find",
        title: `Find more ${label.name} among the cells without a label of ${label.group.name}`,
        "aria-label": `Find more ${label.name}`,
        click: () => find(label),
      },
      "find",
    );
    const count = make("span", { class: "class-count number" });
    const share = make("span", { class: "class-share number muted" });
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
      label.group.multiple ? null : share,
    );
    const row = make("div", { class: "class-row", "data-label": label.id }, set, label.retired ? null : more, look);
    if (label.retired) row.hidden = true;
    else row.dataset.drop = label.id;
    this.#rows.set(label.id, { row, set, count, share, label });
    return row;
  }
}

/** A share as a differential count tells it: whole percents, and what is less than one. */
const shareOf = (share) => (share < 0.005 ? "<1\u202f%" : `${Math.round(100 * share)}\u202f%`);

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
