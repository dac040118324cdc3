// The comments at the side: threads with their answers, what is being written, open and resolved ones.
import { face } from "../company/faces.js";
import { ago, make } from "../make.js";

export class CommentPanel {
  #part;
  #list;
  #composer;
  #post;
  #editor;
  #pins;
  #finder;
  #open;
  #session = null;
  #place = null;
  #filter = "open";

  /** `open()` brings the part of the panel into sight. */
  constructor(part, { post, editor, pins, finder, open }) {
    this.#part = part;
    this.#list = part.querySelector("[data-threads]");
    this.#composer = part.querySelector("form");
    this.#post = post;
    this.#editor = editor;
    this.#pins = pins;
    this.#finder = finder;
    this.#open = open;
    this.#composer.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#say(this.#composer, this.#place);
    });
    this.#composer.querySelector("[data-cancel]").addEventListener("click", () => this.#compose(null));
    for (const button of part.querySelectorAll("[data-filter]")) {
      button.addEventListener("click", () => this.#show(button.dataset.filter));
    }
    editor.register({ comment: () => this.#begin() });
  }

  show(session) {
    this.#session = session;
    this.#compose(null);
    session.comments.addEventListener("change", () => this.#refresh(), { signal: session.signal });
    this.#refresh();
  }

  /** Bring a thread into sight, and what it is about. */
  choose({ first, resolved }) {
    if (resolved) this.#show("all");
    this.#open();
    const entry = this.#list.querySelector(`[data-thread="${first.id}"]`);
    entry?.scrollIntoView({ block: "nearest" });
    entry?.querySelector("button").focus();
    this.#goTo(first);
  }

  /** Of the selected cell, or of the place that is clicked next. */
  async #begin() {
    const session = this.#session;
    const [cell] = this.#editor.selected;
    if (cell) {
      this.#compose({ cell: cell.id }, "About the selected cell");
      return;
    }
    this.#editor.say("Click the place that you want to say something about. Esc: not now.");
    const place = await this.#finder.find(session.image);
    if (session !== this.#session || !place) return;
    this.#compose({ x: place[0], y: place[1] }, `About the place at ${place[0]}, ${place[1]} px`);
  }

  #compose(place, about = "") {
    this.#place = place;
    this.#composer.hidden = !place;
    this.#composer.querySelector("[data-about]").textContent = about;
    this.#tell(this.#composer, "");
    const text = this.#composer.querySelector("textarea");
    text.value = "";
    if (!place) return;
    this.#open();
    text.focus();
  }

  async #say(form, place) {
    const session = this.#session;
    const field = form.querySelector("textarea");
    const text = field.value.trim();
    if (!text) return;
    const send = form.querySelector("[type=submit]");
    send.disabled = true;
    const why = await this.#post.say(session, text, place);
    send.disabled = false;
    if (session !== this.#session) return;
    // What was not taken stays in the field.
    this.#tell(form, why ? `Not sent: ${why}.` : "");
    if (why) return;
    field.value = "";
    if (form === this.#composer) this.#compose(null);
  }

  #tell(form, text) {
    const said = form.querySelector("[data-said]");
    said.textContent = text;
    said.hidden = !text;
  }

  #show(filter) {
    this.#filter = filter;
    this.#pins.resolvedToo = filter !== "open";
    this.#refresh();
  }

  #refresh() {
    const { threads } = this.#session.comments;
    const open = threads.filter(({ resolved }) => !resolved).length;
    this.#part.querySelector("[data-count]").textContent = threads.length ? `${open} open of ${threads.length}` : "";
    for (const button of this.#part.querySelectorAll("[data-filter]")) {
      button.setAttribute("aria-pressed", button.dataset.filter === this.#filter);
    }
    const shown = threads.filter(
      ({ resolved }) => this.#filter === "all" || resolved === (this.#filter === "resolved"),
    );
    // Somebody may be writing an answer while another one's comment comes.
    const written = new Map(
      [...this.#list.querySelectorAll("textarea")].map((field) => [field.dataset.of, field.value]),
    );
    const focused = document.activeElement?.dataset.of;
    this.#list.replaceChildren(...shown.map((thread) => this.#thread(thread)));
    for (const field of this.#list.querySelectorAll("textarea")) {
      field.value = written.get(field.dataset.of) ?? "";
      if (field.value) field.closest("details").open = true;
      if (field.dataset.of === focused) field.focus();
    }
    this.#part.querySelector("[data-none]").hidden = shown.length > 0;
  }

  #thread({ number, first, answers, resolved }) {
    const where = first.cell ? "a cell" : first.x === null ? "the image" : "a place";
    const head = make(
      "button",
      { type: "button", class: "thread-head", title: `Go to ${where}`, click: () => this.#goTo(first) },
      make(
        "span",
        { class: resolved ? "comment-pin is-resolved" : "comment-pin", "aria-hidden": "true" },
        String(number),
      ),
      make("span", { class: "visually-hidden" }, `Comment ${number}, on ${where}`),
    );
    const state = make(
      "button",
      {
        type: "button",
        class: "button button-small",
        click: async ({ currentTarget }) => {
          currentTarget.disabled = true;
          const why = await this.#post.resolve(this.#session, first, !resolved);
          currentTarget.disabled = false;
          if (why) this.#editor.say(`Not done: ${why}.`);
        },
      },
      resolved ? "Reopen" : "Resolve",
    );
    const by = resolved
      ? make("p", { class: "muted small" }, `Resolved by ${first.resolved_by?.name ?? "somebody"}`)
      : null;
    return make(
      "li",
      { class: resolved ? "thread is-resolved" : "thread", "data-thread": first.id },
      head,
      make(
        "div",
        { class: "thread-body" },
        ...[first, ...answers].map(said),
        by,
        make("div", { class: "thread-actions" }, this.#reply(first), state),
      ),
    );
  }

  #reply(first) {
    const form = make(
      "form",
      {
        submit: (event) => {
          event.preventDefault();
          this.#say(form, { answers: first.id });
        },
      },
      make("textarea", {
        rows: 2,
        maxlength: 2000,
        "aria-label": "Answer",
        "data-of": first.id,
        keydown: sendOnCtrlEnter,
      }),
      make("p", { class: "message-error small", "data-said": "", hidden: true }),
      make("button", { type: "submit", class: "button button-small button-primary" }, "Answer"),
    );
    return make(
      "details",
      { class: "thread-reply" },
      make("summary", { class: "button button-small" }, "Answer"),
      form,
    );
  }

  #goTo({ cell, x, y }) {
    if (cell) {
      const known = this.#session.cells.get(cell);
      if (!known || known.status === "deleted") this.#editor.say("The cell of this comment is deleted.");
      else this.#editor.focus(cell);
    } else if (x !== null) {
      this.#editor.layers.centreOn([x, y]);
    }
  }
}

function said({ author, text, created_at }) {
  return make(
    "div",
    { class: "comment" },
    make(
      "p",
      { class: "comment-by" },
      face(author),
      make("strong", {}, author.name),
      make("span", { class: "muted" }, ago(created_at)),
    ),
    make("p", { class: "comment-text" }, text),
  );
}

export function sendOnCtrlEnter(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    event.target.form.requestSubmit();
  }
}
