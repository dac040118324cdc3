// The help dialog and the tooltips, both from the table of keys.
import { GESTURES, KEYS, keyLabel } from "./keys.js";

function row(keys, text) {
  const term = document.createElement("dt");
  term.append(
    ...keys.flatMap((key, i) => {
      const element = document.createElement("kbd");
      element.textContent = key;
      return i ? [" ", element] : [element];
    }),
  );
  const meaning = document.createElement("dd");
  meaning.textContent = text;
  return [term, meaning];
}

function section(title, rows) {
  const part = document.createElement("section");
  const heading = document.createElement("h3");
  heading.textContent = title;
  const list = document.createElement("dl");
  list.append(...rows.flat());
  part.append(heading, list);
  return part;
}

/** Fill the dialog once; `labels` are those of the scheme that have a key. */
export function fillHelp(target, labels) {
  const groups = [...new Set(KEYS.map(([, , , group]) => group))];
  const sections = groups.map((group) =>
    section(
      group,
      KEYS.filter((key) => key[3] === group).map(([, keys, text]) => row(keys.map(keyLabel), text)),
    ),
  );
  const gestures = document.createElement("section");
  const heading = document.createElement("h3");
  heading.textContent = "With the pointer";
  const list = document.createElement("dl");
  list.className = "gestures";
  list.append(...GESTURES.flatMap(([gesture, text]) => {
    const term = document.createElement("dt");
    term.textContent = gesture;
    const meaning = document.createElement("dd");
    meaning.textContent = text;
    return [term, meaning];
  }));
  gestures.append(heading, list);
  const numbers = section("Labels", labels.map((label) => row([label.key], label.name)));
  target.replaceChildren(...sections, numbers, gestures);
}

/** Write the key of its command into the tooltip of each button. */
export function addTooltips(root) {
  for (const button of root.querySelectorAll("[data-command]")) {
    const keys = KEYS.find(([command]) => command === button.dataset.command)?.[1];
    const name = button.getAttribute("aria-label") ?? button.textContent.trim();
    if (keys) button.title = `${name} (${keys.map(keyLabel).join(" or ")})`;
  }
}
