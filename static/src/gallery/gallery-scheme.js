// The study's label scheme as the gallery needs it: labels by id and key, and what the model would choose.
import { Scheme } from "../editor/panel/labels.js";

export class GalleryScheme extends Scheme {
  /** `groups`: as inference/gallery_scheme.py gives them; `me`: the person's user name. */
  constructor(groups, me) {
    super(groups);
    this.me = me;
    this.byId = new Map(this.labels.map((label) => [label.id, label]));
    this.offered = this.labels.filter((label) => !label.retired);
    this.byKey = new Map(this.offered.filter((label) => label.key).map((label) => [label.key, label]));
    this.marks = new Map(this.offered.filter((label) => label.mark).map((label) => [label.mark, label]));
  }

  /** Labels as the scheme orders them: what a cell is comes before what it has. */
  inOrder(labels) {
    return [...labels].sort((a, b) => this.labels.indexOf(a) - this.labels.indexOf(b));
  }

  /** {label, probability} of the label that counts, else of the choice that the model finds most likely; or null. */
  guess(cell, of) {
    if (of !== null) {
      const label = this.byId.get(of);
      const probability = cell.probabilities[of];
      return label && probability !== undefined ? { label, probability } : null;
    }
    let best = null;
    for (const [id, probability] of Object.entries(cell.probabilities)) {
      const label = this.byId.get(Number(id));
      if (label && !label.group.multiple && probability > (best?.probability ?? 0)) best = { label, probability };
    }
    return best;
  }

  /** Whether two choices differ in a group of one choice of which both say something, or in their marks. */
  differ(a, b) {
    return this.groups.some((group) => {
      const own = (ids) =>
        ids
          .filter((id) => this.byId.get(id)?.group.id === group.id)
          .sort()
          .join();
      return own(a) !== own(b) && (group.multiple || (own(a) && own(b)));
    });
  }
}
