// The colours of points: of a class that has one its own, of others distinct ones, and a ramp for probabilities.

export const NOTHING = 65_534;
export const GONE = 65_535;

// Paul Tol's bright colours, which also those tell apart who do not see red and green alike.
const BRIGHT = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#ee7733", "#009988"];
// Viridis in eleven steps.
const RAMP = [
  ...["#440154", "#482475", "#414487", "#355f8d", "#2a788e", "#21918c"],
  ...["#22a884", "#44bf70", "#7ad151", "#bddf26", "#fde725"],
];
const GREY = "#8b949e";

/** The colour of the entry at a place of a legend of `count` entries. */
export function colourOf(entry, place, count) {
  if (entry.colour) return entry.colour;
  if (count <= BRIGHT.length) return BRIGHT[place];
  // Hues that turn by the golden angle differ most from those before them.
  return hsl((place * 137.508) % 360, 0.6, place % 2 ? 0.42 : 0.58);
}

export const nothingColour = GREY;
export const ramp = `linear-gradient(to right, ${RAMP.join(", ")})`;

/** 0xAABBGGRR of "#rrggbb". */
export function packed(colour, alpha = 255) {
  const number = parseInt(colour.slice(1), 16);
  return ((alpha << 24) | ((number & 0xff) << 16) | (number & 0xff00) | (number >>> 16)) >>> 0;
}

/** The packed colours of hundredths, 101 of them. */
export function rampColours() {
  return Array.from({ length: 101 }, (_, hundredth) => {
    const at = hundredth / 10;
    const [low, high] = [Math.floor(at), Math.min(10, Math.floor(at) + 1)];
    const mix = (shift) => {
      const [a, b] = [low, high].map((step) => (parseInt(RAMP[step].slice(1), 16) >> shift) & 0xff);
      return Math.round(a + (b - a) * (at - low));
    };
    return ((255 << 24) | (mix(0) << 16) | (mix(8) << 8) | mix(16)) >>> 0;
  });
}

function hsl(hue, saturation, lightness) {
  const part = (n) => {
    const k = (n + hue / 30) % 12;
    const value = lightness - saturation * Math.min(lightness, 1 - lightness) * Math.max(-1, Math.min(k - 3, 9 - k, 1));
    return Math.round(255 * value)
      .toString(16)
      .padStart(2, "0");
  };
  return `#${part(0)}${part(8)}${part(4)}`;
}
