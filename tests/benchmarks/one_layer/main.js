// The page to compare with: OpenLayers as its examples use it, every border in one vector layer. It speaks the
// editor's words for benchmarks (#editor[data-ready], data-view, #selected, performance marks), so that the same hand
// works on both. ?field=NAME&width=PIXELS&height=PIXELS
import Feature from "ol/Feature.js";
import OlMap from "ol/Map.js";
import View from "ol/View.js";
import { click } from "ol/events/condition.js";
import { defaults } from "ol/interaction/defaults.js";
import Modify from "ol/interaction/Modify.js";
import Select from "ol/interaction/Select.js";
import Polygon from "ol/geom/Polygon.js";
import ImageLayer from "ol/layer/Image.js";
import VectorLayer from "ol/layer/Vector.js";
import Projection from "ol/proj/Projection.js";
import ImageStatic from "ol/source/ImageStatic.js";
import VectorSource from "ol/source/Vector.js";
import { Fill, Stroke, Style } from "ol/style.js";

const asked = new URLSearchParams(location.search);
const page = document.getElementById("editor");
const target = document.getElementById("map");
const selected = document.getElementById("selected");
target.style.width = `${asked.get("width")}px`;
target.style.height = `${asked.get("height")}px`;

const { width, height, cells } = await (await fetch(`${asked.get("field")}.json`)).json();
performance.mark("editor-data");
const extent = [0, 0, width, height];
const projection = new Projection({ code: "pixels", units: "pixels", extent });
const features = cells.map(({ id, border }) => {
  const feature = new Feature(new Polygon([[...border.points, border.points[0]].map(([x, y]) => [x, height - y])]));
  feature.setId(id);
  return feature;
});
// Without a fill OpenLayers finds no border under a click inside it.
const fill = new Fill({ color: "rgba(255, 255, 255, 0.1)" });
const borders = new VectorLayer({
  source: new VectorSource({ features }),
  style: new Style({ fill, stroke: new Stroke({ color: "#2f6f9f", width: 2 }) }),
});
const pixels = new ImageLayer({ source: new ImageStatic({ url: "field.png", projection, imageExtent: extent }) });
const view = new View({ projection, center: [width / 2, height / 2], resolution: 2, minResolution: 1 / 24 });
const map = new OlMap({ target, layers: [pixels, borders], controls: [], interactions: defaults(), view });
view.fit(extent, { padding: [16, 16, 44, 16] });
const select = new Select({
  // Its default waits a quarter of a second for a second click.
  condition: click,
  style: new Style({ fill, stroke: new Stroke({ color: "#ee7733", width: 3 }) }),
});
const modify = new Modify({ features: select.getFeatures() });
map.addInteraction(select);
map.addInteraction(modify);
select.on("select", (event) => (selected.textContent = event.selected.map((feature) => feature.getId()).join(" ")));
modify.on("modifyend", () => (page.dataset.modified = Number(page.dataset.modified ?? 0) + 1));
map.on("moveend", () => {
  const [x, y] = view.getCenter();
  page.dataset.view = [view.getResolution(), x, height - y].join(" ");
});
borders.once("postrender", () => performance.mark("editor-borders"));
map.once("rendercomplete", () => {
  page.dataset.ready = "true";
  performance.mark("editor-drawn");
});
