// The points of a map: ids, and where each lies by each layout, with an index that finds what is near.

const ID = 16;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const BINS = 256; // a side

/** The head (JSON) and the rest of what the server packs: 4 bytes of length, big endian, before it. */
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { head, rest: buffer.slice(4 + length) };
}

export class Points {
  #ids;
  #layouts;
  #indices = {};

  /** `buffer`: as CellMapPoints sends it. */
  constructor(buffer) {
    const { head, rest } = unpack(buffer);
    this.length = head.cells;
    this.#ids = new Uint8Array(rest, 0, ID * this.length);
    const table = (place) => split(new Float32Array(rest, (ID + 8 * place) * this.length, 2 * this.length));
    this.#layouts = { pca: table(0), umap: table(1) };
  }

  id(place) {
    let text = "";
    for (let n = 0; n < ID; n++) {
      if (n === 4 || n === 6 || n === 8 || n === 10) text += "-";
      text += HEX[this.#ids[place * ID + n]];
    }
    return text;
  }

  /** {xs, ys, bounds: [x0, y0, x1, y1]} of a layout. */
  layout(name) {
    return this.#layouts[name];
  }

  /** The place of the point nearest to x, y by a layout, within `reach`, of those that `shown(place)`; -1 for none. */
  nearest(name, x, y, reach, shown) {
    const { xs, ys } = this.#layouts[name];
    const index = (this.#indices[name] ??= new Bins(this.#layouts[name]));
    let best = -1;
    let least = reach * reach;
    index.each(x - reach, y - reach, x + reach, y + reach, (place) => {
      const away = (xs[place] - x) ** 2 + (ys[place] - y) ** 2;
      if (away <= least && shown(place)) [best, least] = [place, away];
    });
    return best;
  }
}

function split(pairs) {
  const count = pairs.length / 2;
  const [xs, ys] = [new Float32Array(count), new Float32Array(count)];
  const bounds = [Infinity, Infinity, -Infinity, -Infinity];
  for (let place = 0; place < count; place++) {
    const [x, y] = [pairs[2 * place], pairs[2 * place + 1]];
    xs[place] = x;
    ys[place] = y;
    if (x < bounds[0]) bounds[0] = x;
    if (y < bounds[1]) bounds[1] = y;
    if (x > bounds[2]) bounds[2] = x;
    if (y > bounds[3]) bounds[3] = y;
  }
  return { xs, ys, bounds };
}

/** Places by squares of the plane: those of a square stand side by side in one array. */
class Bins {
  #bounds;
  #starts = new Uint32Array(BINS * BINS + 1);
  #places;

  constructor({ xs, ys, bounds }) {
    this.#bounds = bounds;
    const bins = new Uint32Array(xs.length);
    for (let place = 0; place < xs.length; place++) {
      bins[place] = this.#row(ys[place]) * BINS + this.#column(xs[place]);
      this.#starts[bins[place] + 1]++;
    }
    for (let bin = 0; bin < BINS * BINS; bin++) this.#starts[bin + 1] += this.#starts[bin];
    const next = this.#starts.slice();
    this.#places = new Uint32Array(xs.length);
    for (let place = 0; place < xs.length; place++) this.#places[next[bins[place]]++] = place;
  }

  each(x0, y0, x1, y1, visit) {
    for (let row = this.#row(y0); row <= this.#row(y1); row++) {
      const from = this.#starts[row * BINS + this.#column(x0)];
      const to = this.#starts[row * BINS + this.#column(x1) + 1];
      for (let at = from; at < to; at++) visit(this.#places[at]);
    }
  }

  #column(x) {
    return bin(x, this.#bounds[0], this.#bounds[2]);
  }

  #row(y) {
    return bin(y, this.#bounds[1], this.#bounds[3]);
  }
}

const bin = (value, low, high) =>
  Math.min(BINS - 1, Math.max(0, Math.floor((BINS * (value - low)) / (high - low || 1))));
