// A brief mark on cells that somebody else has just changed: the eye is told where, and nothing stays.
import Overlay from "ol/Overlay.js";
import { toMap } from "../cells/geometry.js";
import { make } from "../make.js";

const LASTS = 1_800; // ms, as the animation in company.css
const MOST = 12;

export class Flashes {
  #layers;
  #height = 0;

  constructor(layers, company) {
    this.#layers = layers;
    company.addEventListener("changed", ({ detail }) => {
      for (const cell of detail.cells.slice(0, MOST)) this.#flash(cell);
    });
  }

  show({ image }) {
    this.#height = image.height;
  }

  #flash({ status, bounds: [x0, y0, x1, y1] }) {
    const { map, resolution } = this.#layers;
    const element = make("div", { class: status === "deleted" ? "flash flash-gone" : "flash", "aria-hidden": "true" });
    element.style.width = `${Math.max(16, (x1 - x0) / resolution + 14)}px`;
    element.style.height = `${Math.max(16, (y1 - y0) / resolution + 14)}px`;
    const overlay = new Overlay({
      element,
      position: toMap([(x0 + x1) / 2, (y0 + y1) / 2], this.#height),
      positioning: "center-center",
      stopEvent: false,
    });
    map.addOverlay(overlay);
    setTimeout(() => map.removeOverlay(overlay), LASTS);
  }
}
