// The changes of the image that is open: shown on its cells at once, sent through the image's line, and merged with
// what the server makes of them and with what others do.
import { operationsBetween, sameState, stateAfter, stateOf } from "../cells/cells.js";
import { boundsOf } from "../cells/geometry.js";

/**
 * Dispatches
 *   "state"     detail {state, revision}   the image's state after a save
 *   "problem"   detail {problem}     a change waits for the person (line.js)
 *   "problems"                       there are more or fewer of them
 *
 * A cell that only this browser has as it is is `unsaved`; one that the server never took is `unmade`; `refused` says
 * why the server did not take what is drawn.
 */
export class Changes extends EventTarget {
  #line;
  #outbox;
  #cells;

  constructor(outbox, line, cells, signal) {
    super();
    this.#outbox = outbox;
    this.#line = line;
    this.#cells = cells;
    const on = (name, listener) => line.addEventListener(name, ({ detail }) => listener(detail), { signal });
    on("settled", (detail) => this.#settled(detail));
    on("problem", ({ problem }) => this.#met(problem));
    on("taken-over", () => this.resume());
  }

  get unsaved() {
    return this.#line.unsaved > 0;
  }

  get problems() {
    return [...this.#line.problems.values()];
  }

  pending(cell) {
    return this.#line.pending(cell);
  }

  flushed(limit) {
    return this.#outbox.flushed(this.#line.image, limit);
  }

  /** Show what is not saved yet, on cells as the server gave them. */
  resume() {
    for (const record of this.#line.records) {
      const cell = this.#cells.get(record.cell);
      // A cell of another version has the change already, or a conflict to come.
      if (cell ? cell.version !== record.version : record.kind !== "create" && !record.after) continue;
      this.#show(record.cell, record.after ?? stateAfter(stateOf(cell), record), record.version + 1);
    }
    for (const problem of this.problems) this.#mark(problem);
    this.#tell("problems");
  }

  /** Bring a cell to another state, here and now, and on the server as soon as it can be had. */
  bring(id, to) {
    const refused = this.#line.problemOf(id);
    if (refused?.kind === "refused") {
      // Repaired, or given up: the next try starts from what the server has.
      this.#showBase(refused);
      this.#bring(id, to);
      this.#line.settle(refused);
      this.#tell("problems");
    } else {
      this.#bring(id, to);
    }
  }

  /** Send a refused change again, as it is. */
  retry(problem) {
    this.bring(problem.cell, problem.mine);
  }

  /** Drop what was changed here: the cell is again what the server has. */
  discard(problem) {
    this.#showBase(problem);
    this.#line.settle(problem);
    this.#tell("problems");
  }

  /** Cells as the server gives them after somebody else's changes; returns the ids of those that are new here. */
  merge(cells) {
    const fresh = cells.filter((cell) => {
      const known = this.#cells.get(cell.id);
      if (this.#line.pending(cell.id)) return false;
      const refused = this.#line.problemOf(cell.id);
      if (refused?.kind === "refused") {
        refused.theirs = cell;
        return false;
      }
      if (!known) return cell.status !== "deleted";
      return known.version < cell.version || (known.version === cell.version && known.revision !== cell.revision);
    });
    if (fresh.length) this.#cells.setAll(fresh.map((cell) => this.#merged(cell)));
    return fresh.map(({ id }) => id);
  }

  #bring(id, to) {
    const known = this.#cells.get(id);
    const from = known?.unmade ? null : stateOf(known);
    if (!from && to.status === "deleted") {
      // The server never had it.
      if (known) this.#cells.set({ ...known, ...to, refused: null });
      return;
    }
    let state = from;
    let version = known?.version ?? 0;
    for (const operation of operationsBetween(from, to)) {
      state = stateAfter(state, operation);
      // A cell that becomes a proposal again gets its border from what was proposed.
      if (operation.kind === "restore" && operation.status === "proposed" && known.proposed) {
        state = { ...state, border: known.proposed };
      }
      version = this.#line.add(id, { version, ...operation }, state);
    }
    if (state && !sameState(state, from)) this.#show(id, state, version);
  }

  #show(id, state, version) {
    const known = this.#cells.get(id);
    const bounds = boundsOf(state.border);
    this.#cells.set({
      ...newCell(id),
      ...known,
      ...state,
      bounds,
      version,
      unsaved: true,
      unmade: false,
      refused: null,
    });
  }

  #settled({ cells, state, revision }) {
    const free = cells.filter((cell) => this.#line.problemOf(cell.id)?.kind !== "refused");
    if (free.length) this.#cells.confirm(free.map((cell) => this.#merged(cell)));
    if (state) this.#tell("state", { state, revision });
  }

  #met(problem) {
    this.#mark(problem);
    this.#tell("problem", { problem });
    this.#tell("problems");
  }

  /** Draw what a problem is about: of a conflict what the other made of it, of a refused change our own. */
  #mark({ cell: id, kind, theirs, mine, ...problem }) {
    const known = this.#cells.get(id);
    const newer = known && !known.unsaved && !known.refused && known.version >= (theirs?.version ?? 0);
    const base = newer ? known : theirs;
    if (base && base !== known) this.#cells.set(this.#merged(base));
    if (kind === "conflict" || !mine || mine.status === "deleted") return;
    const version = base?.version ?? 0;
    const refused = problem.reason;
    this.#cells.set({
      ...newCell(id),
      ...base,
      ...mine,
      bounds: boundsOf(mine.border),
      version,
      unmade: !base,
      refused,
    });
  }

  #showBase({ cell: id, kind, theirs }) {
    const known = this.#cells.get(id);
    if (kind === "conflict" && known) return;
    if (theirs) this.#cells.set(this.#merged(theirs));
    else if (known) this.#cells.set({ ...known, status: "deleted", version: 0, unmade: true, refused: null });
  }

  #merged(cell) {
    const proposed = cell.status === "proposed" ? cell.border : this.#cells.get(cell.id)?.proposed;
    return { ...cell, proposed };
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** A cell that only this browser knows of. */
function newCell(id) {
  return {
    id,
    version: 0,
    origin: "drawn",
    score: null,
    ignored: false,
    ignored_class: "",
  };
}
