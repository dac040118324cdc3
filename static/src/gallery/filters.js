// What the gallery is asked for: the fields of its form, and beside them the cells that others are to be like; all of
// it stands in the address of the page, so that it can be linked and gone back to.

const ORDERS_OF_MODEL = ["likely", "unlikely", "uncertain", "disputed"];

/** Dispatches "change" when something else is asked for. */
export class Filters extends EventTarget {
  #form;
  #reset;
  #likeMark;
  #like = [];
  #timer = null;
  #modelled = new Set();

  /** `modelled`: the ids of labels of which a model speaks. */
  constructor(form, likeMark, modelled) {
    super();
    this.#form = form;
    this.know(modelled);
    this.#reset = form.querySelector("#gallery-reset");
    this.#likeMark = likeMark;
    this.#read();
    form.addEventListener("submit", (event) => event.preventDefault());
    // Some of its fields stand outside of it.
    document.addEventListener("input", ({ target }) => {
      if (target.form !== form) return;
      clearTimeout(this.#timer);
      // Numbers are typed digit by digit.
      this.#timer = setTimeout(() => this.#changed(), target.type === "number" ? 400 : 0);
    });
    form.addEventListener("reset", () =>
      setTimeout(() => {
        this.#amongAll();
        this.likeNone();
      }),
    );
    likeMark.querySelector("button").addEventListener("click", () => this.likeNone());
    this.#amongMark.querySelector("button").addEventListener("click", () => {
      this.#amongAll();
      this.#changed();
    });
    addEventListener("popstate", () => {
      this.#read();
      this.#tell();
    });
  }

  /** The query string, with "?" where there is one. */
  get address() {
    const parameters = new URLSearchParams();
    for (const [name, value] of new FormData(this.#form))
      if (value && !(name === "sort" && value === "newest")) parameters.set(name, value);
    if (this.#like.length) parameters.set("like", this.#like.join(","));
    const text = parameters.toString().replaceAll("%2C", ",");
    return text ? `?${text}` : "";
  }

  get sort() {
    return this.#form.elements.sort.value;
  }

  /** The label whose probability counts, or null. */
  get of() {
    return Number(this.#form.elements.of?.value) || null;
  }

  get isFiltered() {
    const filters = ["label", "annotator", "certainty", "patient", "state", "agreement", "least", "most", "low", "high"];
    return [...filters, "reading", "among"].some((name) => this.#form.elements[name]?.value);
  }

  /** Whether a model's word decides which cells are shown, or in which order. */
  get followsModel() {
    return (
      ORDERS_OF_MODEL.includes(this.sort) ||
      this.#form.elements.agreement.value === "model" ||
      Boolean(this.#form.elements.least?.value || this.#form.elements.most?.value)
    );
  }

  /** Put first what looks like some cells, among those that a value of the field "label" asks for. */
  likeThese(ids, label = null) {
    this.#like = ids;
    if (label) this.#form.elements.label.value = label;
    this.#form.elements.sort.value = "similar";
    this.#changed();
  }

  likeNone() {
    this.#like = [];
    if (this.sort === "similar") this.#form.elements.sort.value = "newest";
    this.#changed();
  }

  /** Ask for the cells of a label alone; asked again, for all. */
  showLabel(value) {
    const { label } = this.#form.elements;
    label.value = label.value === value ? "" : value;
    this.#changed();
  }

  /** Ask for cells of which nobody has said anything in a label's group, those first of which a model says it. */
  findLabel(label) {
    const { elements } = this.#form;
    for (const name of ["annotator", "certainty", "agreement", "least", "most"]) {
      if (elements[name]) elements[name].value = "";
    }
    elements.label.value = label.group.multiple ? "" : `none-${label.group.id}`;
    elements.of.value = label.id;
    elements.sort.value = "likely";
    this.#changed();
  }

  /** Offer what a model's word is needed for: of those labels of which one speaks. */
  know(modelled) {
    this.#modelled = new Set(modelled.map(String));
    const { of, sort, agreement } = this.#form.elements;
    for (const option of [...of.options, ...sort.options, ...agreement.options]) {
      if (!("ofModel" in option.dataset)) continue;
      const known = option.parentElement === of ? this.#modelled.has(option.value) : this.#modelled.size > 0;
      option.hidden = option.disabled = !known;
    }
    of.closest(".gallery-model").hidden = !this.#modelled.size;
  }

  /** Whether a model speaks of a label. */
  knows(label) {
    return this.#modelled.has(String(label.id));
  }

  #read() {
    const parameters = new URLSearchParams(location.search);
    for (const field of this.#form.elements) {
      if (!field.name) continue;
      field.value = parameters.get(field.name) ?? (field.name === "sort" ? "newest" : "");
      // An address that asks for what there is not asks for everything.
      if (field.selectedIndex === -1) field.selectedIndex = 0;
    }
    this.#like = (parameters.get("like") ?? "").split(",").filter(Boolean);
    this.#show();
  }

  #changed() {
    // Another order than by likeness needs nothing to be like.
    if (this.sort !== "similar") this.#like = [];
    this.#show();
    history.pushState(null, "", location.pathname + this.address);
    this.#tell();
  }

  /** Where it says that only cells are shown that somebody picked out, by a name (inference/kept_choice.py). */
  get #amongMark() {
    return this.#form.elements.among.parentElement;
  }

  #amongAll() {
    // A hidden field keeps its value when the form is reset.
    this.#form.elements.among.value = "";
  }

  #show() {
    this.#amongMark.hidden = !this.#form.elements.among.value;
    // Only an order by what speaks for a diagnosis asks for which.
    const { decision } = this.#form.elements;
    if (decision) decision.hidden = decision.disabled = !this.sort.startsWith("speaks-");
    this.#reset.hidden = !this.isFiltered;
    this.#likeMark.hidden = !this.#like.length;
    const count = this.#like.length;
    this.#likeMark.querySelector("[data-text]").textContent =
      `Like ${count === 1 ? "the cell you chose" : `the ${count} cells you chose`}`;
    for (const field of this.#form.elements)
      field.classList?.toggle("is-set", Boolean(field.name && field.value && !["sort", "decision"].includes(field.name)));
  }

  #tell() {
    this.dispatchEvent(new CustomEvent("change"));
  }
}
