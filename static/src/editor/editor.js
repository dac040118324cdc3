// What can be done to an image: the commands that keys and buttons call, each under its name in keys.js.
import { sameState, stateOf } from "./cells/cells.js";
import { newId } from "./cells/new-id.js";
import { toolBox, toolsOf } from "./tools/index.js";
import { reshaped } from "./tools/select.js";
import { Snapping } from "./tools/snapping.js";
import { ToolPointer } from "./tools/tool.js";

export class Editor {
  canEdit = true;
  #session = null;
  #commands = new Map();

  /** `go(direction)` opens another image; `listed()` are the cells as the list has them. */
  constructor({ layers, scheme, hints, go, listed }) {
    Object.assign(this, { layers, scheme, hints, go, listed });
    this.snapping = new Snapping(layers);
    this.tools = toolsOf(this);
    this.pointer = new ToolPointer(layers, this.tools.select);
    layers.map.addInteraction(this.pointer);
    this.use("select");
    this.#registerOwn();
    this.toolBox = toolBox(this);
    this.register(this.toolBox.commands);
  }

  /** Work on another image: the tool stays the same. */
  show(session) {
    this.pointer.tool.cancel?.();
    this.#session = session;
    this.toolBox.show();
  }

  get image() {
    return this.#session.image;
  }

  get cells() {
    return this.#session.cells;
  }

  get selection() {
    return this.#session.selection;
  }

  get history() {
    return this.#session.history;
  }

  get selected() {
    return this.selection.ids.map((id) => this.cells.get(id)).filter((cell) => cell && cell.status !== "deleted");
  }

  /** Whether the selected cell shows what can be pulled: with the tools that let one. */
  get handles() {
    return this.canEdit && Boolean(this.pointer.tool.repairs);
  }

  say(text) {
    this.hints.say(text);
  }

  use(name) {
    if (name !== "select" && !this.#mayEdit()) return;
    this.pointer.use(this.tools[name]);
    this.hints.stand(this.tools[name].hint);
    for (const button of document.querySelectorAll("[data-tool-button]")) {
      button.setAttribute("aria-pressed", button.dataset.command === name);
    }
    if (this.#session) this.layers.select(this.selection.ids, this.handles);
  }

  create(border) {
    if (!this.#mayEdit()) return;
    const id = newId();
    this.history.change([[id, { status: "confirmed", border, labels: [] }]], "Draw");
    this.selection.only(id);
  }

  /** [[cell, border], ...] */
  reshape(targets, name) {
    if (!this.#mayEdit()) return;
    // As the cells are by now: somebody else may have changed or deleted one while it was dragged.
    const current = targets.map(([{ id }, border]) => [this.cells.get(id), border]);
    const alive = current.filter(([cell]) => cell && cell.status !== "deleted");
    // A border that lands where it was is no change: a proposal is not accepted by it.
    const changed = alive.filter(([cell, border]) => !sameState(stateOf(cell), { ...stateOf(cell), border }));
    this.history.change(changed.map(([cell, border]) => [cell.id, reshaped(cell, border)]), name);
  }

  /** Bring cells to new states (cells.js) as one step that can be undone: [[id, state], ...]. */
  change(targets, name) {
    return this.#mayEdit() && this.history.change(targets, name);
  }

  /** Add commands: name in keys.js to function(event); one that answers false has nothing to do here. */
  register(commands) {
    for (const [name, command] of Object.entries(commands)) this.#commands.set(name, command);
  }

  /** One command by its name; false where it has nothing to do. */
  run(name, event) {
    if (this.pointer.tool.takes?.(name, event)) return undefined;
    return this.#commands.get(name)?.(event) ?? undefined;
  }

  #registerOwn() {
    const step = (event) => (event?.shiftKey ? 10 : 1);
    const { layers, tools } = this;
    const nudgeOr = (x, y, otherwise) => (event) =>
      this.selected.length ? tools.select.nudge(x * step(event), y * step(event)) : otherwise();
    for (const name of Object.keys(tools)) this.register({ [name]: () => this.use(name) });
    this.register({
      finish: () => this.pointer.tool.finish?.() || this.#accept(this.selected),
      accept: () => this.#accept(this.selected),
      "accept-all": () => this.#accept(this.cells.proposals(), true),
      back: () => this.pointer.tool.back?.() || this.#remove(),
      delete: () => this.#remove(),
      cancel: () => this.#cancel(this.pointer.tool),
      undo: () => this.#travel("undo"),
      redo: () => this.#travel("redo"),
      "next-cell": (event) => this.#walk(1, event),
      "previous-cell": (event) => this.#walk(-1, event),
      "select-all": () =>
        this.selection.only(...this.cells.shown().filter((cell) => !cell.ignored).map((cell) => cell.id)),
      left: nudgeOr(-1, 0, () => this.go("previous")),
      right: nudgeOr(1, 0, () => this.go("next")),
      up: nudgeOr(0, -1, () => false),
      down: nudgeOr(0, 1, () => false),
      "zoom-in": () => layers.zoomBy(1.5),
      "zoom-out": () => layers.zoomBy(1 / 1.5),
      fit: () => layers.fit(),
      "next-image": (event) => this.#step("next", event),
      "previous-image": (event) => this.#step("previous", event),
    });
  }

  #step(direction, event) {
    // A click that asks the browser for another tab is the browser's.
    if (event?.type === "click" && (event.ctrlKey || event.metaKey || event.shiftKey)) return;
    event?.preventDefault();
    this.go(direction);
  }

  #mayEdit() {
    if (!this.canEdit) this.say("This image is reviewed. A reviewer can reopen it.");
    return this.canEdit;
  }

  #accept(cells, all = false) {
    const proposals = cells.filter((cell) => cell.status === "proposed");
    if (!proposals.length) return all ? this.say("There is no open proposal.") : false;
    if (!this.#mayEdit()) return undefined;
    const next = all ? null : this.#nextProposal(proposals);
    this.history.change(proposals.map((cell) => [cell.id, { ...stateOf(cell), status: "confirmed" }]), "Accept");
    if (all) this.say(`${proposals.length} proposals accepted. Ctrl+Z takes it back.`);
    if (next) this.#focus(next);
    return undefined;
  }

  #remove() {
    const cells = this.selected;
    if (!cells.length) return false;
    if (!this.#mayEdit()) return undefined;
    const rejected = cells.every((cell) => cell.status === "proposed");
    const next = rejected ? this.#nextProposal(cells) : null;
    this.history.change(cells.map((cell) => [cell.id, { ...stateOf(cell), status: "deleted" }]), "Delete");
    this.selection.only();
    if (next) this.#focus(next);
    return undefined;
  }

  /** The open proposal nearest to the last of some cells, so that one can go on with the next key. */
  #nextProposal(cells) {
    const here = cells.at(-1).bounds;
    const distance = ({ bounds }) => Math.hypot(bounds[0] - here[0], bounds[1] - here[1]);
    const open = this.cells.proposals().filter((cell) => !cells.includes(cell));
    return open.sort((a, b) => distance(a) - distance(b))[0] ?? null;
  }

  #cancel(tool) {
    if (tool.cancel?.()) return;
    if (tool.name !== "select") this.use("select");
    else this.selection.only();
  }

  #travel(direction) {
    if (!this.#mayEdit()) return;
    this.pointer.tool.cancel?.();
    const done = this.history[direction]();
    if (!done) {
      this.say(`Nothing to ${direction}.`);
      return;
    }
    const left = done.ids.filter((id) => this.cells.get(id)?.status !== "deleted");
    this.selection.only(...left);
    if (left.length === 1) this.layers.reveal(this.cells.get(left[0]));
    this.say(`${direction === "undo" ? "Undone" : "Redone"}: ${done.name.toLowerCase()}.`);
  }

  /** On to the next cell of the list, in its order. */
  #walk(step, event) {
    // Tab walks through the cells while the image has the focus, and leaves it after the last one.
    const tab = event.key === "Tab";
    if (tab && event.target.id !== "map") return false;
    const order = this.listed().filter((cell) => !cell.ignored);
    if (!order.length) return tab ? false : undefined;
    const now = order.findIndex((cell) => this.selection.has(cell.id));
    if (tab && now >= 0 && !order[now + step]) return false;
    const index = now < 0 ? (step > 0 ? 0 : order.length - 1) : (now + step + order.length) % order.length;
    this.#focus(order[index]);
    return undefined;
  }

  #focus(cell) {
    this.selection.only(cell.id);
    this.layers.reveal(cell);
  }

  focus(id) {
    const cell = this.cells.get(id);
    if (cell) this.#focus(cell);
  }
}
