// Which cells are selected, in the order in which they were chosen. Dispatches "change".
export class Selection extends EventTarget {
  #ids = new Set();

  get ids() {
    return [...this.#ids];
  }

  has(id) {
    return this.#ids.has(id);
  }

  only(...ids) {
    const wanted = new Set(ids.filter((id) => id !== undefined && id !== null));
    if (wanted.size === this.#ids.size && [...wanted].every((id) => this.#ids.has(id))) return;
    this.#ids = wanted;
    this.dispatchEvent(new CustomEvent("change"));
  }

  add(...ids) {
    this.only(...this.#ids, ...ids);
  }

  toggle(id) {
    this.only(...(this.has(id) ? this.ids.filter((other) => other !== id) : [...this.#ids, id]));
  }
}
