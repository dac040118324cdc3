// The panel at the right: its parts, which of them are open, and the keys that lead there.
import { CertaintyPanel, TextPanel } from "./attributes.js";
import { CellList } from "./cell-list.js";
import { LabelPanel } from "./labels.js";
import { SelectedCell } from "./selected-cell.js";

export class SidePanel {
  #page;
  #panel;
  #layers;
  #preferences;
  #parts;

  constructor(page, { editor, layers, scheme, labelling, preferences }) {
    const element = (id) => document.getElementById(id);
    this.#page = page;
    this.#layers = layers;
    this.#preferences = preferences;
    this.#panel = page.querySelector(".panel");
    this.list = new CellList(element("cells"), scheme, preferences, (ids, focus) => {
      if (focus) editor.focus(focus);
      else editor.selection.only(...ids);
    });
    this.labels = new LabelPanel(element("labels"), scheme, (label) => labelling.press(label));
    this.selected = new SelectedCell(element("selected"), scheme);
    this.certainty = new CertaintyPanel(element("certainty"), scheme, (label, value) =>
      labelling.setConfidence(label, value),
    );
    this.texts = new TextPanel(element("texts"), scheme, (ids, attribute, text) => labelling.write(ids, attribute, text));
    this.#parts = [...this.#panel.querySelectorAll("details[data-part]")];
    this.#remember();
    editor.register({
      panel: () => this.#showPanel(this.#page.classList.contains("is-wide")),
      attributes: () => {
        this.#open("labels");
        this.labels.focus();
      },
      "find-cell": () => {
        this.#open("cells");
        const search = element("cells").querySelector("[data-search]");
        search.focus();
        search.select();
      },
    });
  }

  show(session) {
    this.selected.show();
    this.list.show(session);
  }

  select(ids) {
    this.list.select(ids);
  }

  /** Word what is selected; `size` words lengths and areas (scale-bar.js). */
  refresh(cells, size, canEdit) {
    this.selected.refresh(cells, size);
    this.labels.refresh(cells, canEdit);
    this.certainty.refresh(cells, canEdit);
    this.texts.refresh(cells, canEdit);
  }

  #remember() {
    const kept = this.#preferences.get("parts", {});
    // Parts that are open from the start tell it too, a moment later.
    let ready = false;
    setTimeout(() => (ready = true), 1000);
    for (const part of this.#parts) {
      part.open = kept[part.dataset.part] ?? part.open;
      part.addEventListener("toggle", () => {
        const open = Object.fromEntries(this.#parts.map((each) => [each.dataset.part, each.open]));
        this.#preferences.set("parts", open);
        if (part.open && ready) part.scrollIntoView({ block: "nearest" });
      });
    }
    if (!this.#preferences.get("panel", true)) this.#showPanel(false);
  }

  #open(name) {
    if (this.#page.classList.contains("is-wide")) this.#showPanel(true);
    for (const part of this.#parts) if (part.dataset.part === name) part.open = true;
  }

  #showPanel(shown) {
    this.#page.classList.toggle("is-wide", !shown);
    for (const button of document.querySelectorAll('[data-command="panel"]')) button.setAttribute("aria-pressed", shown);
    this.#preferences.set("panel", shown);
    this.#layers.map.updateSize();
  }
}
