// The queue of operations on their way to the server: in order, in batches, again and again until confirmed.
import { csrfToken } from "../csrf.js";
import { stateAfter, stateOf } from "./cells.js";
import { boundsOf } from "./geometry.js";
import { newId } from "./new-id.js";

const WAIT = 120; // ms: what follows within it goes in the same batch
const BATCH = 200;
const FIRST_RETRY = 1_000;
const LAST_RETRY = 30_000;

/**
 * Dispatches
 *   "status"   detail {status: "saved" | "saving" | "failed", reason}
 *   "conflict" detail {theirs: CELL, mine: state}   somebody else changed the cell; it shows theirs now
 *   "refused"  detail {reason, cell: id}            the server cannot take the change; it is undone here
 *   "state"    detail {state}                       the image's state after a save
 */
export class OperationQueue extends EventTarget {
  #url;
  #cells;
  #journal;
  #waiting = [];
  #sending = null;
  #timer = null;
  #failures = 0;
  #idle = [];
  #alone = false;

  constructor(url, cells, journal) {
    super();
    this.#url = url;
    this.#cells = cells;
    this.#journal = journal;
    addEventListener("online", () => this.#soon(0));
    addEventListener("focus", () => this.#failures && this.#soon(0));
  }

  get unsaved() {
    return this.#waiting.length > 0 || this.#sending !== null;
  }

  /** Take up what an earlier visit could not save: shown at once, sent again. */
  resume() {
    for (const operation of this.#journal.read()) {
      const cell = this.#cells.get(operation.cell);
      if ((cell?.version ?? 0) === operation.version) this.#show(cell, operation);
      this.#waiting.push(operation);
    }
    if (this.#waiting.length) this.#soon(0);
  }

  /** Change a cell here and now, and on the server as soon as it can be had. */
  add(cellId, operation) {
    const cell = this.#cells.get(cellId);
    const last = this.#waiting.findLast((other) => other.cell === cellId);
    if (operation.kind === "reshape" && last?.kind === "reshape" && !last.tried) {
      // Arrow keys and quick corrections: one reshape that was never sent takes the place of the other.
      last.border = operation.border;
      this.#keep(last);
      this.#show(cell, last);
    } else {
      const whole = { id: newId(), cell: cellId, version: cell?.version ?? 0, ...operation };
      this.#keep(whole);
      this.#waiting.push(whole);
      this.#show(cell, whole);
    }
    this.#tell("saving");
    this.#soon(this.#failures ? undefined : WAIT);
  }

  /** Resolves when everything is saved, or after `limit` ms; true where it is. */
  async flushed(limit) {
    if (!this.unsaved) return true;
    this.#soon(0);
    const done = new Promise((resolve) => this.#idle.push(() => resolve(true)));
    const late = new Promise((resolve) => setTimeout(() => resolve(false), limit));
    return Promise.race([done, late]);
  }

  #keep(operation) {
    try {
      this.#journal.put(operation);
    } catch {
      // No room in the browser's storage: the queue in memory and the warning on leaving remain.
    }
  }

  #show(cell, operation) {
    const state = stateAfter(stateOf(cell), operation);
    // A cell that becomes a proposal again gets its border from what was proposed.
    if (operation.kind === "restore" && operation.status === "proposed" && cell.proposed) state.border = cell.proposed;
    this.#cells.set({ ...newCell(operation.cell), ...cell, ...state, bounds: boundsOf(state.border), version: operation.version + 1 });
  }

  #soon(delay) {
    if (this.#sending) return;
    if (delay === undefined && this.#timer) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#send(), delay ?? FIRST_RETRY);
  }

  async #send() {
    this.#timer = null;
    if (this.#sending || !this.#waiting.length) return;
    // After a batch that the server could not even read, one at a time finds the one that is at fault.
    this.#sending = this.#waiting.splice(0, this.#alone ? 1 : BATCH);
    for (const operation of this.#sending) operation.tried = true;
    if (!this.#failures) this.#tell("saving");
    let reason;
    try {
      reason = await this.#post(this.#sending);
    } catch {
      reason = navigator.onLine ? "the server cannot be reached" : "no connection";
    }
    if (reason) {
      this.#waiting.unshift(...this.#sending);
      this.#sending = null;
      const delay = Math.min(LAST_RETRY, FIRST_RETRY * 2 ** this.#failures++);
      this.#tell("failed", reason);
      this.#soon(delay);
      return;
    }
    this.#sending = null;
    this.#failures = 0;
    if (this.#waiting.length) {
      this.#soon(0);
    } else {
      this.#alone = false;
      this.#tell("saved");
      for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  /** Send a batch; undefined when it is settled, else why it has to be sent again. */
  async #post(batch) {
    const body = batch.map(({ id, kind, cell, version, border, labels, confidence, texts, status }) => ({
      id, kind, cell, version, border, labels, confidence, texts, status,
    }));
    const response = await fetch(this.#url, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
      body: JSON.stringify({ operations: body }),
      signal: AbortSignal.timeout(30_000),
    });
    if (response.status === 400) {
      if (batch.length > 1) {
        this.#alone = true;
        this.#waiting.unshift(...batch);
        return undefined;
      }
      this.#drop(batch[0].cell, batch);
      this.#tellOf("refused", { reason: "The server did not understand the change.", cell: batch[0].cell });
      return undefined;
    }
    if (response.status === 403) return "signed out: sign in again in another tab";
    if (response.status === 404) return "this image is no longer open to you";
    if (response.status !== 200 && response.status !== 412) return `the server answers ${response.status}`;
    const answer = await response.json();
    this.#settle(batch, answer.results);
    this.#tellOf("state", { state: answer.image_state });
    return undefined;
  }

  #settle(batch, results) {
    const sent = new Map(batch.map((operation) => [operation.id, operation]));
    const settled = new Set();
    const fresh = [];
    for (const result of results) {
      const operation = sent.get(result.id);
      this.#journal.remove(operation);
      if (settled.has(operation.cell)) continue;
      if (result.status === "stale" || result.status === "refused") {
        settled.add(operation.cell);
        const mine = this.#drop(operation.cell, batch.slice(batch.indexOf(operation)), result.cell);
        if (result.cell) this.#cells.set(this.#merged(result.cell));
        else this.#cells.remove(operation.cell);
        const detail = result.status === "stale" ? { theirs: result.cell, mine } : result;
        this.#tellOf(result.status === "stale" ? "conflict" : "refused", { ...detail, cell: operation.cell });
      } else if (!this.#waiting.some((other) => other.cell === operation.cell)) {
        // As the server has mended it; unless there is more to come, which is newer than this answer.
        fresh.push(this.#merged(result.cell));
      }
    }
    const last = new Map(fresh.filter((cell) => !settled.has(cell.id)).map((cell) => [cell.id, cell]));
    if (last.size) this.#cells.setAll([...last.values()]);
  }

  #merged(cell) {
    return { ...cell, proposed: this.#cells.get(cell.id)?.proposed };
  }

  /** Forget what was to follow for a cell; what it all would have made of the cell. */
  #drop(cellId, unsettled, base = null) {
    const own = [...unsettled, ...this.#waiting].filter((operation) => operation.cell === cellId);
    this.#waiting = this.#waiting.filter((operation) => operation.cell !== cellId);
    for (const operation of own) this.#journal.remove(operation);
    const start = base ? stateOf(base) : null;
    return own.reduce((state, operation) => stateAfter(state, operation), start);
  }

  #tell(status, reason = "") {
    this.#tellOf("status", { status, reason });
  }

  #tellOf(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** A cell that only this browser knows of. */
function newCell(id) {
  return { id, version: 0, status: "confirmed", origin: "drawn", score: null, ignored: false, ignored_class: "", labels: [] };
}
