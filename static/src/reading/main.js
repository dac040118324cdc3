// One cell of a reading: labels by their keys, how sure by Shift+C, Enter saves, arrows go back and on. Everything works
// without script, too.

const form = document.getElementById("reading-cell");

/** Set a label, or take it off again; a group of one choice has no button for that otherwise. */
function press(input) {
  input.checked = input.type === "radio" ? input.dataset.was !== "true" : !input.checked;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

function remember() {
  for (const input of form.querySelectorAll('.reading-labels input[type="radio"]')) input.dataset.was = String(input.checked);
}

function turnCertainty() {
  const steps = [...form.querySelectorAll('[name="confidence"]')];
  steps[(steps.findIndex((step) => step.checked) + 1) % steps.length].checked = true;
}

if (form) {
  remember();
  form.addEventListener("change", remember);
  // A second click on what is chosen takes it off.
  for (const input of form.querySelectorAll('.reading-labels input[type="radio"]')) {
    input.addEventListener("click", () => {
      if (input.dataset.was === "true") input.checked = false;
      remember();
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.shiftKey && event.key.toLowerCase() === "c") turnCertainty();
    else if (event.key === "Enter" && !event.target.closest("a, button")) form.requestSubmit();
    else {
      const label = [...form.querySelectorAll("[data-key]")].find((each) => each.dataset.key === event.key);
      const link = form.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
      if (label) press(label);
      else if (link) link.click();
      else return;
    }
    event.preventDefault();
  });
  // Twice is one word: the second press of a key would find the next cell.
  form.addEventListener("submit", () => form.querySelector("[data-save]").setAttribute("disabled", ""));
  window.addEventListener("pageshow", () => form.querySelector("[data-save]").removeAttribute("disabled"));
  form.dataset.ready = "true";
}
