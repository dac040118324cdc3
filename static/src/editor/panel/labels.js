// The study's label scheme at the side, and what a number key or a click makes of a cell's labels.

export class Scheme {
  /**
   * @param groups the study's label groups as the API gives them
   * @param texts [{id, name}] of what can be written about a cell
   */
  constructor(groups, texts = []) {
    this.groups = groups;
    this.texts = texts;
    this.labels = groups.flatMap((group) => group.labels.map((label) => ({ ...label, group })));
    const offered = this.labels.filter((label) => !label.retired);
    this.byKey = new Map(offered.filter((label) => label.key).map((label) => [label.key, label]));
  }

  /** The choice after a label was pressed: on, off, or in the place of the group's other one. `on` null toggles. */
  pressed(choice, label, on) {
    // A retired label is offered no more: it can only be taken off.
    if (label.retired) return choice.filter((id) => id !== label.id);
    const has = choice.includes(label.id);
    if (on ?? !has) {
      if (has) return choice;
      const others = label.group.multiple ? [] : label.group.labels.map((other) => other.id);
      return [...choice.filter((id) => !others.includes(id)), label.id];
    }
    return choice.filter((id) => id !== label.id);
  }
}

/** The buttons of the scheme; `press(label)` is told of clicks. */
export class LabelPanel {
  #target;
  #buttons = new Map();
  #retired;

  constructor(target, scheme, press) {
    this.#retired = new Set(scheme.labels.filter((label) => label.retired).map((label) => label.id));
    this.#target = target;
    for (const group of scheme.groups) {
      const set = document.createElement("fieldset");
      set.className = "label-group";
      const legend = document.createElement("legend");
      legend.textContent = group.name;
      legend.title = group.description ?? "";
      const kind = document.createElement("span");
      kind.className = "muted";
      kind.textContent = group.multiple ? " any number" : " one";
      legend.append(kind);
      set.append(legend);
      for (const label of scheme.labels.filter((each) => each.group === group)) {
        const button = this.#button(label);
        button.hidden = label.retired;
        button.addEventListener("click", (event) => {
          press(label);
          // After a click with the mouse the keys are the image's again.
          if (event.detail) document.getElementById("map").focus();
        });
        set.append(button);
        this.#buttons.set(label.id, button);
      }
      target.append(set);
    }
    target.addEventListener("keydown", (event) => this.#step(event));
  }

  /** Put the focus on the selected cell's label, or else on the first. */
  focus() {
    const buttons = [...this.#buttons.values()].filter((button) => !button.hidden);
    (buttons.find((button) => button.getAttribute("aria-pressed") === "true") ?? buttons[0])?.focus();
  }

  /** Show what the selected cells have; a label that only some have is "mixed". */
  refresh(cells, canEdit) {
    for (const [id, button] of this.#buttons) {
      const having = cells.filter((cell) => cell.labels.includes(id)).length;
      const state = having === 0 ? "false" : having === cells.length ? "true" : "mixed";
      button.setAttribute("aria-pressed", state);
      // Shown where a cell still has it, so that it can be taken off.
      if (this.#retired.has(id)) button.hidden = having === 0;
      // Not "disabled": who has come here by the keyboard stays here.
      button.setAttribute("aria-disabled", !canEdit || cells.length === 0);
    }
  }

  #button(label) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "label-button";
    button.dataset.label = label.id;
    button.setAttribute("aria-pressed", "false");
    button.title = [label.name, label.description, label.retired && "Retired: it can only be taken off."]
      .filter(Boolean)
      .join("\n");
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.background = label.colour;
    const name = document.createElement("span");
    name.className = "label-name";
    name.textContent = label.name;
    button.append(swatch, name);
    if (label.key) {
      const key = document.createElement("kbd");
      key.textContent = label.key;
      button.append(key);
    }
    return button;
  }

  /** Arrow keys go from label to label. */
  #step(event) {
    const buttons = [...this.#target.querySelectorAll("button:not([hidden])")];
    const now = buttons.indexOf(event.target);
    const way = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 }[event.key];
    if (!way || now < 0) return;
    buttons[(now + way + buttons.length) % buttons.length].focus();
    event.preventDefault();
    event.stopPropagation();
  }
}
