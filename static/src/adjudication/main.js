// Deciding by keys: j and k go on and back, numbers take an answer, u takes the decision back. Without script each button
// is a form of its own.

const list = document.getElementById("disputes");

const cards = () => [...list.querySelectorAll(".dispute")];

function current() {
  return document.activeElement?.closest?.(".dispute") ?? list.querySelector(".dispute.is-current");
}

function go(step) {
  const all = cards();
  const at = all.indexOf(current());
  const next = all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + step))];
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

if (list) {
  list.addEventListener("focusin", (event) => {
    for (const card of cards()) card.classList.toggle("is-current", card === event.target.closest(".dispute"));
  });
  // Another label than those that were given is an answer like them.
  list.addEventListener("change", (event) => {
    if (!event.target.matches("[data-other]") || !event.target.value) return;
    const form = event.target.form;
    const answer = document.createElement("button");
    answer.type = "submit";
    answer.name = "answer";
    answer.value = event.target.value === "-" ? "" : event.target.value;
    answer.hidden = true;
    form.append(answer);
    // A click, as htmx takes the button's answer from it.
    answer.click();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.target.matches("input:not([type=checkbox]), select, textarea")) return;
    if (event.key === "j") go(1);
    else if (event.key === "k") go(-1);
    else {
      const card = current();
      const button = /^[1-9]$/.test(event.key)
        ? card?.querySelector(`[data-number="${event.key}"]`)
        : event.key === "u"
          ? card?.querySelector("[data-take-back] button")
          : null;
      if (!button) return;
      button.click();
      // The button goes with the answer: what follows belongs to the same cell.
      card.focus({ preventScroll: true });
    }
    event.preventDefault();
  });
  list.dataset.ready = "true";
}
