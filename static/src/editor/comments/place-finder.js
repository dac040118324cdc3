// The next click on the image is a place, whatever tool is in use; Esc gives it up.
import { make } from "../make.js";

export class PlaceFinder {
  #stage;
  #layers;
  #over = null;

  constructor(layers) {
    this.#layers = layers;
    this.#stage = layers.map.getTargetElement().parentElement;
  }

  /** Resolves to [x, y] in image pixels within an image of width × height, or to null. */
  find({ width, height }) {
    this.#over?.dispatchEvent(new Event("give-up"));
    return new Promise((resolve) => {
      const done = (place) => {
        removeEventListener("keydown", escape, true);
        over.remove();
        this.#over = null;
        resolve(place);
      };
      const escape = (event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        event.preventDefault();
        done(null);
      };
      const over = make("div", {
        class: "place-finder",
        "give-up": () => done(null),
        click: ({ offsetX, offsetY }) => {
          const [x, y] = this.#layers.at([offsetX, offsetY]);
          if (x >= 0 && y >= 0 && x <= width && y <= height) done([Math.round(x), Math.round(y)]);
        },
      });
      addEventListener("keydown", escape, true);
      this.#over = over;
      this.#stage.append(over);
    });
  }
}
