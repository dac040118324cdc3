// The border editor: fetches an image with its cells and the study's label scheme, and puts the parts together.
import "ol/ol.css";
import { CellList } from "./cell-list.js";
import { Cells } from "./cells.js";
import { Editor } from "./editor.js";
import { addTooltips, fillHelp } from "./help.js";
import { History } from "./history.js";
import { ImageState } from "./image-state.js";
import { Journal } from "./journal.js";
import { listen } from "./keys.js";
import { LabelPanel, Scheme } from "./labels.js";
import { Layers } from "./layers.js";
import { Hints, Notices, SaveStatus } from "./notices.js";
import { OperationQueue } from "./operations.js";
import { scaleBar, sizes } from "./scale-bar.js";
import { showSelected } from "./selected-cell.js";
import { Selection } from "./selection.js";

const element = (id) => document.getElementById(id);
const page = element("editor");
const notices = new Notices(element("notices"));

async function json(url) {
  const response = await fetch(url, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`The server answers ${response.status}.`);
  return response.json();
}

/** What a proposal was is kept, so that undo can show it before the server answers. */
const received = (cells) => cells.map((cell) => (cell.status === "proposed" ? { ...cell, proposed: cell.border } : cell));

async function open() {
  const { imageUrl, studyUrl, operationsUrl, stateUrl, user } = page.dataset;
  const [image, study] = await Promise.all([json(imageUrl), json(studyUrl)]);
  const scheme = new Scheme(study.groups);
  const cells = new Cells();
  const selection = new Selection();
  const size = sizes(image.um_per_pixel);
  const hints = new Hints(element("hint"));
  const status = new SaveStatus(element("save-status"));
  const journal = new Journal(user, image.id);
  const queue = new OperationQueue(operationsUrl, cells, journal);
  const history = new History(cells, queue);
  const layers = new Layers(element("map"), image, cells, scheme, []);
  const list = new CellList(element("cell-list"), element("cell-counts"), cells, scheme, size.length, (id, event) => {
    if (event.shiftKey) selection.toggle(id);
    else editor.focus(id);
  });

  async function go(direction) {
    const target = page.dataset[`${direction}Url`];
    if (!target) hints.say(direction === "next" ? "This is the last image." : "This is the first image.");
    else {
      // What cannot be saved in time: the page asks before it goes, and the journal keeps it.
      await queue.flushed(4_000);
      location.assign(target);
    }
  }

  function toggle(command) {
    if (command === "help") element("help").showModal();
    if (command === "panel") {
      const hidden = page.classList.toggle("is-wide");
      for (const button of document.querySelectorAll('[data-command="panel"]')) button.setAttribute("aria-pressed", !hidden);
      layers.map.updateSize();
    }
  }

  const editor = new Editor({ image, cells, layers, selection, history, scheme, hints, go, toggle });
  const labels = new LabelPanel(element("labels"), scheme, (label) => editor.label(label));
  const state = new ImageState({
    url: stateUrl,
    role: image.role,
    chip: element("image-state"),
    buttons: element("state-buttons"),
    dialog: element("remaining"),
    flush: () => queue.flushed(10_000),
    say: (text) => hints.say(text),
  });

  function showState(value) {
    state.show(value);
    editor.canEdit = value !== "reviewed";
    page.classList.toggle("is-read-only", !editor.canEdit);
    if (!editor.canEdit) editor.use("select");
    refresh();
  }

  function refresh() {
    const chosen = editor.selected;
    showSelected(element("selected"), chosen, scheme, size);
    labels.show(chosen, editor.canEdit);
    const proposed = chosen.some((cell) => cell.status === "proposed");
    enable("accept", editor.canEdit && proposed);
    enable("delete", editor.canEdit && chosen.length > 0);
    enable("accept-all", editor.canEdit && cells.proposals().length > 0);
    enable("undo", editor.canEdit && history.canUndo);
    enable("redo", editor.canEdit && history.canRedo);
  }

  const buttons = new Map([...document.querySelectorAll("[data-command]")].map((button) => [button, button.dataset.command]));
  function enable(command, on) {
    for (const [button, of] of buttons) if (of === command) button.disabled = !on;
  }

  selection.addEventListener("change", () => {
    layers.select(selection.ids, editor.canEdit);
    list.select(selection.ids);
    refresh();
  });
  cells.addEventListener("change", refresh);
  history.addEventListener("change", refresh);
  queue.addEventListener("status", ({ detail }) => status.show(detail.status, detail.reason));
  queue.addEventListener("state", ({ detail }) => showState(detail.state));
  queue.addEventListener("conflict", ({ detail: { cell, theirs, mine } }) => {
    history.forget(cell);
    editor.focus(cell);
    const did = theirs.status === "deleted" ? "deleted this cell" : "changed this cell";
    notices.show(
      cell,
      `Somebody else ${did} in the meantime.`,
      theirs.status === "deleted" ? "It is gone here too; your change is not saved." : "Theirs is shown; your change is not saved.",
      [
        ["Keep theirs"],
        ["Use mine", () => history.change([[cell, mine]], "Use mine") && editor.focus(cell)],
      ],
    );
  });
  queue.addEventListener("refused", ({ detail }) => {
    history.forget(detail.cell);
    notices.show(detail.cell, "The change was not taken.", detail.reason, [["Close"]], "error");
  });
  state.addEventListener("change", async ({ detail }) => {
    showState(detail.state);
    if (detail.reload) {
      history.clear();
      cells.load(received((await json(imageUrl)).cells));
    }
    if (detail.state === "annotated") {
      const next = page.dataset.nextUrl ? [["Next image", () => go("next")], ["Stay"]] : [["Close"]];
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
  addEventListener("beforeunload", (event) => queue.unsaved && event.preventDefault());
  fillHelp(element("help-keys"), [...scheme.byKey.values()]);
  addTooltips(document);
  scaleBar(element("scale-bar"), layers.view, image.um_per_pixel);

  // For tests and for whoever overlays something: where the view is, in image pixels.
  layers.map.on("moveend", () => {
    const [x, y] = layers.view.getCenter();
    page.dataset.view = [layers.resolution, x, image.height - y].join(" ");
  });
  layers.borders.once("postrender", () => performance.mark("editor-borders"));
  layers.map.once("rendercomplete", () => {
    page.dataset.ready = "true";
    performance.mark("editor-drawn");
  });
  performance.mark("editor-data");
  cells.load(received(image.cells));
  showState(image.state);
  status.show("saved");
  queue.resume();
  for (const other of journal.otherImages()) {
    notices.show(`unsaved-${other}`, "Another image has changes that were never saved.", "Open it to save them.", [
      ["Open it", () => location.assign(page.dataset.anyImageUrl.replace("/0/", `/${other}/`))],
      ["Later"],
    ]);
  }
}

open().catch((error) => {
  notices.show("open", "The image cannot be opened.", error.message, [["Try again", () => location.reload()]], "error");
});
