// Undo and redo as pairs of states of cells, so that going back works the same before a save and after it: it is
// one more change, on the version that the cell has by then.
import { sameState, stateOf } from "./cells.js";

const LIMIT = 500;

/** Dispatches "change" when what can be undone or redone changed. */
export class History extends EventTarget {
  #cells;
  #queue;
  #done = [];
  #undone = [];

  constructor(cells, queue) {
    super();
    this.#cells = cells;
    this.#queue = queue;
  }

  get canUndo() {
    return this.#done.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  /** Bring cells to new states, as one step: [[id, state], ...]. What changes nothing is left out. */
  change(targets, name) {
    const steps = [];
    for (const [id, after] of targets) {
      const before = stateOf(this.#cells.get(id));
      if (!sameState(before, after)) steps.push({ id, before, after });
    }
    if (!steps.length) return false;
    this.#done.push({ name, steps });
    if (this.#done.length > LIMIT) this.#done.shift();
    this.#undone = [];
    this.#go(steps.map(({ id, after }) => [id, after]));
    return true;
  }

  /** Returns {name, ids} of what was undone, or null. */
  undo() {
    const entry = this.#done.pop();
    if (!entry) return null;
    this.#undone.push(entry);
    // A cell that was drawn becomes a deleted one: nothing is ever removed.
    this.#go(entry.steps.map(({ id, before, after }) => [id, before ?? { ...after, status: "deleted" }]));
    return { name: entry.name, ids: entry.steps.map(({ id }) => id) };
  }

  redo() {
    const entry = this.#undone.pop();
    if (!entry) return null;
    this.#done.push(entry);
    this.#go(entry.steps.map(({ id, after }) => [id, after]));
    return { name: entry.name, ids: entry.steps.map(({ id }) => id) };
  }

  /** Forget the steps of a cell that somebody else changed: undoing them would undo the other's work. */
  forget(id) {
    const others = (entries) =>
      entries
        .map((entry) => ({ ...entry, steps: entry.steps.filter((step) => step.id !== id) }))
        .filter((entry) => entry.steps.length);
    this.#done = others(this.#done);
    this.#undone = others(this.#undone);
    this.#tell();
  }

  clear() {
    this.#done = [];
    this.#undone = [];
    this.#tell();
  }

  #go(targets) {
    for (const [id, to] of targets) this.#queue.bring(id, to);
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new CustomEvent("change"));
  }
}
