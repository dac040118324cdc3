// What lies over the image: borders, names, proposals and confirmed cells, each on and off; or the bare image.

// A key held longer than this shows the bare image only while it is held.
const HELD = 400; // ms

export class Overlays {
  #layers;
  #say;
  #shown = { borders: true, labels: true, proposals: true, confirmed: true };
  #bare = false;

  constructor(editor, layers) {
    this.#layers = layers;
    this.#say = (text) => editor.say(text);
    editor.register({
      borders: () => this.#toggle("borders"),
      labels: () => this.#toggle("labels"),
      proposals: () => this.#toggle("proposals"),
      confirmed: () => this.#toggle("confirmed"),
      bare: (event) => this.#toggleBare(event),
    });
  }

  /** Another image is shown: as the last one was. */
  show() {
    this.#apply();
  }

  #toggle(what) {
    this.#bare = false;
    this.#shown[what] = !this.#shown[what];
    this.#apply();
    const { proposals, confirmed } = this.#shown;
    if (!proposals && !confirmed) this.#say("Proposals and confirmed cells are both hidden.");
  }

  /** H: the image without anything, until the next H, or while it is held. */
  #toggleBare(event) {
    if (event?.repeat) return;
    this.#bare = !this.#bare;
    this.#apply();
    if (this.#bare) this.#say("The image alone. The same key shows the borders again.");
    if (event?.type !== "keydown") return;
    const { code, timeStamp } = event;
    const up = (released) => {
      if (released.code !== code) return;
      removeEventListener("keyup", up);
      if (released.timeStamp - timeStamp > HELD && this.#bare) {
        this.#bare = false;
        this.#apply();
      }
    };
    addEventListener("keyup", up);
  }

  #apply() {
    const { borders, labels, proposals, confirmed } = this.#shown;
    this.#layers.showBorders(borders && !this.#bare);
    this.#layers.showLabels(labels);
    const all = proposals && confirmed;
    this.#layers.borders.only = all
      ? null
      : (cell) => (cell.status === "proposed" ? proposals : confirmed);
    for (const button of document.querySelectorAll("[data-command]")) {
      const shown = button.dataset.command === "bare" ? this.#bare : this.#shown[button.dataset.command];
      if (shown !== undefined) button.setAttribute("aria-pressed", shown);
    }
  }
}
