// Files on their way to the server: a few at a time, in order, each ending in one status.

const SETTLED = ["stored", "duplicate", "refused", "failed"];

export class UploadQueue {
  /**
   * @param {{atOnce: number, send: (entry: object) => Promise<object>, changed: (entry: object) => void}} options
   *   send resolves to the server's answer {status, image, reason, duplicate_of} and rejects where there was none.
   */
  constructor({ atOnce, send, changed }) {
    Object.assign(this, { atOnce, send, changed, entries: [], running: 0 });
  }

  get busy() {
    return this.entries.some((entry) => entry.status === "waiting" || entry.status === "sending");
  }

  add(entry) {
    this.entries.push(entry);
    this.#set(entry, entry.status);
    this.#next();
  }

  retry(entry) {
    if (entry.status !== "failed") return;
    entry.sent = 0;
    this.#set(entry, "waiting");
    this.#next();
  }

  #set(entry, status) {
    entry.status = status;
    entry.settled = SETTLED.includes(status);
    this.changed(entry);
  }

  async #next() {
    if (this.running >= this.atOnce) return;
    const entry = this.entries.find((each) => each.status === "waiting");
    if (!entry) return;
    this.running += 1;
    this.#set(entry, "sending");
    this.#next();
    try {
      const answer = await this.send(entry);
      entry.reason = answer.reason ?? "";
      entry.image = answer.image;
      entry.duplicateOf = answer.duplicate_of;
      this.#set(entry, answer.status);
    } catch (error) {
      entry.reason = error.message;
      this.#set(entry, "failed");
    } finally {
      this.running -= 1;
      this.#next();
    }
  }
}
