// Selecting images in the worklist: all of the page, a range with Shift, and what can be done with them.
// The list is replaced as a whole by htmx, so nothing is held here but the last box that was ticked.

let last = null;

const boxes = () => [...document.querySelectorAll("#worklist [data-select]")];

function update() {
  const form = document.querySelector("[data-selection]");
  if (!form) return;
  const all = boxes();
  const selected = all.filter((box) => box.checked).length;
  form.toggleAttribute("data-selected", selected > 0);
  form.querySelector("[data-selection-count]").textContent = selected ? `${selected} selected` : "";
  form.querySelector("[data-selection-actions]").hidden = selected === 0;
  const everything = form.querySelector("[data-select-all]");
  everything.checked = selected > 0 && selected === all.length;
  everything.indeterminate = selected > 0 && selected < all.length;
}

document.addEventListener("click", (event) => {
  const box = event.target;
  if (!(box instanceof HTMLInputElement)) return;
  if (box.matches("[data-select-all]")) {
    for (const each of boxes()) each.checked = box.checked;
    last = null;
    update();
  } else if (box.matches("[data-select]")) {
    const all = boxes();
    if (event.shiftKey && last?.isConnected) {
      const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
      for (const each of all.slice(from, to + 1)) each.checked = box.checked;
    }
    last = box;
    update();
  }
});

// A choice that needs no button beside it.
document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-submits]")) event.target.form.requestSubmit();
});

// A click with Shift on a label selects its text in some browsers, besides ticking the box.
document.addEventListener("mousedown", (event) => {
  if (event.shiftKey && event.target.closest?.(".image-select")) event.preventDefault();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !boxes().some((box) => box.checked)) return;
  if (event.target.closest?.("select, input[type=search]")) return;
  for (const box of boxes()) box.checked = false;
  update();
});

document.addEventListener("htmx:afterSwap", update);

// What was done is said for a while; why something was refused stays until the next try.
document.addEventListener("htmx:oobAfterSwap", (event) => {
  if (event.target.id !== "worklist-said") return;
  const done = event.target.querySelector(".message-success");
  if (done) setTimeout(() => done.remove(), 8000);
});
// Back brings the boxes back as they were left.
window.addEventListener("pageshow", update);
update();
