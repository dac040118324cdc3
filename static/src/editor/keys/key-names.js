// How keys are written: "Ctrl+Shift+z" in the table and on the server, "Ctrl+Shift+Z" for people.

const NAMES = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  Escape: "Esc",
  Delete: "Del",
  PageUp: "PgUp",
  PageDown: "PgDn",
};

// What browsers keep for themselves: no page ever sees these.
const RESERVED = new Set([
  "Ctrl+n",
  "Ctrl+t",
  "Ctrl+w",
  "Ctrl+q",
  "Ctrl+Shift+n",
  "Ctrl+Shift+t",
  "Ctrl+Shift+w",
  "Ctrl+Tab",
  "Ctrl+Shift+Tab",
  "Ctrl+PageUp",
  "Ctrl+PageDown",
]);

// What a page may take, but people expect of their browser.
const BROWSERS = new Map([
  ["Ctrl+f", "searches the page"],
  ["Ctrl+l", "goes to the address"],
  ["Ctrl+p", "prints"],
  ["Ctrl+r", "loads the page again"],
  ["Ctrl+Shift+r", "loads the page again"],
  ["Ctrl+s", "saves the page"],
  ["Ctrl+d", "makes a bookmark"],
  ["Ctrl+Shift+i", "opens the browser's tools"],
  ["F3", "searches the page"],
  ["F5", "loads the page again"],
  ["F11", "fills the screen"],
  ["F12", "opens the browser's tools"],
]);

/** A key as people read it. */
export function keyLabel(key) {
  return key
    .split(/(?<=\w)\+/)
    .map((part) => NAMES[part] ?? (part.length === 1 ? part.toUpperCase() : part))
    .join("+");
}

/** The key of an event, as the table writes it. */
export function keyOf(event) {
  let key = event.key === " " ? "Space" : event.key;
  if (key.length === 1) key = key.toLowerCase();
  // Shift is part of how + and ? are typed, and no key of its own there.
  const shift = event.shiftKey && (key.length > 1 || key.toUpperCase() !== key) ? "Shift+" : "";
  return (event.ctrlKey || event.metaKey ? "Ctrl+" : "") + shift + key;
}

/** Whether the browser never lets a page have the key. */
export const isReserved = (key) => RESERVED.has(key);

/** What the key does in the browser itself, or undefined. */
export const browserMeaning = (key) => BROWSERS.get(key);
