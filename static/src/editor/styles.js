// How borders look. Proposals and accepted borders differ in colour and in dash: told apart without colour too.
import { Circle, Fill, Stroke, Style, Text } from "ol/style.js";

export const PROPOSAL = "#ff8c00";
export const CONFIRMED = "#0a5fd8";
const IGNORED = "#4b4f54";
const font = '600 12px system-ui, "Segoe UI", Roboto, sans-serif';

let hatching = null;

/** Grey diagonal lines: a region that training neither rewards nor punishes. */
function hatch() {
  if (hatching) return hatching;
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const context = tile.getContext("2d");
  context.strokeStyle = "rgba(60, 64, 70, 0.55)";
  context.lineWidth = 1.25;
  for (const offset of [-8, 0, 8]) {
    context.moveTo(offset - 1, 9);
    context.lineTo(offset + 9, -1);
  }
  context.stroke();
  hatching = context.createPattern(tile, "repeat");
  return hatching;
}

/** Which label colours a cell: its first choice in the scheme's order, cell type before characteristics. */
export function labelsOf(cell, scheme) {
  return scheme.labels.filter((label) => cell.labels.includes(label.id));
}

export function colourOf(cell, scheme) {
  if (cell.ignored) return IGNORED;
  if (cell.status === "proposed") return PROPOSAL;
  return labelsOf(cell, scheme)[0]?.colour ?? CONFIRMED;
}

/**
 * The style of the cells at rest, as a function of feature and resolution for OpenLayers.
 * `view.labels` says whether names are written; they are left out where a cell is smaller than its name.
 */
export function restingStyle(cells, scheme, view) {
  const known = new Map();
  return (feature, resolution) => {
    const cell = cells.get(feature.getId());
    if (!cell) return undefined;
    const width = (cell.bounds[2] - cell.bounds[0]) / resolution;
    const names = view.labels && width > 44 ? captionOf(cell, scheme) : "";
    const colour = colourOf(cell, scheme);
    const key = `${colour}|${cell.ignored}|${cell.status}|${names}`;
    let style = known.get(key);
    if (!style) {
      style = new Style({
        stroke: new Stroke({ color: colour, width: 2, lineDash: cell.status === "proposed" ? [7, 5] : undefined }),
        fill: cell.ignored ? new Fill({ color: hatch() }) : undefined,
        text: names ? caption(names, colour) : undefined,
      });
      known.set(key, style);
    }
    return style;
  };
}

function captionOf(cell, scheme) {
  if (cell.ignored) return cell.ignored_class || "ignored";
  return labelsOf(cell, scheme)
    .map((label) => label.name)
    .join(", ");
}

/** Whether dark letters are read better than white ones on a colour (#rrggbb). */
function isLight(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140;
}

function caption(text, colour) {
  return new Text({
    text,
    font,
    overflow: true,
    fill: new Fill({ color: isLight(colour) ? "#10202e" : "#ffffff" }),
    backgroundFill: new Fill({ color: colour }),
    padding: [2, 4, 1, 4],
  });
}

/** A selected border: white casing under its own colour, and the score of a proposal. */
export function selectedStyles(cell, scheme) {
  const colour = colourOf(cell, scheme);
  const styles = [
    new Style({ stroke: new Stroke({ color: "#ffffff", width: 6 }), fill: new Fill({ color: "rgba(255,255,255,0.10)" }) }),
    new Style({
      stroke: new Stroke({ color: colour, width: 2.5, lineDash: cell.status === "proposed" ? [7, 5] : undefined }),
    }),
  ];
  if (cell.status === "proposed" && cell.score !== null) {
    styles.push(new Style({ text: caption(`proposal ${cell.score.toFixed(2)}`, "#8a4b00") }));
  }
  return styles;
}

const handleFill = new Fill({ color: "#ffffff" });
const handleStroke = new Stroke({ color: "#10202e", width: 1.5 });
const vertex = new Style({ image: new Circle({ radius: 4, fill: handleFill, stroke: handleStroke }) });
const turn = new Style({ image: new Circle({ radius: 5, fill: new Fill({ color: "#ffd54a" }), stroke: handleStroke }) });

export const handleStyle = (role) => (role === "rotate" ? turn : vertex);

export const sketchStyles = [
  new Style({ stroke: new Stroke({ color: "#ffffff", width: 5 }), fill: new Fill({ color: "rgba(255,255,255,0.12)" }) }),
  new Style({ stroke: new Stroke({ color: CONFIRMED, width: 2 }) }),
];
