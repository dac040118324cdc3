// Which cells are selected. Dispatches "change".
export class Selection extends EventTarget {
  #ids = [];

  get ids() {
    return this.#ids;
  }

  has(id) {
    return this.#ids.includes(id);
  }

  only(...ids) {
    const wanted = ids.filter((id) => id !== undefined && id !== null);
    if (wanted.length === this.#ids.length && wanted.every((id, i) => id === this.#ids[i])) return;
    this.#ids = wanted;
    this.dispatchEvent(new CustomEvent("change"));
  }

  toggle(id) {
    this.only(...(this.has(id) ? this.#ids.filter((other) => other !== id) : [...this.#ids, id]));
  }
}
