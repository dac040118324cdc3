// The pointer on its way to the tool in use. A tool has down(place, event) (true: the drag is its own, else it pans),
// drag, up, click, move, key, and start and stop; places are {point: image pixels, reach: image pixels}.
import PointerInteraction from "ol/interaction/Pointer.js";

// Small on purpose: in a dense field a larger one takes the neighbour's vertex.
const REACH_MOUSE = 5;
const REACH_TOUCH = 14;

export class ToolPointer extends PointerInteraction {
  #layers;
  #tool = null;
  #repair;
  #owner = null;
  #panning = false;
  #dragged = false;

  /** `repair` is the tool whose handles can be grabbed while another tool is in use and not drawing. */
  constructor(layers, repair) {
    super({ stopDown: (handled) => handled });
    this.#layers = layers;
    this.#repair = repair;
  }

  get tool() {
    return this.#tool;
  }

  use(tool) {
    this.#tool?.stop?.();
    this.#tool = tool;
    this.#layers.map.getTargetElement().dataset.tool = tool.name;
    tool.start?.();
  }

  /** While the space bar is held every drag pans. */
  set panning(value) {
    this.#panning = value;
    this.#layers.map.getTargetElement().classList.toggle("is-panning", value);
  }

  handleEvent(event) {
    const { originalEvent, type } = event;
    if (type === "click" && originalEvent.button === 0) {
      const place = this.#place(event);
      this.#for(place).click?.(place, originalEvent);
    }
    if (type === "pointermove" && !event.dragging) {
      const place = this.#place(event);
      const cursor = this.#panning ? "grab" : (this.#for(place).move?.(place, originalEvent) ?? "");
      const element = this.#layers.map.getTargetElement();
      if (element.dataset.cursor !== cursor) element.dataset.cursor = cursor;
    }
    return super.handleEvent(event);
  }

  handleDownEvent(event) {
    this.#dragged = false;
    if (this.#panning || event.originalEvent.button !== 0) return false;
    const place = this.#place(event);
    this.#owner = this.#for(place);
    return this.#owner.down?.(place, event.originalEvent) ?? false;
  }

  handleDragEvent(event) {
    this.#dragged = true;
    this.#owner.drag?.(this.#place(event), event.originalEvent);
  }

  handleUpEvent(event) {
    // Without a drag it was a click, and a click never changes a border.
    this.#owner.up?.(this.#place(event), this.#dragged, event.originalEvent);
    return false;
  }

  #for(place) {
    return !this.#tool.drawing && this.#repair.hasHandleAt(place) ? this.#repair : this.#tool;
  }

  #place(event) {
    const reach = event.originalEvent.pointerType === "touch" ? REACH_TOUCH : REACH_MOUSE;
    return { point: this.#layers.at(event.pixel), reach: reach * this.#layers.resolution };
  }
}
