// The gallery: puts its parts together and shows the cells that are asked for.
import { KeyBindings } from "../editor/keys/key-bindings.js";
import { Hints, Notices, SaveStatus } from "../editor/notices.js";
import { Selection } from "../editor/cells/selection.js";
import { Connection } from "../editor/sync/connection.js";
import { Journal } from "../editor/sync/journal.js";
import { Outbox } from "../editor/sync/outbox.js";
import { SignIn } from "../editor/sync/sign-in.js";
import { Certainty } from "./certainty.js";
import { number, showLength, showModels } from "./counted.js";
import { Filters } from "./filters.js";
import { GALLERY_KEYS } from "./gallery-keys.js";
import { GalleryScheme } from "./gallery-scheme.js";
import { Grid } from "./grid.js";
import { listen, showHelp } from "./keyboard.js";
import { Labelling } from "./labelling.js";
import { LargeView } from "./large-view.js";
import { jumpUrl, Loupe } from "./loupe.js";
import { sortByChosenMeasure } from "./measures.js";
import { News } from "./news.js";
import { Order } from "./order.js";
import { Picking } from "./picking.js";
import { LARGE, Pictures, SMALL } from "./pictures.js";
import { showProblems, showTrouble } from "./problems.js";
import { DropOnClass, Rail } from "./rail.js";
import { showScale, TileSize } from "./scale.js";
import { ShownCells } from "./shown-cells.js";

// So many cells are selected at once at most, and compared with others.
const MOST_SELECTED = 1_000;
const MOST_LIKE = 50;

const element = (id) => document.getElementById(id);
const page = element("gallery");
const setup = JSON.parse(element("gallery-setup").textContent);
const address = (name, id) => page.dataset[name].replace("/0/", `/${id}/`);

const notices = new Notices(element("notices"));
const hints = new Hints(element("hint"));
const say = (text) => hints.say(text);
const connection = new Connection(page.dataset.user);
const journal = new Journal(page.dataset.user);
const outbox = new Outbox({ journal, connection, url: (image) => address("operationsUrl", image) });
const status = new SaveStatus(element("save-status"));
const scheme = new GalleryScheme(setup.groups, page.dataset.userName);
const bindings = new KeyBindings(GALLERY_KEYS, page.dataset.keysUrl);
bindings.load(setup.keys);

const cells = new ShownCells(connection, page.dataset.cellsUrl);
const pictures = new Pictures(page.dataset.cropsUrl, page.dataset.user);
const selection = new Selection();
const labelling = new Labelling({ cells, outbox, scheme, say });
const grid = new Grid(element("grid"), { cells, pictures, selection, scheme });
const filters = new Filters(element("gallery-form"), element("gallery-like"), setup.modelled);
const drop = new DropOnClass((label, ids) => labelling.press(scheme.byId.get(label), ids, true));
const picking = new Picking(element("grid"), { grid, selection, drop });
const rail = new Rail(element("classes"), scheme, {
  press: (label) => labelChosen(label),
  show: (value) => filters.showLabel(value),
  find: (label) => find(label),
  keyOf: (command) => bindings.keysOf(command)[0] ?? "",
});
const certainty = new Certainty(element("certainty"), (value) => labelling.certain(chosen(), value));
const loupe = new Loupe(element("loupe"), { cells, scheme, crops: page.dataset.cropUrl });
const large = new LargeView({ cells, grid, scheme, connection, urls: page.dataset });
sortByChosenMeasure(element("gallery-form"));
const news = new News(connection, page.dataset);
const size = new TileSize(element("gallery-size"), page.dataset.user);
new SignIn(element("sign-in-again"), {
  connection,
  notices,
  name: page.dataset.userName,
  url: page.dataset.signInUrl,
  probeUrl: page.dataset.studyUrl,
});

// --- what is asked for ---

let asked = 0;

/** Fetch the order of what is asked for; null where something else was asked for meanwhile. */
async function fetchOrder(address = filters.address) {
  const turn = ++asked;
  const response = await fetch(page.dataset.orderUrl + address, {
    headers: { "X-Marrowloop-User": page.dataset.user },
  });
  // Asks to sign in again, in place.
  if (response.status === 401) await connection.get(page.dataset.studyUrl);
  if (!response.ok)
    throw new Error(response.status === 401 ? "you are signed out" : `the server answers ${response.status}`);
  const order = new Order(new Uint8Array(await response.arrayBuffer()));
  return turn === asked ? order : null;
}

/** Show what is asked for, from its start. */
async function show() {
  page.dataset.ready = "false";
  notices.remove("order");
  if (filters.sort === "similar" && !filters.address.includes("like=")) {
    say("Select a cell, then “More like these”.");
  }
  grid.of = filters.of;
  try {
    const order = await fetchOrder();
    if (!order) return;
    selection.only();
    grid.show(order);
    element("gallery-resort").hidden = true;
    showLength(order.length, filters.isFiltered);
  } catch (error) {
    notices.show("order", "The cells cannot be fetched.", error.message, [["Try again", show]], "error");
  }
  page.dataset.ready = "true";
  count();
}

/** Sort anew what is below the view: nothing moves under the hand. */
async function sortBelow() {
  const before = grid.order;
  const order = await fetchOrder().catch(() => null);
  if (!order || !before || grid.order !== before || picking.busy) return;
  const joined = before.continuedBy(order, grid.afterView + 2 * grid.columns);
  element("gallery-resort").hidden = order.equals(before);
  if (joined.equals(before)) return;
  grid.show(joined, { stay: true });
  showLength(joined.length, filters.isFiltered);
}

let counting = null;

/** Count the classes, soon, and once for all that happens within a moment. */
function count(wait = 0) {
  clearTimeout(counting);
  counting = setTimeout(async () => {
    const { ok, answer } = await connection.get(page.dataset.countsUrl + filters.address).catch(() => ({ ok: false }));
    if (ok) rail.count(answer);
  }, wait);
}

// --- labels ---

/** Label what is selected; where nothing is, the cell with the focus, and go on to the next. */
async function labelChosen(label) {
  if (selection.ids.length) {
    await labelling.press(label, selection.ids);
  } else if (grid.focus >= 0) {
    const place = grid.focus;
    await labelling.press(label, [grid.order.id(place)]);
    if (grid.focus === place && !large.open) grid.focusOn(place + 1);
  }
}

/** Set what one key each is for: a label of the study that nobody can tell from its number. */
function mark(name) {
  const label = scheme.marks.get(name);
  if (label) return labelChosen(label);
  const what = name === "unidentified" ? "for cells that nobody can name" : "that takes a cell out of the count";
  say(`This study has no label ${what}: an admin adds it on the Labels page, not counted.`);
}

/** Look for more cells of a label: by what a model says of it, before there is one by what its cells look like. */
async function find(label) {
  if (filters.knows(label)) {
    filters.findLabel(label);
    return;
  }
  const known = setup.looks ? await fetchOrder(`?label=${label.id}`).catch(() => null) : null;
  if (known?.length) filters.likeThese(known.slice(0, MOST_LIKE), label.group.multiple ? "" : `none-${label.group.id}`);
  else say(`Nothing tells yet what ${label.name} looks like: label some cells first.`);
}

const focused = () => (grid.focus >= 0 ? grid.order.id(grid.focus) : null);
const chosen = () => (selection.ids.length ? selection.ids : focused() ? [focused()] : []);

labelling.addEventListener("change", () => {
  for (const button of document.querySelectorAll("[data-command=undo]")) button.disabled = !labelling.canUndo;
  for (const button of document.querySelectorAll("[data-command=redo]")) button.disabled = !labelling.canRedo;
});

labelling.addEventListener("saved", ({ detail }) => {
  const touched = new Set(detail.labels.map((id) => scheme.byId.get(id)?.group.id).filter(Boolean));
  // Without labels nobody can tell whose group they were of.
  news.saved(touched.size ? touched : scheme.groups.map(({ id }) => id));
  count(600);
});

labelling.addEventListener("problems", () =>
  showProblems(labelling, notices, (image) => location.assign(address("imageUrl", image))),
);

// --- what others and the heads do ---

let heardLast = [];

news.addEventListener("cells", async ({ detail }) => {
  const older = [...detail.versions].filter(([id, version]) => cells.get(id)?.version < version);
  if (!older.length) return;
  await cells.renew(older.map(([id]) => id)).catch(() => {});
  count(600);
});

news.addEventListener("heads", ({ detail }) => {
  if (detail.models) {
    heardLast = detail.models.sentences;
    filters.know(detail.models.labels);
    page.dataset.modelled = detail.models.labels.length;
  }
  // What a head has learned stands among the models that speak.
  showModels(detail.heads, heardLast);
});

news.addEventListener("learned", async () => {
  await cells.renew(grid.order?.slice(...grid.inView) ?? []).catch(() => {});
  if (filters.followsModel) await sortBelow();
});

cells.addEventListener("change", ({ detail }) => {
  for (const id of detail.ids) {
    const cell = cells.get(id);
    if (cell?.crop) pictures.forget(id, cell.crop);
  }
  if (detail.ids.some((id) => selection.has(id) || id === focused())) markRail();
  showScale(element("gallery-scale"), cells.get(detail.ids[0]), grid.size);
});

cells.addEventListener("trouble", ({ detail }) => showTrouble(notices, detail.trouble));

// --- selecting and looking ---

let marking = false;

function markRail() {
  if (marking) return;
  marking = true;
  queueMicrotask(() => {
    marking = false;
    const known = selection.ids.map((id) => cells.get(id)).filter(Boolean);
    rail.mark(known);
    certainty.show(chosen().map((id) => cells.get(id)).filter(Boolean));
  });
}

selection.addEventListener("change", () => {
  const { length } = selection.ids;
  element("gallery-chosen").hidden = length === 0;
  element("gallery-chosen").querySelector("[data-text]").textContent = `${number(length)} selected`;
  markRail();
});

grid.addEventListener("view", ({ detail }) => {
  cells.want(detail.ids);
  pictures.want(detail.ids, grid.size * devicePixelRatio > SMALL * 1.15 ? LARGE : SMALL);
});

grid.addEventListener("focus", ({ detail }) => {
  const id = grid.order.id(detail.place);
  loupe.show(id);
  markRail();
  if (large.open) large.show();
});

element("grid").addEventListener("pointerover", ({ target }) => {
  const tile = target.closest(".tile");
  if (tile && !picking.busy) loupe.show(tile.dataset.cell);
});

// The press captures the pointer for the grid, so that the event's own target is the grid.
element("grid").addEventListener("dblclick", ({ clientX, clientY }) => {
  if (document.elementFromPoint(clientX, clientY)?.closest(".tile")) large.show();
});

async function jump() {
  const [id] = chosen();
  const [cell] = id ? await cells.known([id]).catch(() => []) : [];
  if (cell) location.href = jumpUrl(page.dataset.imageUrl, cell);
}

size.addEventListener("change", () => {
  grid.resize(size.value);
  const [from] = grid.inView;
  showScale(element("gallery-scale"), grid.order?.length ? cells.get(grid.order.id(from)) : null, grid.size);
});

// --- commands ---

/** Go to a place; with Shift select as far as there. */
function go(place, event) {
  if (!grid.order?.length) return;
  const before = grid.focus;
  grid.focusOn(place);
  if (!event?.shiftKey) {
    picking.anchorAt(grid.focus);
    return;
  }
  if (!selection.ids.length) picking.anchorAt(before);
  picking.range(grid.focus);
}

const screen = () => grid.columns * grid.rowsInView;

const commands = {
  left: (event) => go(grid.focus - 1, event),
  right: (event) => go(grid.focus + 1, event),
  up: (event) => go(grid.focus - grid.columns >= 0 ? grid.focus - grid.columns : grid.focus, event),
  down: (event) => go(grid.focus + grid.columns, event),
  "page-up": (event) => go(grid.focus - screen(), event),
  "page-down": (event) => go(grid.focus + screen(), event),
  first: (event) => go(0, event),
  last: (event) => go(grid.order.length - 1, event),
  choose: () => {
    if (grid.focus < 0) return;
    selection.toggle(grid.order.id(grid.focus));
    picking.anchorAt(grid.focus);
  },
  "select-all": () => {
    if (!grid.order) return;
    selection.only(...grid.order.slice(0, MOST_SELECTED));
    if (grid.order.length > MOST_SELECTED)
      say(`The first ${number(MOST_SELECTED)} are selected: so many are labelled at once at most.`);
  },
  cancel: () => {
    if (picking.busy) picking.cancel();
    else selection.only();
  },
  unidentified: () => mark("unidentified"),
  uncounted: () => mark("uncounted"),
  certainty: () => labelling.certain(chosen()),
  strip: () => labelling.strip(chosen()),
  undo: () => labelling.undo(),
  redo: () => labelling.redo(),
  classes: () => rail.focus(),
  enlarge: () => (large.open ? large.close() : large.show()),
  jump,
  "more-like": () => {
    if (!setup.looks) say("No model has looked at these cells yet: likeness comes with it.");
    else if (!chosen().length) say("Select a cell first.");
    else filters.likeThese(chosen().slice(0, MOST_LIKE));
  },
  find: async () => {
    const [cell] = await cells.known(chosen().slice(0, 1)).catch(() => []);
    const [label] = scheme.inOrder((cell?.labels ?? []).map((id) => scheme.byId.get(id)).filter(Boolean));
    if (label) find(label);
    else say("Choose a cell with a label first: more of that label are looked for.");
  },
  resort: () => show(),
  "zoom-in": () => size.step(1),
  "zoom-out": () => size.step(-1),
  help: () => showHelp(element("gallery-help"), bindings, scheme),
};

listen({ bindings, scheme, commands, large, label: labelChosen, grid: element("grid") });

for (const button of document.querySelectorAll("[data-command]")) {
  button.addEventListener("click", (event) => {
    commands[button.dataset.command](event);
    if (event.detail && button.dataset.command !== "help") element("grid").focus({ preventScroll: true });
  });
}

// After a choice with the pointer the keys are the grid's again.
let pointed = false;
page.addEventListener("pointerdown", () => (pointed = true), true);
page.addEventListener("keydown", () => (pointed = false), true);
element("classes").addEventListener("click", ({ detail }) => detail && element("grid").focus({ preventScroll: true }));
filters.addEventListener("change", () => pointed && element("grid").focus({ preventScroll: true }));

connection.addEventListener("signed-in", () => grid.order || show());
outbox.addEventListener("change", () => status.show(outbox));
addEventListener("beforeunload", (event) => outbox.unsaved && event.preventDefault());
filters.addEventListener("change", () => show());

/** Show in large the cell that the address names, as links of the map do; those of the editor ask why as well. */
function lookAtLinked() {
  const [, asked, id] = location.hash.match(/^#(cell|why)-(.+)$/) ?? [];
  const place = id && grid.order ? grid.order.indexOf(id) : -1;
  if (place < 0) return;
  history.replaceState(null, "", location.pathname + location.search);
  grid.focusOn(place);
  large.show();
  if (asked === "why") large.askWhy();
}

async function start() {
  grid.resize(size.value);
  const left = await journal.all().catch(() => []);
  labelling.watch(new Set(left.map(({ image }) => image)));
  const started = outbox.start();
  await show();
  element("grid").focus({ preventScroll: true });
  lookAtLinked();
  await started;
  labelling.resume();
  status.show(outbox);
  news.start();
}

start();
