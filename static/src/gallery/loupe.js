// One cell in large: beside the grid that under the pointer or with the focus, and in a dialog with its field around.
import { make } from "../editor/make.js";
import { certaintyWord } from "./certainty.js";
import { describe } from "./tile.js";

const LATE = 60; // ms: a pointer that crosses tiles shows none of them

const NIL = "00000000-0000-0000-0000-000000000000";

/** The address of a crop; its name in it lets the browser keep it. */
export const cropUrl = (pattern, { id, crop }, around = false) =>
  `${pattern.replace(NIL, id)}?size=299&v=${crop}${around ? "&around=1" : ""}`;

function size({ size: sides, unit }) {
  if (!sides) return "a point";
  const [a, b] = sides.map((side) => (unit === "µm" ? side.toFixed(1) : Math.round(side)));
  return `${a} × ${b} ${unit}`;
}

/** What is known of a cell, as rows of words. */
function facts(cell, scheme) {
  const names = (ids) =>
    scheme
      .inOrder(ids.map((id) => scheme.byId.get(id)).filter(Boolean))
      .map(({ name }) => name)
      .join(", ");
  const rows = [[cell.patient ?? "No patient", `field ${cell.image} · ${size(cell)}`]];
  for (const said of cell.said) {
    const sure = certaintyWord(said);
    const who = said.by === scheme.me ? "You" : (said.by ?? "Imported");
    rows.push([who, `${names(said.labels)}${sure ? ` (${sure})` : ""}`]);
  }
  for (const [decision, probability] of Object.entries(cell.evidence ?? {}))
    rows.push(["MILLIE", `${decision}: ${Math.round(100 * probability)} % by this cell alone`]);
  if (cell.problem) rows.push(["Not saved", cell.problem.reason]);
  return rows;
}

function model(cell, scheme) {
  return Object.entries(cell.probabilities)
    .map(([id, probability]) => ({ label: scheme.byId.get(Number(id)), probability }))
    .filter(({ label }) => label)
    .sort((a, b) => b.probability - a.probability)
    .slice(0, 4);
}

function fill(target, cell, scheme) {
  const bars = model(cell, scheme).map(({ label, probability }) => {
    const bar = make("span", { class: "model-bar" });
    bar.style.width = `${Math.round(100 * probability)}%`;
    bar.style.background = label.colour;
    return make(
      "div",
      { class: "model-row" },
      make("span", { class: "model-name" }, label.name),
      make("span", { class: "model-track" }, bar),
      make("span", { class: "number" }, `${Math.round(100 * probability)} %`),
    );
  });
  target.replaceChildren(
    ...facts(cell, scheme).map(([name, text]) =>
      make("div", { class: "fact" }, make("span", { class: "muted" }, name), make("span", {}, text)),
    ),
    ...bars,
  );
}

export class Loupe {
  #image;
  #caption;
  #cells;
  #scheme;
  #crops;
  #timer = null;
  #id = null;

  /** `crops`: the address of a crop, for the cell of id nil. */
  constructor(element, { cells, scheme, crops }) {
    this.#image = element.querySelector("img");
    this.#caption = element.querySelector("figcaption");
    this.#cells = cells;
    this.#scheme = scheme;
    this.#crops = crops;
    this.#caption.textContent = "Point at a cell to see it in large.";
    cells.addEventListener("change", ({ detail }) => detail.ids.includes(this.#id) && this.#draw());
  }

  show(id) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#id = id;
      this.#draw();
    }, LATE);
  }

  #draw() {
    const cell = this.#cells.get(this.#id);
    if (!cell) return;
    this.#image.hidden = !cell.crop;
    if (cell.crop) {
      const url = cropUrl(this.#crops, cell);
      if (this.#image.getAttribute("src") !== url) this.#image.src = url;
    }
    fill(this.#caption, cell, this.#scheme);
  }
}

export class Enlarged {
  #dialog;
  #cells;
  #scheme;
  #crops;
  #images;
  #id = null;

  /** `images`: the address of the editor, for image 0. */
  constructor(dialog, { cells, scheme, crops, images }) {
    this.#dialog = dialog;
    this.#cells = cells;
    this.#scheme = scheme;
    this.#crops = crops;
    this.#images = images;
    cells.addEventListener("change", ({ detail }) => this.open && detail.ids.includes(this.#id) && this.#draw());
  }

  get open() {
    return this.#dialog.open;
  }

  show(id) {
    this.#id = id;
    this.#draw();
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  close() {
    this.#dialog.close();
  }

  #draw() {
    const cell = this.#cells.get(this.#id);
    if (!cell) return;
    const image = this.#dialog.querySelector("img");
    const url = cropUrl(this.#crops, cell, true);
    if (image.getAttribute("src") !== url) image.src = url;
    image.alt = describe(cell, this.#scheme);
    fill(this.#dialog.querySelector("[data-facts]"), cell, this.#scheme);
    this.#dialog.querySelector("[data-jump]").href = jumpUrl(this.#images, cell);
  }
}

/** The address at which the editor opens with a cell selected. */
export const jumpUrl = (pattern, { image, id }) => `${pattern.replace("/0/", `/${image}/`)}#cell-${id}`;
