// What the page has not saved yet, of all images: it goes on being sent when an image is left, and what an earlier
// visit or a killed tab left is sent too, without its image being opened.
import { Line } from "./line.js";
import { Tabs } from "./tabs.js";

const WAIT = 120; // ms: what follows within it goes in the same batch

/**
 * Dispatches
 *   "change"   what is unsaved, or why, has changed
 *   "problem"  detail {image, problem}: something of an image waits for the person
 */
export class Outbox extends EventTarget {
  #journal;
  #connection;
  #url;
  #tabs = new Tabs();
  #lines = new Map();
  #first = null;
  #running = false;
  #timer = null;
  #at = 0;
  #asked = false;
  #telling = false;

  /** `url(image)`: where the operations of an image go. */
  constructor({ journal, connection, url }) {
    super();
    this.#journal = journal;
    this.#connection = connection;
    this.#url = url;
    const hurry = () => {
      for (const line of this.#lines.values()) line.hurry();
      this.#soon(0);
    };
    addEventListener("online", hurry);
    addEventListener("focus", hurry);
    connection.addEventListener("signed-in", hurry);
  }

  /** Take up what earlier visits left; resolves when it is known. */
  async start() {
    try {
      await this.#takeUp();
    } catch {
      // An image opens all the same; the person is told that this browser keeps nothing.
      this.#journal.giveUp();
    }
  }

  async #takeUp() {
    const gone = async (tab) => this.#takeOver(await this.#journal.adopt(tab, this.#tabs.id));
    await this.#tabs.live(gone);
    if (!this.#tabs.known) {
      this.#takeOver(await this.#journal.adopt(null, this.#tabs.id));
      return;
    }
    const left = new Set((await this.#journal.all()).map((record) => record.tab));
    left.delete(this.#tabs.id);
    for (const tab of left) {
      if (!(await this.#tabs.ended(tab, () => gone(tab)))) this.#tabs.watch(tab, gone);
    }
  }

  /** The line of an image, whether there is something in it or not. */
  line(image) {
    let line = this.#lines.get(image);
    if (!line) {
      const [journal, connection, tab] = [this.#journal, this.#connection, this.#tabs.id];
      line = new Line({ image, url: this.#url(image), journal, connection, tab });
      line.addEventListener("change", () => {
        this.#soon(line.due ? undefined : WAIT);
        this.#changed();
      });
      line.addEventListener("problem", ({ detail }) => this.#tell("problem", { image, ...detail }));
      this.#lines.set(image, line);
    }
    return line;
  }

  /** The image that is open goes first. */
  set first(image) {
    this.#first = image;
  }

  /** Operations that are not confirmed, and why the last try failed ("" where it did not). */
  get unsaved() {
    return [...this.#lines.values()].reduce((sum, line) => sum + line.unsaved, 0);
  }

  get reason() {
    const lines = [...this.#lines.values()].filter((line) => line.unsaved && line.reason);
    return (lines.find((line) => line.image === this.#first) ?? lines[0])?.reason ?? "";
  }

  /** Images with changes that wait for the person: image to how many cells. */
  get problems() {
    const lines = [...this.#lines.values()].filter((line) => line.problems.size);
    return new Map(lines.map((line) => [line.image, line.problems.size]));
  }

  /** Resolves when everything of an image is saved, or after `limit` ms; true where it is. */
  async flushed(image, limit) {
    const line = this.line(image);
    if (!line.unsaved) return true;
    line.hurry();
    this.#soon(0);
    return new Promise((resolve) => {
      const look = () => !line.unsaved && done(true);
      const timer = setTimeout(() => done(false), limit);
      const done = (saved) => {
        clearTimeout(timer);
        line.removeEventListener("change", look);
        resolve(saved);
      };
      line.addEventListener("change", look);
    });
  }

  #takeOver(records) {
    for (const [image, own] of Map.groupBy(records, (record) => record.image)) this.line(image).take(own);
  }

  /** Send within `delay` ms, or when the first line is due. */
  #soon(delay) {
    if (this.#running) return;
    const next = Math.min(...this.#ready().map((line) => line.due));
    if (next === Infinity) return;
    const at = delay === undefined ? Math.max(next, Date.now()) : Date.now() + delay;
    if (this.#timer && this.#at <= at) return;
    clearTimeout(this.#timer);
    this.#at = at;
    this.#timer = setTimeout(() => this.#run(), at - Date.now());
  }

  #ready() {
    return [...this.#lines.values()].filter((line) => line.unsaved);
  }

  async #run() {
    this.#timer = null;
    if (this.#running) return;
    this.#running = true;
    for (;;) {
      const due = this.#ready().filter((line) => line.due <= Date.now());
      const line = due.find(({ image }) => image === this.#first) ?? due[0];
      if (!line) break;
      await line.send();
      if (line.reason) this.#keepWell();
    }
    this.#running = false;
    this.#soon();
  }

  /** The browser may throw away what a page keeps when its disk is full, unless it was asked not to. */
  #keepWell() {
    if (this.#asked) return;
    this.#asked = true;
    navigator.storage?.persist?.().catch(() => {});
  }

  /** Two thousand accepted proposals are told once. */
  #changed() {
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      this.#tell("change");
    });
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
