// How a person likes the editor to look, kept in this browser alone; on the server are the keys only.

export class Preferences {
  #prefix;

  /** `user`: people who share a browser keep their own. */
  constructor(user) {
    this.#prefix = `marrowloop/${user}/editor/`;
  }

  get(name, otherwise) {
    try {
      const kept = localStorage.getItem(this.#prefix + name);
      return kept === null ? otherwise : JSON.parse(kept);
    } catch {
      return otherwise;
    }
  }

  set(name, value) {
    try {
      localStorage.setItem(this.#prefix + name, JSON.stringify(value));
    } catch {
      // No room, or storage is off: it holds until the page is left.
    }
  }
}
