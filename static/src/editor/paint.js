// How borders at rest are painted on a canvas whose unit is an image pixel. Proposals and accepted borders differ in
// colour and in dash: told apart without colour too.
import { outline } from "./geometry.js";
import { captionOf, colourOf, FONT, hatch, isLight } from "./styles.js";

// Under this many screen pixels a casing would fill the cell.
const SMALL = 14;

/**
 * Paint cells. `view`: {resolution: image pixels a screen pixel, pixelRatio, labels: whether names are written}.
 * Cells of one look are one path: a stroke for each would cost more than the lines themselves.
 */
export function paintBorders(context, cells, scheme, view) {
  const { resolution } = view;
  const casing = new Path2D();
  const lines = new Map();
  const captions = [];
  for (const cell of cells) {
    const colour = colourOf(cell, scheme);
    const dashed = cell.status === "proposed";
    const key = `${colour}|${dashed}`;
    let line = lines.get(key);
    if (!line) lines.set(key, (line = { colour, dashed, path: new Path2D() }));
    const [x0, y0, x1, y1] = cell.bounds;
    if (cell.border.kind === "point") {
      traceCross(line.path, cell.border, resolution);
      if (!dashed) traceCross(casing, cell.border, resolution);
    } else {
      const ring = outline(cell.border);
      if (cell.ignored) fillHatched(context, ring, view);
      else if (!dashed && x1 - x0 > SMALL * resolution) trace(casing, ring);
      trace(line.path, ring);
    }
    if (view.labels) {
      const text = captionOf(cell, scheme, (x1 - x0) / resolution, (y1 - y0) / resolution);
      if (text) captions.push({ text, colour, x: (x0 + x1) / 2, y: y0 });
    }
  }
  context.lineJoin = "round";
  // A solid border keeps its colour beside a nucleus of the same colour.
  context.strokeStyle = "rgba(255, 255, 255, 0.75)";
  context.lineWidth = 4 * resolution;
  context.stroke(casing);
  context.lineWidth = 2 * resolution;
  for (const { colour, dashed, path } of lines.values()) {
    context.strokeStyle = colour;
    context.setLineDash(dashed ? [7 * resolution, 5 * resolution] : []);
    context.stroke(path);
  }
  context.setLineDash([]);
  for (const caption of captions) write(context, caption, resolution);
}

function trace(path, ring) {
  path.moveTo(ring[0][0], ring[0][1]);
  for (let i = 1; i < ring.length; i++) path.lineTo(ring[i][0], ring[i][1]);
  path.closePath();
}

/** A place without a border yet: a cross of 7 screen pixels to each side. */
function traceCross(path, { cx, cy }, resolution) {
  const arm = 7 * resolution;
  path.moveTo(cx - arm, cy);
  path.lineTo(cx + arm, cy);
  path.moveTo(cx, cy - arm);
  path.lineTo(cx, cy + arm);
}

/** Grey diagonal lines: a region that training neither rewards nor punishes. */
function fillHatched(context, ring, { resolution }) {
  const path = new Path2D();
  trace(path, ring);
  const pattern = hatch();
  pattern.setTransform(new DOMMatrix([resolution, 0, 0, resolution, 0, 0]));
  context.fillStyle = pattern;
  context.fill(path);
}

/** The names of a cell on its upper edge, so that the nucleus and its characteristics stay in sight. */
function write(context, { text, colour, x, y }, resolution) {
  context.save();
  context.translate(x, y);
  context.scale(resolution, resolution);
  context.font = FONT;
  context.textAlign = "center";
  context.textBaseline = "top";
  text.split("\n").forEach((line, i) => {
    const width = context.measureText(line).width;
    const top = -6 + 15 * i;
    context.fillStyle = colour;
    context.fillRect(-width / 2 - 3, top - 2, width + 6, 15);
    context.fillStyle = isLight(colour) ? "#10202e" : "#ffffff";
    context.fillText(line, 0, top);
  });
  context.restore();
}
