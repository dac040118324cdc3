// What the side panel says about the selected cell or cells.
import { areaOf, extentsOf, outline } from "../cells/geometry.js";
import { nameOf } from "./cell-list.js";

export class SelectedCell {
  #target;
  #title;
  #facts;
  #why;
  #scheme;

  constructor(target, scheme) {
    this.#target = target;
    this.#why = target.querySelector("[data-why]");
    this.#title = target.querySelector("[data-title]");
    this.#facts = target.querySelector("[data-facts]");
    this.#scheme = scheme;
  }

  show() {
    this.#title.textContent = "No cell selected";
    this.#facts.textContent = "";
    this.#offerWhy(null);
  }

  /** `size` words lengths and areas (scale-bar.js). */
  refresh(cells, size) {
    this.#target.dataset.status = cells.length === 1 ? cells[0].status : "";
    if (cells.length === 0) {
      this.show();
    } else if (cells.length === 1) {
      const [cell] = cells;
      const { kind } = cell.border;
      this.#title.textContent = nameOf(cell, this.#scheme);
      const parts = [kind[0].toUpperCase() + kind.slice(1)];
      if (kind !== "point") parts.push(...factsOf(cell.border, size));
      this.#facts.textContent = parts.join(", ");
    } else {
      const proposals = cells.filter((cell) => cell.status === "proposed").length;
      this.#title.textContent = `${cells.length} cells selected`;
      this.#facts.textContent = proposals ? `${proposals} of them proposals` : "";
    }
    this.#offerWhy(cells.length === 1 ? cells[0] : null);
  }

  /** The gallery shows what a model looks at in a cell that somebody stands for (gallery/main.js). */
  #offerWhy(cell) {
    if (!this.#why) return;
    this.#why.hidden = cell?.status !== "confirmed";
    if (!this.#why.hidden) this.#why.href = `${this.#why.dataset.why}?sort=similar&like=${cell.id}#why-${cell.id}`;
  }
}

/** How large a border is: what hematologists say of a cell is the diameter of the circle of its area. */
function factsOf(border, size) {
  const area = areaOf(border);
  const ring = outline(border);
  const perimeter = ring.reduce((sum, [x, y], i) => {
    const [nextX, nextY] = ring[(i + 1) % ring.length];
    return sum + Math.hypot(nextX - x, nextY - y);
  }, 0);
  return [
    size.pair(extentsOf(border)),
    size.area(area),
    `diameter ${size.length(2 * Math.sqrt(area / Math.PI))}`,
    `perimeter ${size.length(perimeter)}`,
  ];
}
