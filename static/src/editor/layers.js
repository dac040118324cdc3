// The map: the smear as a picture in pixels, the resting borders as one picture that is redrawn only when one of
// them changes, and a small layer on top for what is selected or being drawn, which is redrawn at every move.
import Feature from "ol/Feature.js";
import OlMap from "ol/Map.js";
import View from "ol/View.js";
import { defaults as defaultInteractions } from "ol/interaction/defaults.js";
import { Point, Polygon } from "ol/geom.js";
import ImageLayer from "ol/layer/Image.js";
import VectorLayer from "ol/layer/Vector.js";
import VectorImageLayer from "ol/layer/VectorImage.js";
import Projection from "ol/proj/Projection.js";
import ImageStatic from "ol/source/ImageStatic.js";
import VectorSource from "ol/source/Vector.js";
import { fromMap, handlesOf, outline, toMap } from "./geometry.js";
import { handleStyle, restingStyle, selectedStyles, sketchStyles } from "./styles.js";

/** How far from its border the handle is that rotates an ellipse, in pixels of the screen. */
export const ROTATE_REACH = 22;

export class Layers {
  #height;
  #cells;
  #scheme;
  #resting = new VectorSource();
  #active = new VectorSource();
  #view = { labels: true };
  #selected = [];
  #sketch = null;

  constructor(target, image, cells, scheme, controls) {
    this.#height = image.height;
    this.#cells = cells;
    this.#scheme = scheme;
    const extent = [0, 0, image.width, image.height];
    const projection = new Projection({ code: "pixels", units: "pixels", extent });
    this.pixels = new ImageLayer({
      source: new ImageStatic({ url: image.pixels_url, projection, imageExtent: extent, interpolate: true }),
    });
    this.borders = new VectorImageLayer({
      source: this.#resting,
      style: restingStyle(cells, scheme, this.#view),
      imageRatio: 1.3,
      renderOrder: null,
    });
    this.active = new VectorLayer({ source: this.#active, renderOrder: null, updateWhileAnimating: true, updateWhileInteracting: true });
    const margin = Math.max(image.width, image.height);
    this.map = new OlMap({
      target,
      layers: [this.pixels, this.borders, this.active],
      controls,
      interactions: defaultInteractions({
        doubleClickZoom: false,
        shiftDragZoom: false,
        altShiftDragRotate: false,
        pinchRotate: false,
        keyboard: false,
      }),
      // A hand that trembles clicks: only a move of more than 4 pixels is a drag.
      moveTolerance: 4,
      view: new View({
        projection,
        center: [image.width / 2, image.height / 2],
        extent: [-margin, -margin, image.width + margin, image.height + margin],
        constrainOnlyCenter: true,
        minResolution: 1 / 24,
        maxResolution: margin / 200,
        smoothResolutionConstraint: false,
        showFullExtent: true,
        resolution: margin / 800,
      }),
    });
    cells.addEventListener("change", (event) => this.#refresh(event.detail.ids));
    this.fit(0);
  }

  get view() {
    return this.map.getView();
  }

  /** Screen pixels to image pixels. */
  get resolution() {
    return this.view.getResolution();
  }

  at(pixel) {
    return fromMap(this.map.getCoordinateFromPixel(pixel), this.#height);
  }

  /** Cells whose bounds lie within `reach` image pixels of a point. */
  near([x, y], reach) {
    const [mx, my] = toMap([x, y], this.#height);
    const extent = [mx - reach, my - reach, mx + reach, my + reach];
    return this.#resting.getFeaturesInExtent(extent).map((feature) => this.#cells.get(feature.getId()));
  }

  fit(duration = 200) {
    this.view.fit(this.view.getProjection().getExtent(), { padding: [16, 16, 44, 16], duration });
  }

  zoomBy(factor) {
    this.view.cancelAnimations();
    this.view.animate({ resolution: this.view.getConstrainedResolution(this.resolution / factor), duration: 120 });
  }

  /** Bring a cell into view: pan only, and zoom in only where it would be a speck. */
  reveal(cell) {
    const [x0, y0, x1, y1] = cell.bounds;
    const centre = toMap([(x0 + x1) / 2, (y0 + y1) / 2], this.#height);
    const seen = this.view.calculateExtent(this.map.getSize());
    const [left, bottom] = toMap([x0, y1], this.#height);
    const [right, top] = toMap([x1, y0], this.#height);
    if (left >= seen[0] && bottom >= seen[1] && right <= seen[2] && top <= seen[3]) return;
    this.view.animate({ center: centre, duration: 150 });
  }

  showLabels(shown) {
    this.#view.labels = shown;
    this.borders.changed();
  }

  showBorders(shown) {
    this.borders.setVisible(shown);
    this.active.setVisible(shown);
  }

  /** Draw these cells as selected; with handles where it is one and `handles` says so. */
  select(ids, handles) {
    this.#selected = ids.map((id) => ({ id, border: null }));
    this.#handles = handles && ids.length === 1;
    this.#redraw();
  }

  #handles = false;

  /** Draw a selected cell with another border while it is being dragged; null: its own again. */
  preview(id, border) {
    for (const each of this.#selected) if (each.id === id) each.border = border;
    this.#redraw();
  }

  /** Draw what is being drawn: a ring of points, open while it has no `border`; null: nothing. */
  sketch(shape) {
    this.#sketch = shape;
    this.#redraw();
  }

  #redraw() {
    const features = [];
    for (const { id, border } of this.#selected) {
      const cell = this.#cells.get(id);
      if (!cell || cell.status === "deleted") continue;
      const drawn = border ?? cell.border;
      const feature = new Feature(this.#polygon(drawn));
      feature.setStyle(selectedStyles(cell, this.#scheme));
      features.push(feature);
      if (this.#handles && !cell.ignored) this.#addHandles(features, drawn);
    }
    if (this.#sketch) {
      const feature = new Feature(new Polygon([this.#sketch.points.map((point) => toMap(point, this.#height))]));
      feature.setStyle(sketchStyles);
      features.push(feature);
      for (const point of this.#sketch.vertices ?? []) this.#addHandle(features, "vertex", point);
    }
    this.#active.clear(true);
    this.#active.addFeatures(features);
  }

  #addHandles(features, border) {
    for (const { role, point } of handlesOf(border, ROTATE_REACH * this.resolution)) {
      this.#addHandle(features, role, point);
    }
  }

  #addHandle(features, role, point) {
    const feature = new Feature(new Point(toMap(point, this.#height)));
    feature.setStyle(handleStyle(role));
    features.push(feature);
  }

  #polygon(border) {
    return new Polygon([outline(border).map((point) => toMap(point, this.#height))]);
  }

  #refresh(ids) {
    if (ids === null) {
      this.#resting.clear(true);
      this.#resting.addFeatures(this.#cells.shown().map((cell) => this.#feature(cell)));
    } else {
      for (const id of ids) this.#refreshOne(id);
    }
    this.#redraw();
  }

  #refreshOne(id) {
    const cell = this.#cells.get(id);
    const feature = this.#resting.getFeatureById(id);
    if (!cell || cell.status === "deleted") {
      if (feature) this.#resting.removeFeature(feature);
    } else if (!feature) {
      this.#resting.addFeature(this.#feature(cell));
    } else if (feature.get("border") !== cell.border) {
      feature.set("border", cell.border, true);
      feature.setGeometry(this.#polygon(cell.border));
    } else {
      feature.changed();
    }
  }

  #feature(cell) {
    const feature = new Feature({ geometry: this.#polygon(cell.border), border: cell.border });
    feature.setId(cell.id);
    return feature;
  }
}
