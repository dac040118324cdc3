// What the page has for working together and for losing nothing: everything but the saving itself (sync/outbox.js).
import { CellHistory } from "./cells/cell-history.js";
import { CommentPost } from "./comments/comments.js";
import { CommentPanel } from "./comments/panel.js";
import { Pins } from "./comments/pins.js";
import { PlaceFinder } from "./comments/place-finder.js";
import { Assignee } from "./company/assignee.js";
import { Company } from "./company/company.js";
import { Faces } from "./company/faces.js";
import { Flashes } from "./company/flashes.js";
import { ConflictDialog } from "./sync/conflict-dialog.js";
import { Elsewhere } from "./sync/elsewhere.js";
import { ProblemMarks } from "./sync/problem-marks.js";
import { SignIn } from "./sync/sign-in.js";

const NIL = "00000000-0000-0000-0000-000000000000";

export class Together {
  #parts;

  /** `page`: the element with the addresses; `address(name, image)`: one of an image; `open(image)` opens one. */
  constructor({ page, address, open, editor, layers, scheme, connection, journal, outbox, notices }) {
    const element = (id) => document.getElementById(id);
    const of = (name) => (id) => page.dataset[name].replace(NIL, id);
    const say = (text) => editor.say(text);
    const me = { id: Number(page.dataset.user), name: page.dataset.userName };
    const url = (image) => address("presenceUrl", image);
    this.company = new Company({ connection, url, pointer: editor.pointer });
    const historyUrl = of("cellHistoryUrl");
    const conflicts = new ConflictDialog(element("conflict"), { scheme, editor, connection, historyUrl });
    const marks = new ProblemMarks({ layers, notices, editor, ask: (problem) => conflicts.ask(problem) });
    const imageUrl = (image) => address("imageUrl", image);
    const elsewhere = new Elsewhere({ outbox, journal, notices, connection, imageUrl, open });
    const deletedUrl = (image) => address("deletedUrl", image);
    const history = new CellHistory(element("cell-history"), {
      scheme,
      editor,
      connection,
      url: historyUrl,
      deletedUrl,
    });
    const assignUrl = (image) => address("assignUrl", image);
    const assignee = new Assignee(element("assignee"), { company: this.company, connection, url: assignUrl, me, say });
    const flashes = new Flashes(layers, this.company);
    const post = new CommentPost({
      connection,
      url: (image) => address("commentsUrl", image),
      resolveUrl: of("commentResolveUrl"),
    });
    const pins = new Pins(layers, (thread) => comments.choose(thread));
    const comments = new CommentPanel(element("comments"), {
      post,
      editor,
      pins,
      finder: new PlaceFinder(layers),
      open: () => {
        if (page.classList.contains("is-wide")) editor.run("panel");
        element("comments").open = true;
      },
    });
    new Faces(element("faces"), this.company);
    new SignIn(element("sign-in-again"), {
      connection,
      notices,
      name: me.name,
      url: page.dataset.signInUrl,
      probeUrl: page.dataset.studyUrl,
    });
    this.#parts = [conflicts, marks, elsewhere, history, assignee, flashes, pins, comments, this.company];
    this.#answerTests(page);
  }

  show(session) {
    this.session = session;
    for (const part of this.#parts) part.show(session);
  }

  /** For tests: what is on the screen, asked for by an event whose detail is filled. */
  #answerTests(page) {
    page.addEventListener("marrowloop-look", ({ detail }) => {
      detail.cells = this.session.cells.shown();
      detail.problems = this.session.changes.problems.map(({ cell, kind, reason }) => ({ cell, kind, reason }));
    });
  }
}
