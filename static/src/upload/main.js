// The upload page: files go one a request, two at a time, each with its progress bar and its result.
import { csrfToken } from "../csrf.js";
import { UploadQueue } from "./queue.js";

const root = document.getElementById("upload");
const budget = Number(root.dataset.budget);
const input = document.getElementById("upload-files");
const dropZone = document.getElementById("drop-zone");
const list = document.getElementById("upload-list");
const summary = document.getElementById("upload-summary");
const total = document.getElementById("upload-total");
const retryAll = document.getElementById("upload-retry");
const done = document.getElementById("upload-done");
const um = document.getElementById("upload-um");

const queue = new UploadQueue({ atOnce: 2, send, changed: show });

function add(files) {
  if (!um.reportValidity()) return;
  const fields = { patient: document.getElementById("upload-patient").value.trim(), um_per_pixel: um.value };
  for (const file of files) {
    const entry = { file, fields, status: "waiting", sent: 0, reason: "", image: null };
    entry.row = makeRow(entry);
    if (file.size > budget) {
      entry.status = "refused";
      entry.reason = `larger than the ${megabytes(budget)} that a file may have`;
    }
    queue.add(entry);
  }
}

/** Send one file; resolves when the server has answered, rejects where it could not be reached or failed. */
function send(entry) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", root.dataset.url);
    request.setRequestHeader("X-CSRFToken", csrfToken());
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) entry.sent = event.loaded / event.total;
      show(entry);
    });
    request.addEventListener("load", () => {
      const answer = request.response;
      if (answer?.status) resolve(answer);
      else if (request.status === 401 || request.status === 403)
        reject(new Error(answer?.detail ?? "You are signed out. Sign in again in another tab, then retry."));
      else reject(new Error(answer?.detail ?? `The server answered with an error (${request.status}).`));
    });
    request.addEventListener("error", () => reject(new Error("The connection was lost.")));
    request.addEventListener("timeout", () => reject(new Error("The server did not answer in time.")));
    const body = new FormData();
    body.append("file", entry.file);
    for (const [name, value] of Object.entries(entry.fields)) if (value) body.append(name, value);
    request.send(body);
  });
}

function makeRow(entry) {
  const row = document.createElement("li");
  row.className = "upload-file";
  const name = document.createElement("span");
  name.className = "upload-name";
  name.textContent = entry.file.name;
  name.title = entry.file.name;
  const state = document.createElement("span");
  state.className = "upload-state";
  const bar = document.createElement("progress");
  bar.max = 1;
  bar.setAttribute("aria-label", `Upload of ${entry.file.name}`);
  const result = document.createElement("span");
  result.className = "upload-result";
  const retry = document.createElement("button");
  retry.type = "button";
  retry.className = "button button-small";
  retry.textContent = "Retry";
  retry.setAttribute("aria-label", `Retry ${entry.file.name}`);
  retry.addEventListener("click", () => queue.retry(entry));
  const size = document.createElement("span");
  size.className = "upload-size number";
  size.textContent = megabytes(entry.file.size);
  const end = document.createElement("span");
  end.className = "upload-end";
  end.append(retry, size);
  state.append(bar, result);
  row.append(name, state, end);
  list.append(row);
  return { row, bar, result, retry, size };
}

function show(entry) {
  const { row, bar, result, retry, size } = entry.row;
  // All sent is not all done: the server still decodes the image.
  const running = entry.status === "sending" && entry.sent < 1;
  row.dataset.status = entry.status;
  bar.hidden = !running;
  bar.value = entry.sent;
  result.hidden = running;
  result.replaceChildren(...resultOf(entry));
  retry.hidden = entry.status !== "failed";
  size.hidden = entry.status === "failed";
  showSummary();
}

function resultOf(entry) {
  if (entry.status === "waiting") return ["waiting"];
  if (entry.status === "sending") return ["sent, being checked"];
  if (entry.status === "stored") return entry.reason ? [`stored; ${entry.reason}`] : ["stored"];
  if (entry.status === "refused") return [`refused: ${entry.reason}`];
  if (entry.status === "failed") return [entry.reason];
  if (entry.status !== "duplicate") return [];
  const link = document.createElement("a");
  link.href = root.dataset.imageUrl.replace("/0/", `/${entry.image}/`);
  link.textContent = entry.duplicateOf || "an image of this study";
  return ["duplicate of ", link, entry.reason ? `; ${entry.reason}` : ""];
}

function showSummary() {
  const count = (status) => queue.entries.filter((entry) => entry.status === status).length;
  const all = queue.entries.length;
  const left = count("waiting") + count("sending");
  const parts = ["stored", "duplicate", "refused", "failed"]
    .map((status) => [count(status), status])
    .filter(([number]) => number)
    .map(([number, status]) => `${number} ${status}`);
  const text = `${left ? `${all - left} of ${all} files done` : `${all} file${all === 1 ? "" : "s"} done`}`;
  const line = parts.length ? `${text}: ${parts.join(", ")}` : text;
  // Only where it changed: it is read out by screen readers.
  if (summary.textContent !== line) summary.textContent = line;
  total.value = all ? queue.entries.reduce((sum, entry) => sum + (entry.settled ? 1 : entry.sent * 0.9), 0) / all : 0;
  document.getElementById("upload-progress").hidden = all === 0;
  retryAll.hidden = count("failed") === 0;
  done.hidden = left > 0 || count("stored") + count("duplicate") === 0;
}

function megabytes(bytes) {
  if (bytes >= 1048576) return `${(bytes / 1048576).toFixed(bytes >= 104857600 ? 0 : 1)} MB`;
  return `${Math.max(1, Math.round(bytes / 1024))} kB`;
}

input.addEventListener("change", () => {
  add(input.files);
  input.value = ""; // the same file may be chosen again
});
retryAll.addEventListener("click", () => queue.entries.filter((e) => e.status === "failed").forEach((e) => queue.retry(e)));
document.getElementById("upload-options").addEventListener("submit", (event) => event.preventDefault());

// The whole page takes the drop: a file that misses the zone must not replace the page.
let depth = 0;
const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
document.addEventListener("dragenter", (event) => {
  if (!carriesFiles(event)) return;
  depth += 1;
  dropZone.classList.add("is-over");
});
document.addEventListener("dragleave", (event) => {
  if (!carriesFiles(event)) return;
  depth -= 1;
  if (depth <= 0) dropZone.classList.remove("is-over");
});
document.addEventListener("dragover", (event) => {
  if (carriesFiles(event)) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  depth = 0;
  dropZone.classList.remove("is-over");
  add(event.dataTransfer.files);
});
window.addEventListener("beforeunload", (event) => {
  if (queue.busy) event.preventDefault();
});
