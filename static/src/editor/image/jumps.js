// Home, End, PgUp and PgDn as in VIA: far steps through the worklist that the person came from.
import { json } from "./image-loader.js";

const JUMPS = { "first-image": "first", "last-image": "last", "images-on": "forward", "images-back": "backward" };

/** `address(id, to)` answers where a jump leads; `open(id)` opens that image. */
export function registerJumps(editor, address, open) {
  const go = async (to) => {
    const { id } = editor.image;
    let target;
    try {
      target = (await json(address(id, to))).image;
    } catch {
      editor.say("The server cannot be reached. Try again.");
      return;
    }
    // Somebody went on meanwhile.
    if (editor.image.id !== id) return;
    if (target !== id) open(target);
    else editor.say(to === "first" || to === "backward" ? "This is the first image." : "This is the last image.");
  };
  for (const [command, to] of Object.entries(JUMPS)) editor.register({ [command]: () => go(to) });
}
