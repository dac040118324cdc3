// Who else has the image open, in the page's head: initials, and the name in the tooltip.
import { make } from "../make.js";

const SHOWN = 4;

export function initialsOf(name) {
  const parts = name.split(/[\s._@-]+/).filter(Boolean);
  return (parts.length > 1 ? parts[0][0] + parts[1][0] : name.slice(0, 2)).toUpperCase();
}

/** A round mark of a person; its colour is theirs everywhere. */
export function face({ id, name }) {
  return make("span", { class: "face", "data-hue": id % 6, title: name, "aria-hidden": "true" }, initialsOf(name));
}

export class Faces {
  #target;
  #faces;
  #words;
  #known = "";

  constructor(target, company) {
    this.#target = target;
    this.#faces = target.querySelector("[data-faces]");
    this.#words = target.querySelector("[data-words]");
    company.addEventListener("others", ({ detail }) => this.#refresh(detail.others));
  }

  #refresh(others) {
    const names = others.map(({ name }) => name).join(", ");
    if (names === this.#known) return;
    this.#known = names;
    const more = others.length - SHOWN;
    this.#faces.replaceChildren(
      ...others.slice(0, SHOWN).map(face),
      ...(more > 0 ? [make("span", { class: "face face-more", title: names, "aria-hidden": "true" }, `+${more}`)] : []),
    );
    this.#words.textContent = names ? `Also here: ${names}` : "";
    this.#target.title = this.#words.textContent;
  }
}
