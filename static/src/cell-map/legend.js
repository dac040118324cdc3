// What the colours of the map mean, and which of them are shown.
import { make } from "../editor/make.js";
import { colourOf, GONE, NOTHING, nothingColour, packed, ramp, rampColours } from "./colours.js";

const FAINT = 0x90; // alpha of points of which nothing is known
const DIMMED = 0x2c; // alpha of points beside those that are picked out
const number = (value) => value.toLocaleString("en").replaceAll(",", "\u202f");

/** Dispatches "change" when something else is shown. */
export class Legend extends EventTarget {
  #element;
  #entries = [];
  #codes = new Uint16Array();
  #scale = false;
  #hidden = new Set();

  constructor(element) {
    super();
    this.#element = element;
  }

  /** Take what the points are coloured by: `head` {legend, nothing, scale} and the codes of all points. */
  take({ legend, nothing, scale }, codes) {
    this.#codes = codes;
    this.#scale = scale;
    this.#hidden.clear();
    const counts = new Map();
    for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1);
    this.#entries = scale
      ? []
      : legend
          .map((entry, code) => ({ code, name: entry.name, colour: colourOf(entry, code, legend.length) }))
          .filter(({ code }) => counts.get(code));
    if (counts.get(NOTHING)) this.#entries.push({ code: NOTHING, name: nothing, colour: nothingColour });
    const bar = make("div", { class: "map-scale" });
    bar.style.background = ramp;
    const ends = make("div", { class: "map-ends number" }, make("span", {}, "0 %"), make("span", {}, "100 %"));
    this.#element.replaceChildren(
      ...(scale ? [make("div", {}, legend[0].name), bar, ends] : []),
      ...this.#entries.map((entry) => this.#row(entry, counts.get(entry.code))),
    );
  }

  /** What a point is, in words. */
  words(place) {
    const code = this.#codes[place];
    if (this.#scale && code < NOTHING) return `${code} %`;
    return this.#entries.find((entry) => entry.code === code)?.name ?? "";
  }

  isShown(place) {
    return this.#codes[place] !== GONE && !this.#hidden.has(this.#codes[place]);
  }

  /** Write the colour of each point; `picked` (Uint8Array or null): the others are dimmed. */
  colour(colours, picked) {
    const table = new Uint32Array(65_536);
    if (this.#scale) table.set(rampColours());
    for (const { code, colour } of this.#entries) table[code] = packed(colour, code === NOTHING ? FAINT : 255);
    for (const code of this.#hidden) table[code] = 0;
    table[GONE] = 0;
    for (let place = 0; place < colours.length; place++) {
      const colour = table[this.#codes[place]];
      if (!picked || colour === 0) colours[place] = colour;
      else colours[place] = ((picked[place] ? 0xff000000 : DIMMED << 24) | (colour & 0xffffff)) >>> 0;
    }
  }

  #row({ code, name, colour }, count) {
    const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = colour;
    return make(
      "button",
      {
        type: "button",
        "aria-pressed": "true",
        title: "Show or hide; with Shift, these alone",
        click: (event) => this.#toggle(code, event.shiftKey),
      },
      swatch,
      make("span", {}, name),
      make("span", { class: "number" }, number(count)),
    );
  }

  #toggle(code, alone) {
    if (alone) {
      const others = this.#entries.filter((entry) => entry.code !== code).map((entry) => entry.code);
      const isAlone = !this.#hidden.has(code) && others.every((each) => this.#hidden.has(each));
      this.#hidden = new Set(isAlone ? [] : others);
    } else if (!this.#hidden.delete(code)) this.#hidden.add(code);
    [...this.#element.querySelectorAll("button")].forEach((button, at) =>
      button.setAttribute("aria-pressed", String(!this.#hidden.has(this.#entries[at].code))),
    );
    this.dispatchEvent(new Event("change"));
  }
}
