// The state of the image and the steps out of it: annotated, reviewed, reopened.
import { silence } from "../sync/connection.js";

const NAMES = {
  new: "New",
  proposed: "Proposed",
  in_progress: "In progress",
  annotated: "Annotated",
  reviewed: "Reviewed",
};

/** [text, target, whether why is asked] of the steps that somebody of a role can take from a state; the first is the
 * main one. */
function stepsFrom(state, role) {
  const reviews = role === "reviewer" || role === "admin";
  if (state === "annotated") {
    if (reviews)
      return [
        ["Mark as reviewed", "reviewed"],
        ["Send back", "in_progress", true],
      ];
    return [["Reopen", "in_progress"]];
  }
  if (state === "reviewed") return reviews ? [["Reopen", "in_progress"]] : [];
  return [["Mark as annotated", "annotated"]];
}

/** Dispatches "change" with detail {state, revision, reload}: reload where the server accepted or rejected cells. */
export class ImageState extends EventTarget {
  #session = null;
  #chip;
  #buttons;
  #ask;
  #sendBack;
  #connection;
  #url;
  #say;
  state = "";

  /** `url(image)`: where the state of an image is set. */
  constructor({ chip, buttons, dialog, sendBack, connection, url, say }) {
    super();
    this.#connection = connection;
    this.#url = url;
    this.#chip = chip;
    this.#buttons = buttons;
    this.#say = say;
    this.#ask = dialog;
    this.#sendBack = sendBack;
    sendBack.addEventListener("close", () => {
      const comment = sendBack.querySelector("textarea").value.trim();
      if (sendBack.returnValue === "send") this.step("in_progress", undefined, comment || undefined);
    });
    dialog.addEventListener("close", () => {
      const remaining = dialog.returnValue;
      if (remaining === "accept" || remaining === "reject") this.step("annotated", remaining);
    });
  }

  show(session) {
    this.#session = session;
    this.state = "";
  }

  set(state) {
    if (state === this.state) return;
    this.state = state;
    this.#chip.dataset.state = state;
    this.#chip.textContent = NAMES[state];
    this.#buttons.replaceChildren(
      ...stepsFrom(state, this.#session.image.role).map(([text, target, asks], i) => {
        const button = document.createElement("button");
        button.type = "button";
        button.className =
          i === 0 && target !== "in_progress" ? "button button-small button-primary" : "button button-small";
        button.textContent = text;
        button.addEventListener("click", () => (asks ? this.#askWhy() : this.step(target)));
        return button;
      }),
    );
  }

  #askWhy() {
    this.#sendBack.returnValue = "";
    this.#sendBack.querySelector("textarea").value = "";
    this.#sendBack.showModal();
  }

  /** Take a step; `remaining` says what becomes of open proposals, `comment` why it is taken. */
  async step(target, remaining, comment) {
    const { changes, image } = this.#session;
    if (!(await changes.flushed(10_000))) {
      this.#say("There are changes that are not saved yet. Try again when they are.");
      return;
    }
    let response;
    try {
      response = await this.#connection.post(this.#url(image.id), { state: target, remaining, comment });
    } catch (error) {
      this.#say(`Not done: ${silence(error)}. Try again.`);
      return;
    }
    if (image !== this.#session.image) return;
    const answer = response.answer ?? {};
    if (response.ok) {
      this.set(answer.state);
      this.dispatchEvent(new CustomEvent("change", { detail: { ...answer, reload: Boolean(remaining) } }));
    } else if (response.status === 409 && answer.remaining) {
      this.#ask.querySelector("[data-remaining]").textContent =
        answer.remaining === 1 ? "One proposal is" : `${answer.remaining} proposals are`;
      this.#ask.returnValue = "";
      this.#ask.showModal();
    } else {
      this.#say(answer.detail ?? `The server answered with an error (${response.status}).`);
    }
  }
}
