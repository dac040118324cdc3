// Which key calls which command for this person: the table of keys.js, and on top what they have bound otherwise.
import { csrfToken } from "../../csrf.js";

// As the server allows.
const MOST = 4;

const same = (a, b) => a.length === b.length && a.every((key) => b.includes(key));

/** Dispatches "change" when a key means something else, and "saved" with detail {reason: "" or why it is not saved}. */
export class KeyBindings extends EventTarget {
  #table;
  #url;
  #own = new Map();
  #commands = new Map();
  #saving = Promise.resolve();

  /** `table`: rows as KEYS of keys.js; `url`: where the person's own keys are kept. */
  constructor(table, url) {
    super();
    this.#table = table;
    this.#url = url;
    this.#index();
  }

  /** Take over what the server has: {command: [key, ...]}. Commands that are no more are left out. */
  load(own) {
    const known = new Set(this.#table.map(([command]) => command));
    this.#own = new Map(Object.entries(own ?? {}).filter(([command]) => known.has(command)));
    this.#index();
    this.dispatchEvent(new CustomEvent("change"));
  }

  /** [{command, keys, words, group, own}], own: whether the keys are not the usual ones. */
  get rows() {
    return this.#table.map(([command, , words, group]) => ({
      command,
      words,
      group,
      keys: this.keysOf(command),
      own: this.#own.has(command),
    }));
  }

  /** The keys that call a command now. */
  keysOf(command) {
    const keys = this.#own.get(command) ?? this.#usual(command);
    return keys.filter((key) => this.#commands.get(key) === command);
  }

  commandOf(key) {
    return this.#commands.get(key);
  }

  wordsOf(command) {
    return this.#table.find(([name]) => name === command)?.[2] ?? command;
  }

  /** Whether any command is bound otherwise than usual. */
  get changed() {
    return this.#own.size > 0;
  }

  /** Let a key call a command, in the place of `old` or (null) besides the others; taken from what it called before. */
  bind(command, key, old = null) {
    const before = this.#commands.get(key);
    if (before && before !== command) {
      this.#set(before, this.keysOf(before).filter((other) => other !== key));
    }
    const keys = this.keysOf(command).filter((other) => other !== key || other === old);
    const at = keys.indexOf(old);
    if (at >= 0) keys[at] = key;
    else keys.push(key);
    this.#set(command, keys.slice(-MOST));
    this.#changed();
  }

  unbind(command, key) {
    this.#set(command, this.keysOf(command).filter((other) => other !== key));
    this.#changed();
  }

  /** The usual keys again: of a command, or (null) of all. */
  reset(command = null) {
    if (command === null) {
      this.#own.clear();
    } else {
      // A usual key that another command has taken comes back with it.
      for (const key of this.#usual(command)) {
        const holder = this.#commands.get(key);
        if (holder && holder !== command) this.#set(holder, this.keysOf(holder).filter((other) => other !== key));
      }
      this.#own.delete(command);
    }
    this.#changed();
  }

  /** Keep the keys on the server; again after a failure. */
  save() {
    const body = JSON.stringify({ keys: Object.fromEntries(this.#own) });
    // One after the other: the last state is the one that stays.
    this.#saving = this.#saving.then(async () => {
      let reason = "";
      try {
        const response = await fetch(this.#url, {
          method: "PUT",
          headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
          body,
        });
        if (!response.ok) reason = `the server answers ${response.status}`;
      } catch {
        reason = "the server cannot be reached";
      }
      this.dispatchEvent(new CustomEvent("saved", { detail: { reason } }));
    });
  }

  #usual(command) {
    return this.#table.find(([name]) => name === command)?.[1] ?? [];
  }

  /** What differs from the usual alone is kept: a later default reaches everybody else. */
  #set(command, keys) {
    if (same(keys, this.#usual(command))) this.#own.delete(command);
    else this.#own.set(command, keys);
  }

  #changed() {
    this.#index();
    this.dispatchEvent(new CustomEvent("change"));
    this.save();
  }

  /** A person's own choice goes before a default, and of two defaults the first in the table. */
  #index() {
    this.#commands.clear();
    const add = (command, keys) => {
      for (const key of keys) if (!this.#commands.has(key)) this.#commands.set(key, command);
    };
    for (const [command, keys] of this.#own) add(command, keys);
    for (const [command, keys] of this.#table) if (!this.#own.has(command)) add(command, keys);
  }
}
