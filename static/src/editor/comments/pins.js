// Where comments are on the image: small numbered pins at their cells and places.
import Overlay from "ol/Overlay.js";
import { upperRight } from "../map/anchor.js";
import { toMap } from "../cells/geometry.js";
import { make } from "../make.js";

export class Pins {
  #map;
  #choose;
  #session = null;
  #pins = new Map();
  #resolvedToo = false;

  /** `choose(thread)` is told of clicks. */
  constructor(layers, choose) {
    this.#map = layers.map;
    this.#choose = choose;
  }

  show(session) {
    this.#session = session;
    this.#clear();
    const { comments, cells, signal } = session;
    comments.addEventListener("change", () => this.#refresh(), { signal });
    cells.addEventListener("change", ({ detail: { ids } }) => this.#follow(ids), { signal });
    this.#refresh();
  }

  /** Show the pins of resolved threads as well. */
  set resolvedToo(on) {
    this.#resolvedToo = on;
    this.#refresh();
  }

  #refresh() {
    this.#clear();
    for (const thread of this.#session.comments.threads) {
      if (thread.resolved && !this.#resolvedToo) continue;
      const position = this.#position(thread.first);
      if (position === null) continue;
      const { number, first, resolved } = thread;
      const title = `Comment ${number}: ${first.text.slice(0, 80)}`;
      const element = make(
        "button",
        {
          type: "button",
          class: resolved ? "comment-pin is-resolved" : "comment-pin",
          "aria-label": title,
          title,
          click: () => this.#choose(thread),
        },
        String(number),
      );
      const overlay = new Overlay({
        element,
        position,
        positioning: "bottom-left",
        className: "ol-overlay-container ol-selectable pin-place",
      });
      this.#pins.set(first.id, { overlay, first });
      this.#map.addOverlay(overlay);
    }
  }

  /** Pins go with their cells. */
  #follow(ids) {
    for (const { overlay, first } of this.#pins.values()) {
      if (first.cell && (ids === null || ids.includes(first.cell)))
        overlay.setPosition(this.#position(first) ?? undefined);
    }
    // A cell may be known only now.
    if (ids === null) this.#refresh();
  }

  #position({ cell, x, y }) {
    const { height } = this.#session.image;
    if (x !== null) return toMap([x, y], height);
    const pinned = cell && this.#session.cells.get(cell);
    if (!pinned || pinned.status === "deleted") return null;
    return toMap(upperRight(pinned.border), height);
  }

  #clear() {
    for (const { overlay } of this.#pins.values()) this.#map.removeOverlay(overlay);
    this.#pins.clear();
  }
}
