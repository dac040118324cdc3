// The list of cells at the side: kept in step with the image, filled after the image has been drawn.
import { extentsOf } from "./geometry.js";
import { colourOf, labelsOf } from "./styles.js";

export class CellList {
  #list;
  #cells;
  #scheme;
  #size;
  #rows = new Map();
  #counts;

  /** `size(pixels)` words a length; `choose(id, event)` is told of clicks. */
  constructor(list, counts, cells, scheme, size, choose) {
    this.#list = list;
    this.#counts = counts;
    this.#cells = cells;
    this.#scheme = scheme;
    this.#size = size;
    list.addEventListener("click", (event) => {
      const row = event.target.closest("[data-id]");
      if (row) choose(row.dataset.id, event);
    });
    cells.addEventListener("change", (event) => {
      // The image first: a list of thousands of rows would keep it waiting.
      if (event.detail.ids === null) requestIdleCallback(() => this.#fill(), { timeout: 400 });
      else for (const id of event.detail.ids) this.#update(id);
      this.#count();
    });
  }

  select(ids) {
    for (const [id, row] of this.#rows) row.setAttribute("aria-pressed", ids.includes(id));
    if (ids.length === 1) this.#rows.get(ids[0])?.scrollIntoView({ block: "nearest" });
  }

  #fill() {
    this.#rows.clear();
    const fragment = document.createDocumentFragment();
    // What is ignored comes last: nobody works on it.
    const cells = this.#cells.shown().sort((a, b) => a.ignored - b.ignored);
    for (const cell of cells) fragment.append(this.#row(cell));
    this.#list.replaceChildren(fragment);
    this.#count();
  }

  #update(id) {
    const cell = this.#cells.get(id);
    const row = this.#rows.get(id);
    if (!cell || cell.status === "deleted") {
      row?.parentElement.remove();
      this.#rows.delete(id);
    } else if (row) {
      this.#word(row, cell);
    } else {
      const item = this.#row(cell);
      this.#list.append(item);
      item.scrollIntoView({ block: "nearest" });
    }
  }

  #row(cell) {
    const item = document.createElement("li");
    const row = document.createElement("button");
    row.type = "button";
    row.dataset.id = cell.id;
    row.setAttribute("aria-pressed", "false");
    row.innerHTML = '<span class="swatch"></span><span class="cell-name"></span><span class="cell-size number"></span>';
    item.append(row);
    this.#rows.set(cell.id, row);
    this.#word(row, cell);
    return item;
  }

  #word(row, cell) {
    const [swatch, name, size] = row.children;
    row.dataset.status = cell.ignored ? "ignored" : cell.status;
    swatch.style.background = colourOf(cell, this.#scheme);
    name.textContent = nameOf(cell, this.#scheme);
    size.textContent = this.#size(extentsOf(cell.border)[0]);
  }

  #count() {
    const shown = this.#cells.shown();
    const proposals = shown.filter((cell) => cell.status === "proposed").length;
    const ignored = shown.filter((cell) => cell.ignored).length;
    const cells = shown.length - proposals - ignored;
    const parts = [`${cells} ${cells === 1 ? "cell" : "cells"}`];
    if (proposals) parts.push(`${proposals} ${proposals === 1 ? "proposal" : "proposals"}`);
    if (ignored) parts.push(`${ignored} ignored`);
    this.#counts.textContent = parts.join(" · ");
  }
}

/** A cell in words. */
export function nameOf(cell, scheme) {
  if (cell.ignored) return cell.ignored_class ? `Ignored: ${cell.ignored_class}` : "Ignored region";
  const labels = labelsOf(cell, scheme).map((label) => label.name);
  if (cell.status === "proposed") return [`Proposal ${cell.score?.toFixed(2) ?? ""}`, ...labels].join(", ");
  return labels.join(", ") || "Unlabelled cell";
}
