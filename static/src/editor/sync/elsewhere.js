// What the person should know of saving beyond the image that is open: other images whose changes wait for them, and
// a browser that keeps nothing.

export class Elsewhere {
  #outbox;
  #journal;
  #notices;
  #connection;
  #imageUrl;
  #open;
  #image = null;
  #said = new Set();

  /** `imageUrl(id)`: what the API says of an image; `open(id)` opens it. */
  constructor({ outbox, journal, notices, connection, imageUrl, open }) {
    this.#outbox = outbox;
    this.#journal = journal;
    this.#notices = notices;
    this.#connection = connection;
    this.#imageUrl = imageUrl;
    this.#open = open;
    outbox.addEventListener("problem", () => this.#tell());
    journal.addEventListener("trouble", ({ detail }) => this.#forgetful(detail.error));
  }

  show({ image }) {
    this.#image = image.id;
    this.#notices.remove(`elsewhere-${image.id}`);
    this.#said.delete(image.id);
    this.#tell();
    if (!this.#journal.durable) this.#forgetful(null);
  }

  #tell() {
    for (const [id, count] of this.#outbox.problems) {
      if (id === this.#image || this.#said.has(id)) continue;
      this.#said.add(id);
      this.#notice(id, count);
    }
  }

  async #notice(id, count) {
    // The journal holds no names.
    const found = await this.#connection.get(this.#imageUrl(id)).catch(() => null);
    const name = found?.ok ? found.answer.name : `Image ${id}`;
    if (id === this.#image) return;
    const notice = this.#notices.show(
      `elsewhere-${id}`,
      `${name} has ${count === 1 ? "a change" : `${count} changes`} that could not be saved.`,
      "Open it to choose what becomes of it.",
      [["Open it", () => this.#open(id)], ["Later"]],
    );
    notice.dataset.page = "";
  }

  #forgetful(error) {
    const full = error?.name === "QuotaExceededError";
    const notice = this.#notices.show(
      "forgetful",
      full ? "This browser's storage is full." : "This browser does not let the page keep anything.",
      "Changes are saved on the server as usual; but one that is not saved yet is lost if this tab is closed.",
      [["Understood"]],
    );
    notice.dataset.page = "";
  }
}
