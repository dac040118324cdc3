// Operations that the server has not confirmed yet, in the browser's database (IndexedDB): they survive a reload, a
// killed tab and a crash. An operation is written here before it is sent, and leaves when the server has confirmed it.
// Records hold borders, labels and ids; no names of people, patients or files.
import { openDB } from "idb";

const DATABASE = "marrowloop";
const STORE = "operations";
// Where the browser neither opens the database nor says why not.
const PATIENCE = 4_000; // ms
// Where operations were kept before there was a database.
const OLD_PREFIX = "marrowloop-operation";

/** Dispatches "trouble" with detail {error} when the browser does not keep what is written; null: it never will. */
export class Journal extends EventTarget {
  /** null: the browser has none for us; undefined: not known yet. */
  #database;
  #opened;
  #user;
  #sequence = 0;
  #due = null;

  /** The journal of a person in this browser. Its database opens meanwhile: no image waits for it. */
  constructor(user) {
    super();
    this.#user = String(user);
    this.#opened = this.#open();
  }

  /** False where the browser has no database for us: what is unsaved is in the memory of the page only. */
  get durable() {
    return this.#database !== null;
  }

  async #open() {
    let late;
    try {
      const opening = openDB(DATABASE, 1, {
        upgrade: (database) => database.createObjectStore(STORE, { keyPath: "id" }),
        // A later version of the page in another tab may change the database: it must not wait for this one.
        blocking: (_current, _wanted, event) => event.target.close(),
      });
      const patience = new Promise((_, reject) => {
        late = setTimeout(() => reject(new Error("The browser's database does not open.")), PATIENCE);
      });
      this.#database = await Promise.race([opening, patience]);
      await this.#moveOldIn();
    } catch {
      this.giveUp();
    } finally {
      clearTimeout(late);
    }
  }

  /** The browser's database cannot be read: go on without it. */
  giveUp() {
    this.#database = null;
    this.dispatchEvent(new CustomEvent("trouble", { detail: { error: null } }));
  }

  /** A number that orders operations, also across the visits of a person. */
  nextSequence() {
    this.#sequence = Math.max(Date.now() * 1_000, this.#sequence + 1);
    return this.#sequence;
  }

  /** Keep a record; resolves when the browser has it on the disk, or when it cannot have it. */
  put(record) {
    return this.#soon((store) => store.put({ ...record, user: this.#user }));
  }

  remove(id) {
    return this.#soon((store) => store.delete(id));
  }

  /** This person's records, oldest first. */
  async all() {
    await this.#opened;
    const records = (await this.#database?.getAll(STORE)) ?? [];
    return records.filter(({ user }) => user === this.#user).sort((a, b) => a.sequence - b.sequence);
  }

  /** Make the records of a tab (null: of any) those of another, and return them, oldest first. */
  async adopt(from, to) {
    await this.#opened;
    if (!this.#database) return [];
    const transaction = this.#database.transaction(STORE, "readwrite", { durability: "strict" });
    const taken = [];
    for (const record of await transaction.store.getAll()) {
      if (record.user !== this.#user || record.tab === to || (from !== null && record.tab !== from)) continue;
      record.tab = to;
      taken.push(record);
      transaction.store.put(record).catch(() => {});
    }
    await transaction.done;
    return taken.sort((a, b) => a.sequence - b.sequence);
  }

  /** Everything of one turn is one transaction: two thousand accepted proposals wait for the disk once. */
  #soon(write) {
    if (!this.durable) return Promise.resolve();
    if (!this.#due) {
      const writes = [];
      const done = Promise.resolve().then(() => {
        this.#due = null;
        return this.#write(writes);
      });
      this.#due = { writes, done };
    }
    this.#due.writes.push(write);
    return this.#due.done;
  }

  async #write(writes) {
    await this.#opened;
    if (!this.#database) return;
    try {
      const transaction = this.#database.transaction(STORE, "readwrite", { durability: "strict" });
      // What fails, fails with the transaction.
      for (const write of writes) write(transaction.store).catch(() => {});
      await transaction.done;
    } catch (error) {
      // No room, or the person cleared the site's data: what is in memory is still sent.
      this.dispatchEvent(new CustomEvent("trouble", { detail: { error } }));
    }
  }

  /** Take over what an earlier version kept in the local storage, whoever's it is. */
  async #moveOldIn() {
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(`${OLD_PREFIX}|`));
    if (!keys.length) return;
    const transaction = this.#database.transaction(STORE, "readwrite", { durability: "strict" });
    for (const key of keys) {
      const [, user, image] = key.split("|");
      try {
        const operation = JSON.parse(localStorage.getItem(key));
        const [time, count] = operation.sequence.split("-").map(Number);
        transaction.store.put({ ...operation, sequence: time * 1_000 + count, user, image: Number(image), tab: "" });
      } catch {
        // Not an operation: nothing to keep.
      }
    }
    await transaction.done;
    for (const key of keys) localStorage.removeItem(key);
  }
}
