// What is known of the cells of the gallery: fetched as they come into view, and as the person sees them now.

const PAGE = 200;
// Cells that are kept; those seen first go, but for what is not saved yet.
const MOST = 20_000;

/**
 * A CELL of the gallery is what inference/gallery_cells.py describes, and here also
 *   unsaved   what it shows is not confirmed by the server yet
 *   problem   why what the person chose was not taken (labelling.js)
 *
 * Dispatches "change" with detail {ids} when something else is known of cells, and "trouble" with detail {trouble} (""
 * when it is over).
 */
export class ShownCells extends EventTarget {
  #connection;
  #url;
  #byId = new Map();
  #gone = new Set();
  #wanted = [];
  #busy = false;

  constructor(connection, url) {
    super();
    this.#connection = connection;
    this.#url = url;
  }

  get(id) {
    return this.#byId.get(id);
  }

  /** Whether the server has said that there is no such cell to be shown any more. */
  isGone(id) {
    return this.#gone.has(id);
  }

  /** Fetch those of the cells that are not known; what was wanted before and is not known is no longer wanted. */
  want(ids) {
    this.#wanted = ids.filter((id) => !this.#byId.has(id) && !this.#gone.has(id));
    if (!this.#busy) this.#fetchWanted();
  }

  /** The cells, fetched where they are not known. Throws where the server does not answer. */
  async known(ids) {
    const missing = ids.filter((id) => !this.#byId.has(id) && !this.#gone.has(id));
    for (let at = 0; at < missing.length; at += PAGE) await this.#fetch(missing.slice(at, at + PAGE));
    return ids.map((id) => this.#byId.get(id)).filter(Boolean);
  }

  /** Fetch cells anew, those of them that are known. */
  async renew(ids) {
    const known = ids.filter((id) => this.#byId.has(id));
    for (let at = 0; at < known.length; at += PAGE) await this.#fetch(known.slice(at, at + PAGE));
  }

  /** Take what the server says; of a cell that was changed here since it was asked, only what the model says. */
  merge(cells) {
    for (const cell of cells) {
      const own = this.#byId.get(cell.id);
      if (own && (own.unsaved || own.version > cell.version)) {
        this.#byId.set(cell.id, { ...own, probabilities: cell.probabilities });
      } else {
        this.#byId.set(cell.id, own?.problem ? { ...cell, problem: own.problem } : cell);
      }
    }
    this.#forget();
    this.#tell(cells.map(({ id }) => id));
  }

  set(...cells) {
    for (const cell of cells) this.#byId.set(cell.id, cell);
    this.#tell(cells.map(({ id }) => id));
  }

  async #fetchWanted() {
    this.#busy = true;
    while (this.#wanted.length) {
      const page = this.#wanted.slice(0, PAGE);
      try {
        await this.#fetch(page);
      } catch (error) {
        this.dispatchEvent(new CustomEvent("trouble", { detail: { trouble: error.message } }));
        await new Promise((resolve) => setTimeout(resolve, 2_000));
      }
      this.#wanted = this.#wanted.filter((id) => !this.#byId.has(id) && !this.#gone.has(id));
    }
    this.#busy = false;
  }

  async #fetch(ids) {
    const { ok, status, answer } = await this.#connection.post(this.#url, { cells: ids });
    if (!ok) throw new Error(answer?.detail ?? `the server answers ${status}`);
    this.dispatchEvent(new CustomEvent("trouble", { detail: { trouble: "" } }));
    const found = new Set(answer.cells.map(({ id }) => id));
    for (const id of ids) {
      if (found.has(id)) continue;
      this.#gone.add(id);
      this.#byId.delete(id);
    }
    this.merge(answer.cells);
    this.#tell(ids);
  }

  #forget() {
    if (this.#byId.size <= MOST) return;
    for (const [id, cell] of this.#byId) {
      if (this.#byId.size <= MOST) return;
      if (!cell.unsaved && !cell.problem) this.#byId.delete(id);
    }
  }

  #tell(ids) {
    if (ids.length) this.dispatchEvent(new CustomEvent("change", { detail: { ids } }));
  }
}
