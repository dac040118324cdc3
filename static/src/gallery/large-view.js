// A cell in large: its crop beside what is known of it, what was measured, and why a model says so.
import { Why } from "../why/why.js";
import { cropUrl, Enlarged } from "./loupe.js";
import { Measures } from "./measures.js";

const element = (id) => document.getElementById(id);

export class LargeView {
  #cells;
  #grid;
  #enlarged;
  #measures;
  #why;

  /** `urls`: the page's dataset, with the addresses of crops, images, measures and whys. */
  constructor({ cells, grid, scheme, connection, urls }) {
    this.#cells = cells;
    this.#grid = grid;
    const crops = urls.cropUrl;
    this.#enlarged = new Enlarged(element("enlarged"), { cells, scheme, crops, images: urls.imageUrl });
    this.#measures = new Measures(element("measures"), { connection, url: urls.measuresUrl });
    this.#why = new Why(element("why"), element("why-picture"), {
      connection,
      url: urls.whyUrl,
      cropOf: (cell) => cropUrl(crops, cell),
    });
    element("enlarged").addEventListener("close", () => this.#why.show(null));
  }

  get open() {
    return this.#enlarged.open;
  }

  close() {
    this.#enlarged.close();
  }

  /** The cell with the focus, unless another one has it by the time this one is known. */
  async show() {
    const grid = this.#grid;
    if (grid.focus < 0) return;
    const id = grid.order.id(grid.focus);
    const [cell] = await this.#cells.known([id]).catch(() => []);
    if (!cell || grid.order.id(grid.focus) !== id) return;
    this.#enlarged.show(id);
    this.#measures.show(cell);
    this.#why.show(cell);
  }

  askWhy() {
    this.#why.toggle(true);
  }
}
