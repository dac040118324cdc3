// The list of cells at the side, kept in step with the image. Only the rows in sight exist: thousands of them would
// cost more than the image itself.
import { fits, ordered, ORDERS, STATUSES } from "./cell-filter.js";
import { extentsOf } from "../cells/geometry.js";
import { sizes } from "../map/scale-bar.js";
import { colourOf, labelsOf } from "../map/styles.js";

const ROW = 26; // pixels, as in panel.css
const BEYOND = 6; // rows above and below what is in sight

export class CellList {
  #frame;
  #list;
  #counts;
  #search;
  #status;
  #order;
  #scheme;
  #choose;
  #size = sizes(null);
  #cells = null;
  #total = 0;
  #shown = [];
  #stale = false;
  #selected = new Set();
  // By id the rank of the listed cells; and of those that are selected, as it was when they were selected: a cell
  // that is being settled or labelled keeps its row until one goes on, and the next one is the next one.
  #ranks = new Map();
  #held = new Map();
  #moved = false;
  // Where a range begins, and the row that the arrow keys go on from.
  #anchor = null;
  #active = null;
  #reveal = false;
  #due = false;

  /** `choose(ids, focus)` is told what is to be selected; `focus`: the one of them to be brought into view, or null. */
  constructor(part, scheme, preferences, choose) {
    this.#frame = part.querySelector(".cell-scroll");
    this.#list = part.querySelector(".cell-list");
    this.#counts = part.querySelector("[data-counts]");
    this.#search = part.querySelector("[data-search]");
    this.#status = part.querySelector("[data-status]");
    this.#order = part.querySelector("[data-order]");
    this.#scheme = scheme;
    this.#choose = choose;
    this.#fillMenus(preferences);
    this.#search.addEventListener("input", () => this.#anew());
    this.#list.addEventListener("click", (event) => {
      const row = event.target.closest("[data-id]");
      if (row) this.#pick(row.dataset.id, event);
    });
    this.#frame.addEventListener("keydown", (event) => this.#key(event));
    this.#frame.addEventListener("scroll", () => this.#soon(), { passive: true });
    new ResizeObserver(() => {
      this.#reveal = true;
      this.#soon();
    }).observe(this.#frame);
  }

  show({ cells, image, signal }) {
    this.#cells = cells;
    this.#size = sizes(image.um_per_pixel);
    this.#selected.clear();
    this.#anchor = this.#active = null;
    this.#anew();
    const changed = ({ detail: { ids } }) => {
      if (ids === null) this.#held.clear();
      else this.#moved ||= ids.some((id) => this.#held.has(id));
      this.#changed();
    };
    cells.addEventListener("change", changed, { signal });
  }

  select(ids) {
    this.#selected = new Set(ids);
    const rank = (id) => this.#held.get(id) ?? this.#ranks.get(id);
    this.#held = new Map(ids.map((id) => [id, rank(id)]).filter((entry) => entry[1] !== undefined));
    if (this.#moved) this.#stale = true;
    this.#moved = false;
    if (ids.length === 1) {
      [this.#active] = ids;
      this.#anchor = this.#active;
      this.#reveal = true;
    }
    this.#soon();
  }

  /** The cells that are listed, in the list's order. */
  get order() {
    this.#refresh();
    return this.#shown;
  }

  #fillMenus(preferences) {
    const labels = document.createElement("optgroup");
    labels.label = "With the label";
    labels.append(...this.#scheme.labels.map((label) => new Option(label.name, `label:${label.id}`)));
    this.#status.append(...STATUSES.map(([value, words]) => new Option(words, value)), labels);
    this.#order.append(...ORDERS.map(([value, words]) => new Option(words, value)));
    const kept = preferences.get("order", "open");
    if (ORDERS.some(([value]) => value === kept)) this.#order.value = kept;
    for (const menu of [this.#status, this.#order]) {
      menu.addEventListener("change", () => {
        preferences.set("order", this.#order.value);
        this.#anew();
        // The arrow keys walk through what was chosen.
        this.#frame.focus();
      });
    }
  }

  #changed() {
    this.#stale = true;
    this.#soon();
  }

  /** Another image, filter or order: from the top, and nothing keeps its place. */
  #anew() {
    this.#held.clear();
    this.#ranks.clear();
    this.#frame.scrollTop = 0;
    this.#changed();
  }

  #refresh() {
    if (!this.#stale) return;
    this.#stale = false;
    const all = this.#cells.shown();
    const words = this.#search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const filter = { status: this.#status.value, words };
    const name = (cell) => nameOf(cell, this.#scheme);
    const wanted = all.filter((cell) => this.#held.has(cell.id) || fits(cell, filter, name));
    const ranked = ordered(wanted, this.#order.value, this.#scheme, this.#held);
    this.#total = all.length;
    this.#shown = ranked.map(({ cell }) => cell);
    this.#ranks = new Map(ranked.map(({ cell, rank }) => [cell.id, rank]));
    this.#count(all);
  }

  #pick(id, event) {
    if (event.shiftKey && this.#anchor && this.#anchor !== id) {
      this.#range(id);
    } else if (event.ctrlKey || event.metaKey) {
      this.#active = this.#anchor = id;
      const others = [...this.#selected].filter((other) => other !== id);
      this.#choose(this.#selected.has(id) ? others : [...others, id], null);
    } else {
      this.#choose([id], id);
    }
  }

  /** Select all from the anchor to a row; the anchor stays where it is. */
  #range(id) {
    const [from, to] = [this.#anchor, id].map((each) => this.order.findIndex((cell) => cell.id === each));
    if (from < 0 || to < 0) {
      this.#choose([id], id);
      return;
    }
    const anchor = this.#anchor;
    const ids = this.#shown.slice(Math.min(from, to), Math.max(from, to) + 1).map((cell) => cell.id);
    this.#active = id;
    this.#reveal = true;
    this.#choose(ids, null);
    this.#active = id;
    this.#anchor = anchor;
  }

  #key(event) {
    const page = Math.max(1, Math.floor(this.#frame.clientHeight / ROW) - 1);
    const last = this.order.length - 1;
    const now = this.#shown.findIndex((cell) => cell.id === this.#active);
    const to = {
      ArrowUp: now < 0 ? last : now - 1,
      ArrowDown: now + 1,
      PageUp: now - page,
      PageDown: now + page,
      Home: 0,
      End: last,
    }[event.key];
    if (to === undefined || last < 0) return;
    const { id } = this.#shown[Math.max(0, Math.min(last, to))];
    if (event.shiftKey && this.#anchor) this.#range(id);
    else this.#choose([id], id);
    // In the list the arrows are the list's: they move no border.
    event.preventDefault();
    event.stopPropagation();
  }

  #bringIntoSight() {
    this.#reveal = false;
    const index = this.#shown.findIndex((cell) => cell.id === this.#active);
    if (index < 0) return;
    const frame = this.#frame;
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
    this.#refresh();
    if (this.#reveal) this.#bringIntoSight();
    const frame = this.#frame;
    const first = Math.max(0, Math.floor(frame.scrollTop / ROW) - BEYOND);
    const last = Math.min(this.#shown.length, Math.ceil((frame.scrollTop + frame.clientHeight) / ROW) + BEYOND);
    const rows = [...this.#list.children];
    while (rows.length < last - first) {
      const row = this.#newRow();
      this.#list.append(row);
      rows.push(row);
    }
    for (const row of rows.splice(Math.max(0, last - first))) row.remove();
    rows.forEach((row, i) => this.#word(row, this.#shown[first + i], first + i));
    this.#list.style.paddingTop = `${first * ROW}px`;
    this.#list.style.paddingBottom = `${Math.max(0, this.#shown.length - last) * ROW}px`;
    const active = rows.find((row) => row.dataset.id === this.#active);
    if (active) frame.setAttribute("aria-activedescendant", active.id);
    else frame.removeAttribute("aria-activedescendant");
  }

  #newRow() {
    const row = document.createElement("div");
    row.className = "cell-row";
    row.setAttribute("role", "option");
    row.innerHTML = '<span class="swatch"></span><span class="cell-name"></span><span class="cell-size number"></span>';
    return row;
  }

  #word(row, cell, index) {
    const [swatch, name, size] = row.children;
    row.id = `cell-row-${cell.id}`;
    row.dataset.id = cell.id;
    row.dataset.status = cell.ignored ? "ignored" : cell.status;
    row.setAttribute("aria-selected", this.#selected.has(cell.id));
    row.setAttribute("aria-posinset", index + 1);
    row.setAttribute("aria-setsize", this.#shown.length);
    row.classList.toggle("is-active", cell.id === this.#active);
    swatch.style.background = colourOf(cell, this.#scheme);
    name.textContent = row.title = nameOf(cell, this.#scheme);
    size.textContent = cell.border.kind === "point" ? "point" : this.#size.length(extentsOf(cell.border)[0]);
  }

  #count(all) {
    const proposals = all.filter((cell) => cell.status === "proposed").length;
    const ignored = all.filter((cell) => cell.ignored).length;
    const cells = all.length - proposals - ignored;
    const parts = [`${cells} ${cells === 1 ? "cell" : "cells"}`];
    if (proposals) parts.push(`${proposals} ${proposals === 1 ? "proposal" : "proposals"}`);
    if (ignored) parts.push(`${ignored} ignored`);
    const filtered = this.#shown.length !== this.#total;
    this.#counts.textContent = filtered ? `${this.#shown.length} of ${this.#total} shown` : parts.join(" · ");
    this.#counts.title = parts.join(" · ");
    this.#list.dataset.count = this.#shown.length;
    this.#list.dataset.empty = !this.#total ? "No cell yet" : this.#shown.length ? "" : "No cell fits";
  }
}

/** A cell in words. */
export function nameOf(cell, scheme) {
  if (cell.ignored) return cell.ignored_class ? `Ignored: ${cell.ignored_class}` : "Ignored region";
  const labels = labelsOf(cell, scheme).map((label) => label.name);
  if (cell.status === "proposed") return [`Proposal ${cell.score?.toFixed(2) ?? ""}`.trim(), ...labels].join(", ");
  return labels.join(", ") || "Unlabelled cell";
}
