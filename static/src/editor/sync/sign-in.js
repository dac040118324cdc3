// Signing in again in place: the session has ended, and everything stays on the screen and in the journal.
import { csrfToken } from "../../csrf.js";

export class SignIn {
  #dialog;
  #notices;
  #connection;
  #name;
  #url;
  #probeUrl;

  /** `name`: the person's user name; `url`: the sign-in page; `probeUrl`: anything of the API that they may read. */
  constructor(dialog, { connection, notices, name, url, probeUrl }) {
    this.#dialog = dialog;
    this.#connection = connection;
    this.#notices = notices;
    this.#name = name;
    this.#url = url;
    this.#probeUrl = probeUrl;
    connection.addEventListener("signed-out", ({ detail }) => this.#ask(detail.other));
    connection.addEventListener("signed-in", () => {
      notices.remove("signed-out");
      if (dialog.open) dialog.close("done");
      dialog.returnValue = "";
    });
    dialog.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (event.submitter?.value === "later") dialog.close("later");
      else this.#try();
    });
    dialog.addEventListener("cancel", () => {
      dialog.returnValue = "later";
    });
    dialog.addEventListener("close", () => {
      this.#password.value = "";
      if (connection.signedOut) this.#remind();
    });
    // Signed in meanwhile in another tab?
    addEventListener("focus", () => connection.signedOut && this.#probe());
  }

  get #password() {
    return this.#dialog.querySelector("input[type=password]");
  }

  #ask(other) {
    this.#tell(
      other
        ? `${other} is signed in in this browser now. These changes are ${this.#name}'s: sign ${other} out ` +
            `in the other tab, then sign in here as ${this.#name}.`
        : "",
    );
    this.#dialog.querySelector("[data-submit]").disabled = Boolean(other);
    if (this.#dialog.open || this.#dialog.returnValue === "later") return;
    this.#dialog.showModal();
    this.#password.focus();
  }

  #remind() {
    const notice = this.#notices.show(
      "signed-out",
      "You are signed out.",
      "Your changes stay in this browser until you sign in again.",
      [["Sign in", () => this.#again()]],
    );
    notice.dataset.page = "";
  }

  #again() {
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
    this.#password.focus();
    this.#probe();
  }

  #tell(text) {
    const said = this.#dialog.querySelector("[data-said]");
    said.textContent = text;
    said.hidden = !text;
  }

  async #try() {
    const submit = this.#dialog.querySelector("[data-submit]");
    submit.disabled = true;
    this.#tell("");
    try {
      // Without its cookie the page that hands it out comes first.
      if (!csrfToken()) await fetch(this.#url);
      const response = await fetch(this.#url, {
        method: "POST",
        redirect: "manual",
        body: new URLSearchParams({
          username: this.#name,
          password: this.#password.value,
          csrfmiddlewaretoken: csrfToken(),
        }),
      });
      submit.disabled = false;
      // Who is signed in is sent on; who is not gets the form again.
      if (response.type === "opaqueredirect") {
        this.#dialog.returnValue = "";
        await this.#probe();
      } else {
        this.#tell(response.ok ? "The password does not match." : `The server answers ${response.status}. Try again.`);
        this.#password.select();
      }
    } catch {
      this.#tell("The server cannot be reached. Try again.");
      submit.disabled = false;
    }
  }

  async #probe() {
    await this.#connection.get(this.#probeUrl).catch(() => {});
  }
}
