// The border editor: puts the parts of the page together and shows one image after another in it.
import "ol/ol.css";
import { Editor } from "./editor.js";
import { addTooltips, KeyDialog, showNumbers } from "./keys/help.js";
import { ImageHeading } from "./image/image-heading.js";
import { ImageLoader } from "./image/image-loader.js";
import { ImageState } from "./image/image-state.js";
import { registerJumps } from "./image/jumps.js";
import { KeyBindings } from "./keys/key-bindings.js";
import { listen } from "./keys/key-listener.js";
import { GESTURES, KEYS } from "./keys/keys.js";
import { Labelling } from "./panel/labelling.js";
import { Scheme } from "./panel/labels.js";
import { Layers } from "./map/layers.js";
import { Minimap } from "./map/minimap.js";
import { Hints, Notices, SaveStatus } from "./notices.js";
import { Overlays } from "./map/overlays.js";
import { Regions } from "./map/regions.js";
import { Preferences } from "./preferences.js";
import { scaleBar, sizes } from "./map/scale-bar.js";
import { ImageSession } from "./session.js";
import { Connection } from "./sync/connection.js";
import { Journal } from "./sync/journal.js";
import { Outbox } from "./sync/outbox.js";
import { SidePanel } from "./panel/side-panel.js";
import { Together } from "./together.js";
import { ViewAdjust } from "./panel/view-adjust.js";

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
  const loader = new ImageLoader(
    (id) => address("imageUrl", id) + worklist,
    (id) => address("pixelsUrl", id),
  );
  const first = Number(page.dataset.image);
  loader.prefetch([first]);
  const connection = new Connection(page.dataset.user);
  const journal = new Journal(page.dataset.user);
  const setup = JSON.parse(element("editor-setup").textContent);
  const scheme = new Scheme(setup.groups, setup.texts);
  const bindings = new KeyBindings(KEYS, page.dataset.keysUrl);
  bindings.load(setup.keys);
  const layers = new Layers(element("map"));
  let session = null;
  let asked = null;
  let size = sizes(null);

  const editor = new Editor({ layers, scheme, hints, go, listed: () => panel.list.order });
  const preferences = new Preferences(page.dataset.user);
  const labelling = new Labelling(editor, scheme);
  const panel = new SidePanel(page, { editor, layers, scheme, labelling, preferences });
  const overlays = new Overlays(editor, layers);
  const minimap = new Minimap(element("minimap"), { editor, layers, preferences });
  const regions = new Regions(element("regions"), {
    editor, layers, preferences, url: (id) => address("qualityUrl", id),
  });
  const workerUrl = page.dataset.pictureWorker;
  const adjust = new ViewAdjust(element("view"), { editor, layers, preferences, workerUrl });
  const heading = new ImageHeading(document, (id) => address("pageUrl", id) + worklist);
  const state = new ImageState({
    chip: element("image-state"),
    buttons: element("state-buttons"),
    dialog: element("remaining"),
    sendBack: element("send-back"),
    connection,
    url: (id) => address("stateUrl", id),
    say: (text) => hints.say(text),
  });
  const open = (id) => show(id, true);
  const outbox = new Outbox({ journal, connection, url: (id) => address("operationsUrl", id) });
  const together = new Together({
    page, address, open, editor, layers, scheme, connection, journal, outbox, notices,
  });
  const parts = [layers, editor, panel, heading, state, overlays, minimap, regions, adjust, together];
  let revision = 0;

  /** Show an image in the page; `entry` says whether it is a new one in the browser's history. */
  async function show(id, entry) {
    page.dataset.ready = "false";
    asked = id;
    let loaded;
    try {
      loaded = await loader.get(id);
    } catch (error) {
      unopened(id, entry, error);
      return;
    }
    // Somebody went on before this image had come.
    if (asked !== id) return;
    if (session) {
      session.leave();
      loader.forget(session.image.id);
    }
    notices.clear();
    session = new ImageSession(loaded.image, loaded.picture, scheme, outbox);
    outbox.first = id;
    if (entry) history.pushState({ image: id }, "", address("pageUrl", id) + worklist);
    size = sizes(loaded.image.um_per_pixel);
    for (const part of parts) part.show(session);
    listenTo(session);
    performance.mark("editor-data");
    session.load(loaded.image);
    revision = 0;
    showState(loaded.image.state);
    page.dataset.image = id;
    loaded.picture.ready.catch((error) => unopened(id, entry, error));
    drawn(session);
  }

  function unopened(id, entry, error) {
    if (asked !== id) return;
    page.dataset.ready = "true";
    notices.show("open", "The image cannot be opened.", error.message, [["Try again", () => show(id, entry)]], "error");
  }

  /** Tell tests and benchmarks when all of an image is on the screen, then look ahead. */
  function drawn(shown) {
    layers.borders.layer.once("postrender", () => performance.mark("editor-borders"));
    const complete = () => {
      if (shown !== session) return;
      page.dataset.ready = "true";
      performance.mark("editor-drawn");
      const { next, previous } = shown.image;
      loader.prefetch([previous, next].filter(Boolean));
    };
    shown.pictured(() => {
      layers.map.once("rendercomplete", complete);
      layers.map.render();
    });
  }

  function listenTo({ cells, selection, history, changes, signal }) {
    selection.addEventListener(
      "change",
      () => {
        layers.select(selection.ids, editor.handles);
        panel.select(selection.ids);
        refresh();
      },
      { signal },
    );
    cells.addEventListener("change", refresh, { signal });
    history.addEventListener("change", refresh, { signal });
    changes.addEventListener("state", ({ detail }) => noteState(detail), { signal });
  }

  /** "#cell-…": the cell that somebody came for is selected and in view. */
  function showCell(hash) {
    const cell = session?.cells.get(hash.replace("#cell-", ""));
    if (!cell || cell.status === "deleted") return;
    session.selection.only(cell.id);
    layers.centreOn([(cell.bounds[0] + cell.bounds[2]) / 2, (cell.bounds[1] + cell.bounds[3]) / 2], 0);
  }

  async function go(direction) {
    const target = session.image[direction];
    if (!target) hints.say(direction === "next" ? "This is the last image." : "This is the first image.");
    else await show(target, true);
  }

  const keyDialog = new KeyDialog(element("help"), bindings, GESTURES, [...scheme.byKey.values()]);
  editor.register({ help: () => keyDialog.open() });
  const jumpAddress = (id, to) => `${address("jumpUrl", id)}?${new URLSearchParams([...new URLSearchParams(worklist), ["to", to]])}`;
  registerJumps(editor, jumpAddress, (id) => show(id, true));

  /** Of answers that come in another order than they were given the newest holds. */
  function noteState(told) {
    if (told.revision < revision) return;
    revision = told.revision ?? revision;
    if (told.state !== state.state) showState(told.state);
  }

  async function reload() {
    const shown = session;
    loader.forget(shown.image.id);
    const { image } = await loader.get(shown.image.id);
    if (shown === session) session.load(image);
  }

  function showState(value) {
    state.set(value);
    editor.canEdit = value !== "reviewed";
    page.classList.toggle("is-read-only", !editor.canEdit);
    if (!editor.canEdit) editor.use("select");
    refresh();
  }

  function refresh() {
    const chosen = editor.selected;
    panel.refresh(chosen, size, editor.canEdit);
    const proposed = chosen.some((cell) => cell.status === "proposed");
    enable("accept", editor.canEdit && proposed);
    enable("delete", editor.canEdit && chosen.length > 0);
    enable("accept-all", editor.canEdit && session.cells.proposals().length > 0);
    enable("history", chosen.length < 2);
    editor.toolBox.refresh();
  }

  const buttons = new Map([...document.querySelectorAll("[data-command]")].map((button) => [button, button.dataset.command]));
  function enable(command, on) {
    for (const [button, of] of buttons) if (of === command) button.disabled = !on;
  }

  state.addEventListener("change", async ({ detail }) => {
    revision = detail.revision ?? revision;
    showState(detail.state);
    if (detail.reload) await reload();
    if (detail.state === "annotated") {
      const next = session.image.next ? [["Next image", () => go("next")], ["Stay"]] : [["Close"]];
      notices.show("annotated", "Marked as annotated.", "", next, "good");
    }
  });

  listen(
    bindings,
    (command, event) => editor.run(command, event),
    (digit) => {
      const label = scheme.byKey.get(digit);
      if (label) labelling.press(label);
      return Boolean(label);
    },
    (held) => {
      editor.pointer.panning = held;
    },
  );
  for (const [button, command] of buttons) button.addEventListener("click", (event) => editor.run(command, event));
  together.company.addEventListener("state", ({ detail }) => noteState(detail));
  together.company.addEventListener("replaced", reload);
  outbox.addEventListener("change", () => status.show(outbox));
  addEventListener("beforeunload", (event) => outbox.unsaved && event.preventDefault());
  addEventListener("popstate", () => show(Number(location.pathname.match(/images\/(\d+)/)?.[1]), false));
  addTooltips(document, bindings);
  showNumbers(element("labels"), bindings);
  scaleBar(element("scale-bar"), layers, () => session?.image.um_per_pixel ?? null);

  // For tests and for whoever overlays something: where the view is, in image pixels.
  layers.addEventListener("view", () => {
    page.dataset.view = [layers.resolution, ...layers.centre].join(" ");
  });
  const started = outbox.start();
  await show(first, false);
  showCell(location.hash);
  // Tab goes to the first cell, and after the last one on to the panel.
  if (document.activeElement === document.body) element("map").focus({ preventScroll: true });
  await started;
  status.show(outbox);
}

start().catch((error) => {
  notices.show("open", "The image cannot be opened.", error.message, [["Try again", () => location.reload()]], "error");
});
