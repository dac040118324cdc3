// How large the pictures are on the screen, and the bar that says how many µm that is.
import { Preferences } from "../editor/preferences.js";

const WIDEST = 110; // px of the screen

/** Show a bar of a round length for crops that are as wide as that of a cell. */
export function showScale(element, cell, size) {
  if (!cell?.crop || !cell.usual) return;
  const perPixel = cell.field / size;
  const longest = Math.min(WIDEST, size) * perPixel;
  const power = 10 ** Math.floor(Math.log10(longest));
  const length = [5, 2, 1].map((n) => n * power).find((n) => n <= longest);
  element.hidden = false;
  element.querySelector(".scale-line").style.width = `${length / perPixel}px`;
  element.querySelector(".scale-text").textContent = `${Number(length.toPrecision(3))} ${cell.unit}`;
  element.title =
    cell.unit === "µm" ? "All cells at one scale" : "The scale of these images is unknown: sizes are in pixels";
}

/** The slider, kept in this browser. Dispatches "change". */
export class TileSize extends EventTarget {
  #slider;
  #preferences;

  constructor(slider, user) {
    super();
    this.#slider = slider;
    this.#preferences = new Preferences(user);
    slider.value = this.#preferences.get("gallery-tile", innerWidth < 600 ? 96 : innerWidth < 2000 ? 112 : 136);
    slider.addEventListener("input", () => this.#changed());
  }

  get value() {
    return Number(this.#slider.value);
  }

  step(way) {
    this.#slider.value = this.value + way * 16;
    this.#changed();
  }

  #changed() {
    this.#preferences.set("gallery-tile", this.value);
    this.dispatchEvent(new CustomEvent("change"));
  }
}
