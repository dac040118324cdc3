// What happens meanwhile: labels that others set, and heads that learn from labels.

const EVERY = 2_500; // ms
const SOON = 500; // after a label was saved
const LATER = 10_000; // while nobody looks

/**
 * Dispatches
 *   "cells"    detail {versions}   which version cells have by now that somebody changed
 *   "heads"    detail {heads, models}   how the heads stand (inference/interactive.py); and, where it was asked, of
 *                               which labels a model speaks, and a sentence for each model that does
 *   "learned"                   a head has learned: its probabilities are others now
 */
export class News extends EventTarget {
  #connection;
  #newsUrl;
  #labelledUrl;
  #since = "";
  #finished = new Map();
  #groups = new Set();
  #timer = null;
  #telling = null;

  constructor(connection, { newsUrl, labelledUrl }) {
    super();
    this.#connection = connection;
    this.#newsUrl = newsUrl;
    this.#labelledUrl = labelledUrl;
    document.addEventListener("visibilitychange", () => document.hidden || this.#ask());
  }

  start() {
    this.#ask();
  }

  /** Labels of these groups were saved: tell the heads, once for all that is saved within a moment. */
  saved(groups) {
    for (const group of groups) this.#groups.add(group);
    this.#telling ??= setTimeout(() => this.#tellHeads(), SOON);
  }

  async #tellHeads() {
    this.#telling = null;
    const groups = [...this.#groups];
    if (!groups.length) return;
    this.#groups.clear();
    try {
      const { ok, answer } = await this.#connection.post(this.#labelledUrl, { groups });
      if (ok) this.#heads(answer.heads);
    } catch {
      // The labels are saved; with the next ones the heads learn these too.
    }
  }

  async #ask() {
    clearTimeout(this.#timer);
    try {
      const { ok, answer } = await this.#connection.get(
        `${this.#newsUrl}?${new URLSearchParams({ since: this.#since })}`,
      );
      if (ok) {
        this.#since = answer.now;
        this.#tell("cells", { versions: new Map(Object.entries(answer.cells)) });
        this.#heads(answer.heads, { labels: answer.modelled, sentences: answer.said_by });
      }
    } catch {
      // Asked again soon; saving says it if the server is gone.
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), document.hidden ? LATER : EVERY);
  }

  #heads(heads, models) {
    let learned = false;
    for (const { group, finished_at: at } of heads) {
      if (this.#finished.has(group) && this.#finished.get(group) !== at) learned = true;
      this.#finished.set(group, at);
    }
    this.#tell("heads", { heads, models });
    if (learned) this.#tell("learned");
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
