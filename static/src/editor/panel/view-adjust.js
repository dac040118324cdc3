// The sliders that change how the image is shown. What is stored never changes; each person's settings stay while
// images come and go.
import { CHANNELS, isNeutral, NEUTRAL } from "./adjustment.js";

const SLIDERS = ["brightness", "contrast", "gamma"];
// Gamma goes from 1/5 to 5, and 1 is in the middle.
const GAMMA_BASE = 5;

const toSlider = (name, value) => (name === "gamma" ? (100 * Math.log(value)) / Math.log(GAMMA_BASE) : value);
const fromSlider = (name, value) => (name === "gamma" ? GAMMA_BASE ** (value / 100) : value);

export class ViewAdjust {
  #part;
  #layers;
  #preferences;
  #workerUrl;
  #say;
  #worker = null;
  #settings;
  #on = true;
  #session = null;
  // How many images have been handed to the worker, whether it has the one that is open, and what it is to do next.
  #open = 0;
  #handed = false;
  #busy = false;
  #waiting = false;
  #adjusted = null;

  constructor(part, { editor, layers, preferences, workerUrl }) {
    this.#part = part;
    this.#layers = layers;
    this.#preferences = preferences;
    this.#workerUrl = workerUrl;
    this.#say = (text) => editor.say(text);
    this.#settings = { ...NEUTRAL, ...preferences.get("view", {}) };
    const channel = part.querySelector("[data-channel]");
    channel.append(...CHANNELS.map(([value, words]) => new Option(words, value)));
    channel.addEventListener("change", () => this.#set("channel", channel.value));
    for (const name of SLIDERS) {
      const slider = this.#slider(name);
      slider.addEventListener("input", () => this.#set(name, fromSlider(name, slider.valueAsNumber)));
      slider.addEventListener("dblclick", () => this.#set(name, NEUTRAL[name]));
    }
    // After the mouse the keys are the image's again.
    part.addEventListener("pointerup", (event) => {
      if (event.target.matches("input[type=range]")) document.getElementById("map").focus();
    });
    editor.register({
      "adjust-reset": () => this.#replace({ ...NEUTRAL }),
      adjust: () => {
        if (isNeutral(this.#settings)) {
          editor.say("The image is shown as it is: the sliders under View change that.");
          return;
        }
        this.#on = !this.#on;
        editor.say(this.#on ? "Shown with your brightness and colours." : "Shown as it is.");
        this.#apply();
      },
      channel: () => {
        const names = CHANNELS.map(([name]) => name);
        const next = (names.indexOf(this.#settings.channel) + 1) % names.length;
        this.#set("channel", names[next]);
        editor.say(`Shown: ${CHANNELS[next][1].toLowerCase()}.`);
      },
    });
    this.#word();
  }

  show(session) {
    this.#session = session;
    this.#handed = false;
    session.pictured(() => this.#apply());
  }

  #slider(name) {
    return this.#part.querySelector(`[data-slider="${name}"]`);
  }

  #set(name, value) {
    this.#on = true;
    this.#replace({ ...this.#settings, [name]: value });
  }

  #replace(settings) {
    this.#settings = settings;
    this.#preferences.set("view", settings);
    this.#word();
    this.#apply();
  }

  #word() {
    const settings = this.#settings;
    for (const name of SLIDERS) {
      const slider = this.#slider(name);
      slider.value = Math.round(toSlider(name, settings[name]));
      const value = name === "gamma" ? settings.gamma.toFixed(2) : `${settings[name] > 0 ? "+" : ""}${settings[name]}`;
      slider.setAttribute("aria-valuetext", value);
      slider.parentElement.querySelector("output").textContent = value;
    }
    this.#part.querySelector("[data-channel]").value = settings.channel;
    const neutral = isNeutral(settings);
    for (const button of document.querySelectorAll('[data-command="adjust-reset"]')) button.disabled = neutral;
    for (const button of document.querySelectorAll('[data-command="adjust"]')) {
      button.disabled = neutral;
      button.setAttribute("aria-pressed", !neutral && this.#on);
    }
    this.#part.classList.toggle("is-adjusted", !neutral);
  }

  #apply() {
    this.#word();
    if (!this.#session?.picture) return;
    if (isNeutral(this.#settings) || !this.#on) {
      this.#waiting = false;
      if (this.#adjusted) this.#layers.picture = this.#session.picture;
      this.#forget();
      if (isNeutral(this.#settings)) this.#release();
      return;
    }
    // One at a time: of what a slider passes meanwhile only the last is shown.
    if (this.#busy) this.#waiting = true;
    else this.#ask();
  }

  #ask() {
    this.#busy = true;
    this.#waiting = false;
    this.#worker ??= this.#startWorker();
    if (!this.#handed) {
      this.#handed = true;
      this.#open += 1;
      this.#worker.postMessage({ open: this.#open, picture: this.#session.picture });
    }
    this.#worker.postMessage({ open: this.#open, settings: this.#settings });
  }

  #startWorker() {
    const worker = new Worker(this.#workerUrl);
    worker.addEventListener("error", () => {
      this.#busy = false;
      this.#say("The view cannot be changed: a part of the page did not load. Load the page again.");
    });
    worker.addEventListener("message", ({ data }) => {
      this.#busy = false;
      const wanted = this.#on && !isNeutral(this.#settings) && this.#handed && data.open === this.#open;
      if (wanted) {
        this.#layers.picture = data.picture;
        this.#forget();
        this.#adjusted = data.picture;
        document.getElementById("editor").dataset.adjusted = JSON.stringify(this.#settings);
      } else {
        data.picture.close();
      }
      if (this.#waiting || (!wanted && this.#on && !isNeutral(this.#settings))) this.#ask();
    });
    return worker;
  }

  /** The picture before this one is no longer on the screen. */
  #forget() {
    const old = this.#adjusted;
    this.#adjusted = null;
    delete document.getElementById("editor").dataset.adjusted;
    // Two frames on: OpenLayers draws the old one until it has the new.
    if (old) setTimeout(() => old.close(), 500);
  }

  #release() {
    this.#handed = false;
    this.#worker?.postMessage({ open: null });
  }
}
