// Where on the image to count: its tiles, tinted where they are too dense, too thin, out of focus or empty. Fetched
// when somebody asks for it, drawn between the pixels and the borders.
import Feature from "ol/Feature.js";
import { Polygon } from "ol/geom.js";
import VectorLayer from "ol/layer/Vector.js";
import VectorSource from "ol/source/Vector.js";
import { Fill, Stroke, Style } from "ol/style.js";
import { toMap } from "../cells/geometry.js";

// After Paul Tol; what is good to count on is left as it is.
const COLOURS = { dense: "#ee7733", thin: "#33bbee", blurred: "#aa3377", empty: "#777777" };
const styles = Object.fromEntries(
  Object.entries(COLOURS).map(([kind, colour]) => [
    kind,
    new Style({ fill: new Fill({ color: `${colour}4d` }), stroke: new Stroke({ color: `${colour}99`, width: 1 }) }),
  ]),
);

export class Regions {
  #part;
  #layers;
  #url;
  #say;
  #on;
  #session = null;
  #source = new VectorSource();
  #layer = new VectorLayer({ source: this.#source, visible: false });

  /** `part` says what is seen; `url(id)` is the address of an image's quality. */
  constructor(part, { editor, layers, preferences, url }) {
    this.#part = part;
    this.#layers = layers;
    this.#url = url;
    this.#say = (text) => editor.say(text);
    this.#on = preferences.get("regions", false);
    layers.map.getLayers().insertAt(1, this.#layer);
    editor.register({
      regions: () => {
        this.#on = !this.#on;
        preferences.set("regions", this.#on);
        this.#apply();
      },
    });
  }

  show(session) {
    this.#session = session;
    this.#source.clear(true);
    this.#apply();
  }

  async #apply() {
    const session = this.#session;
    for (const button of document.querySelectorAll('[data-command="regions"]')) {
      button.setAttribute("aria-pressed", this.#on);
    }
    this.#layer.setVisible(this.#on);
    this.#part.hidden = true;
    if (!this.#on || !session) return;
    try {
      const answer = await fetch(this.#url(session.image.id), { headers: { accept: "application/json" } });
      if (!answer.ok && answer.status !== 404) throw new Error(answer.statusText);
      const { detail, regions } = await answer.json();
      if (session === this.#session && this.#on) this.#draw(detail, regions);
    } catch {
      if (session === this.#session) this.#say("The regions to count in cannot be shown: the server does not answer.");
    }
  }

  /** `detail` says why there are no regions. */
  #draw(detail, regions) {
    const { height } = this.#session.image;
    this.#source.clear(true);
    for (const [x, y, width, tall, kind] of regions?.tiles ?? []) {
      if (!styles[kind]) continue;
      const corners = [[x, y], [x + width, y], [x + width, y + tall], [x, y + tall], [x, y]];
      const feature = new Feature(new Polygon([corners.map((point) => toMap(point, height))]));
      feature.setStyle(styles[kind]);
      this.#source.addFeature(feature);
    }
    this.#part.hidden = false;
    const share = regions?.good_share;
    const said = share == null ? (detail ?? "This image has no regions to choose between.") : `${Math.round(100 * share)} % of the image is good to count on.`;
    this.#part.querySelector("[data-said]").textContent = said;
    const there = new Set((regions?.tiles ?? []).map(([, , , , kind]) => kind));
    for (const item of this.#part.querySelectorAll("[data-kind]")) item.hidden = !there.has(item.dataset.kind);
  }
}
