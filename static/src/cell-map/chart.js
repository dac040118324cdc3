// The canvas of the map: pans, zooms, tells what is under the pointer, and picks out what somebody draws around.
import { dot, paint } from "./paint.js";

const MOST_PIXELS = 4_000_000; // of the canvas: a finer one would cost more time than it shows
const NEAR = 9; // px around the pointer in which a point is found
const MARGIN = 24; // px
const A_CLICK = 4; // px that a pointer moves at most
const STEP = 1.25;

const FEW = 5_000;

/** Sizes of dots in px for so many points at most. */
const RADII = [
  [1_000, 4.5],
  [5_000, 3.5],
  [20_000, 2.5],
  [60_000, 1.8],
  [Infinity, 1.4],
];

/**
 * Dispatches "over" {place, x, y} (place -1: nothing is under the pointer), "click" {place, event} and "pick" {inside}:
 * the function inside(place) tells whether a point lies in what was drawn.
 */
export class Chart extends EventTarget {
  #canvas;
  #drawing;
  #points = null;
  #layout = "umap";
  #colours = new Uint32Array();
  #shown = () => true;
  #view = { scale: 1, x: 0, y: 0 };
  #whole = 1;
  #ratio = 1;
  #image = null;
  #waiting = false;
  #drag = null;
  #pointers = new Map();

  /** What dragging does: "pan", "box" or "lasso". */
  mode = "pan";

  constructor(canvas, drawing) {
    super();
    this.#canvas = canvas;
    this.#drawing = drawing;
    new ResizeObserver(() => this.#resize()).observe(canvas.parentElement);
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.#up(event));
    canvas.addEventListener("pointerleave", () => this.#over(-1, 0, 0));
  }

  /** Show points by a layout, in colours (0xAABBGGRR each); `shown(place)`: whether one can be pointed at. */
  show(points, layout, shown) {
    const isOther = points !== this.#points || layout !== this.#layout;
    [this.#points, this.#layout, this.#shown] = [points, layout, shown];
    if (isOther) this.showAll();
  }

  /** Show nothing: another map comes, or none. */
  clear() {
    this.#points = null;
    this.#image?.data.fill(0);
    if (this.#image) this.#canvas.getContext("2d").putImageData(this.#image, 0, 0);
  }

  recolour(colours) {
    this.#colours = colours;
    this.repaint();
  }

  /** The whole map fills the canvas. */
  showAll() {
    if (!this.#points) return;
    const [x0, y0, x1, y1] = this.#points.layout(this.#layout).bounds;
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const scale = Math.min((width - 2 * MARGIN) / (x1 - x0 || 1), (height - 2 * MARGIN) / (y1 - y0 || 1));
    this.#whole = Math.max(scale, 1e-9);
    this.#view = {
      scale: this.#whole,
      x: width / 2 - ((x0 + x1) / 2) * this.#whole,
      y: height / 2 + ((y0 + y1) / 2) * this.#whole,
    };
    this.repaint();
  }

  pan(dx, dy) {
    this.#view.x += dx;
    this.#view.y += dy;
    this.repaint();
  }

  /** Zoom by a factor around a place of the canvas, by default its middle. */
  zoom(factor, x = this.#canvas.clientWidth / 2, y = this.#canvas.clientHeight / 2) {
    const scale = Math.min(this.#whole * 400, Math.max(this.#whole * 0.5, this.#view.scale * factor));
    const by = scale / this.#view.scale;
    this.#view = { scale, x: x + (this.#view.x - x) * by, y: y + (this.#view.y - y) * by };
    this.repaint();
  }

  repaint() {
    if (this.#waiting) return;
    this.#waiting = true;
    requestAnimationFrame(() => {
      this.#waiting = false;
      this.#paint();
    });
  }

  /** Where a point lies on the canvas, in px. */
  at(place) {
    const { xs, ys } = this.#points.layout(this.#layout);
    const { scale, x, y } = this.#view;
    return [xs[place] * scale + x, y - ys[place] * scale];
  }

  #paint() {
    if (!this.#points || !this.#image) return;
    const { width, height, data } = this.#image;
    const ratio = this.#ratio;
    const { scale, x, y } = this.#view;
    const zoomed = Math.min(4, Math.max(0.7, (scale / this.#whole) ** 0.35));
    const [, radius] = RADII.find(([most]) => this.#points.length <= most);
    // On a large screen few points would be lost; many fill it anyway.
    const room = this.#points.length > FEW ? 1 : Math.min(1.7, Math.max(1, Math.sqrt(width * height) / ratio / 900));
    paint(
      new Uint32Array(data.buffer),
      width,
      height,
      this.#points.layout(this.#layout),
      this.#colours,
      { scale: scale * ratio, x: x * ratio, y: y * ratio },
      dot(radius * zoomed * room * ratio),
    );
    this.#canvas.getContext("2d").putImageData(this.#image, 0, 0);
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (!width || !height) return;
    this.#ratio = Math.min(devicePixelRatio, Math.sqrt(MOST_PIXELS / (width * height)));
    for (const canvas of [this.#canvas, this.#drawing]) {
      canvas.width = Math.round(width * this.#ratio);
      canvas.height = Math.round(height * this.#ratio);
    }
    this.#image = new ImageData(this.#canvas.width, this.#canvas.height);
    const isFirst = this.#view.scale === 1 && this.#view.x === 0;
    if (isFirst) this.showAll();
    // Before the next frame shows an empty canvas.
    this.#paint();
  }

  #wheel(event) {
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), event.offsetX, event.offsetY);
  }

  #down(event) {
    if (event.button !== 0) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    const mode = event.shiftKey && this.mode === "pan" ? "lasso" : this.mode;
    this.#drag = this.#pointers.size > 1 ? null : { mode, path: [[event.offsetX, event.offsetY]], moved: false };
    this.#over(-1, 0, 0);
  }

  #move(event) {
    const [x, y] = [event.offsetX, event.offsetY];
    const before = this.#pointers.get(event.pointerId);
    if (!before) {
      this.#look(x, y);
      return;
    }
    if (this.#pointers.size > 1) this.#pinch(event.pointerId, before, [x, y]);
    this.#pointers.set(event.pointerId, [x, y]);
    const drag = this.#drag;
    if (!drag) return;
    drag.moved ||= Math.hypot(x - drag.path[0][0], y - drag.path[0][1]) > A_CLICK;
    if (!drag.moved) return;
    if (drag.mode === "pan") {
      this.pan(x - before[0], y - before[1]);
      return;
    }
    if (drag.mode === "box") drag.path = boxOf(drag.path[0], [x, y]);
    else drag.path.push([x, y]);
    this.#outline(drag.path);
  }

  #up(event) {
    this.#pointers.delete(event.pointerId);
    const drag = this.#drag;
    this.#drag = null;
    this.#outline([]);
    if (!drag || event.type === "pointercancel") return;
    if (!drag.moved) {
      const place = this.#find(event.offsetX, event.offsetY);
      if (place >= 0) this.dispatchEvent(new CustomEvent("click", { detail: { place, event } }));
    } else if (drag.mode !== "pan") {
      const inside = (place) => isWithin(drag.path, ...this.at(place));
      this.dispatchEvent(new CustomEvent("pick", { detail: { inside } }));
    }
  }

  /** Two fingers: what lies between them stays between them. */
  #pinch(moved, before, after) {
    const [other] = [...this.#pointers].filter(([id]) => id !== moved).map(([, at]) => at);
    const away = ([x, y]) => Math.hypot(x - other[0], y - other[1]) || 1;
    this.zoom(away(after) / away(before), ...other);
  }

  #look(x, y) {
    this.#over(this.#find(x, y), x, y);
  }

  #over(place, x, y) {
    this.#canvas.classList.toggle("is-over", place >= 0);
    this.dispatchEvent(new CustomEvent("over", { detail: { place, x, y } }));
  }

  #find(x, y) {
    if (!this.#points) return -1;
    const { scale, x: x0, y: y0 } = this.#view;
    return this.#points.nearest(this.#layout, (x - x0) / scale, (y0 - y) / scale, NEAR / scale, this.#shown);
  }

  #outline(path) {
    const context = this.#drawing.getContext("2d");
    context.setTransform(this.#ratio, 0, 0, this.#ratio, 0, 0);
    context.clearRect(0, 0, this.#drawing.clientWidth, this.#drawing.clientHeight);
    if (path.length < 2) return;
    context.beginPath();
    for (const [x, y] of path) context.lineTo(x, y);
    context.closePath();
    const accent = getComputedStyle(this.#drawing).getPropertyValue("--accent");
    context.fillStyle = context.strokeStyle = accent;
    context.globalAlpha = 0.12;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = 1.5;
    context.stroke();
  }

  get step() {
    return STEP;
  }
}

const boxOf = ([x0, y0], [x1, y1]) => [
  [x0, y0],
  [x1, y0],
  [x1, y1],
  [x0, y1],
];

/** Whether a point lies in a polygon, by how often a ray from it crosses the outline. */
export function isWithin(path, x, y) {
  let within = false;
  for (let at = 0, before = path.length - 1; at < path.length; before = at++) {
    const [ax, ay] = path[at];
    const [bx, by] = path[before];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within;
  }
  return within;
}
