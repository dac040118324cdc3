// The history of a cell: who did what to it and when, each version as a picture, and back to any of them.
import { sameState, stateOf } from "./cells.js";
import { around, drawCrop } from "./crop.js";
import { boundsOf } from "./geometry.js";
import { make } from "./make.js";
import { CONFIRMED, PROPOSAL } from "./styles.js";
import { reasonOf, silence } from "./sync/connection.js";

export class CellHistory {
  #dialog;
  #list;
  #scheme;
  #editor;
  #connection;
  #url;
  #session = null;

  /** `url(cell)`: the history of a cell. */
  constructor(dialog, { scheme, editor, connection, url }) {
    this.#dialog = dialog;
    this.#list = dialog.querySelector("[data-versions]");
    this.#scheme = scheme;
    this.#editor = editor;
    this.#connection = connection;
    this.#url = url;
    editor.register({ history: () => this.#open() });
  }

  show(session) {
    this.#session = session;
    if (this.#dialog.open) this.#dialog.close();
  }

  async #open() {
    const session = this.#session;
    const [cell, ...others] = this.#editor.selected;
    if (!cell || others.length) {
      this.#editor.say("Select one cell to see its history.");
      return;
    }
    // The history is the server's: what is on its way belongs to it.
    await session.changes.flushed(2_000);
    let response;
    try {
      response = await this.#connection.get(this.#url(cell.id));
    } catch (error) {
      this.#editor.say(`The history cannot be had: ${silence(error)}.`);
      return;
    }
    if (session !== this.#session) return;
    if (!response.ok) this.#editor.say(response.status === 404 ? "This cell is not saved yet." : `${reasonOf(response)}.`);
    else this.#fill(cell.id, response.answer.versions);
  }

  #fill(id, versions) {
    const bounds = around(versions.map(({ border }) => boundsOf(border)));
    const entries = versions.map((version) => this.#entry(id, version));
    this.#list.replaceChildren(...entries);
    this.#dialog.showModal();
    entries.forEach((entry, i) => {
      const { border, status } = versions[i];
      const shape = { border, colour: status === "proposed" ? PROPOSAL : CONFIRMED, dashed: status !== "confirmed" };
      drawCrop(entry.querySelector("canvas"), this.#session.picture, bounds, [shape]);
      if (status === "deleted") entry.classList.add("is-deleted");
    });
  }

  #entry(id, version) {
    const { at, user, what, status, labels } = version;
    const names = this.#scheme.labels.filter((label) => labels.includes(label.id)).map((label) => label.name);
    const now = this.#session.cells.get(id);
    const target = { ...stateOf(now), status, border: version.border, labels };
    const current = sameState(stateOf(now), target);
    const time = new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
    const act = current
      ? make("span", { class: "muted small" }, "As it is now")
      : make("button", { type: "button", class: "button button-small", click: () => this.#restore(id, target) }, "Restore");
    if (!current) act.disabled = !this.#editor.canEdit;
    return make(
      "li",
      { class: "version" },
      make("canvas", { width: 120, height: 90, "aria-hidden": "true" }),
      make(
        "div",
        { class: "version-words" },
        make("p", {}, make("strong", {}, what)),
        make("p", { class: "muted small" }, [user, time].filter(Boolean).join(", ")),
        make("p", { class: "small" }, names.join(", ") || "No label"),
      ),
      act,
    );
  }

  #restore(id, target) {
    this.#dialog.close();
    const { history, selection } = this.#session;
    if (!history.change([[id, target]], "Restore")) return;
    selection.only(...(target.status === "deleted" ? [] : [id]));
    this.#editor.say("Restored. Ctrl+Z takes it back.");
  }
}
