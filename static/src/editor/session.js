// One image while it is open: its cells, what is selected, what can be undone, and the way of changes to the server.
import { Cells } from "./cells.js";
import { History } from "./history.js";
import { Journal } from "./journal.js";
import { OperationQueue } from "./operations.js";
import { Selection } from "./selection.js";

/** What a proposal was is kept, so that undo can show it before the server answers. */
export const received = (cells) =>
  cells.map((cell) => (cell.status === "proposed" ? { ...cell, proposed: cell.border } : cell));

export class ImageSession {
  cells = new Cells();
  selection = new Selection();
  #left = new AbortController();

  /** `image` is what the API says of it, `picture` its decoded pixels, `urls` where its changes go. */
  constructor(image, picture, scheme, urls, user) {
    Object.assign(this, { image, picture, scheme, urls });
    this.journal = new Journal(user, image.id);
    this.queue = new OperationQueue(urls.operations, this.cells, this.journal);
    this.history = new History(this.cells, this.queue);
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
