// The ids of all cells that were asked for, in their order: 16 bytes each, as the server sends them.

const ID = 16;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export class Order {
  #bytes;
  #ids;

  /** `bytes`: a Uint8Array of packed ids. */
  constructor(bytes) {
    this.#bytes = bytes;
    this.length = Math.floor(bytes.length / ID);
    this.#ids = new Array(this.length);
  }

  /** The id of the cell at a place. */
  id(place) {
    return (this.#ids[place] ??= text(this.#bytes, place * ID));
  }

  /** The ids from one place to another, the last one not included. */
  slice(from, to) {
    const ids = [];
    for (let place = Math.max(0, from); place < Math.min(this.length, to); place++) ids.push(this.id(place));
    return ids;
  }

  /** Where a cell stands, -1 where it does not. */
  indexOf(id) {
    const wanted = id
      .replaceAll("-", "")
      .match(/../g)
      .map((pair) => parseInt(pair, 16));
    for (let at = 0; at < this.#bytes.length; at += ID) {
      let n = 0;
      while (n < ID && this.#bytes[at + n] === wanted[n]) n++;
      if (n === ID) return at / ID;
    }
    return -1;
  }

  /** This order down to a place, and after it another one without the cells that stand before: what is in view, and
   * what was, stays where it is. */
  continuedBy(other, from) {
    if (from <= 0) return other;
    const kept = new Set(this.slice(0, from));
    const joined = new Uint8Array((Math.min(from, this.length) + other.length) * ID);
    let at = Math.min(from, this.length) * ID;
    joined.set(this.#bytes.subarray(0, at));
    for (let place = 0; place < other.length; place++) {
      if (kept.has(other.id(place))) continue;
      joined.set(other.#bytes.subarray(place * ID, (place + 1) * ID), at);
      at += ID;
    }
    return new Order(joined.subarray(0, at));
  }

  /** Whether another order has the same cells in the same places. */
  equals(other) {
    return this.#bytes.length === other.#bytes.length && this.#bytes.every((byte, at) => byte === other.#bytes[at]);
  }
}

function text(bytes, at) {
  let id = "";
  for (let n = 0; n < ID; n++) {
    if (n === 4 || n === 6 || n === 8 || n === 10) id += "-";
    id += HEX[bytes[at + n]];
  }
  return id;
}
