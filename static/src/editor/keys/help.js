// The dialog with all keys and gestures, where a person finds them and binds them otherwise; and the tooltips.
import { browserMeaning, isReserved, keyLabel, keyOf } from "./key-names.js";

const MODIFIERS = ["Control", "Shift", "Alt", "Meta", "AltGraph", "CapsLock", "Dead"];

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  if (tag === "button") element.type = "button";
  return element;
}

export class KeyDialog {
  #dialog;
  #bindings;
  #gestures;
  #labels;
  #search;
  #target;
  #note;
  #rows = [];
  // The row that waits for a key, the key to be replaced (null: one more) and the key that was pressed and clashes.
  #asking = null;

  /** `gestures`: [[gesture, words]]; `labels`: those of the scheme that have a number key. */
  constructor(dialog, bindings, gestures, labels) {
    this.#dialog = dialog;
    this.#bindings = bindings;
    this.#gestures = gestures;
    this.#labels = labels;
    this.#search = dialog.querySelector("[data-search]");
    this.#target = dialog.querySelector("[data-keys]");
    this.#note = dialog.querySelector("[data-note]");
    this.#search.addEventListener("input", () => this.#filter());
    dialog.querySelector("[data-reset]").addEventListener("click", () => {
      bindings.reset();
      this.#say("All keys are the usual ones again.");
    });
    bindings.addEventListener("change", () => dialog.open && this.#draw());
    bindings.addEventListener("saved", ({ detail }) => detail.reason && this.#notSaved(detail.reason));
    // In the capture phase: while a row waits, every key is meant for it.
    addEventListener("keydown", (event) => this.#asking && this.#take(event), true);
    dialog.addEventListener("cancel", (event) => this.#asking && event.preventDefault());
    dialog.addEventListener("close", () => {
      this.#leave();
      this.#target.replaceChildren();
    });
  }

  open() {
    if (this.#dialog.open) return;
    this.#search.value = "";
    this.#say("");
    this.#draw();
    this.#dialog.showModal();
    this.#search.focus();
  }

  #draw() {
    this.#rows = [];
    // Who came by the keyboard stays where they are.
    const { activeElement } = document;
    const within = this.#target.contains(activeElement) ? activeElement.closest(".key-row")?.dataset.command : null;
    const rows = this.#bindings.rows;
    const sections = [...new Set(rows.map(({ group }) => group))].map((group) =>
      this.#section(group, rows.filter((row) => row.group === group).map((row) => this.#commandRow(row))),
    );
    const numbers = this.#labels.map((label) => this.#plainRow(label.name, [label.key], "label number"));
    if (numbers.length) sections.push(this.#section("Labels: their numbers, also with Ctrl", numbers));
    const gestures = this.#gestures.map(([gesture, words]) => this.#gestureRow(gesture, words));
    sections.push(this.#section("With the pointer", gestures));
    this.#target.replaceChildren(...sections);
    this.#dialog.querySelector("[data-reset]").disabled = !this.#bindings.changed;
    this.#filter();
    if (within) this.#target.querySelector(`[data-command="${within}"] .key-cap`).focus();
  }

  #section(title, rows) {
    const part = make("section", "key-group");
    part.append(make("h3", "", title), ...rows);
    return part;
  }

  #commandRow({ command, words, keys, own, group }) {
    const row = make("div", "key-row");
    row.dataset.command = command;
    const caps = make("span", "key-caps");
    for (const key of keys) caps.append(this.#cap(row, words, key));
    const add = make("button", "key-cap key-add", "+");
    add.setAttribute("aria-label", `${words}: one more key`);
    add.title = "One more key";
    add.addEventListener("click", (event) => this.#ask(row, null, event));
    caps.append(add);
    row.append(make("span", "key-words", words));
    if (own) {
      const reset = make("button", "key-reset", "usual");
      reset.title = "The usual key again";
      reset.setAttribute("aria-label", `${words}: the usual key again`);
      reset.addEventListener("click", (event) => {
        event.stopPropagation();
        this.#bindings.reset(command);
      });
      row.append(reset);
    }
    row.append(caps);
    row.addEventListener("click", (event) => this.#ask(row, keys[0] ?? null, event));
    this.#rows.push({ row, text: [words, group, command, ...keys.map(keyLabel)].join(" ").toLowerCase() });
    return row;
  }

  #cap(row, words, key) {
    const cap = make("button", "key-cap", keyLabel(key));
    cap.setAttribute("aria-label", `${words}: ${keyLabel(key)}, change`);
    cap.addEventListener("click", (event) => this.#ask(row, key, event));
    return cap;
  }

  #plainRow(words, keys, more) {
    const row = make("div", "key-row is-fixed");
    const caps = make("span", "key-caps");
    caps.append(...keys.map((key) => make("kbd", "", keyLabel(key))));
    row.append(make("span", "key-words", words), caps);
    this.#rows.push({ row, text: [words, more, ...keys].join(" ").toLowerCase() });
    return row;
  }

  #gestureRow(gesture, words) {
    const row = make("div", "key-row is-fixed is-gesture");
    row.append(make("span", "key-gesture", gesture), make("span", "key-words", words));
    this.#rows.push({ row, text: `${gesture} ${words}`.toLowerCase() });
    return row;
  }

  #filter() {
    const wanted = this.#search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const { row, text } of this.#rows) row.hidden = !wanted.every((word) => text.includes(word));
    for (const section of this.#target.children) section.hidden = !section.querySelector(".key-row:not([hidden])");
    const none = this.#rows.every(({ row }) => row.hidden);
    if (none || this.#note.dataset.none) this.#say(none ? "No key or gesture fits." : "");
    this.#note.dataset.none = none ? "yes" : "";
  }

  /** Wait for the key that a row is to have. */
  #ask(row, old, event) {
    event.stopPropagation();
    this.#leave();
    const question = make("div", "key-ask");
    question.tabIndex = -1;
    question.setAttribute("role", "alert");
    // A click into the question is no click on the row.
    question.addEventListener("click", (inside) => inside.stopPropagation());
    row.classList.add("is-asking");
    row.append(question);
    this.#asking = { row, command: row.dataset.command, old, question };
    this.#question(`Press the new key${old ? ` in place of ${keyLabel(old)}` : ""}. Esc leaves it.`, [
      ...(old ? [["Remove this key", () => this.#bindings.unbind(row.dataset.command, old)]] : []),
    ]);
    question.focus();
  }

  #question(text, actions) {
    const buttons = actions.map(([words, act]) => {
      const button = make("button", "button button-small", words);
      button.addEventListener("click", () => {
        this.#leave();
        act();
      });
      return button;
    });
    this.#asking.question.replaceChildren(make("span", "", text), ...buttons);
  }

  #take(event) {
    const asking = this.#asking;
    // A clash is shown: its buttons are used as buttons are.
    if (asking.key && event.key !== "Escape") return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.key === "Escape") {
      this.#leave();
      return;
    }
    if (MODIFIERS.includes(event.key)) return;
    const key = keyOf(event);
    if (event.altKey) {
      this.#question("Alt belongs to the pointer here. Press another key, or Esc.", []);
    } else if (isReserved(key)) {
      this.#question(`The browser keeps ${keyLabel(key)} for itself. Press another key, or Esc.`, []);
    } else if (key === asking.old) {
      this.#leave();
    } else {
      this.#offer(key);
    }
  }

  /** Bind the key, or say first what it does until now. */
  #offer(key) {
    const { command, old } = this.#asking;
    const bind = () => {
      this.#bindings.bind(command, key, old);
      this.#say(`${keyLabel(key)}: ${this.#bindings.wordsOf(command)}.`);
    };
    const reason = this.#clash(key, command);
    if (!reason) {
      this.#leave();
      bind();
      return;
    }
    this.#asking.key = key;
    this.#question(reason, [["Use it here", bind], ["Leave it", () => {}]]);
    this.#asking.question.querySelector("button").focus();
  }

  #clash(key, command) {
    const before = this.#bindings.commandOf(key);
    if (before === command) return `${keyLabel(key)} does this already.`;
    if (before) return `${keyLabel(key)} is taken: “${this.#bindings.wordsOf(before)}”. That would lose it.`;
    const label = this.#labels.find((each) => key === each.key || key === `Ctrl+${each.key}`);
    if (label) return `${keyLabel(key)} sets the label “${label.name}”. The label would lose it.`;
    const meaning = browserMeaning(key);
    return meaning ? `In the browser ${keyLabel(key)} ${meaning}; here it would no longer.` : null;
  }

  #leave() {
    if (!this.#asking) return;
    const { row, question, command } = this.#asking;
    this.#asking = null;
    const inside = question.contains(document.activeElement);
    question.remove();
    row.classList.remove("is-asking");
    if (inside) this.#target.querySelector(`[data-command="${command}"] .key-cap`)?.focus();
  }

  #say(text) {
    this.#note.replaceChildren(text);
  }

  #notSaved(reason) {
    const again = make("button", "button button-small", "Try again");
    again.addEventListener("click", () => {
      this.#say("");
      this.#bindings.save();
    });
    this.#note.replaceChildren(`Your keys hold until you leave, but are not saved: ${reason}. `, again);
  }
}

/** Write the keys of its command into the tooltip of each button, now and whenever they change. */
export function addTooltips(root, bindings) {
  const names = new Map(
    [...root.querySelectorAll("[data-command]:not(.key-row)")].map((button) => [
      button,
      button.getAttribute("aria-label") ?? button.textContent.trim().replace(/\s+/g, " "),
    ]),
  );
  const write = () => {
    for (const [button, name] of names) {
      const keys = bindings.keysOf(button.dataset.command).map(keyLabel);
      button.title = keys.length ? `${name} (${keys.join(" or ")})` : name;
      if (keys.length) button.setAttribute("aria-keyshortcuts", bindings.keysOf(button.dataset.command).join(" "));
      else button.removeAttribute("aria-keyshortcuts");
    }
  };
  bindings.addEventListener("change", write);
  write();
}

/** A number that a command has taken is no longer shown at its label. */
export function showNumbers(root, bindings) {
  const write = () => {
    for (const kbd of root.querySelectorAll("[data-label] kbd")) {
      kbd.hidden = bindings.commandOf(kbd.textContent) !== undefined;
      const button = kbd.closest("[data-label]");
      const name = button.querySelector(".label-name").textContent;
      const named = kbd.hidden ? name : `${name} (key ${kbd.textContent})`;
      // What to look for stays below.
      button.title = [named, ...button.title.split("\n").slice(1)].join("\n");
    }
  };
  bindings.addEventListener("change", write);
  write();
}
