// What the editor says: saved or not, hints, and notices that need an answer.

const changes = (count) => (count === 1 ? "1 change" : `${count} changes`);

/** The indicator beside the image's name: Saved, Saving…, Failed – retrying, over all images of the person. */
export class SaveStatus {
  #element;

  constructor(element) {
    this.#element = element;
  }

  /** `outbox` (sync/outbox.js) knows what is unsaved, and why. */
  show({ unsaved, reason, problems }) {
    const waiting = [...problems.values()].reduce((sum, count) => sum + count, 0);
    let status = "saved";
    let text = "Saved";
    if (unsaved && reason) [status, text] = ["failed", `Failed – retrying: ${unsaved} unsaved (${reason})`];
    else if (unsaved) [status, text] = ["saving", unsaved === 1 ? "Saving…" : `Saving ${changes(unsaved)}…`];
    else if (waiting) [status, text] = ["choice", `${changes(waiting)} not saved: your choice`];
    this.#element.dataset.status = status;
    this.#element.dataset.unsaved = unsaved;
    const words = this.#element.querySelector("[data-text]");
    if (words.textContent !== text) words.textContent = this.#element.title = text;
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

  /** Another image is shown: what was said of the one before goes, what is about the page stays. */
  clear() {
    for (const notice of [...this.#element.children]) if (!("page" in notice.dataset)) notice.remove();
  }

  remove(key) {
    for (const old of [...this.#element.children]) if (old.dataset.key === key) old.remove();
  }

  /** actions: [[text, function], ...]; the first is the primary one. `key` replaces an earlier notice of that key. */
  show(key, title, text, actions, level = "warning") {
    this.remove(key);
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
