// Which tabs of this browser are alive: each sends its own operations, and those of a tab that has gone are taken
// over by one that is left. A tab holds a lock of its name as long as it lives, however it ends.
import { newId } from "../cells/new-id.js";

const nameOf = (tab) => `marrowloop-tab-${tab}`;

export class Tabs {
  id = newId();
  // Only over TLS and on this machine. Without it operations of a living tab may be sent twice, which is harmless:
  // the server knows each by its id.
  #locks = navigator.locks ?? null;
  #channel = new BroadcastChannel("marrowloop-tabs");
  #watched = new Set();

  get known() {
    return this.#locks !== null;
  }

  /** Hold this tab's lock; `gone(id)` is told of every other tab that ends from now on. */
  async live(gone) {
    if (!this.#locks) return;
    await new Promise((held) => {
      const living = this.#locks.request(nameOf(this.id), () => {
        held();
        return new Promise(() => {});
      });
      living.catch(() => {
        this.#locks = null;
        held();
      });
    });
    if (!this.#locks) return;
    this.#channel.onmessage = ({ data: { tab, answers } }) => {
      this.watch(tab, gone);
      if (!answers) this.#channel.postMessage({ tab: this.id, answers: true });
    };
    this.#channel.postMessage({ tab: this.id, answers: false });
  }

  /** Whether a tab has ended; while `work` runs on what it left, no other tab does. */
  async ended(tab, work) {
    return this.#locks.request(nameOf(tab), { ifAvailable: true }, async (lock) => {
      if (lock) await work();
      return lock !== null;
    });
  }

  /** Wait for the end of a tab. */
  watch(tab, gone) {
    if (tab === this.id || this.#watched.has(tab)) return;
    this.#watched.add(tab);
    this.#locks.request(nameOf(tab), async () => {
      this.#watched.delete(tab);
      await gone(tab);
    });
  }
}
