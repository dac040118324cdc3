// Whose the image is, in the page's head: taken by oneself, given back.
import { silence } from "../sync/connection.js";
import { face } from "./faces.js";

export class Assignee {
  #target;
  #connection;
  #url;
  #me;
  #say;
  #session = null;
  #assignee;

  /** `me`: {id, name}; `url(image)`: where an image is assigned. */
  constructor(target, { company, connection, url, me, say }) {
    this.#target = target;
    this.#connection = connection;
    this.#url = url;
    this.#me = me;
    this.#say = say;
    company.addEventListener("assignee", ({ detail }) => this.#refresh(detail.assignee));
    this.#button.addEventListener("click", () => this.#press());
  }

  show(session) {
    this.#session = session;
    this.#assignee = undefined;
  }

  get #button() {
    return this.#target.querySelector("button");
  }

  get #mine() {
    return this.#assignee?.id === this.#me.id;
  }

  #refresh(assignee) {
    if (this.#assignee !== undefined && assignee?.id === this.#assignee?.id) return;
    this.#assignee = assignee;
    const whose = this.#target.querySelector("[data-whose]");
    whose.replaceChildren(...(assignee ? [face(assignee)] : []));
    whose.title = assignee ? `Assigned to ${this.#mine ? "you" : assignee.name}` : "";
    const button = this.#button;
    // Somebody else's is theirs until they or a reviewer give it away, in the worklist.
    button.hidden = Boolean(assignee) && !this.#mine;
    button.textContent = this.#mine ? "Give back" : "Assign to me";
    button.title = this.#mine
      ? "You are to annotate this image: give it back"
      : "Nobody is to annotate this image yet: take it";
    this.#target.querySelector("[data-words]").textContent = assignee
      ? `Assigned to ${this.#mine ? "you" : assignee.name}`
      : "Assigned to nobody";
  }

  async #press() {
    const session = this.#session;
    const user = this.#mine ? null : this.#me.id;
    this.#button.disabled = true;
    try {
      const { ok, status, answer } = await this.#connection.post(this.#url(session.image.id), { user });
      if (!ok) this.#say(answer?.detail ?? `The server answers ${status}.`);
      else if (session === this.#session) this.#refresh(answer.assignee);
    } catch (error) {
      this.#say(`Not done: ${silence(error)}. Try again.`);
    }
    this.#button.disabled = false;
  }
}
