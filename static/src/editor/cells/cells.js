// The cells of the image as the person sees them now: what the server has, and on top what is still to be saved.
import { areaOf, boundsOf, contains, nearestEdge, sameBorder } from "./geometry.js";

/**
 * What a person can change about a cell: {status, border, labels: [label ids], confidence: {label id: 0..1},
 * texts: {attribute id: text}}; `null` stands for a cell that does not exist yet.
 */
export const stateOf = (cell) =>
  cell
    ? {
        status: cell.status,
        border: cell.border,
        labels: [...(cell.labels ?? [])],
        confidence: { ...cell.confidence },
        texts: { ...cell.texts },
      }
    : null;

const sameLabels = (a, b) => a.length === b.length && a.every((id) => b.includes(id));

function sameEntries(a = {}, b = {}) {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

/** What is said of a cell as it is kept: no confidence in a label that is not chosen, no empty text. */
function said({ labels = [], confidence = {}, texts = {} }) {
  const kept = (entries, keep) => Object.fromEntries(Object.entries(entries).filter(keep));
  return {
    labels,
    confidence: kept(confidence, ([id, value]) => labels.includes(Number(id)) && value !== null),
    texts: kept(texts, ([, text]) => text),
  };
}

/** Whether two states say the same of a cell: labels, how sure of each, and texts. */
export function sameSaid(a, b) {
  [a, b] = [said(a), said(b)];
  return sameLabels(a.labels, b.labels) && sameEntries(a.confidence, b.confidence) && sameEntries(a.texts, b.texts);
}

export const sameState = (a, b) =>
  a === b || Boolean(a && b && a.status === b.status && sameBorder(a.border, b.border) && sameSaid(a, b));

/** The operation that says all of what a state says of a cell; what is empty is left out. */
export function saying(state) {
  const { labels, confidence, texts } = said(state);
  const operation = { kind: "label", labels };
  if (Object.keys(confidence).length) operation.confidence = confidence;
  if (Object.keys(texts).length) operation.texts = texts;
  return operation;
}

/** The operations (without ids and versions) that lead a cell from one state to another. */
export function operationsBetween(from, to) {
  const operations = [];
  if (!from) {
    operations.push({ kind: "create", border: to.border });
    from = { status: "confirmed", border: to.border };
  }
  // What is said of it before a deletion, after anything else: a deleted cell takes nothing.
  const relabel = sameSaid(from, to) ? [] : [saying(to)];
  if (to.status === "deleted") {
    if (from.status === "deleted") return operations;
    return [...operations, ...relabel, { kind: "delete" }];
  }
  if (to.status === "proposed") {
    // The server keeps what was proposed: a proposal comes back exactly as it was.
    if (from.status !== "proposed") operations.push({ kind: "restore", status: "proposed" });
  } else {
    const same = sameBorder(from.border, to.border);
    if (from.status === "deleted") operations.push({ kind: "restore", status: "confirmed" });
    else if (from.status === "proposed" && same) operations.push({ kind: "accept" });
    if (!same) operations.push({ kind: "reshape", border: to.border });
  }
  return [...operations, ...relabel];
}

/** The state that an operation makes of another: what the server will answer, before it has. */
export function stateAfter(state, operation) {
  switch (operation.kind) {
    case "create":
      return { status: "confirmed", border: operation.border, labels: [], confidence: {}, texts: {} };
    case "reshape":
      return { ...state, status: "confirmed", border: operation.border };
    case "accept":
      return { ...state, status: "confirmed" };
    case "delete":
      return { ...state, status: "deleted" };
    case "restore":
      return { ...state, status: operation.status ?? "confirmed" };
    case "label":
      return { ...state, ...said(operation) };
  }
  return state;
}

/** Cells by id. Dispatches "change" with detail {ids} (null: all of them), once for all that changes at a time. */
export class Cells extends EventTarget {
  #byId = new Map();
  #changed = new Set();
  #all = false;
  #due = false;

  load(cells) {
    this.#byId = new Map(cells.map((cell) => [cell.id, cell]));
    this.#tell(null);
  }

  get(id) {
    return this.#byId.get(id);
  }

  set(cell) {
    this.#byId.set(cell.id, cell);
    this.#tell([cell.id]);
  }

  setAll(cells) {
    for (const cell of cells) this.#byId.set(cell.id, cell);
    this.#tell(cells.map((cell) => cell.id));
  }

  /** Take cells as the server confirms them; only those that it has mended are told, as nothing else looks otherwise. */
  confirm(cells) {
    const mended = cells.filter((cell) => !sameState(stateOf(this.#byId.get(cell.id)), stateOf(cell)));
    for (const cell of cells) this.#byId.set(cell.id, cell);
    if (mended.length) this.#tell(mended.map((cell) => cell.id));
  }

  remove(id) {
    this.#byId.delete(id);
    this.#tell([id]);
  }

  /** What is drawn, in the order in which it came. */
  shown() {
    return [...this.#byId.values()].filter((cell) => cell.status !== "deleted");
  }

  proposals() {
    return this.shown().filter((cell) => cell.status === "proposed");
  }

  #tell(ids) {
    if (ids) for (const id of ids) this.#changed.add(id);
    else this.#all = true;
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      const detail = { ids: this.#all ? null : [...this.#changed] };
      this.#due = this.#all = false;
      this.#changed.clear();
      this.dispatchEvent(new CustomEvent("change", { detail }));
    });
  }
}

/** Of some cells the one that a click at a point means: an edge within reach, else the smallest that contains it. */
export function cellAt(cells, point, reach) {
  let best = null;
  for (const cell of cells) {
    const [x0, y0, x1, y1] = boundsOf(cell.border);
    if (point[0] < x0 - reach || point[0] > x1 + reach || point[1] < y0 - reach || point[1] > y1 + reach) continue;
    const onEdge = nearestEdge(cell.border, point).distance <= reach;
    if (!onEdge && !contains(cell.border, point)) continue;
    const rank = (cell.ignored ? 1e12 : 0) + areaOf(cell.border);
    if (!best || rank < best.rank) best = { cell, rank };
  }
  return best?.cell ?? null;
}
