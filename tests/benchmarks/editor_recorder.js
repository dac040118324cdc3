// Put into every page that editor_speed.py measures, before its own scripts. All times are milliseconds.
(() => {
  const page = () => document.getElementById("editor");

  // A message posted while a frame is being made arrives when the page has handed that frame to the compositor.
  const channel = new MessageChannel();
  const waiting = [];
  channel.port1.onmessage = () => waiting.shift()(performance.now());
  const afterPaint = (done) => {
    waiting.push(done);
    channel.port2.postMessage(0);
  };

  // What the map shows: its canvases and pictures as they lie over each other, at half their size.
  const picture = () => {
    const box = document.getElementById("map").getBoundingClientRect();
    const canvas = new OffscreenCanvas(box.width / 2, box.height / 2);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    for (const layer of document.querySelectorAll("#map canvas, #map img")) {
      const { x, y, width, height } = layer.getBoundingClientRect();
      if (width && height) context.drawImage(layer, (x - box.x) / 2, (y - box.y) / 2, width / 2, height / 2);
    }
    return context.getImageData(0, 0, canvas.width, canvas.height).data;
  };
  // Where `benchmarkChecks` is set: the picture at the mark "editor-drawn", to be compared with a later one. Taking it
  // costs time, so that such a load is not measured.
  let drawn = null;
  const wasWhole = () => {
    const now = picture();
    let different = 0;
    for (let i = 0; i < now.length; i++) if (Math.abs(now[i] - drawn[i]) > 24) different++;
    return different / now.length < 0.001;
  };

  // When the first of each of the editor's marks was on the screen.
  const painted = {};
  const mark = performance.mark.bind(performance);
  performance.mark = (name, ...rest) => {
    if (/^editor-/.test(name) && !(name in painted)) {
      painted[name] = null;
      afterPaint((at) => {
        painted[name] = at;
        if (window.benchmarkChecks && name === "editor-drawn") drawn = picture();
      });
    }
    return mark(name, ...rest);
  };

  // When the borders had arrived, and when both they and the pixels had: by the network's own account.
  const arrived = () => {
    const end = (pattern) => {
      const found = performance.getEntriesByType("resource").filter(({ name }) => pattern.test(name));
      return Math.max(...found.map((entry) => entry.responseEnd));
    };
    const borders = end(/\/api\/v1\/images\/\d+\/(\?.*)?$|\/\d+\.json$/);
    return { borders, all: Math.max(borders, end(/\/images\/\d+\/pixels\/|\/field\.png$/)) };
  };

  // A gesture: the time stamp of every frame, and for every move or turn of the wheel when it happened and when the
  // frame that followed it was painted.
  let running = false;
  let frames = [];
  let inputs = [];
  let pending = [];
  const onFrame = (time) => {
    frames.push(time);
    if (running) requestAnimationFrame(onFrame);
  };
  const onInput = (event) => {
    if (!running) return;
    if (!pending.length) {
      requestAnimationFrame(() => {
        const these = pending;
        pending = [];
        afterPaint((at) => these.forEach((from) => inputs.push([from, at])));
      });
    }
    // What the browser has put together into one event was several moves of the hand.
    const parts = event.getCoalescedEvents?.() ?? [];
    pending.push(...(parts.length ? parts : [event]).map((part) => part.timeStamp));
  };
  for (const type of ["pointermove", "wheel"]) addEventListener(type, onInput, { capture: true, passive: true });
  const start = () => {
    [running, frames, inputs, pending] = [true, [], [], []];
    requestAnimationFrame(onFrame);
  };
  const stop = () => {
    running = false;
    return { frames, inputs };
  };

  // From the press of the button to the paint that shows another selection than before.
  const said = () => document.getElementById("selected")?.textContent ?? "";
  const nextSelection = () => {
    const before = said();
    let pressed = null;
    addEventListener("pointerdown", (event) => (pressed = event.timeStamp), { capture: true, once: true });
    window.benchmark.selected = new Promise((resolve) => {
      const look = () => {
        if (pressed !== null && said() !== before) afterPaint((at) => resolve(at - pressed));
        else requestAnimationFrame(look);
      };
      look();
    });
  };

  // From the key to the paint after another image is ready, in this page or, where the editor navigates, in the
  // next one: what crosses pages lies in the session's storage, in time since 1970.
  const imageOf = () => page()?.dataset.image ?? location.pathname;
  const lookForImage = () => {
    const asked = JSON.parse(sessionStorage.getItem("benchmark-asked") ?? "null");
    if (!asked) return;
    const drawn = performance.getEntriesByName("editor-drawn").at(-1)?.startTime ?? -Infinity;
    const ready = page()?.dataset.ready === "true" && imageOf() !== asked.image;
    if (ready && performance.timeOrigin + drawn >= asked.at) {
      sessionStorage.removeItem("benchmark-asked");
      afterPaint((at) => sessionStorage.setItem("benchmark-switched", performance.timeOrigin + at - asked.at));
    } else {
      requestAnimationFrame(lookForImage);
    }
  };
  const nextImage = () => {
    sessionStorage.removeItem("benchmark-switched");
    const onKey = (event) => {
      const asked = { image: imageOf(), at: performance.timeOrigin + event.timeStamp };
      sessionStorage.setItem("benchmark-asked", JSON.stringify(asked));
      lookForImage();
    };
    addEventListener("keydown", onKey, { capture: true, once: true });
  };
  const switched = () => sessionStorage.getItem("benchmark-switched");

  // Two people at one image: what happens in one page and is seen in the other, in time since 1970. The server has
  // confirmed a change when its answer is here.
  let confirmed = 0;
  new PerformanceObserver((list) => {
    for (const { name, responseEnd, responseStatus } of list.getEntries()) {
      if (/\/(operations|comments)\/$/.test(name) && responseStatus < 300) confirmed = performance.timeOrigin + responseEnd;
    }
  }).observe({ type: "resource" });
  const lastConfirmed = () => confirmed;
  const cells = () => {
    const detail = {};
    page().dispatchEvent(new CustomEvent("marrowloop-look", { detail }));
    return detail.cells;
  };
  const SEEN = {
    cells: () => cells().map(({ id, version }) => id + version).join(),
    list: () => document.getElementById("cell-list").dataset.count,
    comments: () => document.querySelectorAll("#map .comment-pin").length,
    faces: () => document.querySelectorAll("#faces .face").length,
  };
  /** The paint that first shows all of these otherwise than now. */
  const seen = (...what) => {
    const before = what.map((each) => String(SEEN[each]()));
    return new Promise((resolve) => {
      const look = () => {
        const all = what.every((each, i) => String(SEEN[each]()) !== before[i]);
        if (all) afterPaint((at) => resolve(performance.timeOrigin + at));
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
  };

  window.benchmark = {
    painted, wasWhole, arrived, start, stop, nextSelection, selected: null, nextImage, switched,
    lastConfirmed, cells, seen,
  };
  lookForImage();
})();
