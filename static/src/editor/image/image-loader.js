// Images on their way from the server, also ahead of time: what the API says of an image, and its decoded pixels.

// The one that is open and one to each side: 20 MB a picture of 2560 × 1920.
const KEPT = 3;

export async function json(url) {
  const response = await fetch(url, { headers: { Accept: "application/json" } });
  if (response.status === 401) throw new Error("You are signed out.");
  if (!response.ok) throw new Error(`The server answers ${response.status}.`);
  return response.json();
}

async function pictureOf(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`The server answers ${response.status}.`);
  return createImageBitmap(await response.blob());
}

export class ImageLoader {
  #url;
  #pixelsUrl;
  #coming = new Map();
  #wanted = [];

  /** `url(id)` is the address of what the API says of an image, `pixelsUrl(id)` that of its pixels. */
  constructor(url, pixelsUrl) {
    this.#url = url;
    this.#pixelsUrl = pixelsUrl;
  }

  /**
   * {image, picture} of an image, as it was prefetched or fetched now: what the API says of it, and of its pixels
   * {bitmap: null until they are decoded, ready: a promise of it}. Its borders need not wait for them.
   */
  async get(id) {
    this.#want(id);
    const { image, picture } = this.#load(id);
    try {
      return { image: await image, picture };
    } catch (error) {
      this.#coming.delete(id);
      throw error;
    }
  }

  /** Fetch images that will probably be opened next; what cannot be had is simply not there yet. */
  prefetch(ids) {
    for (const id of ids) {
      this.#want(id);
      const { image, picture } = this.#load(id);
      Promise.all([image, picture.ready]).catch(() => this.#coming.delete(id));
    }
  }

  /** What the server said of an image holds no longer; its pixels never change. */
  forget(id) {
    const coming = this.#coming.get(id);
    if (coming) coming.image = null;
  }

  #load(id) {
    let coming = this.#coming.get(id);
    if (!coming) this.#coming.set(id, (coming = {}));
    coming.image ??= json(this.#url(id));
    coming.picture ??= this.#decode(id);
    return coming;
  }

  #decode(id) {
    const picture = { bitmap: null, ready: pictureOf(this.#pixelsUrl(id)) };
    picture.ready.then(
      (bitmap) => {
        picture.bitmap = bitmap;
      },
      () => this.#coming.delete(id),
    );
    return picture;
  }

  #want(id) {
    this.#wanted = [...this.#wanted.filter((other) => other !== id), id];
    while (this.#wanted.length > KEPT) {
      const old = this.#coming.get(this.#wanted[0]);
      this.#coming.delete(this.#wanted.shift());
      old?.picture?.ready.then((bitmap) => bitmap.close()).catch(() => {});
    }
  }
}
