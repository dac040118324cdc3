// The whole image small in a corner, with a frame around what is in view. Only where there is more than is in view.

const WIDTH = 176; // pixels of the screen
const NARROW = 900;

export class Minimap {
  #element;
  #picture;
  #frame;
  #layers;
  #session = null;
  #on;

  constructor(element, { editor, layers, preferences }) {
    this.#element = element;
    this.#picture = element.querySelector("img");
    this.#frame = element.querySelector("[data-frame]");
    this.#layers = layers;
    this.#on = preferences.get("minimap", true);
    editor.register({
      minimap: () => {
        this.#on = !this.#on;
        preferences.set("minimap", this.#on);
        this.#word();
        this.#place();
      },
    });
    this.#word();
    layers.map.on("postrender", () => this.#place());
    element.addEventListener("pointerdown", (event) => this.#grab(event));
    element.addEventListener("pointermove", (event) => element.hasPointerCapture(event.pointerId) && this.#go(event));
  }

  show(session) {
    this.#session = session;
    const { width, height } = session.image;
    this.#element.style.width = `${WIDTH}px`;
    this.#element.style.height = `${Math.round((WIDTH * height) / width)}px`;
    this.#place();
  }

  #word() {
    for (const button of document.querySelectorAll('[data-command="minimap"]')) {
      button.setAttribute("aria-pressed", this.#on);
    }
  }

  /** At every frame: no more than it takes. */
  #place() {
    if (!this.#session || !this.#layers.map.getSize()) return;
    const { width, height } = this.#session.image;
    const [x0, y0, x1, y1] = this.#layers.inView;
    const edge = 2 * this.#layers.resolution;
    const whole = x0 <= edge && y0 <= edge && x1 >= width - edge && y1 >= height - edge;
    const shown = this.#on && !whole && innerWidth >= NARROW;
    if (this.#element.hidden === shown) this.#element.hidden = !shown;
    if (!shown) return;
    // The server has it small already: to shrink 5 million pixels here would hold up a drag.
    const { thumbnail_url: address } = this.#session.image;
    if (this.#picture.getAttribute("src") !== address) this.#picture.src = address;
    const share = (value, all) => `${100 * Math.max(0, Math.min(1, value / all))}%`;
    const { style } = this.#frame;
    style.left = share(x0, width);
    style.top = share(y0, height);
    style.right = share(width - x1, width);
    style.bottom = share(height - y1, height);
  }

  #grab(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    this.#element.setPointerCapture(event.pointerId);
    this.#go(event);
  }

  #go(event) {
    const box = this.#element.getBoundingClientRect();
    const { width, height } = this.#session.image;
    const share = (value) => Math.max(0, Math.min(1, value));
    const x = share((event.clientX - box.left) / box.width) * width;
    const y = share((event.clientY - box.top) / box.height) * height;
    this.#layers.centreOn([x, y], 0);
  }
}
