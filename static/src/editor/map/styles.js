// How borders look: colours, names, and the styles of what is selected or being drawn.
import { Point } from "ol/geom.js";
import { Circle, Fill, Stroke, Style, Text } from "ol/style.js";

export const PROPOSAL = "#ff8c00";
// What the server did not take; always dashed, and marked with why.
const REFUSED = "#d5001c";
export const CONFIRMED = "#0a5fd8";
const IGNORED = "#4b4f54";
export const FONT = '600 11px system-ui, "Segoe UI", Roboto, sans-serif';

let hatching = null;

/** Grey diagonal lines, as a pattern in screen pixels. */
export function hatch() {
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
  if (cell.refused) return REFUSED;
  if (cell.status === "proposed") return PROPOSAL;
  return labelsOf(cell, scheme)[0]?.colour ?? CONFIRMED;
}

/** Where a name stands: on the upper edge, so that the nucleus and its characteristics stay in sight. */
function topOf(feature) {
  const [left, , right, top] = feature.getGeometry().getExtent();
  return new Point([(left + right) / 2, top]);
}

/** What is written at a cell: one name a line; as many, in the scheme's order, as a cell of width × height pixels of the screen has room for. */
export function captionOf(cell, scheme, width, height) {
  const names = cell.ignored ? [cell.ignored_class || "ignored"] : labelsOf(cell, scheme).map((label) => label.name);
  const room = Math.max(1, Math.floor((height - 30) / 14));
  const lines = [];
  for (const name of names) {
    if (lines.length === room || widthOf(name) > width + 4) break;
    lines.push(name);
  }
  return lines.join("\n");
}

const widths = new Map();
let ruler = null;

function widthOf(text) {
  if (!widths.has(text)) {
    ruler ??= document.createElement("canvas").getContext("2d");
    ruler.font = FONT;
    widths.set(text, ruler.measureText(text).width);
  }
  return widths.get(text);
}

/** Whether dark letters are read better than white ones on a colour (#rrggbb). */
export function isLight(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140;
}

function caption(text, colour, textBaseline, offsetY) {
  return new Text({
    text,
    font: FONT,
    overflow: true,
    textBaseline,
    offsetY,
    fill: new Fill({ color: isLight(colour) ? "#10202e" : "#ffffff" }),
    backgroundFill: new Fill({ color: colour }),
    padding: [2, 3, 1, 3],
  });
}

/** A selected border: white casing under its own colour, and the score of a proposal. The cell itself stays as it is. */
export function selectedStyles(cell, scheme) {
  const colour = colourOf(cell, scheme);
  const styles = [
    new Style({ stroke: new Stroke({ color: "#ffffff", width: 6 }) }),
    new Style({
      stroke: new Stroke({ color: colour, width: 2.5, lineDash: cell.status === "proposed" || cell.refused ? [7, 5] : undefined }),
    }),
  ];
  if (cell.status === "proposed" && cell.score !== null) {
    const text = caption(`proposal ${cell.score.toFixed(2)}`, "#8a4b00", "bottom", -10);
    styles.push(new Style({ geometry: topOf, text }));
  }
  return styles;
}

const handleFill = new Fill({ color: "#ffffff" });
const handleStroke = new Stroke({ color: "#10202e", width: 1.5 });
const vertex = new Style({ image: new Circle({ radius: 4, fill: handleFill, stroke: handleStroke }) });
const turn = new Style({ image: new Circle({ radius: 5, fill: new Fill({ color: "#ffd54a" }), stroke: handleStroke }) });

const dot = new Style({ image: new Circle({ radius: 2.2, fill: handleFill, stroke: new Stroke({ color: "#10202e", width: 1 }) }) });

export const handleStyle = (role) => ({ rotate: turn, dot })[role] ?? vertex;

/** Very many borders on the move: a thin line each, without the work of a feature for each. */
export const movingStyle = new Style({
  renderer: (polygons, { context, pixelRatio }) => {
    context.save();
    context.strokeStyle = CONFIRMED;
    context.lineWidth = 1.5 * pixelRatio;
    for (const [ring] of polygons) {
      context.beginPath();
      context.moveTo(ring[0][0], ring[0][1]);
      for (let i = 1; i < ring.length; i++) context.lineTo(ring[i][0], ring[i][1]);
      context.closePath();
      context.stroke();
    }
    context.restore();
  },
});

export const sketchStyles = [
  new Style({ stroke: new Stroke({ color: "#ffffff", width: 5 }), fill: new Fill({ color: "rgba(255,255,255,0.12)" }) }),
  new Style({ stroke: new Stroke({ color: CONFIRMED, width: 2 }) }),
];
