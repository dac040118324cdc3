// From a key that is pressed to the command that is run.
import { keyOf } from "./key-names.js";

// A shorter press of the space bar is a tap, a longer one was meant to pan.
const TAP = 350; // ms
// Keys that a button, a link or a row does something with by itself.
const OF_BUTTONS = ["Enter", "Space", "Tab", "Shift+Tab"];
// With Shift these go further, or give up what Shift is held for, unless Shift and the key are bound to something else.
const STEPS = ["left", "right", "up", "down", "cancel"];

const inField = (target) =>
  target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, .menu") !== null;

// Also where the focus is nowhere: keys are a dialog's as long as it is open.
const inDialog = () => document.querySelector("dialog:modal") !== null;

/**
 * Listen for keys. `run(command, event)` answers false where the command has nothing to do here, and the key keeps
 * its usual meaning; `number(digit)` sets labels; `space(held)` pans while the space bar is held.
 */
export function listen(bindings, run, number, space) {
  let spaceDown = null;

  function commandFor(key, event) {
    const command = bindings.commandOf(key);
    if (command || !event.shiftKey) return command;
    const step = bindings.commandOf(key.replace("Shift+", ""));
    return STEPS.includes(step) ? step : undefined;
  }

  addEventListener("keydown", (event) => {
    if (event.isComposing || event.altKey || inDialog()) return;
    // Esc leads back to the image first: from the panel, or from a field.
    if (event.key === "Escape" && (inField(event.target) || event.target.closest(".panel"))) {
      document.getElementById("map").focus();
      return;
    }
    if (inField(event.target)) return;
    const key = keyOf(event);
    if (event.target.closest("button, a, summary") && OF_BUTTONS.includes(key)) return;
    if (key === "Space") {
      if (!event.repeat) spaceDown = { at: event.timeStamp, event };
      space(true);
      event.preventDefault();
      return;
    }
    const command = commandFor(key, event);
    const digit = key.match(/^(?:Ctrl\+)?([0-9])$/)?.[1];
    if (command) {
      if (run(command, event) !== false) event.preventDefault();
    } else if (digit && number(digit)) {
      event.preventDefault();
    }
  });
  addEventListener("keyup", (event) => {
    if (event.key !== " ") return;
    space(false);
    const command = bindings.commandOf("Space");
    if (spaceDown && command && event.timeStamp - spaceDown.at < TAP) run(command, spaceDown.event);
    spaceDown = null;
  });
  // Whoever presses the mouse meanwhile pans.
  addEventListener("pointerdown", () => (spaceDown = null), true);
  addEventListener("blur", () => {
    spaceDown = null;
    space(false);
  });
}
