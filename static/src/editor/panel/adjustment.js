// How an image is shown: brightness, contrast, gamma, and which channel. Pure; never changes the image itself.

/** Name to words; the stain is grey, dark where there is much of it. */
export const CHANNELS = [
  ["colour", "Colour"],
  ["red", "Red"],
  ["green", "Green"],
  ["blue", "Blue"],
  ["grey", "Grey"],
  ["nuclear", "Nuclear stain"],
];

/** brightness and contrast: -100 to 100; gamma: 0.2 to 5. */
export const NEUTRAL = { brightness: 0, contrast: 0, gamma: 1, channel: "colour" };

export const isNeutral = (settings) => Object.keys(NEUTRAL).every((name) => settings[name] === NEUTRAL[name]);

// How much each channel says of the blue-violet stain of nuclei, per optical density: the first column of the inverse
// of Ruifrok and Johnston's matrix (2001) for haematoxylin, eosin and DAB.
const NUCLEAR = [1.878, -0.0659, -0.6019];

/** What becomes of a value 0 to 255. */
function toneOf({ brightness, contrast, gamma }) {
  const slope = contrast >= 0 ? 1 + contrast / 33 : 1 + contrast / 100;
  return (value) => {
    const bent = (value / 255) ** (1 / gamma);
    return Math.max(0, Math.min(255, Math.round(255 * ((bent - 0.5) * slope + 0.5 + brightness / 200))));
  };
}

/** Per channel what each value adds to a grey of 0 to 255, or null where the image keeps its colours. */
function weightsOf(channel) {
  const linear = (weight) => Float32Array.from({ length: 256 }, (_, value) => weight * value);
  switch (channel) {
    case "red":
      return [linear(1), linear(0), linear(0)];
    case "green":
      return [linear(0), linear(1), linear(0)];
    case "blue":
      return [linear(0), linear(0), linear(1)];
    case "grey":
      return [linear(0.299), linear(0.587), linear(0.114)];
    case "nuclear":
      // Optical density: 1 stands for a tenth of the light; 255 / 3 of it for each of the three that are added.
      return NUCLEAR.map((weight) =>
        Float32Array.from({ length: 256 }, (_, value) => 85 - 255 * weight * -Math.log10(Math.max(1, value) / 255)),
      );
  }
  return null;
}

/**
 * Fill `target` with what `source` looks like under `settings`; both hold pixels as 32 bits: alpha, blue, green, red
 * from the highest byte to the lowest, as ImageData does on every machine that a browser runs on today.
 */
export function adjust(source, target, settings) {
  const tone = toneOf(settings);
  const weights = weightsOf(settings.channel);
  if (weights) {
    const grey = Uint32Array.from({ length: 256 }, (_, value) => (0xff000000 | (tone(value) * 0x10101)) >>> 0);
    const [red, green, blue] = weights;
    for (let i = 0; i < source.length; i++) {
      const pixel = source[i];
      const value = red[pixel & 255] + green[(pixel >>> 8) & 255] + blue[(pixel >>> 16) & 255];
      target[i] = grey[value < 0 ? 0 : value > 255 ? 255 : (value + 0.5) | 0];
    }
    return;
  }
  const low = Uint32Array.from({ length: 256 }, (_, value) => tone(value));
  const middle = low.map((value) => value << 8);
  const high = low.map((value) => (0xff000000 | (value << 16)) >>> 0);
  for (let i = 0; i < source.length; i++) {
    const pixel = source[i];
    target[i] = low[pixel & 255] | middle[(pixel >>> 8) & 255] | high[(pixel >>> 16) & 255];
  }
}
