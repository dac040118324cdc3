// Vertices that are drawn or dragged snap to the neighbours' borders, so that touching cells share an edge.
import { snapped } from "../repair/snap.js";

const KEPT = "marrowloop-snap";
// Screen pixels: less than the reach of a vertex, so that it never pulls the pointer off the one that was grabbed.
const TOLERANCE = 4;

export class Snapping {
  on = localStorage.getItem(KEPT) === "on";
  #layers;

  constructor(layers) {
    this.#layers = layers;
  }

  toggle() {
    this.on = !this.on;
    localStorage.setItem(KEPT, this.on ? "on" : "off");
    return this.on;
  }

  /** The point, or the place on a neighbour's border that draws it; Alt turns snapping the other way while held. */
  at(point, event, except = null) {
    if (this.on === event.altKey) return point;
    const tolerance = TOLERANCE * this.#layers.resolution;
    const neighbours = this.#layers
      .near(point, tolerance)
      .filter((cell) => cell && cell.id !== except && !cell.ignored)
      .map((cell) => cell.border);
    return snapped(point, neighbours, tolerance)?.point ?? point;
  }
}
