// The way to the server's API for whatever a person changes: under their own name only, and with a session that may
// end in the middle.
import { csrfToken } from "../../csrf.js";

const PATIENCE = 30_000; // ms

/**
 * Dispatches
 *   "signed-out"  detail {other}: the session has ended; `other` names who else is signed in in this browser
 *   "signed-in"   the person is signed in again, here or in another tab
 */
export class Connection extends EventTarget {
  #user;
  #out = false;

  /** `user`: the id of the person whose page this is. */
  constructor(user) {
    super();
    this.#user = String(user);
  }

  get signedOut() {
    return this.#out;
  }

  get(url) {
    return this.#fetch(url, { method: "GET" });
  }

  /** Returns {status, ok, answer}; throws where no answer came. `keepalive`: also while the page is being left. */
  post(url, body, { keepalive = false } = {}) {
    const headers = { "Content-Type": "application/json", "X-CSRFToken": csrfToken() };
    return this.#fetch(url, { method: "POST", headers, body: JSON.stringify(body), keepalive });
  }

  async #fetch(url, { headers, ...options }) {
    const response = await fetch(url, {
      ...options,
      // Somebody else may have signed in in another tab: the server takes nothing of ours under their name.
      headers: { Accept: "application/json", "X-Marrowloop-User": this.#user, ...headers },
      signal: AbortSignal.timeout(PATIENCE),
    });
    const answer = await response.json().catch(() => null);
    this.#note(response.status, answer);
    return { status: response.status, ok: response.ok, answer };
  }

  #note(status, answer) {
    if (status === 401) {
      this.#out = true;
      this.dispatchEvent(new CustomEvent("signed-out", { detail: { other: answer?.user ?? null } }));
    } else if (this.#out && status < 500) {
      this.#out = false;
      this.dispatchEvent(new CustomEvent("signed-in"));
    }
  }
}

/** Why an answer is none, in words for the person. */
export function reasonOf({ status, answer }) {
  if (status === 401) return "signed out";
  if (status === 404) return "this image is no longer open to you";
  if (answer?.detail) return answer.detail.replace(/\.$/, "");
  if (status === 507) return "the server's disk is full";
  return `the server answers ${status}`;
}

/** Why nothing came back at all. */
export function silence(error) {
  if (!navigator.onLine) return "no connection";
  return error.name === "TimeoutError" ? "the server takes too long" : "the server cannot be reached";
}
