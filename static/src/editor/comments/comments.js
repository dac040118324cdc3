// What people say about the image that is open: threads of a first comment and its answers.
import { newId } from "../cells/new-id.js";
import { reasonOf, silence } from "../sync/connection.js";

/** Dispatches "change". */
export class Comments extends EventTarget {
  #byId = new Map();

  constructor(comments = []) {
    super();
    this.merge(comments);
  }

  /** Comments as the server gives them, new ones and changed ones. */
  merge(comments) {
    const fresh = comments.filter((comment) => JSON.stringify(this.#byId.get(comment.id)) !== JSON.stringify(comment));
    if (!fresh.length) return;
    for (const comment of fresh) this.#byId.set(comment.id, comment);
    this.dispatchEvent(new CustomEvent("change"));
  }

  /** [{number, first, answers, resolved}], oldest first; the number is the thread's on the image and in the panel. */
  get threads() {
    const all = [...this.#byId.values()].sort((a, b) => (a.created_at < b.created_at ? -1 : 1));
    return all
      .filter(({ answers }) => !answers)
      .map((first, i) => ({
        number: i + 1,
        first,
        answers: all.filter(({ answers }) => answers === first.id),
        resolved: first.resolved_at !== null,
      }));
  }
}

/** Sends comments and resolutions; every method returns "" or why it was not done. */
export class CommentPost {
  #connection;
  #url;
  #resolveUrl;
  #kept = null;

  /** `url(image)`: where comments go; `resolveUrl(comment)`: where a thread is resolved. */
  constructor({ connection, url, resolveUrl }) {
    this.#connection = connection;
    this.#url = url;
    this.#resolveUrl = resolveUrl;
  }

  /** `place`: {cell} or {x, y} or {answers} or {} for the whole image. */
  async say(session, text, place) {
    const content = JSON.stringify([session.image.id, text, place]);
    // Sent again after an answer that was lost, it is the same comment.
    if (this.#kept?.content !== content) this.#kept = { content, id: newId() };
    const why = await this.#send(session, this.#url(session.image.id), { id: this.#kept.id, text, ...place });
    if (!why) this.#kept = null;
    return why;
  }

  resolve(session, comment, resolved) {
    return this.#send(session, this.#resolveUrl(comment.id), { resolved });
  }

  async #send(session, url, body) {
    try {
      const response = await this.#connection.post(url, body);
      if (!response.ok) return reasonOf(response);
      session.comments.merge([response.answer]);
      return "";
    } catch (error) {
      return silence(error);
    }
  }
}
