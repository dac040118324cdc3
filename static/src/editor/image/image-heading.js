// What the page's head says of the image: its name, its patient, and the way to the images beside it.

export class ImageHeading {
  #name;
  #patient;
  #facts;
  #quality;
  #steps;
  #page;

  /** `page(id)` is the address of an image's editor. */
  constructor(root, page) {
    this.#page = page;
    this.#name = root.querySelector("[data-image-name]");
    this.#facts = root.querySelector("[data-image-facts]");
    this.#quality = root.querySelector("[data-image-quality]");
    this.#patient = root.querySelector("[data-image-patient]");
    this.#steps = new Map(["previous", "next"].map((way) => [way, root.querySelector(`[data-step="${way}"]`)]));
  }

  show({ image }) {
    const name = this.#name;
    document.title = `${image.name} · Marrowloop`;
    name.textContent = name.title = image.name;
    this.#patient.textContent = image.patient ?? "";
    const { verdict, reason } = image.quality ?? { verdict: "good", reason: "" };
    this.#quality.hidden = verdict === "good";
    this.#quality.dataset.quality = verdict;
    this.#quality.textContent = verdict === "bad" ? "Poor image" : "Doubtful image";
    this.#quality.title = reason;
    const scale = image.um_per_pixel ? `${Number(image.um_per_pixel.toPrecision(4))} µm per pixel` : "scale unknown: px";
    this.#facts.textContent = `${image.width} × ${image.height} px, ${scale}`;
    for (const [way, link] of this.#steps) {
      const target = image[way];
      link.classList.toggle("is-off", !target);
      if (target) link.href = this.#page(target);
      else link.removeAttribute("href");
      link.toggleAttribute("aria-disabled", !target);
    }
  }
}
