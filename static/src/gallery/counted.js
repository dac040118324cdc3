// How many cells are shown, and what stands in their place where there are none.
import { make } from "../editor/make.js";

const element = (id) => document.getElementById(id);

export const number = (value) => value.toLocaleString("en").replaceAll(",", "\u202f");

export function showLength(length, isFiltered) {
  element("gallery-count").textContent = length === 1 ? "1 cell" : `${number(length)} cells`;
  const nothing = element("gallery-nothing");
  nothing.hidden = length > 0;
  const [title, words] = isFiltered
    ? ["No cell matches", "No cell is all of what was asked for."]
    : ["No cells yet", "The gallery shows the cells whose borders somebody has drawn or accepted in the editor."];
  nothing.querySelector("h2").textContent = title;
  nothing.querySelector("p").textContent = words;
}

/** What models say by now, `spoken`, and of the heads what is on its way. */
export function showModels(heads, spoken) {
  const onTheirWay = heads.filter(({ state }) => !["none", "ready"].includes(state));
  const computing = heads.find(({ features }) => features)?.features;
  const words = onTheirWay.map(({ name, sentence }) => `${name}: ${sentence}`);
  if (computing?.[1]) words.push(`Looks at ${number(computing[0])} of ${number(computing[1])} cells.`);
  words.push(...spoken);
  const lines = element("gallery-heads");
  if (!words.length || lines.dataset.words === words.join()) return;
  lines.dataset.words = words.join();
  lines.replaceChildren(...words.map((sentence) => make("p", {}, sentence)));
}
