// Shows an image through other glasses, beside the page: a picture of 5 million pixels must not hold up a drag.
// In: {open: number, picture} once an image, then {open, settings}. Out: {open, picture}.
import { adjust } from "../editor/panel/adjustment.js";

let open = null;
let source = null;

function read(picture) {
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  picture.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

addEventListener("message", async ({ data }) => {
  if (data.picture) {
    open = data.open;
    source = read(data.picture);
  }
  // Null: nothing is adjusted any more, and the pixels are let go.
  if (data.open === null) open = source = null;
  if (!data.settings || data.open !== open) return;
  const target = new ImageData(source.width, source.height);
  adjust(new Uint32Array(source.data.buffer), new Uint32Array(target.data.buffer), data.settings);
  const picture = await createImageBitmap(target);
  postMessage({ open: data.open, picture }, [picture]);
});
