// The state of the image and the steps out of it: annotated, reviewed, reopened.
import { csrfToken } from "../csrf.js";

const NAMES = {
  new: "New",
  proposed: "Proposed",
  in_progress: "In progress",
  annotated: "Annotated",
  reviewed: "Reviewed",
};

/** [text, target] of the steps that somebody of a role can take from a state; the first is the main one. */
function stepsFrom(state, role) {
  const reviews = role === "reviewer" || role === "admin";
  if (state === "annotated") {
    return [...(reviews ? [["Mark as reviewed", "reviewed"]] : []), ["Reopen", "in_progress"]];
  }
  if (state === "reviewed") return reviews ? [["Reopen", "in_progress"]] : [];
  return [["Mark as annotated", "annotated"]];
}

/** Dispatches "change" with detail {state, reload}: reload where cells were accepted or rejected on the server. */
export class ImageState extends EventTarget {
  #url;
  #role;
  #chip;
  #buttons;
  #ask;
  #flush;
  #say;
  state = "";

  constructor({ url, role, chip, buttons, dialog, flush, say }) {
    super();
    this.#url = url;
    this.#role = role;
    this.#chip = chip;
    this.#buttons = buttons;
    this.#flush = flush;
    this.#say = say;
    this.#ask = dialog;
    dialog.addEventListener("close", () => {
      const remaining = dialog.returnValue;
      if (remaining === "accept" || remaining === "reject") this.step("annotated", remaining);
    });
  }

  show(state) {
    if (state === this.state) return;
    this.state = state;
    this.#chip.dataset.state = state;
    this.#chip.textContent = NAMES[state];
    this.#buttons.replaceChildren(
      ...stepsFrom(state, this.#role).map(([text, target], i) => {
        const button = document.createElement("button");
        button.type = "button";
        button.className = i === 0 && target !== "in_progress" ? "button button-small button-primary" : "button button-small";
        button.textContent = text;
        button.addEventListener("click", () => this.step(target));
        return button;
      }),
    );
  }

  async step(target, remaining) {
    if (!(await this.#flush())) {
      this.#say("There are changes that are not saved yet. Try again when they are.");
      return;
    }
    let response;
    try {
      response = await fetch(this.#url, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
        body: JSON.stringify(remaining ? { state: target, remaining } : { state: target }),
      });
    } catch {
      this.#say("The server cannot be reached. Try again.");
      return;
    }
    const answer = await response.json().catch(() => ({}));
    if (response.ok) {
      this.show(answer.state);
      this.dispatchEvent(new CustomEvent("change", { detail: { state: answer.state, reload: Boolean(remaining) } }));
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
