// Somebody else changed a cell that was changed here too: both borders side by side, and the person's choice.
// Nothing is dropped without it; "not now" keeps the change in the journal.
import { stateOf } from "../cells/cells.js";
import { around, drawCrop } from "../map/crop.js";
import { boundsOf } from "../cells/geometry.js";
import { ago, make } from "../make.js";
import { newId } from "../cells/new-id.js";

// Told apart by colour-blind people too: blue and orange, solid and dashed.
const MINE = "#0a5fd8";
const THEIRS = "#d95f02";
const PATIENCE = 400; // ms between looks whether the person is still drawing

export class ConflictDialog {
  #dialog;
  #scheme;
  #editor;
  #connection;
  #historyUrl;
  #session = null;
  #queue = [];
  #seen = new Set();
  #shown = null;
  #timer = null;

  /** `historyUrl(cell)`: the history of a cell, which knows who changed it. */
  constructor(dialog, { scheme, editor, connection, historyUrl }) {
    this.#dialog = dialog;
    this.#scheme = scheme;
    this.#editor = editor;
    this.#connection = connection;
    this.#historyUrl = historyUrl;
    dialog.addEventListener("close", () => this.#answered(dialog.returnValue));
    dialog.addEventListener("keydown", (event) => {
      const value = { m: "mine", t: "theirs", b: "both" }[event.key.toLowerCase()];
      const button = value && dialog.querySelector(`button[value="${value}"]`);
      if (button && !button.hidden && !event.ctrlKey && !event.metaKey) button.click();
    });
  }

  show(session) {
    this.#session = session;
    this.#queue = [];
    this.#seen.clear();
    const { changes, signal } = session;
    changes.addEventListener(
      "problems",
      () => {
        for (const problem of changes.problems) {
          if (problem.kind !== "conflict" || this.#seen.has(problem.key)) continue;
          this.#seen.add(problem.key);
          session.history.forget(problem.cell);
          this.#queue.push(problem);
        }
        this.#next();
      },
      { signal },
    );
    signal.addEventListener("abort", () => this.#dialog.open && this.#dialog.close(""));
  }

  /** Ask about a conflict again. */
  ask(problem) {
    this.#queue.unshift(problem);
    this.#next();
  }

  #next() {
    clearTimeout(this.#timer);
    if (this.#shown) {
      this.#more();
      return;
    }
    if (!this.#queue.length) return;
    const { pointer } = this.#editor;
    if (document.querySelector("dialog[open]") || pointer.handlingDownUpSequence || pointer.tool.drawing) {
      this.#timer = setTimeout(() => this.#next(), PATIENCE);
      return;
    }
    const problem = this.#queue.shift();
    const { cells, changes } = this.#session;
    if (!changes.problems.some(({ key }) => key === problem.key)) {
      this.#next();
      return;
    }
    const theirs = cells.get(problem.cell) ?? problem.theirs;
    this.#shown = { session: this.#session, problem };
    this.#fill(problem.mine, theirs);
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
    this.#draw(problem.mine, theirs);
    this.#more();
    this.#nameThem(problem);
  }

  #fill(mine, theirs) {
    const gone = theirs.status === "deleted";
    this.#part("title").textContent = gone
      ? "Somebody else deleted this cell, and you changed it"
      : `Somebody else changed this cell, and you ${mine.status === "deleted" ? "deleted" : "changed"} it too`;
    this.#part("who").textContent = "";
    this.#side("mine", mine, stateOf(theirs));
    this.#side("theirs", stateOf(theirs), mine);
    const both = this.#dialog.querySelector('button[value="both"]');
    both.hidden = gone || mine.status === "deleted";
  }

  #side(name, state, other) {
    const side = this.#dialog.querySelector(`[data-side="${name}"]`);
    const words = { deleted: "Deleted", proposed: "Open proposal", confirmed: "" }[state.status];
    side.querySelector("[data-status]").textContent = words;
    side.classList.toggle("is-deleted", state.status === "deleted");
    const list = side.querySelector("[data-labels]");
    list.replaceChildren(
      ...this.#scheme.labels
        .filter(({ id }) => state.labels.includes(id) || other.labels.includes(id))
        .map(({ id, name: text, colour }) =>
          this.#label(text, colour, state.labels.includes(id), other.labels.includes(id)),
        ),
    );
    if (!list.children.length) list.append(make("li", { class: "muted" }, "No label"));
  }

  #label(text, colour, has, otherHas) {
    const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = has ? colour : "none";
    const difference = has === otherHas ? null : make("span", { class: "difference" }, has ? "only here" : "not here");
    return make("li", { class: has ? null : "muted" }, swatch, make("span", {}, text), difference);
  }

  #draw(mine, theirs) {
    const { picture } = this.#session;
    const bounds = around([boundsOf(mine.border), boundsOf(theirs.border)]);
    const shape = ({ status, border }, colour, dashed) => (status === "deleted" ? [] : [{ border, colour, dashed }]);
    const draw = (name, shapes) => {
      drawCrop(this.#dialog.querySelector(`[data-side="${name}"] canvas`), picture, bounds, shapes);
    };
    draw("mine", shape(mine, MINE, false));
    draw("theirs", shape(theirs, THEIRS, true));
  }

  async #nameThem({ cell, key }) {
    const { ok, answer } = await this.#connection.get(this.#historyUrl(cell)).catch(() => ({ ok: false }));
    const last = ok && answer.versions[0];
    if (!last?.user || this.#shown?.problem.key !== key) return;
    this.#part("title").textContent = this.#part("title").textContent.replace("Somebody else", last.user);
    this.#part("who").textContent = `${last.user}: ${last.what.toLowerCase()}, ${ago(last.at)}.`;
    this.#dialog.querySelector('[data-side="theirs"] figcaption').textContent = `Theirs (${last.user})`;
  }

  #more() {
    const more = this.#queue.length;
    this.#part("more").textContent = more ? `${more} more after this one` : "";
  }

  #part(name) {
    return this.#dialog.querySelector(`[data-${name}]`);
  }

  #answered(choice) {
    const { session, problem } = this.#shown;
    this.#shown = null;
    const { changes, history } = session;
    const name = { mine: "Keep mine", both: "Keep both" }[choice];
    // The change is in the journal again before its earlier form leaves it.
    if (choice === "mine") history.change([[problem.cell, problem.mine]], name);
    if (choice === "both") history.change([[newId(), { ...problem.mine, status: "confirmed" }]], name);
    if (["mine", "theirs", "both"].includes(choice)) changes.discard(problem);
    if (session === this.#session) this.#next();
  }
}
