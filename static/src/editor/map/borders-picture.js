// All borders at rest as one picture between the pixels and what is being edited. It is painted when the view comes
// to rest somewhere else; a border that changes is painted anew within its own rectangle, so that thousands of others
// cost nothing.
import ImageLayer from "ol/layer/Image.js";
import ImageCanvas from "ol/source/ImageCanvas.js";
import RBush from "rbush";
import { paintBorders } from "./paint.js";

// How far beyond the window the picture reaches: panning a little paints nothing.
const RATIO = 1.3;
// Screen pixels around a border that its line, its casing and its name may cover.
const MARGIN = 4;
const CAPTION = 26;

export class BordersPicture {
  #height = 0;
  #cells = null;
  #scheme = null;
  #labels = true;
  #index = new RBush(16);
  #items = new Map();
  #order = 0;
  #hidden = new Set();
  #selected = new Set();
  #only = null;
  #canvas = document.createElement("canvas");
  #frame = null;
  #source = null;

  constructor() {
    this.layer = new ImageLayer();
  }

  /** Make the canvas for a window of `size` (screen pixels) while nothing is to be painted yet. */
  prepare(size) {
    this.#make(size.map((length) => length * RATIO * devicePixelRatio));
  }

  /** Paint another image's cells; they may still be empty. */
  show(session, projection) {
    this.#height = session.image.height;
    this.#cells = session.cells;
    this.#scheme = session.scheme;
    this.#frame = null;
    this.#hidden.clear();
    this.#selected.clear();
    this.#source = new ImageCanvas({
      projection,
      ratio: RATIO,
      canvasFunction: (extent, resolution, pixelRatio, size) => this.#paint(extent, resolution, pixelRatio, size),
    });
    this.layer.setSource(this.#source);
    this.refresh(null);
  }

  set labels(shown) {
    this.#labels = shown;
    this.#source?.changed();
  }

  /** Show only the cells of which this is true; null: all of them. */
  set only(shows) {
    if (shows === this.#only) return;
    this.#only = shows;
    this.#source?.changed();
  }

  /** Cells whose bounds lie within `reach` image pixels of a point. */
  near([x, y], reach) {
    const box = { minX: x - reach, minY: y - reach, maxX: x + reach, maxY: y + reach };
    return this.#seen(this.#index.search(box).map(({ id }) => this.#cells.get(id)));
  }

  /** Cells have changed (null: all of them). */
  refresh(ids) {
    if (ids === null) {
      this.#order = 0;
      const items = this.#cells.shown().map((cell) => this.#item(cell));
      this.#items = new Map(items.map((item) => [item.id, item]));
      this.#index.clear().load(items);
      this.#source.changed();
      return;
    }
    const dirty = [];
    for (const id of ids) {
      const old = this.#items.get(id);
      if (old) dirty.push(old);
      const cell = this.#cells.get(id);
      const item = cell && cell.status !== "deleted" ? this.#item(cell, old?.order) : null;
      if (item) dirty.push(item);
      this.#place(id, old, item);
    }
    this.#patch(dirty);
  }

  /** Leave these cells out: they are being dragged, and drawn elsewhere. */
  hide(ids) {
    const hidden = new Set(ids);
    const changed = [...hidden.symmetricDifference(this.#hidden)].map((id) => this.#items.get(id)).filter(Boolean);
    this.#hidden = hidden;
    this.#patch(changed);
  }

  /** Paint these cells as selected: where they are too many to be drawn anew at every move. */
  select(ids) {
    const selected = new Set(ids);
    const changed = [...selected.symmetricDifference(this.#selected)].map((id) => this.#items.get(id)).filter(Boolean);
    this.#selected = selected;
    this.#patch(changed);
  }

  #item(cell, order = this.#order++) {
    const [minX, minY, maxX, maxY] = cell.bounds;
    return { minX, minY, maxX, maxY, id: cell.id, order };
  }

  #place(id, old, item) {
    if (old) this.#index.remove(old);
    if (item) {
      this.#index.insert(item);
      this.#items.set(id, item);
    } else {
      this.#items.delete(id);
    }
  }

  #seen(cells) {
    return this.#only ? cells.filter(this.#only) : cells;
  }

  #paint(extent, resolution, pixelRatio, size) {
    this.#make(size);
    const left = extent[0];
    const top = this.#height - extent[3];
    this.#frame = { left, top, resolution, scale: pixelRatio / resolution };
    const box = { minX: left, minY: top, maxX: extent[2], maxY: this.#height - extent[1] };
    this.#draw(this.#canvas.getContext("2d"), box);
    return this.#canvas;
  }

  /** An empty canvas of a size; a new one is made only for another size, for the browser takes long to make one. */
  #make(size) {
    const [width, height] = size.map(Math.round);
    const canvas = this.#canvas;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    canvas.getContext("2d").clearRect(0, 0, width, height);
  }

  #draw(context, box) {
    const { left, top, scale, resolution } = this.#frame;
    const reach = CAPTION * resolution;
    const found = this.#index
      .search({ minX: box.minX - reach, minY: box.minY - reach, maxX: box.maxX + reach, maxY: box.maxY + reach })
      .filter(({ id }) => !this.#hidden.has(id))
      .sort((a, b) => a.order - b.order)
      .map(({ id }) => this.#cells.get(id));
    context.save();
    context.setTransform(scale, 0, 0, scale, -left * scale, -top * scale);
    const view = { resolution, labels: this.#labels, selected: this.#selected };
    paintBorders(context, this.#seen(found), this.#scheme, view);
    context.restore();
  }

  /** Paint what lies under some items anew. */
  #patch(items) {
    if (!items.length) return;
    // Where much has changed, or nothing is painted yet, the whole is one pass.
    if (!this.#frame || items.length > 200) {
      this.#source.changed();
      return;
    }
    const { left, top, scale, resolution } = this.#frame;
    const context = this.#canvas.getContext("2d");
    for (const item of items) {
      const x0 = Math.floor((item.minX - MARGIN * resolution - left) * scale);
      const y0 = Math.floor((item.minY - CAPTION * resolution - top) * scale);
      const x1 = Math.ceil((item.maxX + MARGIN * resolution - left) * scale);
      const y1 = Math.ceil((item.maxY + MARGIN * resolution - top) * scale);
      context.save();
      context.beginPath();
      context.rect(x0, y0, x1 - x0, y1 - y0);
      context.clip();
      context.clearRect(x0, y0, x1 - x0, y1 - y0);
      this.#draw(context, {
        minX: x0 / scale + left,
        minY: y0 / scale + top,
        maxX: x1 / scale + left,
        maxY: y1 / scale + top,
      });
      context.restore();
    }
    this.layer.changed();
  }
}
