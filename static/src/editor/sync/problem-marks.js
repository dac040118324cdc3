// What the server did not take, said at the cell itself: why, and what can be done about it. A conflict that was put
// off has its mark here too.
import Overlay from "ol/Overlay.js";
import { upperRight } from "../map/anchor.js";
import { toMap } from "../cells/geometry.js";
import { make } from "../make.js";

export class ProblemMarks {
  #map;
  #notices;
  #editor;
  #ask;
  #session = null;
  #marks = new Map();

  /** `ask(problem)` shows a conflict. */
  constructor({ layers, notices, editor, ask }) {
    this.#map = layers.map;
    this.#notices = notices;
    this.#editor = editor;
    this.#ask = ask;
  }

  show(session) {
    for (const mark of this.#marks.values()) this.#map.removeOverlay(mark);
    this.#marks.clear();
    this.#session = session;
    const { changes, history, signal } = session;
    changes.addEventListener("problems", () => this.#refresh(), { signal });
    changes.addEventListener("problem", ({ detail }) => history.forget(detail.problem.cell), { signal });
  }

  #refresh() {
    const problems = new Map(this.#session.changes.problems.map((problem) => [problem.key, problem]));
    for (const [key, mark] of this.#marks) {
      if (problems.has(key)) continue;
      this.#map.removeOverlay(mark);
      this.#marks.delete(key);
    }
    for (const [key, problem] of problems) {
      if (this.#marks.has(key)) continue;
      const mark = this.#mark(problem);
      this.#marks.set(key, mark);
      this.#map.addOverlay(mark);
    }
    this.#summarise([...problems.values()].filter(({ kind }) => kind === "refused"));
  }

  #mark(problem) {
    const { mine, theirs } = problem;
    const border = mine && mine.status !== "deleted" ? mine.border : (theirs?.border ?? mine.border);
    const element = problem.kind === "conflict" ? this.#conflict(problem) : this.#refusal(problem);
    return new Overlay({
      element,
      position: toMap(upperRight(border), this.#session.image.height),
      positioning: "bottom-left",
      offset: [-6, 6],
      className: "ol-overlay-container ol-selectable problem-place",
    });
  }

  #conflict(problem) {
    const say = "Somebody else changed this cell too. Choose";
    return make(
      "button",
      { type: "button", class: "problem-sign", title: say, "aria-label": say, click: () => this.#ask(problem) },
      "⇄",
    );
  }

  #refusal(problem) {
    const { changes } = this.#session;
    const what = problem.mine?.status === "deleted" ? "Not deleted" : "Not saved";
    const act = (text, does) => make("button", { type: "button", class: "button button-small", click: does }, text);
    const card = make(
      "div",
      { class: "problem-card" },
      make("p", {}, make("strong", {}, `${what}. `), sentence(problem.reason)),
      make(
        "div",
        { class: "notice-actions" },
        act("Try again", () => changes.retry(problem)),
        act("Discard", () => changes.discard(problem)),
      ),
    );
    const sign = make("summary", { class: "problem-sign", "aria-label": `${what}: why` }, "!");
    // The first says why at once; a hundred of them would hide the image.
    const open = this.#marks.size < 2;
    const element = make("details", { class: "problem-mark", open }, sign, card);
    element.addEventListener("toggle", () => {
      if (element.open && this.#session.cells.get(problem.cell)) this.#editor.selection.only(problem.cell);
    });
    return element;
  }

  #summarise(refused) {
    if (refused.length < 3) {
      this.#notices.remove("refused");
      return;
    }
    const { changes } = this.#session;
    const reasons = new Set(refused.map(({ reason }) => reason));
    this.#notices.show(
      "refused",
      `${refused.length} changes are not saved.`,
      reasons.size === 1 ? sentence(refused[0].reason) : "Each says why at its cell.",
      [
        ["Try all again", () => refused.forEach((problem) => changes.retry(problem))],
        ["Discard all", () => refused.forEach((problem) => changes.discard(problem))],
      ],
      "error",
    );
  }
}

const sentence = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);
