// One image while it is open: its cells, what is selected, what can be undone, and the way of changes to the server.
import { Cells } from "./cells/cells.js";
import { Comments } from "./comments/comments.js";
import { History } from "./cells/history.js";
import { Selection } from "./cells/selection.js";
import { Changes } from "./sync/changes.js";

/** What a proposal was is kept, so that undo can show it before the server answers. */
const received = (cells) =>
  cells.map((cell) => (cell.status === "proposed" ? { ...cell, proposed: cell.border } : cell));

export class ImageSession {
  cells = new Cells();
  selection = new Selection();
  #left = new AbortController();
  #coming;

  /** `image` is what the API says of it, `coming` its pixels (image-loader.js), `outbox` what sends its changes. */
  constructor(image, coming, scheme, outbox) {
    Object.assign(this, { image, scheme });
    this.#coming = coming;
    this.changes = new Changes(outbox, outbox.line(image.id), this.cells, this.signal);
    this.history = new History(this.cells, this.changes);
    this.comments = new Comments(image.comments);
  }

  /** Take the cells as the server gives them; what is not saved yet stays on top of them. */
  load(image) {
    this.history.clear();
    this.cells.load(received(image.cells));
    this.changes.resume();
  }

  /** The decoded pixels; null as long as they are on their way. */
  get picture() {
    return this.#coming.bitmap;
  }

  /** Call something as soon as the pixels are decoded: now, where they are. Never after the image was left. */
  pictured(then) {
    if (this.picture) then();
    else this.#coming.ready.then(() => this.signal.aborted || then()).catch(() => {});
  }

  /** Listeners on what belongs to an image take this signal: they end when the image is left. */
  get signal() {
    return this.#left.signal;
  }

  /** Let go of the image. What is still to be saved goes on being saved. */
  leave() {
    this.#left.abort();
  }
}
