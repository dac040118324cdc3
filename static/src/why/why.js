// "Why?": what a model looks at when it gives a cell a label, as a heat map over the cell's crop.
import { make } from "../editor/make.js";
import { silence } from "../editor/sync/connection.js";
import { drawHeat } from "./heat.js";

const NIL = "00000000-0000-0000-0000-000000000000";
const CROP = 299; // px a side
const SOON = 350; // ms between two looks whether the map is made
const LATE = 20_000; // ms after which a question that nobody took up is said to wait for a worker
const LIVE = ["queued", "running", "cancelling"];

const percent = (share) => `${share < 0.1 && share > 0 ? (100 * share).toFixed(1) : Math.round(100 * share)} %`;

// The heads that learn also weigh what else is labelled of a patient (training/patient_shares.py).
const APART = 0.015;

/** What the map says, and what it does not; `probability`: what was said of the cell before, null for nothing. */
export function meaning({ name, words, probability, method, map }) {
  const own = probability === null || Math.abs(probability - map.probability) < APART;
  const beside = own ? "" : ` (${percent(probability)} with what else is labelled of the patient)`;
  const is = `For ${words} the probability of ${name} is ${percent(map.probability)} by this picture alone${beside}.`;
  const not = caution(name);
  if (method === "gradients") {
    const colours = `Orange: what it finds there speaks for ${name}; blue: against. Colours compare within this picture only.`;
    return `${is} ${colours} ${not}`;
  }
  if (map.strongest < 0.01)
    return `${is} Covering any one place changes that by less than 1 percentage point: no single place decides. ${not}`;
  const points = Math.round(100 * map.strongest);
  const most = `${points} percentage point${points === 1 ? "" : "s"}`;
  return `${is} Orange: covering this place lowers it; blue: covering it raises it; by ${most} where it counts most. ${not}`;
}

const caution = (name) =>
  `It shows what this model looks at, not what makes a cell ${name}, and not whether the model is right.`;

export class Why {
  #element;
  #picture;
  #connection;
  #url;
  #cropOf;
  #cell = null;
  #voices = [];
  #map = null;
  #turn = 0;

  /**
   * `element`: the section with the button (templates/inference/_why.html); `picture`: where crop and map are shown;
   * `url`: the API's address for the cell of id nil; `cropOf(cell)`: the address of a cell's crop.
   */
  constructor(element, picture, { connection, url, cropOf }) {
    this.#element = element;
    this.#picture = picture;
    this.#connection = connection;
    this.#url = url;
    this.#cropOf = cropOf;
    this.#part("open").addEventListener("click", () => this.toggle());
    for (const name of ["voice", "method"]) this.#part(name).addEventListener("change", () => this.#ask());
    this.#part("opacity").addEventListener("input", () => this.#shade());
  }

  get open() {
    return !this.#part("body").hidden;
  }

  /** Another cell is looked at, {id, crop, …}; null: none is. */
  show(cell) {
    if (cell?.id === this.#cell?.id && cell?.crop === this.#cell?.crop) return;
    this.#cell = cell;
    this.#clear();
    this.#part("open").disabled = !cell?.crop;
    if (this.open) this.#begin();
  }

  toggle(open = !this.open) {
    this.#part("body").hidden = !open;
    this.#part("open").setAttribute("aria-expanded", String(open));
    this.#clear();
    if (open) this.#begin();
  }

  #part(name) {
    return this.#element.querySelector(`[data-${name}]`);
  }

  #clear() {
    this.#turn++;
    this.#map = null;
    this.#picture.hidden = true;
    this.#say("");
  }

  #say(text, isTrouble = false) {
    const words = this.#part("words");
    words.textContent = text;
    words.classList.toggle("error", isTrouble);
  }

  /** Fetch who can be asked of this cell, keep to whom was asked before, and ask. */
  async #begin() {
    if (!this.#cell?.crop) return;
    const turn = this.#turn;
    const before = this.#voices[this.#part("voice").value];
    const found = await this.#fetch(() => this.#connection.get(`${this.#address}choices/`));
    if (turn !== this.#turn || !found) return;
    this.#voices = found.voices;
    const options = found.voices.map(({ name, words, probability }, place) => {
      const said = probability === null ? "" : ` ${percent(probability)}`;
      return make("option", { value: place }, `${name}${said} · ${words}`);
    });
    this.#part("voice").replaceChildren(...options);
    const method = this.#part("method");
    if (!method.options.length)
      method.append(...found.methods.map(({ name, words }) => make("option", { value: name }, words)));
    for (const field of this.#element.querySelectorAll("select, input")) field.disabled = !found.voices.length;
    if (!found.voices.length) {
      this.#say("No model has said anything of this cell yet.");
      return;
    }
    const same = this.#voices.findIndex(({ label, bundle }) => label === before?.label && bundle === before?.bundle);
    this.#part("voice").selectedIndex = Math.max(0, same);
    this.#ask();
  }

  get #address() {
    return this.#url.replace(NIL, this.#cell.id);
  }

  async #ask() {
    this.#clear();
    const turn = this.#turn;
    const voice = this.#voices[this.#part("voice").value];
    const asked = { label: voice.label, bundle: voice.bundle, method: this.#part("method").value };
    const address = `${this.#address}?${new URLSearchParams(asked)}`;
    const begun = performance.now();
    this.#say("Asks the model.");
    let answer = await this.#fetch(() => this.#connection.post(this.#address, asked));
    while (turn === this.#turn && answer && LIVE.includes(answer.state)) {
      const { done, total } = answer.progress;
      if (total) this.#say(`Covers one place after the other: ${done} of ${total}.`);
      else if (performance.now() - begun > LATE)
        this.#say("It waits for a worker; it is shown as soon as one has made it.");
      await new Promise((resolve) => setTimeout(resolve, SOON));
      if (turn === this.#turn) answer = await this.#fetch(() => this.#connection.get(address));
    }
    if (turn !== this.#turn || !answer) return;
    if (answer.state === "succeeded") {
      this.#map = answer;
      this.#draw();
      this.#say(meaning({ ...voice, method: asked.method, map: answer }));
    } else if (answer.state === "none") {
      this.#say("The border or the model has changed meanwhile: choose again to ask anew.", true);
    } else {
      this.#say(answer.reason, true);
    }
  }

  /** The answer; null where there is none, which is said. */
  async #fetch(request) {
    const turn = this.#turn;
    try {
      const { ok, status, answer } = await request();
      if (ok) return answer;
      if (turn === this.#turn) this.#say(answer?.detail ?? `The server answers ${status}.`, true);
    } catch (error) {
      if (turn === this.#turn) this.#say(`No answer: ${silence(error)}.`, true);
    }
    return null;
  }

  #draw() {
    const image = this.#picture.querySelector("img");
    const url = this.#cropOf(this.#cell);
    if (image.getAttribute("src") !== url) image.src = url;
    const { size, values } = this.#map;
    drawHeat(this.#picture.querySelector("canvas"), { columns: size, rows: size, values }, CROP, CROP);
    this.#picture.hidden = false;
    this.#shade();
  }

  #shade() {
    this.#picture.querySelector("canvas").style.opacity = String(this.#part("opacity").value / 100);
  }
}
