// The border editor: puts the parts of the page together and shows one image after another in it.
import "ol/ol.css";
import { CellList } from "./cell-list.js";
import { Editor } from "./editor.js";
import { addTooltips, fillHelp } from "./help.js";
import { ImageHeading } from "./image-heading.js";
import { ImageLoader, json } from "./image-loader.js";
import { ImageState } from "./image-state.js";
import { listen } from "./keys.js";
import { LabelPanel, Scheme } from "./labels.js";
import { Layers } from "./layers.js";
import { Hints, Notices, SaveStatus } from "./notices.js";
import { scaleBar, sizes } from "./scale-bar.js";
import { SelectedCell } from "./selected-cell.js";
import { ImageSession, received } from "./session.js";

const element = (id) => document.getElementById(id);
const page = element("editor");
const notices = new Notices(element("notices"));
const hints = new Hints(element("hint"));
const status = new SaveStatus(element("save-status"));
// The filter and order of the worklist that the person came from: next and previous follow it.
const worklist = location.search;

/** The address of something of an image, from the pattern in the page. */
const address = (name, id) => page.dataset[name].replace("/0/", `/${id}/`);

async function start() {
  const loader = new ImageLoader((id) => address("imageUrl", id) + worklist);
  const first = Number(page.dataset.image);
  const [study] = await Promise.all([json(page.dataset.studyUrl), loader.get(first)]);
  const scheme = new Scheme(study.groups);
  const layers = new Layers(element("map"));
  let session = null;
  let asked = null;
  let size = sizes(null);

  const editor = new Editor({ layers, scheme, hints, go });
  const choose = (id, event) => (event.shiftKey ? session.selection.toggle(id) : editor.focus(id));
  const list = new CellList(element("cell-list"), element("cell-counts"), scheme, choose);
  const labels = new LabelPanel(element("labels"), scheme, (label) => editor.label(label));
  const selectedCell = new SelectedCell(element("selected"), scheme);
  const heading = new ImageHeading(document, (id) => address("pageUrl", id) + worklist);
  const state = new ImageState({
    chip: element("image-state"),
    buttons: element("state-buttons"),
    dialog: element("remaining"),
    say: (text) => hints.say(text),
  });
  const parts = [layers, editor, list, selectedCell, heading, state];

  /** Show an image in the page; `entry` says whether it is a new one in the browser's history. */
  async function show(id, entry) {
    page.dataset.ready = "false";
    asked = id;
    let loaded;
    try {
      loaded = await loader.get(id);
    } catch (error) {
      if (asked !== id) return;
      page.dataset.ready = "true";
      notices.show("open", "The image cannot be opened.", error.message, [["Try again", () => show(id, entry)]], "error");
      return;
    }
    // Somebody went on before this image had come.
    if (asked !== id) return;
    if (session) {
      session.leave();
      loader.forget(session.image.id);
    }
    notices.clear();
    const urls = { operations: address("operationsUrl", id), state: address("stateUrl", id) };
    session = new ImageSession(loaded.image, loaded.picture, scheme, urls, page.dataset.user);
    if (entry) history.pushState({ image: id }, "", address("pageUrl", id) + worklist);
    size = sizes(loaded.image.um_per_pixel);
    for (const part of parts) part.show(session);
    listenTo(session);
    performance.mark("editor-data");
    session.cells.load(received(loaded.image.cells));
    showState(loaded.image.state);
    status.show("saved");
    session.queue.resume();
    page.dataset.image = id;
    drawn(session);
  }

  /** Tell tests and benchmarks when all of an image is on the screen, then look ahead. */
  function drawn(shown) {
    layers.borders.layer.once("postrender", () => performance.mark("editor-borders"));
    layers.map.once("rendercomplete", () => {
      if (shown !== session) return;
      page.dataset.ready = "true";
      performance.mark("editor-drawn");
      const { next, previous } = shown.image;
      loader.prefetch([previous, next].filter(Boolean));
    });
  }

  function listenTo({ cells, selection, history, queue, signal }) {
    selection.addEventListener(
      "change",
      () => {
        layers.select(selection.ids, editor.canEdit);
        list.select(selection.ids);
        refresh();
      },
      { signal },
    );
    cells.addEventListener("change", refresh, { signal });
    history.addEventListener("change", refresh, { signal });
    queue.addEventListener("status", ({ detail }) => status.show(detail.status, detail.reason), { signal });
    queue.addEventListener("state", ({ detail }) => showState(detail.state), { signal });
    queue.addEventListener("conflict", ({ detail: { cell, theirs, mine } }) => {
      history.forget(cell);
      editor.focus(cell);
      const gone = theirs.status === "deleted";
      notices.show(
        cell,
        `Somebody else ${gone ? "deleted" : "changed"} this cell in the meantime.`,
        gone ? "It is gone here too; your change is not saved." : "Theirs is shown; your change is not saved.",
        [
          ["Keep theirs"],
          ["Use mine", () => history.change([[cell, mine]], "Use mine") && editor.focus(cell)],
        ],
      );
    }, { signal });
    queue.addEventListener("refused", ({ detail }) => {
      history.forget(detail.cell);
      notices.show(detail.cell, "The change was not taken.", detail.reason, [["Close"]], "error");
    }, { signal });
  }

  async function go(direction) {
    const target = session.image[direction];
    if (!target) hints.say(direction === "next" ? "This is the last image." : "This is the first image.");
    else await show(target, true);
  }

  editor.register({
    help: () => element("help").showModal(),
    panel: () => {
      const hidden = page.classList.toggle("is-wide");
      for (const button of document.querySelectorAll('[data-command="panel"]')) button.setAttribute("aria-pressed", !hidden);
      layers.map.updateSize();
    },
  });

  function showState(value) {
    state.set(value);
    editor.canEdit = value !== "reviewed";
    page.classList.toggle("is-read-only", !editor.canEdit);
    if (!editor.canEdit) editor.use("select");
    refresh();
  }

  function refresh() {
    const chosen = editor.selected;
    selectedCell.refresh(chosen, size);
    labels.refresh(chosen, editor.canEdit);
    const proposed = chosen.some((cell) => cell.status === "proposed");
    enable("accept", editor.canEdit && proposed);
    enable("delete", editor.canEdit && chosen.length > 0);
    enable("accept-all", editor.canEdit && session.cells.proposals().length > 0);
    enable("undo", editor.canEdit && session.history.canUndo);
    enable("redo", editor.canEdit && session.history.canRedo);
  }

  const buttons = new Map([...document.querySelectorAll("[data-command]")].map((button) => [button, button.dataset.command]));
  function enable(command, on) {
    for (const [button, of] of buttons) if (of === command) button.disabled = !on;
  }

  state.addEventListener("change", async ({ detail }) => {
    showState(detail.state);
    if (detail.reload) {
      session.history.clear();
      session.cells.load(received((await json(address("imageUrl", session.image.id) + worklist)).cells));
    }
    if (detail.state === "annotated") {
      const next = session.image.next ? [["Next image", () => go("next")], ["Stay"]] : [["Close"]];
      notices.show("annotated", "Marked as annotated.", "", next, "good");
    }
  });

  listen(
    (command, event) => editor.run(command, event),
    (digit) => {
      const label = scheme.byKey.get(digit);
      if (label) editor.label(label);
      return Boolean(label);
    },
    (held) => {
      editor.pointer.panning = held;
    },
  );
  for (const [button, command] of buttons) button.addEventListener("click", (event) => editor.run(command, event));
  addEventListener("beforeunload", (event) => session.queue.unsaved && event.preventDefault());
  addEventListener("popstate", () => show(Number(location.pathname.match(/images\/(\d+)/)?.[1]), false));
  fillHelp(element("help-keys"), [...scheme.byKey.values()]);
  addTooltips(document);
  scaleBar(element("scale-bar"), layers, () => session?.image.um_per_pixel ?? null);

  // For tests and for whoever overlays something: where the view is, in image pixels.
  layers.addEventListener("view", () => {
    page.dataset.view = [layers.resolution, ...layers.centre].join(" ");
  });
  await show(first, false);
  for (const other of session.journal.otherImages()) {
    notices.show(`unsaved-${other}`, "Another image has changes that were never saved.", "Open it to save them.", [
      ["Open it", () => show(other, true)],
      ["Later"],
    ]);
  }
}

start().catch((error) => {
  notices.show("open", "The image cannot be opened.", error.message, [["Try again", () => location.reload()]], "error");
});
