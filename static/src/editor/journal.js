// Operations that the server has not confirmed yet, in the browser's storage: they survive a reload, a closed tab
// and a crash. Written synchronously, one key an operation, so that two tabs never overwrite each other; sending
// one from both is harmless, because the server knows it by its id. Holds borders and label numbers, no names.

const PREFIX = "marrowloop-operation";

export class Journal {
  #prefix;
  #user;
  #image;
  #count = 0;

  constructor(user, image) {
    this.#user = String(user);
    this.#image = String(image);
    this.#prefix = [PREFIX, user, image, ""].join("|");
  }

  /** Keep an operation. Throws where the browser's storage is full or off. */
  put(operation) {
    operation.sequence ??= `${String(Date.now()).padStart(15, "0")}-${String(this.#count++).padStart(6, "0")}`;
    localStorage.setItem(this.#prefix + operation.id, JSON.stringify(operation));
  }

  remove(operation) {
    localStorage.removeItem(this.#prefix + operation.id);
  }

  /** What is left of an earlier visit to this image, oldest first. */
  read() {
    const found = [];
    for (let i = 0; i < localStorage.length; i++) {
      const key = localStorage.key(i);
      if (!key.startsWith(this.#prefix)) continue;
      try {
        found.push(JSON.parse(localStorage.getItem(key)));
      } catch {
        localStorage.removeItem(key);
      }
    }
    return found.sort((a, b) => (a.sequence < b.sequence ? -1 : 1));
  }

  /** Other images with operations of this person that wait here: their ids. */
  otherImages() {
    const images = new Set();
    for (let i = 0; i < localStorage.length; i++) {
      const [prefix, user, image] = localStorage.key(i).split("|");
      if (prefix === PREFIX && user === this.#user && image !== this.#image) images.add(Number(image));
    }
    return [...images];
  }
}
