// Every page loads this: htmx set up for a policy without inline style or eval, and the small parts of the frame.
import htmx from "htmx.org";
import { csrfToken } from "../csrf.js";
import "./worklist.js";

// The content security policy allows neither a style element made by htmx nor eval.
htmx.config.includeIndicatorStyles = false;
htmx.config.allowEval = false;
htmx.config.selfRequestsOnly = true;
// Pages hold patients' data: nothing of them stays in the browser's storage, Back loads the page again.
htmx.config.historyCacheSize = 0;
htmx.config.refreshOnHistoryMiss = true;

document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.verb !== "get") event.detail.headers["X-CSRFToken"] = csrfToken();
});

// A request that failed says so where people look, instead of leaving a page that does nothing.
for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => {
    const status = event.detail.xhr?.status;
    const text =
      status === 403
        ? "You may not do this, or you have signed in again elsewhere. Reload the page."
        : status
          ? `The server answered with an error (${status}). Try again.`
          : "The server cannot be reached. Check the connection and try again.";
    showMessage(text, "error");
  });
}

/** Show one message at the top of the page, in place of an earlier one with the same text. */
function showMessage(text, level) {
  const main = document.getElementById("main");
  let list = main.querySelector(":scope > .messages");
  if (!list) {
    list = document.createElement("ul");
    list.className = "messages";
    list.setAttribute("role", "status");
    main.prepend(list);
  }
  for (const item of list.children) if (item.textContent === text) item.remove();
  const item = document.createElement("li");
  item.className = `message message-${level}`;
  item.textContent = text;
  list.append(item);
}

// Menus are details elements: they open without script; this closes them by a click elsewhere and by Escape.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// A button that cannot be undone asks first.
document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});
