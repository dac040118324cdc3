// The operations of one image on their way to the server: in order, in batches, again and again until confirmed.
// The image need not be open.
import { sameState, stateAfter, stateOf } from "../cells/cells.js";
import { newId } from "../cells/new-id.js";
import { reasonOf, silence } from "./connection.js";

const BATCH = 200;
const FIRST_RETRY = 1_000; // ms
const LAST_RETRY = 30_000;
// So many errors of the server on a batch, and its operations go one by one: one of them may be at fault.
const SUSPECT = 3;

const FIELDS = ["id", "kind", "cell", "version", "border", "labels", "confidence", "texts", "status"];
const asSent = (record) => Object.fromEntries(FIELDS.map((field) => [field, record[field]]));

/**
 * A record is an operation with {image, tab, sequence, after: the state that it makes of the cell, problem?}.
 * A problem is what stands between a cell's records and the server, and waits for the person:
 * {key, cell, kind: "conflict" | "refused", reason, theirs: CELL | null, mine: state, records}.
 *
 * Dispatches
 *   "settled"  detail {cells: [CELL], state, revision}   the server has taken operations
 *   "problem"  detail {problem}
 *   "taken-over"                                          operations of a tab that has ended have come
 *   "change"                                              what is unsaved, or why, has changed
 */
export class Line extends EventTarget {
  #url;
  #journal;
  #connection;
  #tab;
  #waiting = [];
  #sending = [];
  #failures = 0;
  // How many operations go at once: one where one of them may be at fault, then more and more again.
  #size = BATCH;
  /** By key. */
  problems = new Map();
  /** Why the last try failed; "" where it did not. */
  reason = "";
  /** When to try next, in ms since 1970. */
  due = 0;

  constructor({ image, url, journal, connection, tab }) {
    super();
    this.image = image;
    this.#url = url;
    this.#journal = journal;
    this.#connection = connection;
    this.#tab = tab;
  }

  /** How many operations are not confirmed, without those that wait for the person. */
  get unsaved() {
    return this.#waiting.length + this.#sending.length;
  }

  /** What is still to be sent, oldest first. */
  get records() {
    return [...this.#sending, ...this.#waiting];
  }

  get sending() {
    return this.#sending.length > 0;
  }

  /** The problem of a cell, the refused change before a conflict. */
  problemOf(cell) {
    const own = [...this.problems.values()].filter((problem) => problem.cell === cell);
    return own.find(({ kind }) => kind === "refused") ?? own[0] ?? null;
  }

  /** Whether something of a cell is on its way. */
  pending(cell) {
    return this.records.some((record) => record.cell === cell);
  }

  /** Take an operation {kind, version, …} on a cell, and the state that it leads to; returns the version it makes. */
  add(cell, operation, after) {
    let record = this.#waiting.findLast((other) => other.cell === cell);
    if (operation.kind === "reshape" && record?.kind === "reshape" && !record.tried) {
      // Arrow keys and quick corrections: one reshape that was never sent takes the place of the other.
      record.border = operation.border;
      record.after = after;
    } else {
      record = { id: newId(), cell, ...operation, after, image: this.image, tab: this.#tab };
      record.sequence = this.#journal.nextSequence();
      this.#waiting.push(record);
    }
    this.#keep(record);
    if (!this.#failures) this.due = 0;
    this.#tell("change");
    return record.version + 1;
  }

  /** Take over records of an earlier visit or of a tab that has ended. */
  take(records) {
    const aside = [...this.problems.values()].flatMap((problem) => problem.records);
    const known = new Set([...this.records, ...aside].map(({ id }) => id));
    for (const record of records) {
      if (known.has(record.id)) continue;
      if (record.problem) {
        const { key } = record.problem;
        if (!this.problems.has(key)) this.problems.set(key, { ...record.problem, cell: record.cell, records: [] });
        this.problems.get(key).records.push(record);
      } else {
        // It may have been sent: its content must stay as it is.
        record.tried = true;
        this.#waiting.push(record);
      }
    }
    this.#waiting.sort((a, b) => a.sequence - b.sequence);
    for (const problem of this.problems.values()) problem.mine ??= stateOfAll(problem);
    this.#tell("taken-over");
    this.#tell("change");
  }

  /** The person has dealt with a problem: its records are no longer needed. */
  settle(problem) {
    this.problems.delete(problem.key);
    for (const record of problem.records) this.#journal.remove(record.id);
    this.#tell("change");
  }

  /** Try at once, whatever happened before. */
  hurry() {
    this.due = 0;
  }

  /** Send the next batch. Never throws: what fails is tried again when `due`. */
  async send() {
    this.#sending = this.#waiting.splice(0, this.#size);
    const batch = this.#sending;
    for (const record of batch) record.tried = true;
    this.#tell("change");
    await Promise.all(batch.map((record) => record.kept));
    let reason;
    try {
      reason = await this.#post(batch);
    } catch (error) {
      reason = silence(error);
    }
    this.#sending = [];
    if (reason) this.#failed(batch, reason);
    else this.#succeeded();
    this.#tell("change");
  }

  #failed(batch, reason) {
    this.#waiting.unshift(...batch);
    this.reason = reason;
    this.due = Date.now() + Math.min(LAST_RETRY, FIRST_RETRY * 2 ** this.#failures++);
  }

  #succeeded() {
    this.#failures = 0;
    this.reason = "";
    this.due = 0;
    this.#size = Math.min(BATCH, this.#size * 2);
  }

  /** Send a batch; undefined when it is settled, else why it has to be sent again. */
  async #post(batch) {
    const response = await this.#connection.post(this.#url, { operations: batch.map(asSent) });
    const { status, answer } = response;
    if (answer?.results && (status === 200 || status === 412)) {
      this.#take(batch, answer);
      return undefined;
    }
    if (status === 400 || status === 413) {
      // Doubled again as what is settled: the next goes alone.
      this.#size = 0.5;
      if (batch.length > 1) this.#waiting.unshift(...batch);
      else this.#setAside(batch[0], batch, "refused", "The server did not understand the change.", null);
      return undefined;
    }
    if (status === 500 && this.#failures >= SUSPECT) {
      // The server may stumble over one cell only: those of the others go first.
      if (batch.length === 1) this.#goLast(batch);
      this.#size = 1;
    }
    return reasonOf(response);
  }

  #goLast(batch) {
    const [{ cell }] = batch;
    const own = [...batch, ...this.#waiting.filter((record) => record.cell === cell)];
    this.#waiting = [...this.#waiting.filter((record) => record.cell !== cell), ...own];
    batch.length = 0;
  }

  #take(batch, { results, image_state: state, revision }) {
    const sent = new Map(batch.map((record) => [record.id, record]));
    const aside = new Set();
    const fresh = new Map();
    for (const { id, status, reason, cell } of results) {
      const record = sent.get(id);
      if (!record || aside.has(record.cell)) continue;
      if (status === "stale" || status === "refused") {
        aside.add(record.cell);
        fresh.delete(record.cell);
        const kind = status === "stale" ? "conflict" : "refused";
        this.#setAside(record, batch.slice(batch.indexOf(record)), kind, reason ?? "", cell);
      } else {
        this.#journal.remove(id);
        // As the server has mended it; unless there is more to come, which is newer than this answer.
        if (!this.#waiting.some((other) => other.cell === record.cell)) fresh.set(record.cell, cell);
      }
    }
    this.#tell("settled", { cells: [...fresh.values()], state, revision });
  }

  /** What is to follow for a cell waits for the person; it stays in the journal, marked. */
  #setAside({ cell }, unsettled, kind, reason, theirs) {
    const own = (record) => record.cell === cell;
    const records = [...unsettled.filter(own), ...this.#waiting.filter(own)];
    this.#waiting = this.#waiting.filter((record) => !own(record));
    const problem = { key: records[0].id, cell, kind, reason, theirs, records };
    problem.mine = stateOfAll(problem);
    if (theirs && sameState(problem.mine, stateOf(theirs))) {
      // Both did the same.
      for (const record of records) this.#journal.remove(record.id);
      this.#tell("settled", { cells: [theirs] });
      return;
    }
    this.problems.set(problem.key, problem);
    for (const record of records) {
      record.problem = { key: problem.key, kind, reason, theirs };
      this.#keep(record);
    }
    this.#tell("problem", { problem });
  }

  #keep(record) {
    const { kept, ...whole } = record;
    record.kept = this.#journal.put(whole);
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/**
 * What the records of a problem would have made of the cell. What they do not touch is as the other has it: who keeps
 * their own border does not take the other's labels away.
 */
function stateOfAll({ records, theirs }) {
  const base = stateOf(theirs);
  // An operation that an earlier version kept says only what it does.
  const mine = records.reduce((state, record) => record.after ?? stateAfter(state, record), base);
  if (!base || base.status === "deleted") return mine;
  const labels = records.some(({ kind }) => kind === "label");
  const border = records.some(({ kind }) => kind !== "label");
  const { status, border: drawn } = border ? mine : base;
  return { ...(labels ? mine : base), status, border: drawn };
}
