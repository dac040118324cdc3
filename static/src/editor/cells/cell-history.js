// The history of a cell: who did what to it and when, each version as a picture, and back to any of them. Without a
// selected cell: those of the image that were deleted.
import { sameState, stateOf } from "./cells.js";
import { around, drawCrop } from "../map/crop.js";
import { boundsOf } from "./geometry.js";
import { make } from "../make.js";
import { CONFIRMED, PROPOSAL } from "../map/styles.js";
import { reasonOf, silence } from "../sync/connection.js";

export class CellHistory {
  #dialog;
  #list;
  #scheme;
  #editor;
  #connection;
  #url;
  #deletedUrl;
  #session = null;

  /** `url(cell)`: the history of a cell; `deletedUrl(image)`: its deleted cells. */
  constructor(dialog, { scheme, editor, connection, url, deletedUrl }) {
    this.#dialog = dialog;
    this.#list = dialog.querySelector("[data-versions]");
    this.#scheme = scheme;
    this.#editor = editor;
    this.#connection = connection;
    this.#url = url;
    this.#deletedUrl = deletedUrl;
    editor.register({ history: () => this.#open() });
  }

  show(session) {
    this.#session = session;
    if (this.#dialog.open) this.#dialog.close();
  }

  async #open() {
    const session = this.#session;
    const { selected } = this.#editor;
    if (selected.length > 1) {
      this.#editor.say("Select one cell to see its history.");
      return;
    }
    // The history is the server's: what is on its way belongs to it.
    await session.changes.flushed(2_000);
    let response;
    try {
      response = await this.#connection.get(
        selected[0] ? this.#url(selected[0].id) : this.#deletedUrl(session.image.id),
      );
    } catch (error) {
      this.#editor.say(`The history cannot be had: ${silence(error)}.`);
      return;
    }
    if (session !== this.#session) return;
    if (!response.ok)
      this.#editor.say(response.status === 404 ? "This cell is not saved yet." : `${reasonOf(response)}.`);
    else if (selected[0]) this.#showVersions(selected[0].id, response.answer.versions);
    else this.#showDeleted(response.answer.cells);
  }

  #showVersions(id, versions) {
    const bounds = around(versions.map(({ border }) => boundsOf(border)));
    const entries = versions.map((version) => this.#entry(id, version));
    this.#fill("History of this cell", entries);
    entries.forEach((entry, i) => {
      const { border, status } = versions[i];
      const shape = { border, colour: status === "proposed" ? PROPOSAL : CONFIRMED, dashed: status !== "confirmed" };
      drawCrop(entry.querySelector("canvas"), this.#session.picture, bounds, [shape]);
      if (status === "deleted") entry.classList.add("is-deleted");
    });
  }

  #showDeleted(cells) {
    // What was brought back here and is not saved yet is not deleted.
    const gone = cells.filter(({ id }) => (this.#session.cells.get(id)?.status ?? "deleted") === "deleted");
    if (!gone.length) {
      this.#editor.say("No cell of this image was deleted. Select a cell to see its history.");
      return;
    }
    const entries = gone.map((cell) => this.#deleted(cell));
    this.#fill("Deleted cells of this image", entries);
    entries.forEach((entry, i) => {
      const { border } = gone[i];
      drawCrop(entry.querySelector("canvas"), this.#session.picture, boundsOf(border), [{ border, colour: CONFIRMED }]);
    });
  }

  #fill(title, entries) {
    this.#dialog.querySelector("[data-title]").textContent = title;
    this.#list.replaceChildren(...entries);
    this.#dialog.showModal();
  }

  #deleted(cell) {
    const bring = () => {
      const { cells } = this.#session;
      if (!cells.get(cell.id)) cells.set(cell);
      this.#restore(cell.id, { ...stateOf(cells.get(cell.id)), status: "confirmed" });
    };
    const what = cell.origin === "proposal" && cell.score !== null ? `Proposal ${cell.score.toFixed(2)}` : "Cell";
    return this.#item(what, "Deleted", this.#names(cell.labels), this.#button(bring));
  }

  #button(restore) {
    const button = make("button", { type: "button", class: "button button-small", click: restore }, "Restore");
    button.disabled = !this.#editor.canEdit;
    return button;
  }

  #names(labels) {
    const names = this.#scheme.labels.filter(({ id }) => labels.includes(id)).map(({ name }) => name);
    return names.join(", ") || "No label";
  }

  #item(what, by, labels, act) {
    return make(
      "li",
      { class: "version" },
      make("canvas", { width: 120, height: 90, "aria-hidden": "true" }),
      make(
        "div",
        { class: "version-words" },
        make("p", {}, make("strong", {}, what)),
        make("p", { class: "muted small" }, by),
        make("p", { class: "small" }, labels),
      ),
      act,
    );
  }

  #entry(id, { at, user, what, status, border, labels }) {
    const now = this.#session.cells.get(id);
    const target = { ...stateOf(now), status, border, labels };
    const time = new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
    const act = sameState(stateOf(now), target)
      ? make("span", { class: "muted small" }, "As it is now")
      : this.#button(() => this.#restore(id, target));
    return this.#item(what, [user, time].filter(Boolean).join(", "), this.#names(labels), act);
  }

  #restore(id, target) {
    this.#dialog.close();
    const { history, selection } = this.#session;
    if (!history.change([[id, target]], "Restore")) return;
    selection.only(...(target.status === "deleted" ? [] : [id]));
    this.#editor.say("Restored. Ctrl+Z takes it back.");
  }
}
