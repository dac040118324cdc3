// Points as dots, written into the pixels of a canvas: fifty thousand calls to a canvas a frame would be too many.

/** A dot of a radius in pixels: what it covers (offsets from its middle), and what it covers in part. */
export function dot(radius) {
  const reach = Math.ceil(radius + 0.5);
  const [inner, edge] = [[], []];
  for (let y = -reach; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) {
      const covered = radius + 0.5 - Math.hypot(x, y);
      if (covered >= 1) inner.push([x, y]);
      else if (covered > 0.15) edge.push([x, y, covered]);
    }
  }
  return { reach, inner, edge };
}

/**
 * Paint the points xs, ys by their `colours` (0xAABBGGRR, 0: not shown) into `pixels` (Uint32Array, width × height) with
 * a view {scale, x, y}, in pixels. What shines through goes below what does not.
 */
export function paint(pixels, width, height, { xs, ys }, colours, { scale, x, y }, { reach, inner, edge }) {
  pixels.fill(0);
  const within = Int32Array.from(inner, ([dx, dy]) => dy * width + dx);
  const around = Int32Array.from(edge, ([dx, dy]) => dy * width + dx);
  const covered = Float32Array.from(edge, ([, , share]) => share);
  for (const opaque of [false, true]) {
    for (let place = 0; place < xs.length; place++) {
      const colour = colours[place];
      if (colour === 0 || colour >>> 24 === 255 !== opaque) continue;
      const px = Math.round(xs[place] * scale + x);
      const py = Math.round(y - ys[place] * scale);
      if (px < reach || py < reach || px >= width - reach || py >= height - reach) continue;
      const at = py * width + px;
      for (let n = 0; n < within.length; n++) pixels[at + within[n]] = colour;
      for (let n = 0; n < around.length; n++) {
        // Beside another dot the edge gives way to it.
        if (pixels[at + around[n]] !== 0) continue;
        pixels[at + around[n]] = ((((colour >>> 24) * covered[n]) << 24) | (colour & 0xffffff)) >>> 0;
      }
    }
  }
}
