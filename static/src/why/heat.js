// A map of what speaks for a label and what against it, as colours over a picture: none where nothing does.

const FOR = [255, 150, 0];
const AGAINST = [0, 190, 255];

/**
 * Paint a map {columns, rows, values} (from -100 to 100, row by row) on a canvas of width x height px that is laid over
 * the picture.
 */
export function drawHeat(canvas, { columns, rows, values }, width, height) {
  const table = new ImageData(columns, rows);
  values.forEach((value, place) => {
    const [red, green, blue] = value > 0 ? FOR : AGAINST;
    // The eye takes half the strength for a third: so what is weak is not lost.
    table.data.set([red, green, blue, 255 * (Math.abs(value) / 100) ** 0.8], 4 * place);
  });
  const small = new OffscreenCanvas(columns, rows);
  small.getContext("2d").putImageData(table, 0, 0);
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, width, height);
}
