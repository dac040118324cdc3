// A cell as a small picture: its part of the image, and one border or more drawn on it.
import { outline } from "../cells/geometry.js";

// Around the cell, as a part of its size; and at least so many image pixels.
const AROUND = 0.35;
const LEAST = 12;

/** The bounds of several borders together, [x0, y0, x1, y1]. */
export const around = (boxes) => [
  Math.min(...boxes.map((box) => box[0])),
  Math.min(...boxes.map((box) => box[1])),
  Math.max(...boxes.map((box) => box[2])),
  Math.max(...boxes.map((box) => box[3])),
];

/**
 * Draw what of a picture lies around `bounds` into a canvas, as large as the page shows it; `shapes` are
 * [{border, colour, dashed}]. Several canvases with the same bounds have the same scale.
 */
export function drawCrop(canvas, picture, bounds, shapes) {
  const ratio = devicePixelRatio;
  const width = canvas.clientWidth || canvas.width;
  const height = canvas.clientHeight || canvas.height;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const [x0, y0, x1, y1] = bounds;
  const margin = Math.max(LEAST, AROUND * Math.max(x1 - x0, y1 - y0));
  const scale = Math.min(width / (x1 - x0 + 2 * margin), height / (y1 - y0 + 2 * margin), 8);
  const left = (x0 + x1) / 2 - width / 2 / scale;
  const top = (y0 + y1) / 2 - height / 2 / scale;
  const context = canvas.getContext("2d");
  context.setTransform(scale * ratio, 0, 0, scale * ratio, -left * scale * ratio, -top * scale * ratio);
  // The borders alone, where the pixels have not come yet.
  if (picture) context.drawImage(picture, 0, 0);
  for (const { border, colour, dashed } of shapes) {
    const path = pathOf(border, 6 / scale);
    context.lineJoin = "round";
    context.setLineDash([]);
    context.strokeStyle = "rgba(255, 255, 255, 0.85)";
    context.lineWidth = 4.5 / scale;
    context.stroke(path);
    context.strokeStyle = colour;
    context.lineWidth = 2.5 / scale;
    if (dashed) context.setLineDash([7 / scale, 5 / scale]);
    context.stroke(path);
  }
}

function pathOf(border, arm) {
  const path = new Path2D();
  if (border.kind === "point") {
    const { cx, cy } = border;
    for (const [dx, dy] of [
      [arm, 0],
      [0, arm],
    ]) {
      path.moveTo(cx - dx, cy - dy);
      path.lineTo(cx + dx, cy + dy);
    }
    return path;
  }
  for (const [x, y] of outline(border)) path.lineTo(x, y);
  path.closePath();
  return path;
}
