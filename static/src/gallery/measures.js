// What was measured of the cell in large, and the choice of a measure to sort by.
import { make } from "../editor/make.js";

const NIL = "00000000-0000-0000-0000-000000000000";
// Said at once; the others when asked for.
const FIRST = [
  "area",
  "diameter",
  "circularity",
  "solidity",
  "nucleus_area",
  "nc_ratio",
  "contrast",
  "granularity",
];

export class Measures {
  #element;
  #connection;
  #url;
  #id = null;
  #all = false;

  /** `url`: the API's address of a cell's measures, for the cell of id nil. */
  constructor(element, { connection, url }) {
    this.#element = element;
    this.#connection = connection;
    this.#url = url;
  }

  /** Tell the measures of a cell, {id, …}. */
  async show({ id }) {
    this.#id = id;
    const { ok, answer } = await this.#connection.get(this.#url.replace(NIL, id)).catch(() => ({ ok: false }));
    // Another cell is looked at by now.
    if (this.#id !== id) return;
    if (ok) this.#tell(answer);
    else this.#element.replaceChildren(make("p", { class: "muted" }, "The measures cannot be fetched."));
  }

  #tell({ groups, in_um: inUm }) {
    const all = groups.flatMap(({ measures }) => measures);
    const rest = make(
      "details",
      { open: this.#all, toggle: () => (this.#all = rest.open) },
      make("summary", {}, `All ${all.length} measures`),
      ...groups.map(({ name, measures }) => table(measures, name)),
    );
    this.#element.replaceChildren(
      table(
        all.filter(({ name }) => FIRST.includes(name)),
        "Measures",
      ),
      make("p", { class: "muted small" }, inUm ? "Lengths in µm." : "The scale is not known: lengths in pixels."),
      rest,
    );
  }
}

const table = (measures, name) =>
  make("table", { class: "measures-table" }, make("caption", {}, name), make("tbody", {}, ...measures.map(row)));

const row = ({ label, text, unit, description }) =>
  make(
    "tr",
    { title: description },
    make("th", { scope: "row" }, label),
    make("td", { class: "number" }, text === "–" || !unit ? text : `${text} ${unit}`),
  );

/** Whoever chooses a measure without a range wants to see the cells in its order. */
export function sortByChosenMeasure(form) {
  const { measure, low, high, sort } = form.elements;
  measure?.addEventListener("input", () => {
    if (!low.value && !high.value && !sort.value.startsWith("measure-")) sort.value = "measure-down";
  });
}
