// Others at the same image: who they are, and what they change, about once a second.
import { boundsOf } from "../cells/geometry.js";

const BEAT = 1_000; // ms between questions while the page is in sight
const BEAT_HIDDEN = 5_000;
const BEAT_TROUBLE = 4_000;

/**
 * Dispatches
 *   "others"    detail {others: [{id, name}]}
 *   "assignee"  detail {assignee: {id, name} | null}
 *   "state"     detail {state, revision}   the image's state, whoever changed it
 *   "changed"   detail {cells}       cells that somebody else has changed just now, as they are
 *   "replaced"                       proposals were replaced: the image is to be read anew
 */
export class Company extends EventTarget {
  #connection;
  #url;
  #pointer;
  #session = null;
  #since = 0;
  #timer = null;
  #asking = null;

  /** `url(image)`: where presence is told; `pointer`: the editor's, which must not lose what it is dragging. */
  constructor({ connection, url, pointer }) {
    super();
    this.#connection = connection;
    this.#url = url;
    this.#pointer = pointer;
    document.addEventListener("visibilitychange", () => this.#soon(0));
    addEventListener("pagehide", () => this.#leave());
  }

  show(session) {
    if (this.#session) this.#leave();
    this.#session = session;
    this.#since = session.image.revision ?? 0;
    this.#tell("others", { others: [] });
    this.#tell("assignee", { assignee: session.image.assignee ?? null });
    this.#soon(0);
  }

  /** Ask now: something of the image was changed beside its cells. */
  hurry() {
    this.#soon(0);
  }

  #leave() {
    // The page may go before its image has come.
    if (!this.#session) return;
    const { image } = this.#session;
    this.#connection
      .post(this.#url(image.id), { since: this.#since, leaving: true }, { keepalive: true })
      .catch(() => {});
  }

  #soon(delay) {
    if (!this.#session) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), delay);
  }

  async #ask() {
    // One question at a time; what hurries waits for the answer.
    if (this.#asking) {
      await this.#asking;
      this.#soon(0);
      return;
    }
    const session = this.#session;
    this.#asking = this.#beat(session);
    const well = await this.#asking;
    this.#asking = null;
    if (session !== this.#session) return;
    this.#soon(well ? (document.hidden ? BEAT_HIDDEN : BEAT) : BEAT_TROUBLE);
  }

  async #beat(session) {
    let response;
    try {
      response = await this.#connection.post(this.#url(session.image.id), { since: this.#since });
    } catch {
      return false;
    }
    if (session !== this.#session) return true;
    if (!response.ok) return false;
    this.#take(session, response.answer);
    return true;
  }

  #take(session, answer) {
    this.#tell("others", { others: answer.others });
    this.#tell("assignee", { assignee: answer.assignee });
    session.comments.merge(answer.comments);
    this.#tell("state", { state: answer.state, revision: answer.revision });
    if (answer.reload) {
      this.#since = answer.revision;
      this.#tell("replaced", {});
      return;
    }
    // What is under the hand stays as it was seen: its drop then is a conflict, not an overwriting. Told again.
    if (this.#pointer.handlingDownUpSequence && answer.cells.length) return;
    // What is on its way here may be answered with an earlier version than this one: told again after that.
    if (!answer.cells.some(({ id }) => session.changes.pending(id))) this.#since = answer.revision;
    const changed = new Set(session.changes.merge(answer.cells));
    if (!changed.size) return;
    for (const id of changed) session.history.forget(id);
    const cells = answer.cells.filter(({ id }) => changed.has(id));
    this.#tell("changed", { cells: cells.map((cell) => ({ ...cell, bounds: boundsOf(cell.border) })) });
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
