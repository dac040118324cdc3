// Choosing tiles with the pointer: clicks, ranges, a box, and dragging what is chosen onto a class.

const FAR = 5; // px that a hand may tremble
const EDGE = 36; // px from the edge of the grid where a box makes it scroll

export class Picking {
  #grid;
  #element;
  #box;
  #selection;
  #drop;
  #anchor = 0;
  #down = null;
  #frame = null;

  /** `drop`: {start(event, ids), move(event), end(event), cancel()}, told of dragging chosen tiles. */
  constructor(element, { grid, selection, drop }) {
    this.#element = element;
    this.#box = element.querySelector(".gallery-box");
    this.#grid = grid;
    this.#selection = selection;
    this.#drop = drop;
    element.addEventListener("pointerdown", (event) => this.#press(event));
    element.addEventListener("pointermove", (event) => this.#move(event));
    element.addEventListener("pointerup", (event) => this.#release(event));
    element.addEventListener("pointercancel", () => this.cancel());
  }

  /** Whether a box or a drag is going on. */
  get busy() {
    return Boolean(this.#down?.kind);
  }

  /** Choose from the anchor to a place; with `more` besides what is chosen. */
  range(place, more = false) {
    const [from, to] = [Math.min(this.#anchor, place), Math.max(this.#anchor, place)];
    const ids = this.#grid.order.slice(from, to + 1);
    if (more) this.#selection.add(...ids);
    else this.#selection.only(...ids);
  }

  /** From where ranges go. */
  anchorAt(place) {
    this.#anchor = place;
  }

  /** Give up the box or the drag; what was chosen before is chosen again. */
  cancel() {
    const down = this.#down;
    this.#down = null;
    cancelAnimationFrame(this.#frame);
    this.#frame = null;
    this.#box.hidden = true;
    if (down?.kind === "drag") this.#drop.cancel();
    if (down?.kind === "box") this.#selection.only(...down.before);
  }

  #press(event) {
    if (event.button !== 0 || !this.#grid.order) return;
    const tile = event.target.closest(".tile");
    const place = tile ? Number(tile.dataset.place) : -1;
    const more = event.ctrlKey || event.metaKey;
    const chosen = place >= 0 && this.#selection.has(this.#grid.order.id(place));
    this.#down = {
      place,
      more,
      range: event.shiftKey,
      touch: event.pointerType === "touch",
      drags: chosen && !more && !event.shiftKey,
      before: this.#selection.ids,
      start: this.#at(event),
      client: [event.clientX, event.clientY],
      pointer: event.pointerId,
      kind: null,
    };
    if (!this.#down.touch) {
      this.#element.setPointerCapture(event.pointerId);
      // No text is selected, no picture dragged; the grid has the keys.
      event.preventDefault();
      this.#element.focus({ preventScroll: true });
    }
  }

  #move(event) {
    const down = this.#down;
    if (!down || down.touch || event.pointerId !== down.pointer) return;
    down.client = [event.clientX, event.clientY];
    if (!down.kind) {
      const [x, y] = this.#at(event);
      if (Math.hypot(x - down.start[0], y - down.start[1]) < FAR) return;
      down.kind = down.drags ? "drag" : "box";
      if (down.kind === "drag") this.#drop.start(event, this.#selection.ids);
    }
    if (down.kind === "drag") this.#drop.move(event);
    else this.#frame ??= requestAnimationFrame(() => this.#stretch());
  }

  #release(event) {
    const down = this.#down;
    if (!down || event.pointerId !== down.pointer) return;
    if (down.kind === "box") this.#stretch();
    this.#down = null;
    cancelAnimationFrame(this.#frame);
    this.#frame = null;
    this.#box.hidden = true;
    if (down.kind === "drag") this.#drop.end(event);
    else if (!down.kind) this.#click(down);
  }

  #click({ place, more, range, touch }) {
    if (place < 0) {
      if (!more && !range) this.#selection.only();
      return;
    }
    const id = this.#grid.order.id(place);
    if (range) {
      this.range(place, more);
    } else {
      if (more || touch) this.#selection.toggle(id);
      else this.#selection.only(id);
      this.#anchor = place;
    }
    this.#grid.focusOn(place);
  }

  /** Draw the box to where the pointer is, choose what it touches, and scroll where it leaves the grid. */
  #stretch() {
    this.#frame = null;
    const down = this.#down;
    if (down?.kind !== "box") return;
    const frame = this.#element.getBoundingClientRect();
    const [x, y] = down.client;
    const beyond = y < frame.top + EDGE ? y - frame.top - EDGE : y > frame.bottom - EDGE ? y - frame.bottom + EDGE : 0;
    if (beyond) {
      this.#element.scrollTop += Math.max(-40, Math.min(40, beyond / 2));
      this.#frame = requestAnimationFrame(() => this.#stretch());
    }
    const [endX, endY] = this.#at({ clientX: x, clientY: y });
    const [x0, x1] = [Math.min(down.start[0], endX), Math.max(down.start[0], endX)];
    const [y0, y1] = [Math.min(down.start[1], endY), Math.max(down.start[1], endY)];
    this.#box.hidden = false;
    this.#box.style.transform = `translate(${x0}px, ${y0}px)`;
    this.#box.style.width = `${x1 - x0}px`;
    this.#box.style.height = `${y1 - y0}px`;
    const ids = this.#grid.within([x0, y0, x1, y1]).map((place) => this.#grid.order.id(place));
    this.#selection.only(...(down.more || down.range ? down.before : []), ...ids);
  }

  /** Where the pointer is, in px of the whole grid. */
  #at({ clientX, clientY }) {
    const frame = this.#element.getBoundingClientRect();
    return [clientX - frame.left + this.#element.scrollLeft, clientY - frame.top + this.#element.scrollTop];
  }
}
