// The map: the smear as a picture in pixels, the borders at rest as one picture, and a small layer on top for what is
// selected or being drawn, which alone is redrawn at every move.
import Feature from "ol/Feature.js";
import OlMap from "ol/Map.js";
import View from "ol/View.js";
import { defaults as defaultInteractions } from "ol/interaction/defaults.js";
import { MultiLineString, MultiPolygon, Point, Polygon } from "ol/geom.js";
import ImageLayer from "ol/layer/Image.js";
import VectorLayer from "ol/layer/Vector.js";
import Projection from "ol/proj/Projection.js";
import VectorSource from "ol/source/Vector.js";
import { BordersPicture } from "./borders-picture.js";
import { StillImage } from "./still-image.js";
import { boundsOf, fromMap, handlesOf, outline, toMap } from "../cells/geometry.js";
import { handleStyle, movingStyle, selectedStyles, sketchStyles } from "./styles.js";

/** How far from its border the handle is that rotates an ellipse, in pixels of the screen. */
export const ROTATE_REACH = 22;
// Arms of the cross that stands for a point, in pixels of the screen.
const CROSS = 7;

// More selected cells than these are part of the picture: the small layer on top is drawn anew at every move.
const MANY = 60;

/** Dispatches "view" when another image or another part of it is shown. */
export class Layers extends EventTarget {
  #session = null;
  #height = 1;
  #active = new VectorSource();
  #selected = [];
  #handles = false;
  #previewed = new Set();
  #sketch = null;
  #projection = null;
  #due = false;
  #shown = true;

  constructor(target) {
    super();
    this.pixels = new ImageLayer();
    this.borders = new BordersPicture();
    this.active = new VectorLayer({ source: this.#active, updateWhileAnimating: true, updateWhileInteracting: true });
    this.map = new OlMap({
      target,
      layers: [this.pixels, this.borders.layer, this.active],
      controls: [],
      interactions: defaultInteractions({
        doubleClickZoom: false,
        shiftDragZoom: false,
        altShiftDragRotate: false,
        pinchRotate: false,
        keyboard: false,
      }),
      // A hand that trembles clicks: only a move of more than 4 pixels is a drag.
      moveTolerance: 4,
    });
    this.borders.prepare([target.clientWidth, target.clientHeight]);
    this.map.on("moveend", () => this.dispatchEvent(new CustomEvent("view")));
  }

  /** Show an image. Its picture is drawn as it is; `picture` replaces it, seen through other glasses. */
  show(session) {
    const { width, height } = session.image;
    this.#session = session;
    this.#height = height;
    this.#selected = [];
    this.#sketch = null;
    this.#previewed.clear();
    this.#active.clear(true);
    const extent = [0, 0, width, height];
    const projection = new Projection({ code: "pixels", units: "pixels", extent });
    this.#projection = projection;
    this.pixels.setSource(null);
    session.pictured(() => {
      this.picture = session.picture;
    });
    const margin = Math.max(width, height);
    this.map.setView(
      new View({
        projection,
        center: [width / 2, height / 2],
        extent: [-margin, -margin, width + margin, height + margin],
        constrainOnlyCenter: true,
        minResolution: 1 / 24,
        maxResolution: margin / 200,
        smoothResolutionConstraint: false,
        showFullExtent: true,
        resolution: margin / 800,
      }),
    );
    this.borders.show(session, projection);
    const { signal } = session;
    session.cells.addEventListener("change", (event) => this.#refresh(event.detail.ids), { signal });
    this.view.on("change:resolution", () => {
      // Handles keep their size and distance on the screen.
      if (this.#handles) this.#redraw();
      this.dispatchEvent(new CustomEvent("view"));
    });
    this.fit(0);
  }

  /** What is shown for the image's pixels: a bitmap or a canvas of the image's size. */
  set picture(picture) {
    this.pixels.setSource(new StillImage(this.#projection, picture));
  }

  get view() {
    return this.map.getView();
  }

  /** Screen pixels to image pixels. */
  get resolution() {
    return this.view.getResolution();
  }

  /** The centre of the view in image pixels. */
  get centre() {
    return fromMap(this.view.getCenter(), this.#height);
  }

  /** [x0, y0, x1, y1] of what is in view, in image pixels. */
  get inView() {
    const [left, bottom, right, top] = this.view.calculateExtent(this.map.getSize());
    return [left, this.#height - top, right, this.#height - bottom];
  }

  at(pixel) {
    return fromMap(this.map.getCoordinateFromPixel(pixel), this.#height);
  }

  /** Cells whose bounds lie within `reach` image pixels of a point. */
  near(point, reach) {
    return this.borders.near(point, reach);
  }

  fit(duration = 200) {
    this.view.fit(this.#projection.getExtent(), { padding: [16, 16, 44, 16], duration });
  }

  zoomBy(factor) {
    this.view.cancelAnimations();
    this.view.animate({ resolution: this.view.getConstrainedResolution(this.resolution / factor), duration: 120 });
  }

  /** Bring a place of the image into the middle. */
  centreOn(point, duration = 150) {
    this.view.cancelAnimations();
    this.view.animate({ center: toMap(point, this.#height), duration });
  }

  /** Bring a cell into view: pan only, so that the eye keeps the scale. */
  reveal(cell) {
    const [x0, y0, x1, y1] = cell.bounds;
    const [left, top, right, bottom] = this.inView;
    if (x0 >= left && x1 <= right && y0 >= top && y1 <= bottom) return;
    this.centreOn([(x0 + x1) / 2, (y0 + y1) / 2]);
  }

  showLabels(shown) {
    this.borders.labels = shown;
  }

  showBorders(shown) {
    this.borders.layer.setVisible(shown);
    this.#shown = shown;
    this.#redraw();
  }

  /** Draw these cells as selected; with handles where it is one and `handles` says so. */
  select(ids, handles) {
    this.#selected = ids.map((id) => ({ id, border: null }));
    this.#handles = handles && ids.length === 1;
    this.borders.select(ids.length > MANY ? ids : []);
    this.#redraw();
  }

  /** Draw selected cells with other borders while they are being dragged: [[id, border], ...]; null: their own again. */
  preview(targets) {
    const borders = new Map(targets);
    for (const each of this.#selected) if (borders.has(each.id)) each.border = borders.get(each.id);
    const before = this.#previewed.size;
    for (const [id, border] of targets) {
      if (border) this.#previewed.add(id);
      else this.#previewed.delete(id);
    }
    if (this.#previewed.size !== before) this.borders.hide(this.#previewed);
    this.#redraw();
  }

  /**
   * Draw what is being drawn: {points, vertices?, open?, brush?: {point, radius}}; null: nothing.
   * `points` are a ring, or a line where `open`.
   */
  sketch(shape) {
    this.#sketch = shape;
    this.#redraw();
  }

  /** Once a frame, however many pointer events there were. */
  #redraw() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      this.#draw();
      // In this frame: OpenLayers by itself would draw in the next.
      this.map.renderSync();
    });
  }

  #draw() {
    const features = [];
    const many = this.#selected.length > MANY;
    const moving = [];
    for (const { id, border } of this.#selected) {
      const cell = this.#session.cells.get(id);
      if (!cell || cell.status === "deleted" || (many && !border)) continue;
      // Of hidden borders one sees what one is doing, no more.
      if (!this.#shown && !border) continue;
      const drawn = border ?? cell.border;
      if (many && drawn.kind !== "point") {
        moving.push([outline(drawn).map((point) => toMap(point, this.#height))]);
        continue;
      }
      const feature = new Feature(this.#shape(drawn));
      feature.setStyle(selectedStyles(cell, this.#session.scheme));
      features.push(feature);
      if (this.#handles) this.#addHandles(features, drawn);
    }
    if (moving.length) {
      const feature = new Feature(new MultiPolygon(moving));
      feature.setStyle(movingStyle);
      features.push(feature);
    }
    if (this.#sketch) this.#addSketch(features);
    this.#active.clear(true);
    this.#active.addFeatures(features);
  }

  #addSketch(features) {
    const { points, open, vertices = [], brush } = this.#sketch;
    const line = points?.map((point) => toMap(point, this.#height)) ?? [];
    if (line.length) {
      const feature = new Feature(open ? new MultiLineString([line]) : new Polygon([line]));
      feature.setStyle(sketchStyles);
      features.push(feature);
    }
    if (brush) {
      const ring = outline({ kind: "circle", cx: brush.point[0], cy: brush.point[1], r: brush.radius });
      const feature = new Feature(new Polygon([ring.map((point) => toMap(point, this.#height))]));
      feature.setStyle(sketchStyles);
      features.push(feature);
    }
    for (const point of vertices) this.#addHandle(features, "vertex", point);
  }

  #addHandles(features, border) {
    const handles = handlesOf(border, ROTATE_REACH * this.resolution);
    const [x0, y0, x1, y1] = boundsOf(border);
    // Seen from afar the vertices of a fine border would hide it.
    const dense = border.kind === "polygon" && (3 * Math.max(x1 - x0, y1 - y0)) / handles.length < 12 * this.resolution;
    for (const { role, point } of handles) this.#addHandle(features, dense ? "dot" : role, point);
  }

  #addHandle(features, role, point) {
    const feature = new Feature(new Point(toMap(point, this.#height)));
    feature.setStyle(handleStyle(role));
    features.push(feature);
  }

  #shape(border) {
    if (border.kind !== "point") return new Polygon([outline(border).map((point) => toMap(point, this.#height))]);
    const [x, y] = toMap([border.cx, border.cy], this.#height);
    const arm = CROSS * this.resolution;
    return new MultiLineString([[[x - arm, y], [x + arm, y]], [[x, y - arm], [x, y + arm]]]);
  }

  #refresh(ids) {
    this.borders.refresh(ids);
    this.#redraw();
  }
}
