// The pointer on its way to the tool in use: mouse, pen and fingers.
//
// A tool has {name, hint} and what it needs of: down(place, event) (true: the drag is its own, else it pans), drag,
// up(place, dragged, event), click, move(place, event) -> cursor, leave(), wheel(event) -> bool, start(), stop(),
// drawing, cancel() (Esc; true where something was given up), abort() (a stroke ends without effect), and
// takes(command, event) -> bool, which answers a command itself while the tool is at something.
// Places are {point: image pixels, reach: image pixels}.
import DragPan from "ol/interaction/DragPan.js";
import PointerInteraction from "ol/interaction/Pointer.js";

// Small on purpose: in a dense field a larger one takes the neighbour's vertex.
const REACH_MOUSE = 5;
const REACH_TOUCH = 14;
const LONG_PRESS = 550; // ms
const TREMBLE = 10; // screen pixels that a finger may move and has still tapped

export class ToolPointer extends PointerInteraction {
  #layers;
  #tool = null;
  #repair;
  #owner = null;
  #panning = false;
  #dragged = false;
  #pixel = null;
  #tap = null;
  #pressing = null;
  #pressed = false;
  #twoFingers = false;
  #pen = false;

  /** `repair` is the tool whose handles can be grabbed while another one that says `repairs` is in use. */
  constructor(layers, repair) {
    super({ stopDown: (handled) => handled });
    this.#layers = layers;
    this.#repair = repair;
    const { map } = layers;
    // First in the list is asked last: by then it is known whether a second finger has taken the stroke over.
    map.getInteractions().insertAt(
      0,
      new DragPan({ condition: ({ originalEvent }) => this.#twoFingers || originalEvent.button === 1 }),
    );
    const viewport = map.getViewport();
    viewport.addEventListener("pointerleave", () => {
      this.#pixel = null;
      this.#tool?.leave?.();
    });
    viewport.addEventListener("contextmenu", (event) => {
      event.preventDefault();
      if (event.pointerType !== "touch" && this.#tool.drawing) this.#tool.back?.();
    });
    // The wheel button pans; the browser would scroll by itself.
    viewport.addEventListener("mousedown", (event) => event.button === 1 && event.preventDefault());
  }

  get tool() {
    return this.#tool;
  }

  /** Where the pointer is over the map, in image pixels, or null. */
  get over() {
    return this.#pixel && this.#layers.at(this.#pixel);
  }

  use(tool) {
    this.#tool?.stop?.();
    this.#tool = tool;
    this.#layers.map.getTargetElement().dataset.tool = tool.name;
    document.getElementById("editor").dataset.tool = tool.name;
    tool.start?.();
  }

  /** While the space bar is held every drag pans. */
  set panning(value) {
    this.#panning = value;
    this.#layers.map.getTargetElement().classList.toggle("is-panning", value);
  }

  handleEvent(event) {
    const { originalEvent, type } = event;
    const touch = originalEvent.pointerType === "touch";
    // The hand that rests beside the pen is no finger.
    if (this.#pen && touch) return false;
    if (type === "wheel" && this.#tool.wheel?.(originalEvent)) {
      originalEvent.preventDefault();
      return false;
    }
    if (type === "pointerdown") {
      this.#tap = null;
      if (touch) this.#touched(event);
    }
    if (type === "pointerdrag" && this.#tap) this.#moved(event.pixel);
    const tapped = type === "pointerup" && this.#tap?.trembled && !this.#tap.far && !this.#pressed ? this.#tap : null;
    if (type === "pointerup" && !event.activePointers.length) {
      clearTimeout(this.#pressing);
      this.#twoFingers = false;
      this.#tap = null;
    }
    if (type === "click" && originalEvent.button === 0 && !this.#pressed) {
      const place = this.#place(event);
      this.#for(place).click?.(place, originalEvent);
    }
    if (type === "pointermove") {
      this.#pixel = event.pixel;
      if (!event.dragging) this.#hover(event);
    }
    const goesOn = super.handleEvent(event);
    // To OpenLayers this was a drag.
    if (tapped) this.#for(tapped.place).click?.(tapped.place, originalEvent);
    return goesOn;
  }

  #moved([x, y]) {
    const [fromX, fromY] = this.#tap.pixel;
    this.#tap.trembled = true;
    if (Math.hypot(x - fromX, y - fromY) <= TREMBLE) return;
    this.#tap.far = true;
    clearTimeout(this.#pressing);
  }

  #hover(event) {
    const place = this.#place(event);
    const cursor = this.#panning ? "grab" : (this.#for(place).move?.(place, event.originalEvent) ?? "");
    const element = this.#layers.map.getTargetElement();
    if (element.dataset.cursor !== cursor) element.dataset.cursor = cursor;
  }

  /** A finger: the second one ends the stroke of the first and pans; one that rests selects. */
  #touched(event) {
    clearTimeout(this.#pressing);
    this.#pressed = false;
    if (event.activePointers.length > 1) {
      if (!this.handlingDownUpSequence) return;
      this.handlingDownUpSequence = false;
      this.#abort();
      this.#twoFingers = true;
      return;
    }
    const place = this.#place(event);
    this.#tap = { place, pixel: event.pixel, trembled: false, far: false };
    this.#pressing = setTimeout(() => {
      this.#pressed = true;
      if (this.handlingDownUpSequence) this.#abort();
      this.handlingDownUpSequence = false;
      this.#repair.press(place);
    }, LONG_PRESS);
  }

  #abort() {
    if (this.#owner.abort) this.#owner.abort();
    else this.#owner.cancel?.();
  }

  handleDownEvent(event) {
    const { originalEvent } = event;
    this.#dragged = false;
    if (originalEvent.pointerType !== "touch") this.#pressed = false;
    if (this.#panning || this.#twoFingers || originalEvent.button !== 0) return false;
    if (event.activePointers.length > 1 && originalEvent.pointerType === "touch") return false;
    const place = this.#place(event);
    this.#owner = this.#for(place);
    const own = this.#owner.down?.(place, originalEvent) ?? false;
    if (own) {
      this.#pen = originalEvent.pointerType === "pen";
      // A drag that leaves the window still ends here.
      try {
        originalEvent.target.setPointerCapture(originalEvent.pointerId);
      } catch {
        // The pointer has gone in the meantime: its end has been told already.
      }
    }
    return own;
  }

  handleDragEvent(event) {
    if (this.#tap && !this.#tap.far) return;
    this.#dragged = true;
    this.#pixel = event.pixel;
    this.#owner.drag?.(this.#place(event), event.originalEvent);
  }

  handleUpEvent(event) {
    this.#pen = false;
    if (event.originalEvent.type === "pointercancel") this.#abort();
    // Without a drag it was a click, and a click never changes a border.
    else this.#owner.up?.(this.#place(event), this.#dragged, event.originalEvent);
    return false;
  }

  #for(place) {
    const { repairs, drawing } = this.#tool;
    return repairs && !drawing && this.#repair.hasHandleAt(place) ? this.#repair : this.#tool;
  }

  #place(event) {
    const reach = event.originalEvent.pointerType === "touch" ? REACH_TOUCH : REACH_MOUSE;
    return { point: this.#layers.at(event.pixel), reach: reach * this.#layers.resolution };
  }
}
