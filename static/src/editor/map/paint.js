// How borders at rest are painted on a canvas whose unit is an image pixel. Proposals and accepted borders differ in
// colour and in dash: told apart without colour too.
import { outline } from "../cells/geometry.js";
import { captionOf, colourOf, FONT, hatch, isLight } from "./styles.js";

// Under this many screen pixels a casing would fill the cell.
const SMALL = 14;

/**
 * Paint cells. `view`: {resolution: image pixels a screen pixel, labels: whether names are written, selected: set of
 * the ids that are painted as selected}.
 * A stroke for each: a path of thousands of rings takes ten times as long to rasterize.
 */
export function paintBorders(context, cells, scheme, view) {
  const { resolution } = view;
  const looks = cells.map((cell) => ({
    cell,
    ring: cell.border.kind === "point" ? null : outline(cell.border),
    colour: colourOf(cell, scheme),
    dashed: cell.status === "proposed" || Boolean(cell.refused),
    selected: view.selected.has(cell.id),
  }));
  context.lineJoin = "round";
  // A solid border keeps its colour beside a nucleus of the same colour.
  context.strokeStyle = "rgba(255, 255, 255, 0.75)";
  context.lineWidth = 4 * resolution;
  for (const { cell, ring, dashed, selected } of looks) {
    if (cell.ignored) {
      trace(context, cell, ring, resolution);
      fillHatched(context, resolution);
    }
    if (selected) {
      context.save();
      context.strokeStyle = "#ffffff";
      context.lineWidth = 6 * resolution;
      trace(context, cell, ring, resolution);
      context.stroke();
      context.restore();
    } else if (!cell.ignored && !dashed && cell.bounds[2] - cell.bounds[0] > SMALL * resolution) {
      trace(context, cell, ring, resolution);
      context.stroke();
    }
  }
  context.lineWidth = 2 * resolution;
  const dash = [7 * resolution, 5 * resolution];
  for (const { cell, ring, colour, dashed } of looks) {
    context.strokeStyle = colour;
    context.setLineDash(dashed ? dash : []);
    trace(context, cell, ring, resolution);
    context.stroke();
  }
  context.setLineDash([]);
  if (!view.labels) return;
  for (const { cell, colour } of looks) {
    const [x0, y0, x1, y1] = cell.bounds;
    const text = captionOf(cell, scheme, (x1 - x0) / resolution, (y1 - y0) / resolution);
    if (text) write(context, { text, colour, x: (x0 + x1) / 2, y: y0 }, resolution);
  }
}

function trace(context, cell, ring, resolution) {
  context.beginPath();
  if (ring) {
    context.moveTo(ring[0][0], ring[0][1]);
    for (let i = 1; i < ring.length; i++) context.lineTo(ring[i][0], ring[i][1]);
    context.closePath();
    return;
  }
  // A place without a border yet: a cross of 7 screen pixels to each side.
  const { cx, cy } = cell.border;
  const arm = 7 * resolution;
  context.moveTo(cx - arm, cy);
  context.lineTo(cx + arm, cy);
  context.moveTo(cx, cy - arm);
  context.lineTo(cx, cy + arm);
}

/** Grey diagonal lines: a region that training neither rewards nor punishes. */
function fillHatched(context, resolution) {
  const pattern = hatch();
  pattern.setTransform(new DOMMatrix([resolution, 0, 0, resolution, 0, 0]));
  context.fillStyle = pattern;
  context.fill();
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
