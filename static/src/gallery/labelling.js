// Labelling the chosen cells: shown at once, sent as the editor's operations through the same journal and outbox, so
// that a label survives a crash, a lost connection and the end of a session; undone and redone step by step.
import { sameSaid, saying } from "../editor/cells/cells.js";
import { CERTAINTY } from "../editor/panel/labelling.js";

const choiceOf = ({ labels, confidence, texts }) => ({
  labels: [...labels],
  confidence: { ...confidence },
  texts: { ...texts },
});

/** How sure somebody is of a cell's first label, null where that is not said. */
export const certaintyOf = ({ labels, confidence }) => confidence[labels[0]] ?? null;

/**
 * Dispatches
 *   "saved"     detail {labels}      labels were set or taken off for good
 *   "problems"                       there are more or fewer of them
 *   "change"                         what can be undone has changed
 */
export class Labelling extends EventTarget {
  #cells;
  #outbox;
  #scheme;
  #say;
  #lines = new Map();
  #done = [];
  #undone = [];
  /** By cell: {line, problem}. */
  problems = new Map();
  /** Images with changes from the editor that wait for the person: they are settled there. */
  elsewhere = new Set();

  constructor({ cells, outbox, scheme, say }) {
    super();
    this.#cells = cells;
    this.#outbox = outbox;
    this.#scheme = scheme;
    this.#say = say;
    outbox.addEventListener("problem", ({ detail }) => this.#met(detail.image, detail.problem));
  }

  get canUndo() {
    return this.#done.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  /** Set a label on cells; where all of them have it and `on` is not said, take it off. */
  async press(label, ids, on = null) {
    const cells = await this.#open(ids);
    if (!cells) return;
    const set = on ?? !cells.every((cell) => cell.labels.includes(label.id));
    this.#step(
      cells.map((cell) => [cell, { ...choiceOf(cell), labels: this.#scheme.pressed(cell.labels, label, set) }]),
      set ? label.name : `Not ${label.name}`,
    );
  }

  /** Take all labels off cells. */
  async strip(ids) {
    const cells = await this.#open(ids);
    if (cells)
      this.#step(
        cells.map((cell) => [cell, { ...choiceOf(cell), labels: [], confidence: {} }]),
        "No label",
      );
  }

  /** Say how sure all labels of cells are: one of CERTAINTY's values, null for not said; without a value the next step
   * of what is said of the first. Cells without a label stay as they are. */
  async certain(ids, value) {
    const cells = (await this.#open(ids))?.filter(({ labels }) => labels.length);
    if (!cells) return;
    if (!cells.length) {
      this.#say("Set a label first; then say how sure it is.");
      return;
    }
    if (value === undefined) {
      const steps = [null, ...CERTAINTY.map(([, step]) => step)];
      value = steps[(steps.indexOf(certaintyOf(cells[0])) + 1) % steps.length];
    }
    const word = CERTAINTY.find(([, step]) => step === value)?.[0] ?? "not said";
    this.#step(
      cells.map((cell) => {
        const confidence = value === null ? {} : Object.fromEntries(cell.labels.map((id) => [id, value]));
        return [cell, { ...choiceOf(cell), confidence }];
      }),
      `How sure: ${word}`,
    );
  }

  undo() {
    this.#walk(this.#done, this.#undone, "from", "to", "Undone");
  }

  redo() {
    this.#walk(this.#undone, this.#done, "to", "from", "Done again");
  }

  /** Images of which something may be on its way from an earlier visit: what becomes of it is seen on the tiles. */
  watch(images) {
    for (const image of images) this.#line(image);
  }

  /** What was left by an earlier visit: problems that wait for the person. */
  resume() {
    for (const [image] of this.#outbox.problems) {
      for (const problem of this.#line(image).problems.values()) this.#met(image, problem);
    }
  }

  /** Set the labels that were not taken on what the cells are now. */
  async again() {
    const waiting = [...this.problems.values()];
    const cells = new Map(
      (await this.#cells.known(waiting.map(({ problem }) => problem.cell))).map((cell) => [cell.id, cell]),
    );
    const changes = [];
    for (const { line, problem } of waiting) {
      const cell = cells.get(problem.cell);
      if (!cell) continue;
      this.#settle(line, problem);
      if (problem.mine) changes.push([this.#cells.get(cell.id), choiceOf(problem.mine)]);
    }
    this.#step(changes, "Your labels");
  }

  /** Leave the cells as the others made them. */
  leave() {
    for (const { line, problem } of [...this.problems.values()]) this.#settle(line, problem);
  }

  /** The cells that can be labelled, or null after saying why there are none. */
  async #open(ids) {
    if (!ids.length) {
      this.#say("Select a cell first; then a number sets its label.");
      return null;
    }
    let cells;
    try {
      cells = await this.#cells.known(ids);
    } catch (error) {
      this.#say(`Nothing was labelled: ${error.message}.`);
      return null;
    }
    const open = cells.filter(({ state }) => state !== "reviewed");
    if (!open.length) this.#say("These cells are of reviewed images: reopen an image to change its cells.");
    else if (open.length < cells.length)
      this.#say(`${cells.length - open.length} of reviewed images stay as they are.`);
    return open.length ? open : null;
  }

  #step(changes, name) {
    const made = changes.filter(([cell, to]) => !sameSaid(cell, to));
    if (!made.length) return;
    this.#done.push({ name, changes: made.map(([cell, to]) => ({ id: cell.id, from: choiceOf(cell), to })) });
    this.#undone = [];
    this.#bring(made);
    this.#say(`${name}: ${made.length === 1 ? "1 cell" : `${made.length} cells`}.`);
    this.#tell("change");
  }

  #walk(source, target, way, back, word) {
    const step = source.pop();
    if (!step) return;
    // What somebody else has changed since is not ours to undo.
    const changes = step.changes
      .map((change) => [this.#cells.get(change.id), change])
      .filter(([cell, change]) => cell && !cell.problem && sameSaid(cell, change[back]));
    this.#bring(changes.map(([cell, change]) => [cell, change[way]]));
    target.push(step);
    const others = step.changes.length - changes.length;
    this.#say(`${word}: ${step.name}${others ? `; ${others} changed since stay as they are` : ""}.`);
    this.#tell("change");
  }

  #bring(changes) {
    const shown = changes.map(([cell, to]) => {
      const version = this.#line(cell.image).add(cell.id, { version: cell.version, ...saying(to) });
      return { ...cell, ...to, said: this.#saidWith(cell, to), version, unsaved: true };
    });
    if (shown.length) this.#cells.set(...shown);
  }

  /** Who says what, with the person's own choice, which takes the place of an imported one. */
  #saidWith({ said }, { labels, confidence }) {
    const others = said.filter(({ by }) => by !== null && by !== this.#scheme.me);
    return labels.length ? [...others, { by: this.#scheme.me, labels, confidence }] : others;
  }

  #line(image) {
    let line = this.#lines.get(image);
    if (!line) {
      line = this.#outbox.line(image);
      line.addEventListener("settled", ({ detail }) => this.#settled(detail.cells));
      this.#lines.set(image, line);
    }
    return line;
  }

  /** `cells`: as the server has them now; those of which more is on its way are not among them. */
  #settled(cells) {
    const labels = new Set();
    const fresh = [];
    for (const { id, version, labels: kept, confidence, texts } of cells) {
      const cell = this.#cells.get(id);
      for (const label of kept) labels.add(label);
      if (!cell) continue;
      for (const label of cell.labels) labels.add(label);
      fresh.push({ ...cell, version, labels: kept, confidence, texts, unsaved: false });
    }
    if (fresh.length) this.#cells.set(...fresh);
    if (cells.length) this.dispatchEvent(new CustomEvent("saved", { detail: { labels: [...labels] } }));
  }

  /** Somebody else was faster, or the server takes no label here: the tile shows what holds now, and says so. */
  #met(image, problem) {
    if (problem.records.some(({ kind }) => kind !== "label")) {
      this.elsewhere.add(image);
      this.#tell("problems");
      return;
    }
    this.problems.set(problem.cell, { line: this.#line(image), problem });
    const cell = this.#cells.get(problem.cell);
    if (cell) this.#cells.set(this.#asTheirs(cell, problem));
    this.#tell("problems");
  }

  #asTheirs(cell, { kind, reason, theirs }) {
    const shown = { ...cell, unsaved: false, problem: { kind, reason } };
    if (!theirs) return shown;
    const { version, labels, confidence, texts } = theirs;
    return { ...shown, version, labels, confidence, texts };
  }

  #settle(line, problem) {
    line.settle(problem);
    this.problems.delete(problem.cell);
    const cell = this.#cells.get(problem.cell);
    if (cell) this.#cells.set({ ...cell, problem: null });
    this.#tell("problems");
  }

  #tell(name) {
    this.dispatchEvent(new CustomEvent(name));
  }
}
