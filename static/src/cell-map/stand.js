// How the map stands, in words.

const LIVE = ["queued", "running", "cancelling"];
const number = (value) => value.toLocaleString("en").replaceAll(",", "\u202f");
const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

const STAGES = {
  features: ({ done, total }) =>
    total ? `a model looks at the cells, ${number(done)} of ${number(total)}` : "looks which cells are new",
  axes: () => "the main axes",
  neighbourhoods: () => "the neighbourhoods",
  places: ({ done, total }) => `the place of each cell, ${number(done)} of ${number(total)}`,
};

/** {sentence, isOld, making, button} of what the server says {map, old, job}, laid out by "pca" or "umap". */
export function standOf(stand, layout) {
  const { map, old, job } = stand ?? {};
  const making = LIVE.includes(job?.state);
  const button = map ? "Make it anew" : "Make the map";
  const sentences = [];
  if (map) {
    sentences.push(`${map.cells === 1 ? "1 cell" : `${number(map.cells)} cells`}, made ${when(map.made_at)}.`);
    const [first, second] = map.explained;
    if (layout === "pca")
      sentences.push(`Of the variance the axis to the right holds ${percent(first)}, the one upwards ${percent(second)}.`);
    if (map.learned_from < map.cells) sentences.push(`Learned from ${number(map.learned_from)} of them.`);
    if (old) sentences.push("The map is older than the features: cells were added, or their borders changed, since.");
  }
  if (making) {
    const stage = STAGES[job.progress.stage]?.(job.progress);
    sentences.push(stage ? `It is being made: ${stage}.` : "It waits for a worker.");
  } else if (job?.state === "failed") sentences.push(`The last one was not made: ${job.reason}`);
  return { sentence: sentences.join(" "), isOld: Boolean(old), making, button };
}

const when = (iso) =>
  new Date(iso).toLocaleString(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
