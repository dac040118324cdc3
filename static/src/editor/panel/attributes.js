// Beside the labels: how sure each chosen label is, and what is written about a cell.
import { CERTAINTY } from "./labelling.js";

/** The value that all of some cells share under a key of a field; undefined where they differ. */
function shared(cells, field, key, none) {
  if (!cells.length) return none;
  const values = new Set(cells.map((cell) => cell[field]?.[key] ?? none));
  return values.size === 1 ? [...values][0] : undefined;
}

/** For each label that all selected cells have: sure, likely, unsure, or nothing said. */
export class CertaintyPanel {
  #target;
  #scheme;
  #set;

  /** `set(label, value)` is told of clicks; value null takes back what was said. */
  constructor(target, scheme, set) {
    this.#target = target;
    this.#scheme = scheme;
    this.#set = set;
    target.addEventListener("click", (event) => this.#click(event));
  }

  refresh(cells, canEdit) {
    const labels = this.#scheme.labels.filter((label) => cells.length && cells.every((cell) => cell.labels.includes(label.id)));
    const rows = [...this.#target.children];
    this.#target.hidden = !labels.length;
    while (rows.length < labels.length) rows.push(this.#target.appendChild(this.#newRow()));
    for (const row of rows.splice(labels.length)) row.remove();
    labels.forEach((label, i) => this.#word(rows[i], label, shared(cells, "confidence", label.id, null), canEdit));
  }

  #newRow() {
    const row = document.createElement("div");
    row.className = "certainty";
    row.setAttribute("role", "group");
    const name = document.createElement("span");
    name.className = "certainty-name";
    const steps = document.createElement("span");
    steps.className = "segments";
    for (const [words] of CERTAINTY) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = words;
      steps.append(button);
    }
    row.append(name, steps);
    return row;
  }

  #word(row, label, value, canEdit) {
    const [name, steps] = row.children;
    row.dataset.label = label.id;
    row.setAttribute("aria-label", `How sure: ${label.name}`);
    const other = typeof value === "number" && !CERTAINTY.some(([, step]) => step === value);
    // What came from elsewhere may lie between the steps.
    name.textContent = other ? `${label.name} ${value}` : label.name;
    name.title = name.textContent;
    [...steps.children].forEach((button, i) => {
      button.setAttribute("aria-pressed", value === CERTAINTY[i][1]);
      button.disabled = !canEdit;
      button.title = value === CERTAINTY[i][1] ? "Press again to take it back" : "";
    });
  }

  #click(event) {
    const button = event.target.closest("button");
    if (!button) return;
    const id = Number(button.closest("[data-label]").dataset.label);
    const label = this.#scheme.labels.find((each) => each.id === id);
    const step = [...button.parentElement.children].indexOf(button);
    this.#set(label, button.getAttribute("aria-pressed") === "true" ? null : CERTAINTY[step][1]);
    if (event.detail) document.getElementById("map").focus();
  }
}

/** A field for each text of the scheme; it is kept on Enter and when the field is left, and Esc gives it up. */
export class TextPanel {
  #fields;
  #ids = [];
  #write;

  /** `write(ids, attribute, text)` is told what somebody has written, and about which cells. */
  constructor(target, scheme, write) {
    this.#write = write;
    target.hidden = !scheme.texts.length;
    this.#fields = scheme.texts.map((attribute) => {
      const label = document.createElement("label");
      label.className = "text-attribute";
      const name = document.createElement("span");
      name.textContent = attribute.name;
      const input = document.createElement("input");
      input.type = "text";
      input.maxLength = 2000;
      input.autocomplete = "off";
      input.dataset.text = attribute.id;
      label.append(name, input);
      target.append(label);
      const field = { attribute, input, shown: "" };
      input.addEventListener("blur", () => this.#keep(field));
      input.addEventListener("keydown", (event) => this.#key(event, field));
      return field;
    });
  }

  refresh(cells, canEdit) {
    const ids = cells.map((cell) => cell.id);
    const others = ids.length !== this.#ids.length || ids.some((id, i) => id !== this.#ids[i]);
    // What was being written belongs to the cells that were selected then.
    if (others) for (const field of this.#fields) this.#keep(field);
    this.#ids = ids;
    for (const field of this.#fields) {
      const { attribute, input } = field;
      const text = shared(cells, "texts", attribute.id, "");
      const writing = input === document.activeElement && input.value !== field.shown;
      if (!writing) input.value = text ?? "";
      if (!writing) field.shown = input.value;
      input.placeholder = text === undefined ? "different texts" : "";
      input.disabled = !canEdit || !cells.length;
    }
  }

  #keep(field) {
    const text = field.input.value.trim();
    if (text === field.shown || !this.#ids.length) return;
    field.shown = field.input.value = text;
    this.#write(this.#ids, field.attribute, text);
  }

  #key(event, field) {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    if (event.isComposing) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Escape") field.input.value = field.shown;
    this.#keep(field);
    document.getElementById("map").focus();
  }
}
