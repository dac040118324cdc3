// The table of a label scheme: rows dragged or stepped to their place, keys that clash said at once, and nothing that
// was typed lost by leaving. Without script each button sends the whole table, and the server does the same.

const form = document.getElementById("scheme");
const clash = form.querySelector("[data-clash]");
let unsaved = false;
let leaving = false;
let dragged = null;

function touched() {
  unsaved = true;
  for (const part of form.querySelectorAll("[data-unsaved], [data-discard]")) part.hidden = false;
}

/** Say which keys several labels have: each could set only one of them. */
function sayClashes() {
  const byKey = new Map();
  for (const field of form.querySelectorAll("[data-key]")) {
    field.removeAttribute("aria-invalid");
    if (field.value) byKey.set(field.value, [...(byKey.get(field.value) ?? []), field]);
  }
  const sentences = [];
  for (const [key, fields] of byKey) {
    if (fields.length < 2) continue;
    for (const field of fields) field.setAttribute("aria-invalid", "true");
    const names = fields.map((field) => field.closest("tr").querySelector(".scheme-name input").value);
    sentences.push(`The key ${key} is given to ${names.join(" and ")}; a key sets one label.`);
  }
  clash.textContent = sentences.join(" ");
  clash.hidden = sentences.length === 0;
}

form.addEventListener("input", () => {
  touched();
  sayClashes();
});

// --- order ---

form.addEventListener("click", (event) => {
  const step = event.target.closest("[data-step]");
  if (!step) return;
  event.preventDefault();
  const row = step.closest("[data-label]");
  if (step.dataset.step === "-1") row.previousElementSibling?.before(row);
  else row.nextElementSibling?.after(row);
  step.focus();
  touched();
});

form.addEventListener("dragstart", (event) => {
  if (!event.target.matches?.(".scheme-handle")) return;
  dragged = event.target.closest("[data-label]");
  dragged.classList.add("is-dragged");
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", "");
  event.dataTransfer.setDragImage(dragged, 10, 10);
});

form.addEventListener("dragover", (event) => {
  const over = event.target.closest("[data-label]");
  // Within its group only: a label of another group would mean something else.
  if (!dragged || !over || over.parentElement !== dragged.parentElement) return;
  event.preventDefault();
  if (over === dragged) return;
  const box = over.getBoundingClientRect();
  if (event.clientY > box.top + box.height / 2) over.after(dragged);
  else over.before(dragged);
});

form.addEventListener("drop", (event) => {
  if (dragged) event.preventDefault();
});

form.addEventListener("dragend", () => {
  dragged?.classList.remove("is-dragged");
  if (dragged) touched();
  dragged = null;
});

// --- leaving ---

// At the window, after the question that some buttons ask first (app/main.js): it may have kept the page.
addEventListener("submit", (event) => (leaving = !event.defaultPrevented));
form.querySelector("[data-discard]").addEventListener("click", () => (leaving = true));
addEventListener("beforeunload", (event) => {
  if (unsaved && !leaving) event.preventDefault();
});

// What came back from the server with its reasons is not saved either.
if (document.querySelector(".message-error")) touched();
sayClashes();
