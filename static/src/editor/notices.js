// What the editor says: saved or not, hints, and notices that need an answer.

const WORDS = { saved: "Saved", saving: "Saving…", failed: "Failed – retrying" };

/** The indicator beside the image's name: Saved, Saving…, Failed – retrying. */
export class SaveStatus {
  #element;

  constructor(element) {
    this.#element = element;
  }

  show(status, reason) {
    this.#element.dataset.status = status;
    this.#element.querySelector("[data-text]").textContent =
      status === "failed" && reason ? `${WORDS.failed} (${reason})` : WORDS[status];
  }
}

/** One line at the foot of the image: what the tool does, or for a moment what just happened. */
export class Hints {
  #element;
  #standing = "";
  #timer = null;

  constructor(element) {
    this.#element = element;
  }

  stand(text) {
    this.#standing = text;
    if (!this.#timer) this.#element.textContent = text;
  }

  say(text) {
    clearTimeout(this.#timer);
    this.#element.textContent = text;
    this.#element.classList.add("is-news");
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#element.classList.remove("is-news");
      this.#element.textContent = this.#standing;
    }, 4_000);
  }
}

/** Notices above the image that stay until they are answered. */
export class Notices {
  #element;

  constructor(element) {
    this.#element = element;
  }

  clear() {
    this.#element.replaceChildren();
  }

  /** actions: [[text, function], ...]; the first is the primary one. `key` replaces an earlier notice of that key. */
  show(key, title, text, actions, level = "warning") {
    for (const old of this.#element.children) if (old.dataset.key === key) old.remove();
    const notice = document.createElement("div");
    notice.className = `notice notice-${level}`;
    notice.dataset.key = key;
    const words = document.createElement("p");
    const strong = document.createElement("strong");
    strong.textContent = title;
    words.append(strong, " ", text);
    const buttons = document.createElement("div");
    buttons.className = "notice-actions";
    for (const [label, act] of [...actions]) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button button-small";
      button.textContent = label;
      button.addEventListener("click", () => {
        notice.remove();
        act?.();
      });
      buttons.append(button);
    }
    notice.append(words, buttons);
    this.#element.append(notice);
    return notice;
  }
}
