// A bar of a round length in µm, or in pixels where the scale is unknown.

const WIDEST = 140; // pixels of the screen

/** Keep the bar in step with the view. `umPerPixel()` answers null where the scale is unknown. */
export function scaleBar(element, layers, umPerPixel) {
  const bar = element.querySelector(".scale-line");
  const text = element.querySelector(".scale-text");
  layers.addEventListener("view", () => {
    const um = umPerPixel();
    const longest = WIDEST * layers.resolution * (um ?? 1);
    const power = 10 ** Math.floor(Math.log10(longest));
    const length = [5, 2, 1].map((n) => n * power).find((n) => n <= longest);
    bar.style.width = `${length / (layers.resolution * (um ?? 1))}px`;
    text.textContent = `${Number(length.toPrecision(3))} ${um ? "µm" : "px"}`;
    element.title = um ? "" : "The scale of this image is unknown: sizes are in pixels";
  });
}

/** Words lengths and areas: in µm where the scale is known, else in pixels. */
export function sizes(umPerPixel) {
  const number = (value) => (value >= 100 ? Math.round(value).toString() : value.toFixed(1));
  return {
    length: (pixels) => (umPerPixel ? `${number(pixels * umPerPixel)} µm` : `${Math.round(pixels)} px`),
    pair: ([a, b]) =>
      umPerPixel ? `${number(a * umPerPixel)} × ${number(b * umPerPixel)} µm` : `${Math.round(a)} × ${Math.round(b)} px`,
    area: (pixels) =>
      umPerPixel ? `${Math.round(pixels * umPerPixel ** 2)} µm²` : `${Math.round(pixels)} px²`,
  };
}
