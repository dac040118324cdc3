// The grid of tiles: only what is in view, and a little more, is in the page; a scroll bar as long as all of it.
import { Tile } from "./tile.js";

const GAP = 6;
const CAPTION = 22;
// Rows beyond the edges of the view that are there already.
const MORE = 2;

/**
 * Dispatches
 *   "view"   detail {ids}: other cells are in view, or others are wanted soon, those in view first
 *   "focus"  detail {place}: another tile has the focus
 */
export class Grid extends EventTarget {
  #element;
  #space;
  #cells;
  #pictures;
  #selection;
  #scheme;
  #tiles = new Map();
  #spare = [];
  #order = null;
  #columns = 1;
  #size = 112;
  #wanted = 112;
  #due = false;
  #range = [0, 0];
  of = null;
  focus = -1;

  constructor(element, { cells, pictures, selection, scheme }) {
    super();
    this.#element = element;
    this.#space = element.querySelector(".gallery-space");
    this.#cells = cells;
    this.#pictures = pictures;
    this.#selection = selection;
    this.#scheme = scheme;
    element.addEventListener("scroll", () => this.#soon(), { passive: true });
    new ResizeObserver(() => this.#measure()).observe(element);
    cells.addEventListener("change", ({ detail }) => this.#refresh(new Set(detail.ids)));
    pictures.addEventListener("change", ({ detail }) => this.#refresh(new Set(detail.ids)));
    selection.addEventListener("change", () => this.#mark());
  }

  get order() {
    return this.#order;
  }

  get columns() {
    return this.#columns;
  }

  get size() {
    return this.#size;
  }

  /** Rows that are whole in view, at least one. */
  get rowsInView() {
    return Math.max(1, Math.floor(this.#element.clientHeight / this.#rowHeight));
  }

  /** The place after the last one in view. */
  get afterView() {
    const bottom = this.#element.scrollTop + this.#element.clientHeight;
    return Math.min(this.#order?.length ?? 0, Math.ceil(bottom / this.#rowHeight) * this.#columns);
  }

  /** The places in view, from the first to the one after the last. */
  get inView() {
    return [Math.floor(this.#element.scrollTop / this.#rowHeight) * this.#columns, this.afterView];
  }

  /** Show another order: from its start, or where the person is. */
  show(order, { stay = false } = {}) {
    this.#order = order;
    for (const tile of this.#tiles.values()) this.#drop(tile);
    this.#tiles.clear();
    if (!stay) {
      this.#element.scrollTop = 0;
      this.focus = order.length ? 0 : -1;
    }
    this.focus = Math.min(this.focus, order.length - 1);
    this.#measure();
  }

  /** The side that a picture is to have on the screen, in px; it gets a little more, so that rows are full. What is at
   * the top stays in view. */
  resize(size) {
    const [first] = this.inView;
    this.#wanted = size;
    this.#measure();
    this.#element.scrollTop = Math.floor(first / this.#columns) * this.#rowHeight;
    this.#soon();
  }

  /** Give the focus to a place, and bring it into view. */
  focusOn(place) {
    if (!this.#order?.length) return;
    this.focus = Math.max(0, Math.min(place, this.#order.length - 1));
    const top = Math.floor(this.focus / this.#columns) * this.#rowHeight;
    const { scrollTop, clientHeight } = this.#element;
    if (top < scrollTop) this.#element.scrollTop = top;
    else if (top + this.#rowHeight > scrollTop + clientHeight)
      this.#element.scrollTop = top + this.#rowHeight - clientHeight + GAP;
    this.#draw();
    this.#mark();
    this.dispatchEvent(new CustomEvent("focus", { detail: { place: this.focus } }));
  }

  /** The places whose tiles a rectangle touches, in px of the whole grid: [x0, y0, x1, y1]. */
  within([x0, y0, x1, y1]) {
    const step = this.#size + GAP;
    const column = (x) => Math.floor((x - GAP) / step);
    const row = (y) => Math.floor((y - GAP) / this.#rowHeight);
    const places = [];
    for (let r = Math.max(0, row(y0)); r <= row(y1); r++) {
      for (let c = Math.max(0, column(x0)); c <= Math.min(this.#columns - 1, column(x1)); c++) {
        const place = r * this.#columns + c;
        if (place < (this.#order?.length ?? 0)) places.push(place);
      }
    }
    return places;
  }

  get #rowHeight() {
    return this.#size + CAPTION + GAP;
  }

  #measure() {
    if (!this.#order) return;
    const width = this.#element.clientWidth - GAP;
    this.#columns = Math.max(1, Math.floor(width / (this.#wanted + GAP)));
    this.#size = Math.floor(width / this.#columns) - GAP;
    const rows = Math.ceil(this.#order.length / this.#columns);
    this.#space.style.height = `${rows * this.#rowHeight + GAP}px`;
    this.#element.style.setProperty("--tile", `${this.#size}px`);
    this.#range = [0, 0];
    for (const [place, tile] of this.#tiles) this.#put(tile, place);
    this.#draw();
    this.#mark();
  }

  #soon() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      this.#draw();
    });
  }

  #draw() {
    if (!this.#order) return;
    const { scrollTop, clientHeight } = this.#element;
    const first = Math.max(0, Math.floor(scrollTop / this.#rowHeight) - MORE) * this.#columns;
    const last = Math.min(
      this.#order.length,
      (Math.ceil((scrollTop + clientHeight) / this.#rowHeight) + MORE) * this.#columns,
    );
    if (this.#range[0] === first && this.#range[1] === last && this.#tiles.size) return;
    this.#range = [first, last];
    for (const [place, tile] of this.#tiles) {
      if (place >= first && place < last) continue;
      this.#tiles.delete(place);
      this.#spare.push(tile);
    }
    const fresh = [];
    for (let place = first; place < last; place++) {
      if (this.#tiles.has(place)) continue;
      const tile = this.#spare.pop() ?? new Tile();
      this.#tiles.set(place, tile);
      tile.place(place, this.#order.length, this.#order.id(place));
      this.#put(tile, place);
      this.#fill(tile);
      if (!tile.element.isConnected) fresh.push(tile.element);
    }
    // What is left over is far away: out of the page, in the hand.
    for (const tile of this.#spare) if (tile.element.isConnected) tile.element.remove();
    this.#space.append(...fresh);
    this.#point();
    this.#tellView();
  }

  #put(tile, place) {
    const x = GAP + (place % this.#columns) * (this.#size + GAP);
    const y = GAP + Math.floor(place / this.#columns) * this.#rowHeight;
    tile.element.style.transform = `translate(${x}px, ${y}px)`;
  }

  #fill(tile) {
    tile.show(this.#cells.get(tile.id) ?? null, this.#scheme, this.of);
    tile.picture(this.#pictures.of(tile.id), this.#pictures.hasNone(tile.id) || this.#cells.isGone(tile.id));
    tile.select(this.#selection.has(tile.id), tile.at === this.focus);
  }

  #drop(tile) {
    tile.element.remove();
    this.#spare.push(tile);
  }

  #refresh(ids) {
    for (const tile of this.#tiles.values()) if (ids.has(tile.id)) this.#fill(tile);
  }

  #mark() {
    for (const tile of this.#tiles.values()) tile.select(this.#selection.has(tile.id), tile.at === this.focus);
    this.#point();
  }

  /** Name the tile that has the focus, where it is in the page. */
  #point() {
    if (this.#tiles.has(this.focus)) this.#element.setAttribute("aria-activedescendant", `tile-${this.focus}`);
    else this.#element.removeAttribute("aria-activedescendant");
  }

  /** What is in view first, then the rows beyond. */
  #tellView() {
    const { scrollTop, clientHeight } = this.#element;
    const from = Math.floor(scrollTop / this.#rowHeight) * this.#columns;
    const to = Math.ceil((scrollTop + clientHeight) / this.#rowHeight) * this.#columns;
    const screen = to - from;
    const ids = [
      ...this.#order.slice(from, to),
      ...this.#order.slice(to, to + screen),
      ...this.#order.slice(from - screen, from),
    ];
    this.dispatchEvent(new CustomEvent("view", { detail: { ids } }));
  }
}
