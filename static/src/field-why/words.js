// What a map of an image says, and what it does not.

const percent = (share) => `${share < 0.1 && share > 0 ? (100 * share).toFixed(1) : Math.round(100 * share)} %`;

export function meaning({ decision, model, probability, of, colours, cells, chain, old }) {
  const own = chain === "all" ? "" : " The part of it that never saw this patient was asked.";
  const is =
    `${decision}: by ${seen(cells)} the probability of ${of} is ` +
    `${percent(probability)} for ${cells ? model : "a model of whole images"}.${own}`;
  const what =
    colours.strongest < 0.005
      ? "Covering any one part changes that by less than half a percentage point: no single part decides."
      : `Orange: covering this part lowers it; blue: covering it raises it; by ${points(colours.strongest)} where it counts most.`;
  const stale = old ? " Cells were added or changed since." : "";
  return `${is} ${what}${stale} It shows what this model rests on, not whether it is right. A patient is diagnosed by all images.`;
}

/** 0 cells: a model of whole images. */
function seen(cells) {
  if (!cells) return "this image alone, without looking for cells,";
  return `the ${cells === 1 ? "one cell" : `${cells} cells`} of this image alone`;
}

/** What covering a part does to the probability of `of`. */
export function partWords(change, of) {
  if (Math.abs(change) < 0.0005) return `${of} stays as probable without this part`;
  return `Without this part ${of} is ${points(Math.abs(change))} ${change > 0 ? "less" : "more"} probable`;
}

function points(change) {
  const value = 100 * change;
  const text = value < 10 ? value.toFixed(1) : String(Math.round(value));
  return `${text} percentage point${text === "1.0" || text === "1" ? "" : "s"}`;
}
