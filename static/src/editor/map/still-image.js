// The pixels of an image as OpenLayers' map takes them, decoded already: drawn in the frame in which they are set,
// where its own sources load first and leave a frame empty.
import ImageWrapper from "ol/Image.js";
import ImageState from "ol/ImageState.js";
import ImageSource from "ol/source/Image.js";

export class StillImage extends ImageSource {
  #image;

  /** `picture`: a bitmap or canvas that fills the projection's extent, one map unit a pixel. */
  constructor(projection, picture) {
    super({ projection });
    this.#image = new ImageWrapper(projection.getExtent(), 1, 1, ImageState.LOADED);
    this.#image.setImage(picture);
  }

  getImageInternal() {
    return this.#image;
  }
}
