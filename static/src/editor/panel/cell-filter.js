// Which cells the list shows, and in which order. Pure.
import { areaOf } from "../cells/geometry.js";
import { labelsOf } from "../map/styles.js";

/** Name to the words in the list's menu. "label:ID" stands for the cells that have a label. */
export const STATUSES = [
  ["all", "All"],
  ["proposed", "Proposals"],
  ["confirmed", "Confirmed"],
  ["unlabelled", "Unlabelled"],
  ["ignored", "Ignored"],
];

export const ORDERS = [
  ["open", "Open first"],
  ["place", "By place"],
  ["drawn", "As drawn"],
  ["score", "By score"],
  ["size", "By size"],
  ["label", "By label"],
];

const passes = {
  all: () => true,
  proposed: (cell) => cell.status === "proposed",
  confirmed: (cell) => cell.status === "confirmed" && !cell.ignored,
  unlabelled: (cell) => !cell.labels.length && !cell.ignored,
  ignored: (cell) => cell.ignored,
};

/** Whether a cell is among those shown. `words` are looked for in its name as `nameOf` words it. */
export function fits(cell, { status, words }, nameOf) {
  const label = status.startsWith("label:") ? Number(status.slice(6)) : null;
  if (label !== null ? !cell.labels.includes(label) : !passes[status](cell)) return false;
  return !words.length || words.every((word) => nameOf(cell).toLowerCase().includes(word));
}

/** Reading order: rows as high as a usual cell, from left to right in each. */
function placeOf(cells) {
  // A hundred or two say what is usual; to sort thousands would take longer than all the rest.
  const every = Math.ceil(cells.length / 200);
  const some = cells.filter((_, i) => i % every === 0);
  const heights = some.map(({ bounds }) => bounds[3] - bounds[1]).sort((a, b) => a - b);
  const row = Math.max(1, heights[heights.length >> 1] ?? 1);
  return ({ bounds }) => Math.floor((bounds[1] + bounds[3]) / 2 / row) * 1e6 + bounds[0];
}

/** What cells are ordered by, the smallest first. */
function rankOf(order, cells, scheme) {
  const place = placeOf(cells);
  switch (order) {
    case "place":
      return place;
    case "score":
      // The least certain first: these are what somebody should look at.
      return (cell) => cell.score ?? 2;
    case "size":
      return (cell) => -areaOf(cell.border);
    case "label": {
      const rank = new Map(scheme.labels.map((label, i) => [label.id, i]));
      return (cell) => {
        const first = labelsOf(cell, scheme)[0];
        return (first ? rank.get(first.id) : scheme.labels.length) * 1e10 + place(cell);
      };
    }
    case "open":
      return (cell) => (cell.status === "proposed" ? 0 : 1e10) + place(cell);
  }
  return () => 0;
}

/**
 * The cells in an order, as [{cell, rank}]; what is ignored comes last: nobody works on it.
 * `held`: ranks by id of cells that stay where they were.
 */
export function ordered(cells, order, scheme, held) {
  const rank = rankOf(order, cells, scheme);
  const ranked = cells.map((cell) => ({
    cell,
    rank: held.get(cell.id) ?? (cell.ignored ? 1e13 : 0) + rank(cell),
  }));
  return ranked.sort((a, b) => a.rank - b.rank);
}
