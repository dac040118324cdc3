// The crops of cells: fetched many at a time for what is in view, and kept in the memory of the page alone.
import { csrfToken } from "../csrf.js";

const PAGE = 60;
const AT_ONCE = 2;
const MOST = 4_000;
// Sizes that the server cuts, in px.
export const SMALL = 128;
export const LARGE = 299;

/** Dispatches "change" with detail {ids} when pictures have come. */
export class Pictures extends EventTarget {
  #url;
  #user;
  #kept = new Map();
  #none = new Set();
  #wanted = [];
  #coming = new Set();
  #size = SMALL;
  #running = 0;

  constructor(url, user) {
    super();
    this.#url = url;
    this.#user = String(user);
  }

  /** The address of the picture of a cell: that of the wanted size, else another one, else null. */
  of(id) {
    const kept = this.#kept.get(id);
    return kept ? kept.url : null;
  }

  /** Whether there is no picture to be had. */
  hasNone(id) {
    return this.#none.has(id);
  }

  /** Fetch the pictures of cells, `size` px wide. What was wanted before is no longer: the person has gone on. */
  want(ids, size) {
    this.#size = size;
    this.#wanted = ids.filter((id) => this.#lacks(id));
    while (this.#running < AT_ONCE && this.#wanted.length) this.#fetchWanted();
  }

  /** The border of a cell was changed: its picture is another one. */
  forget(id, crop) {
    const kept = this.#kept.get(id);
    if (!kept || kept.crop === crop) return;
    URL.revokeObjectURL(kept.url);
    this.#kept.delete(id);
  }

  #lacks(id) {
    return !this.#coming.has(id) && !this.#none.has(id) && !(this.#kept.get(id)?.size >= this.#size);
  }

  async #fetchWanted() {
    this.#running++;
    while (this.#wanted.length) {
      const page = this.#wanted.splice(0, PAGE);
      for (const id of page) this.#coming.add(id);
      try {
        await this.#fetch(page, this.#size);
      } catch {
        // The next look at what is in view tries again.
        await new Promise((resolve) => setTimeout(resolve, 1_500));
      }
      for (const id of page) this.#coming.delete(id);
      this.dispatchEvent(new CustomEvent("change", { detail: { ids: page } }));
    }
    this.#running--;
  }

  async #fetch(ids, size) {
    const response = await fetch(this.#url, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "X-CSRFToken": csrfToken(),
        "X-Marrowloop-User": this.#user,
      },
      body: JSON.stringify({ cells: ids, size }),
    });
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    const content = await response.arrayBuffer();
    const length = new DataView(content).getUint32(0);
    const listed = JSON.parse(new TextDecoder().decode(new Uint8Array(content, 4, length)));
    let at = 4 + length;
    const found = new Set();
    for (const { id, crop, bytes } of listed) {
      this.#keep(id, crop, size, content.slice(at, at + bytes));
      found.add(id);
      at += bytes;
    }
    for (const id of ids) if (!found.has(id)) this.#none.add(id);
  }

  #keep(id, crop, size, content) {
    const before = this.#kept.get(id);
    if (before) URL.revokeObjectURL(before.url);
    this.#kept.delete(id);
    this.#kept.set(id, { url: URL.createObjectURL(new Blob([content], { type: "image/jpeg" })), crop, size });
    if (this.#kept.size <= MOST) return;
    const [oldest, { url }] = this.#kept.entries().next().value;
    URL.revokeObjectURL(url);
    this.#kept.delete(oldest);
  }
}
