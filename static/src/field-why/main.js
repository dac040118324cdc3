// Which parts of an image speak for a diagnosis: asks for a map, follows its making, and lays it over the image.
import { make } from "../editor/make.js";
import { Connection, silence } from "../editor/sync/connection.js";
import { drawHeat } from "../why/heat.js";
import { meaning, partWords } from "./words.js";

const AGAIN = 700; // ms between two looks how far it is
const LIVE = ["queued", "running", "cancelling"];
const FINE = 1_200; // px of the longer side of what is drawn

const page = document.getElementById("field-why");
const part = (name) => page.querySelector(`[data-${name}]`);
const connection = new Connection(page.dataset.user);
const form = part("form");
const canvas = part("heat");
const picture = part("picture");

let stand = { maps: [], job: null };
let shown = null;
let following = false;

connection.addEventListener("signed-out", () => say("You are signed out: sign in again in another tab.", true));

function say(text, isTrouble = false) {
  part("words").textContent = text;
  part("words").classList.toggle("error", isTrouble);
}

/** The answer; null where there is none, which is said. */
async function answered(request) {
  try {
    const { ok, status, answer } = await request();
    if (ok) return answer;
    say(answer?.detail ?? `The server answers ${status}.`, true);
  } catch (error) {
    say(`No answer: ${silence(error)}.`, true);
  }
  return null;
}

/** See how it stands until nothing is under way, and show the map that was made meanwhile. */
async function follow(first) {
  if (following) return;
  following = true;
  let found = first ?? (await answered(() => connection.get(page.dataset.url)));
  while (found) {
    const before = stand.maps[0]?.id;
    const wasLive = LIVE.includes(stand.job?.state);
    stand = { maps: found.maps, job: found.job };
    list();
    tell();
    if (!LIVE.includes(stand.job?.state)) {
      const [newest] = stand.maps;
      if (newest && (!shown || (wasLive && newest.id !== before))) await show(newest.id);
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN));
    found = await answered(() => connection.get(page.dataset.url));
  }
  following = false;
  page.dataset.ready = "true";
}

/** What is under way, or came to nothing. */
function tell() {
  const { job } = stand;
  const isLive = LIVE.includes(job?.state);
  part("progress").hidden = !isLive;
  form.querySelector("[type=submit]").disabled = isLive;
  part("cancel").disabled = job?.state === "cancelling";
  if (!isLive) {
    if (job && job.id > (stand.maps[0]?.id ?? 0) && job.reason) say(job.reason, job.state === "failed");
    return;
  }
  const { done, total } = job.progress;
  const bar = part("bar");
  bar.max = total || 1;
  bar.value = done || 0;
  part("done").textContent =
    job.state === "queued"
      ? "It waits for a worker."
      : job.state === "cancelling"
        ? "It ends after these parts."
        : total
          ? `Covers one part after the other: ${done} of ${total}.`
          : "The model is loaded and looks at all of it first.";
}

function list() {
  const rows = stand.maps.map((map) =>
    make(
      "li",
      {},
      make(
        "button",
        { type: "button", class: "link", "aria-pressed": String(map.id === shown?.id), click: () => show(map.id) },
        `${map.decision}, ${map.model}`,
      ),
      make(
        "span",
        { class: "muted small" },
        ` ${map.columns} × ${map.rows} parts${map.overlap > 1 ? `, blocks ${map.overlap} wide` : ""}, ` +
          `${new Date(map.made_at).toLocaleString()}${map.old ? ", of other cells than now" : ""}`,
      ),
    ),
  );
  part("maps").replaceChildren(...rows);
  part("kept").hidden = !rows.length;
}

async function show(id) {
  const map = await answered(() => connection.get(page.dataset.mapUrl.replace("/0/", `/${id}/`)));
  if (!map) return;
  shown = map;
  draw();
  list();
  say(meaning(map));
}

function draw() {
  if (!shown) return;
  const { naturalWidth: width, naturalHeight: height } = picture;
  if (!width) return;
  const scale = Math.min(1, FINE / Math.max(width, height));
  drawHeat(canvas, shown.colours, Math.round(width * scale), Math.round(height * scale));
  canvas.hidden = false;
  part("opacity").disabled = false;
  shade();
}

function shade() {
  canvas.style.opacity = String(part("opacity").value / 100);
}

picture.addEventListener("load", draw);
part("opacity").addEventListener("input", shade);

// What a part is worth, under the pointer.
const stage = part("stage");
const hover = part("hover");
stage.addEventListener("pointerleave", () => (hover.hidden = true));
stage.addEventListener("pointermove", (event) => {
  hover.hidden = !shown;
  if (!shown) return;
  const { left, top, width, height } = stage.getBoundingClientRect();
  const [x, y] = [(event.clientX - left) / width, (event.clientY - top) / height];
  const column = Math.min(shown.columns - 1, Math.max(0, Math.floor(x * shown.columns)));
  const row = Math.min(shown.rows - 1, Math.max(0, Math.floor(y * shown.rows)));
  hover.textContent = partWords(shown.changes[row][column], shown.of);
  const isFar = event.clientX - left > width / 2;
  hover.style.left = isFar ? "" : `${event.clientX - left + 14}px`;
  hover.style.right = isFar ? `${width - (event.clientX - left) + 14}px` : "";
  hover.style.top = `${Math.min(height - 28, event.clientY - top + 14)}px`;
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { choice, columns, overlap } = form.elements;
  const { bundle, decision } = choice.selectedOptions[0].dataset;
  const asked = { bundle, decision, columns: Number(columns.value), overlap: Number(overlap.value) };
  say("");
  const found = await answered(() => connection.post(page.dataset.url, asked));
  if (found) follow(found);
});

part("cancel").addEventListener("click", () =>
  answered(() => connection.post(page.dataset.mapUrl.replace("/0/", `/${stand.job.id}/cancel/`), {})),
);

follow();
