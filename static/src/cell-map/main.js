// The map of a study's cells: what looks alike to the model lies together. Puts its parts together.
import { make } from "../editor/make.js";
import { Notices } from "../editor/notices.js";
import { Connection } from "../editor/sync/connection.js";
import { SignIn } from "../editor/sync/sign-in.js";
import { GalleryScheme } from "../gallery/gallery-scheme.js";
import { cropUrl } from "../gallery/loupe.js";
import { ShownCells } from "../gallery/shown-cells.js";
import { Chart } from "./chart.js";
import { Legend } from "./legend.js";
import { Points, unpack } from "./points.js";
import { standOf } from "./stand.js";

const LOOK_AGAIN = 1_500; // ms
const MOST_PICKED = 20_000;
const SAMPLE = 10; // crops of what is picked out
const LATE = 50; // ms: a pointer that crosses points shows none of them
const LIVE = ["queued", "running", "cancelling"];

const element = (id) => document.getElementById(id);
const page = element("map");
const setup = JSON.parse(element("map-setup").textContent);
const number = (value) => value.toLocaleString("en").replaceAll(",", "\u202f");

const notices = new Notices(element("notices"));
const connection = new Connection(page.dataset.user);
const cells = new ShownCells(connection, page.dataset.cellsUrl);
const scheme = new GalleryScheme(setup.groups, page.dataset.userName);
const legend = new Legend(element("map-legend"));
const canvas = element("map-canvas");
const chart = new Chart(canvas, element("map-drawing"));
const [by, layout, space] = [element("map-by"), element("map-layout"), element("map-space")];
new SignIn(element("sign-in-again"), {
  connection,
  notices,
  name: page.dataset.userName,
  url: page.dataset.signInUrl,
  probeUrl: page.dataset.studyUrl,
});

let stand = null;
let points = null;
let colours = new Uint32Array();
let picked = null;
let again = null;

// --- what there is ---

/** An address for the space that is chosen: what the backbone sees, or MILLIE for a decision. */
function inSpace(url) {
  if (!space?.value) return url;
  return `${url}${url.includes("?") ? "&" : "?"}space=${encodeURIComponent(space.value)}`;
}

async function fetchStand(ask = () => connection.get(inSpace(page.dataset.mapUrl))) {
  const wanted = space?.value;
  const { ok, status, answer } = await ask().catch((error) => ({ ok: false, status: error.message }));
  if (!ok) {
    notices.show("map", "The map cannot be fetched.", answer?.detail ?? String(status), [["Try again", () => follow()]]);
    return;
  }
  // Another space was chosen meanwhile, which asks for itself.
  if (wanted !== space?.value) return;
  notices.remove("map");
  const before = stand?.map?.name;
  stand = answer;
  if (stand.map && stand.map.name !== before) await fetchPoints();
  showStand();
}

/** See how the map stands, and again for as long as one is being made. */
async function follow(ask) {
  clearTimeout(again);
  await fetchStand(ask);
  clearTimeout(again);
  if (LIVE.includes(stand?.job?.state)) again = setTimeout(follow, LOOK_AGAIN);
  page.dataset.ready = "true";
}

function showStand() {
  const { sentence, isOld, making, button } = standOf(stand, layout.value);
  element("map-stand").textContent = sentence;
  element("map-stand").classList.toggle("is-old", isOld);
  element("map-make").textContent = button;
  element("map-make").disabled = making;
  const nothing = element("map-nothing");
  nothing.hidden = Boolean(stand?.map);
  if (!stand?.map) {
    nothing.querySelector("h2").textContent = making ? "The map is being made" : "No map yet";
    nothing.querySelector("p").textContent =
      "It lays out the study's cells by what they look like to a model: what lies together looks alike. " +
      "Making it takes a minute or some, and longer where no model has looked at the cells yet.";
  }
  element("map-words").textContent = !stand?.map
    ? ""
    : layout.value === "pca"
      ? "Distances mean something everywhere, but much of what differs lies along other axes than these two."
      : "Neighbours look alike. How large a group is, and how far groups are from each other, means nothing.";
}

async function fetchPacked(url) {
  const response = await fetch(url, { headers: { "X-Marrowloop-User": page.dataset.user } });
  // Asks to sign in again, in place.
  if (response.status === 401) await connection.get(page.dataset.studyUrl);
  if (!response.ok) throw new Error(`the server answers ${response.status}`);
  return response.arrayBuffer();
}

const mapUrl = (name) => page.dataset[name].replace("NAME", stand.map.name);

async function fetchPoints() {
  try {
    const wanted = stand;
    const found = new Points(await fetchPacked(inSpace(mapUrl("pointsUrl"))));
    if (stand.map?.name !== wanted.map.name) return;
    points = found;
    pick(null);
    await fetchColours();
    chart.show(points, layout.value, (place) => legend.isShown(place));
  } catch (error) {
    notices.show("map", "The map cannot be fetched.", error.message, [["Try again", fetchPoints]], "error");
  }
}

let asked = 0;

async function fetchColours() {
  if (!points || !stand?.map) return;
  const turn = ++asked;
  const { head, rest } = unpack(await fetchPacked(inSpace(`${mapUrl("coloursUrl")}?by=${by.value}`)));
  if (turn !== asked) return;
  legend.take(head, new Uint16Array(rest));
  recolour();
}

function recolour() {
  if (colours.length !== points.length) colours = new Uint32Array(points.length);
  legend.colour(colours, picked);
  chart.recolour(colours);
}

// --- what is under the pointer ---

let over = -1;
let timer = null;

chart.addEventListener("over", ({ detail: { place, x, y } }) => {
  const hover = element("map-hover");
  if (place === over) return;
  over = place;
  clearTimeout(timer);
  hover.hidden = true;
  if (place < 0) return;
  timer = setTimeout(async () => {
    const [cell] = await cells.known([points.id(place)]).catch(() => []);
    if (over !== place || !cell) return;
    const image = hover.querySelector("img");
    image.hidden = !cell.crop;
    if (cell.crop) image.src = cropUrl(page.dataset.cropUrl, cell);
    const names = scheme.inOrder(cell.labels.map((id) => scheme.byId.get(id)).filter(Boolean)).map(({ name }) => name);
    hover.querySelector("[data-facts]").replaceChildren(
      make("strong", {}, names.join(", ") || "No label"),
      make("span", { class: "muted" }, cell.patient ?? "No patient"),
      make("span", {}, `${by.selectedOptions[0]?.text ?? ""}: ${legend.words(place)}`),
    );
    const { clientWidth, clientHeight } = element("map-stage");
    hover.hidden = false;
    const left = x + 16 + hover.offsetWidth > clientWidth ? x - 16 - hover.offsetWidth : x + 16;
    const top = Math.min(y + 12, clientHeight - hover.offsetHeight - 4);
    hover.style.transform = `translate(${Math.max(0, left)}px, ${Math.max(0, top)}px)`;
  }, LATE);
});

chart.addEventListener("click", ({ detail: { place, event } }) => {
  const id = points.id(place);
  const address = `${page.dataset.galleryUrl}?sort=similar&like=${id}#cell-${id}`;
  if (event.ctrlKey || event.metaKey) open(address, "_blank", "noopener");
  else location.assign(address);
});

// --- what is picked out ---

let ids = [];

/** `inside(place)`: what to pick out of what is shown; null: nothing. */
function pick(inside) {
  picked = null;
  ids = [];
  if (inside) {
    const found = new Uint8Array(points.length);
    for (let place = 0; place < points.length; place++) {
      if (!legend.isShown(place) || !inside(place)) continue;
      found[place] = 1;
      ids.push(points.id(place));
    }
    if (ids.length) picked = found;
  }
  element("map-picked").hidden = !ids.length;
  element("map-picked").querySelector("[data-text]").textContent =
    ids.length === 1 ? "1 cell picked out" : `${number(ids.length)} cells picked out`;
  element("map-picked").querySelector("[data-crops]").replaceChildren();
  if (ids.length) showSample(ids);
}

async function showSample(from) {
  // Evenly, not the first: ids that are near each other say nothing, places in a study might.
  const step = Math.max(1, Math.floor(from.length / SAMPLE));
  const some = Array.from({ length: Math.min(SAMPLE, from.length) }, (_, at) => from[at * step]);
  const known = await cells.known(some).catch(() => []);
  if (ids !== from) return;
  const crops = known.filter(({ crop }) => crop);
  element("map-picked")
    .querySelector("[data-crops]")
    .replaceChildren(...crops.map((cell) => make("img", { alt: "", src: cropUrl(page.dataset.cropUrl, cell) })));
}

chart.addEventListener("pick", ({ detail: { inside } }) => {
  pick(inside);
  recolour();
});

function clear() {
  pick(null);
  if (points) recolour();
}

element("map-picked").querySelector("[data-clear]").addEventListener("click", clear);
element("map-picked")
  .querySelector("[data-open]")
  .addEventListener("click", async (event) => {
    event.preventDefault();
    notices.remove("picked");
    if (ids.length > MOST_PICKED) {
      const text = `So many are opened at once at most: ${number(MOST_PICKED)}.`;
      notices.show("picked", "Pick out fewer cells.", text, [["Understood"]]);
      return;
    }
    const { ok, status, answer } = await connection
      .post(page.dataset.pickedUrl, { cells: ids })
      .catch((error) => ({ ok: false, status: error.message }));
    if (ok) location.assign(`${page.dataset.galleryUrl}?among=${answer.among}`);
    else notices.show("picked", "The cells cannot be opened.", answer?.detail ?? String(status), [["Understood"]]);
  });

// --- choices, buttons and keys ---

by.addEventListener("change", () => fetchColours().catch(() => fetchPoints()));
layout.addEventListener("change", () => {
  if (points) chart.show(points, layout.value, (place) => legend.isShown(place));
  showStand();
});
space?.addEventListener("change", () => {
  stand = points = null;
  clear();
  chart.clear();
  follow();
});
legend.addEventListener("change", recolour);
element("map-make").addEventListener("click", () => follow(() => connection.post(inSpace(page.dataset.mapUrl), {})));
element("map-whole").addEventListener("click", () => chart.showAll());

function drag(mode) {
  chart.mode = mode;
  for (const button of document.querySelectorAll("[data-drag]"))
    button.setAttribute("aria-pressed", String(button.dataset.drag === mode));
  canvas.classList.toggle("is-picking", mode !== "pan");
}

for (const button of document.querySelectorAll("[data-drag]"))
  button.addEventListener("click", () => drag(button.dataset.drag));

const PAN = 60; // px
const keys = {
  0: () => chart.showAll(),
  "+": () => chart.zoom(chart.step),
  "-": () => chart.zoom(1 / chart.step),
  ArrowLeft: () => chart.pan(PAN, 0),
  ArrowRight: () => chart.pan(-PAN, 0),
  ArrowUp: () => chart.pan(0, PAN),
  ArrowDown: () => chart.pan(0, -PAN),
  m: () => drag("pan"),
  b: () => drag("box"),
  l: () => drag("lasso"),
  Escape: clear,
};

addEventListener("keydown", (event) => {
  const busy = event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog:modal");
  if (busy || event.target.matches("select, input")) return;
  const act = keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart.repaint());
connection.addEventListener("signed-in", () => follow());
follow();
