// From a key that is pressed to what it does in the gallery; and the dialog that says so.
import { keyLabel, keyOf } from "../editor/keys/key-names.js";
import { make } from "../editor/make.js";
import { GALLERY_GESTURES, GALLERY_KEYS } from "./gallery-keys.js";

const OF_FIELDS = "input, select, textarea";
const OF_BUTTONS = ["Enter", "Space"];
// In the dialog of one cell these go on, label and close it.
const IN_DIALOG = [
  ...["left", "right", "up", "down", "choose", "enlarge", "jump", "undo", "redo"],
  ...["strip", "unidentified", "uncounted", "certainty"],
];
// With Shift these select as far as they go, unless Shift and the key are bound to something else.
const GOING = GALLERY_KEYS.filter(([, , , group]) => group === "Going").map(([command]) => command);

/** Listen for keys: `commands` by name take the event, `label(label)` sets one; Escape leads from a field to `grid`. */
export function listen({ bindings, scheme, commands, large, label, grid }) {
  function commandOf(key, event) {
    const command = bindings.commandOf(key);
    if (command || !event.shiftKey) return command;
    const plain = bindings.commandOf(key.replace("Shift+", ""));
    return GOING.includes(plain) ? plain : undefined;
  }

  addEventListener("keydown", (event) => {
    const { target } = event;
    if (event.isComposing || event.altKey || (document.querySelector("dialog:modal") && !large.open)) return;
    if (target.matches(OF_FIELDS)) {
      if (event.key === "Escape") grid.focus();
      return;
    }
    const key = keyOf(event);
    if (target.closest("button, a, summary") && OF_BUTTONS.includes(key)) return;
    const chosen = scheme.byKey.get(key);
    if (chosen) {
      event.preventDefault();
      if (!event.repeat) label(chosen);
      return;
    }
    const command = commandOf(key, event);
    if (!command || (large.open && !IN_DIALOG.includes(command))) return;
    event.preventDefault();
    commands[command](event);
  });
}

/** Show all keys, those of the labels, and what the pointer does. */
export function showHelp(dialog, bindings, scheme) {
  const { rows } = bindings;
  const row = (name, keys) =>
    make(
      "div",
      { class: "gallery-key" },
      make("span", {}, name),
      make("span", {}, ...keys.map((key) => make("kbd", {}, key))),
    );
  const section = (title, entries) => make("section", {}, make("h3", {}, title), ...entries);
  const groups = [...new Set(rows.map(({ group }) => group))];
  const labels = [...scheme.byKey.values()];
  dialog.querySelector("[data-keys]").replaceChildren(
    ...groups.map((group) => {
      const own = rows.filter((each) => each.group === group);
      return section(
        group,
        own.map(({ words, keys }) => row(words, keys.map(keyLabel))),
      );
    }),
    section(
      "Labels",
      labels.map((label) => row(label.name, [keyLabel(label.key)])),
    ),
    section(
      "With the pointer",
      GALLERY_GESTURES.map(([gesture, words]) => row(words, [gesture])),
    ),
  );
  dialog.showModal();
}
