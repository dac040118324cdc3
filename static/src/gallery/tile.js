// One tile: the picture of a cell, and below it what people and the model say. Tiles are used again as one scrolls.
import { make } from "../editor/make.js";
import { certaintyWord, isUnsure } from "./certainty.js";

// A label that the model thinks less probable is worth a second look.
const DOUBTFUL = 0.5;

const percent = (value) => `${Math.round(100 * value)} %`;

export class Tile {
  #picture = make("img", { alt: "", decoding: "async", draggable: "false", hidden: true });
  #mark = make("span", { class: "tile-mark", hidden: true });
  #swatch = make("span", { class: "swatch", "aria-hidden": "true" });
  #name = make("span", { class: "tile-name" });
  #figure = make("span", { class: "tile-figure number" });
  #by = make("span", { class: "tile-by" });
  #extra = make("span", { class: "tile-extra", "aria-hidden": "true" });
  #shown = null;
  #url = null;

  constructor() {
    const caption = make("span", { class: "tile-caption" }, this.#swatch, this.#name, this.#by, this.#figure);
    const frame = make("span", { class: "tile-picture" }, this.#picture, this.#mark, this.#extra);
    this.element = make("div", { class: "tile", role: "option", "aria-selected": "false" }, frame, caption);
  }

  /** Stand for another place of the grid: nothing of the cell before stays. */
  place(place, of, id) {
    this.at = place;
    this.id = id;
    this.element.id = `tile-${place}`;
    this.element.dataset.place = place;
    this.element.dataset.cell = id;
    this.element.setAttribute("aria-posinset", place + 1);
    this.element.setAttribute("aria-setsize", of);
    this.#shown = undefined;
    this.picture(null, false);
  }

  /** `url`: of the picture, null as long as it has not come; `none`: it never will. */
  picture(url, none) {
    if (this.#url !== url) {
      this.#url = url;
      this.#picture.hidden = !url;
      if (url) this.#picture.src = url;
      else this.#picture.removeAttribute("src");
    }
    this.element.classList.toggle("has-no-picture", none);
  }

  select(on, focused) {
    this.element.setAttribute("aria-selected", on);
    this.element.classList.toggle("is-focus", focused);
  }

  /** Show what is known of the cell (null: nothing yet). `of`: the label whose probability counts, or null. */
  show(cell, scheme, of) {
    if (this.#shown === cell && this.of === of) return;
    this.#shown = cell;
    this.of = of;
    const { classList } = this.element;
    classList.toggle("is-unsaved", Boolean(cell?.unsaved));
    classList.toggle("has-problem", Boolean(cell?.problem));
    classList.toggle("is-locked", cell?.state === "reviewed");
    const labels = (cell?.labels ?? []).map((id) => scheme.byId.get(id)).filter(Boolean);
    const [first, ...more] = scheme.inOrder(labels);
    const guess = cell ? scheme.guess(cell, of) : null;
    const named = first ?? guess?.label;
    const probability = of === null && first ? cell.probabilities[first.id] : guess?.probability;
    classList.toggle("is-guess", !first);
    this.#swatch.style.background = first ? first.colour : "none";
    this.#swatch.style.borderColor = named?.colour ?? "";
    this.#swatch.hidden = !named;
    // As people write it beside a name that they would not swear to.
    const unsure = Boolean(first && isUnsure(cell));
    this.#name.textContent = cell && named ? `${unsure ? "? " : ""}${named.name}` : "";
    classList.toggle("is-uncounted", labels.some(({ counted }) => !counted));
    this.#figure.textContent = probability === undefined ? "" : percent(probability);
    this.#figure.classList.toggle("differs", Boolean(first && probability < DOUBTFUL));
    this.#extra.replaceChildren(
      ...more.map((label) => {
        const dot = make("span", { class: "tile-dot" }, label.name.slice(0, 2));
        dot.style.background = label.colour;
        return dot;
      }),
    );
    const others = cell?.said.filter(({ by }) => by !== scheme.me) ?? [];
    const differs = others.some(({ labels: theirs }) => scheme.differ(theirs, cell.labels));
    this.#by.textContent = others.length
      ? others.map(({ by }) => (by ?? "import").slice(0, 1).toUpperCase()).join("")
      : "";
    this.#by.classList.toggle("differs", differs);
    this.#mark.textContent = cell?.problem
      ? "changed by another"
      : cell && !cell.usual && cell.crop
        ? `${Math.round(cell.field)} ${cell.unit}`
        : "";
    this.#mark.hidden = !this.#mark.textContent;
    const title = cell ? describe(cell, scheme) : "Not known yet";
    this.element.setAttribute("aria-label", title);
  }
}

/** A cell in words: where it is from, what is said of it and by whom, what the model says. */
export function describe(cell, scheme) {
  const names = (ids) =>
    ids
      .map((id) => scheme.byId.get(id)?.name)
      .filter(Boolean)
      .join(", ");
  const parts = [cell.patient ? `Patient ${cell.patient}, field ${cell.image}` : `Field ${cell.image}`];
  parts.push(cell.labels.length ? names(cell.labels) : "no label");
  const others = cell.said.filter(({ by }) => by !== scheme.me);
  const sure = cell.labels.length ? certaintyWord(cell) : "";
  if (sure) parts.push(sure);
  if (cell.labels.some((id) => scheme.byId.get(id)?.counted === false)) parts.push("not counted");
  for (const { by, labels } of others) parts.push(`${by ?? "imported"}: ${names(labels)}`);
  const guess = scheme.guess(cell, null);
  if (guess) parts.push(`model: ${guess.label.name} ${percent(guess.probability)}`);
  if (cell.problem) parts.push("your label was not saved, as somebody else changed the cell");
  else if (cell.unsaved) parts.push("not saved yet");
  if (cell.state === "reviewed") parts.push("reviewed, cannot be changed");
  return parts.join("; ");
}
