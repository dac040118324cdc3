// The list of cells at the side, kept in step with the image. Only the rows in sight exist: thousands of them would
// cost more than the image itself.
import { extentsOf } from "./geometry.js";
import { sizes } from "./scale-bar.js";
import { colourOf, labelsOf } from "./styles.js";

const ROW = 30; // pixels
const BEYOND = 6; // rows above and below what is in sight

export class CellList {
  #list;
  #counts;
  #scheme;
  #size = sizes(null);
  #cells = null;
  #shown = [];
  #selected = new Set();
  #due = false;

  /** `choose(id, event)` is told of clicks. */
  constructor(list, counts, scheme, choose) {
    this.#list = list;
    this.#counts = counts;
    this.#scheme = scheme;
    list.addEventListener("click", (event) => {
      const row = event.target.closest("[data-id]");
      if (row) choose(row.dataset.id, event);
    });
    list.parentElement.addEventListener("scroll", () => this.#soon(), { passive: true });
    new ResizeObserver(() => this.#soon()).observe(list.parentElement);
  }

  show({ cells, image, signal }) {
    this.#cells = cells;
    this.#size = sizes(image.um_per_pixel);
    this.#selected.clear();
    this.#list.parentElement.scrollTop = 0;
    cells.addEventListener("change", () => this.#refresh(), { signal });
  }

  select(ids) {
    this.#selected = new Set(ids);
    if (ids.length === 1) this.#bringIntoSight(this.#shown.findIndex((cell) => cell.id === ids[0]));
    this.#soon();
  }

  #refresh() {
    // What is ignored comes last: nobody works on it.
    this.#shown = this.#cells.shown().sort((a, b) => a.ignored - b.ignored);
    this.#count();
    this.#soon();
  }

  #bringIntoSight(index) {
    const frame = this.#list.parentElement;
    if (index < 0) return;
    const top = index * ROW;
    if (top < frame.scrollTop) frame.scrollTop = top;
    else if (top + ROW > frame.scrollTop + frame.clientHeight) frame.scrollTop = top + ROW - frame.clientHeight;
  }

  /** The image first: the list follows a frame later. */
  #soon() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() =>
      setTimeout(() => {
        this.#due = false;
        this.#draw();
      }),
    );
  }

  #draw() {
    const frame = this.#list.parentElement;
    const first = Math.max(0, Math.floor(frame.scrollTop / ROW) - BEYOND);
    const last = Math.min(this.#shown.length, Math.ceil((frame.scrollTop + frame.clientHeight) / ROW) + BEYOND);
    const rows = [...this.#list.children];
    while (rows.length < last - first) {
      const row = this.#newRow();
      this.#list.append(row);
      rows.push(row);
    }
    for (const row of rows.splice(last - first)) row.remove();
    rows.forEach((row, i) => this.#word(row.firstChild, this.#shown[first + i], first + i));
    this.#list.style.paddingTop = `${first * ROW}px`;
    this.#list.style.paddingBottom = `${(this.#shown.length - last) * ROW}px`;
  }

  #newRow() {
    const item = document.createElement("li");
    const row = document.createElement("button");
    row.type = "button";
    row.innerHTML = '<span class="swatch"></span><span class="cell-name"></span><span class="cell-size number"></span>';
    item.append(row);
    return item;
  }

  #word(row, cell, index) {
    const [swatch, name, size] = row.children;
    row.dataset.id = cell.id;
    row.dataset.status = cell.ignored ? "ignored" : cell.status;
    row.setAttribute("aria-pressed", this.#selected.has(cell.id));
    row.parentElement.setAttribute("aria-posinset", index + 1);
    row.parentElement.setAttribute("aria-setsize", this.#shown.length);
    swatch.style.background = colourOf(cell, this.#scheme);
    name.textContent = nameOf(cell, this.#scheme);
    size.textContent = cell.border.kind === "point" ? "" : this.#size.length(extentsOf(cell.border)[0]);
  }

  #count() {
    const proposals = this.#shown.filter((cell) => cell.status === "proposed").length;
    const ignored = this.#shown.filter((cell) => cell.ignored).length;
    const cells = this.#shown.length - proposals - ignored;
    const parts = [`${cells} ${cells === 1 ? "cell" : "cells"}`];
    if (proposals) parts.push(`${proposals} ${proposals === 1 ? "proposal" : "proposals"}`);
    if (ignored) parts.push(`${ignored} ignored`);
    this.#counts.textContent = parts.join(" · ");
    this.#list.dataset.count = this.#shown.length;
  }
}

/** A cell in words. */
export function nameOf(cell, scheme) {
  if (cell.ignored) return cell.ignored_class ? `Ignored: ${cell.ignored_class}` : "Ignored region";
  const labels = labelsOf(cell, scheme).map((label) => label.name);
  if (cell.status === "proposed") return [`Proposal ${cell.score?.toFixed(2) ?? ""}`, ...labels].join(", ");
  return labels.join(", ") || "Unlabelled cell";
}
