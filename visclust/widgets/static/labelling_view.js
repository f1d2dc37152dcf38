// The view of a labeller: it draws the item that it is told to, and forwards what the annotator does.
// It does not know whether a kernel or the page itself keeps the answers: see shared.js.

const RESEND_AFTER = 3000; // ms without a word from the keeper of the answers, then they are sent again
const KEPT_ITEMS = 24; // items whose decoded images stay in memory

function mountLabeller(root, settings, transport) {
  const parts = buildFrame(root, settings);
  const media = new Map(); // item id -> {images, requested}
  const given = new Map(); // item id -> the answer given here: an undo brings it back to be corrected
  const pending = new Map(); // event id -> {message, since, sent}
  let state = null;
  let shown = null; // id of the item on the screen, once chosen
  let shownAt = null; // time at which its images were all there; null before that
  let damaged = false;
  let failed = "";

  const controls = CONTROLS[settings.controls](parts.controls, settings, { submit, undo, download });

  function isBlocked() {
    const now = performance.now();
    if (pending.size >= Math.max(1, settings.max_unsaved)) return true;
    return [...pending.values()].some((entry) => now - entry.since > RESEND_AFTER);
  }

  function send(message) {
    const entry = { message, since: performance.now(), sent: performance.now() };
    pending.set(message.event.event_id, entry);
    transport.remember(message); // before sending: an answer given to a dead kernel survives in the browser
    transport.send(message);
  }

  function submit(answer) {
    if (shownAt === null || isBlocked() || (damaged && answer !== "skip")) return;
    const event = {
      event_id: makeId(),
      item_id: shown,
      answer,
      answered_at: new Date().toISOString(),
      seconds: Math.round(performance.now() - shownAt) / 1000,
      note: parts.note.value.trim() || null,
    };
    shownAt = null;
    given.set(shown, answer);
    send({ kind: "answer", event });
    redraw();
  }

  function undo() {
    if (!state?.undoable || pending.size) return;
    const { event_id: retracts, item_id } = state.undoable;
    send({ kind: "undo", event: { event_id: makeId(), item_id, retracts, answered_at: new Date().toISOString() } });
    redraw();
  }

  function download(format) {
    transport.send({ kind: "download", format });
  }

  function chooseItem() {
    if (!state) return null;
    const waiting = new Set([...pending.values()].map((entry) => entry.message.event.item_id));
    if (!pending.size) return state.upcoming[0] ?? null;
    if (isBlocked() || !settings.max_unsaved) return shown; // the next shows when this answer is on disk
    return state.upcoming.find((item) => !waiting.has(item)) ?? shown;
  }

  function requestImages() {
    for (const item of (state?.upcoming ?? []).slice(0, settings.prefetch + 1 + pending.size)) {
      if (media.has(item)) continue;
      media.set(item, { images: null });
      transport.send({ kind: "images", item_id: item });
    }
    for (const item of media.keys()) {
      if (media.size <= KEPT_ITEMS) break;
      if (item === shown || state?.upcoming.includes(item)) continue;
      for (const image of media.get(item).images ?? []) if (image) URL.revokeObjectURL(image.src);
      media.delete(item);
    }
  }

  async function receiveImages(item, sources) {
    const images = await Promise.all(sources.map(async (source) => {
      if (!source) return null;
      const image = new Image();
      image.className = "visclust-image";
      image.draggable = false;
      image.alt = "";
      image.src = source;
      try {
        await image.decode();
      } catch {
        return null;
      }
      return image;
    }));
    media.set(item, { images });
    if (item === shown) drawImages();
  }

  function drawImages() {
    const images = shown === null ? null : media.get(shown)?.images;
    if (!images) return;
    damaged = images.includes(null);
    const hadFocus = parts.images.contains(root.getRootNode().activeElement); // else the next key goes nowhere
    parts.images.replaceChildren(...images.map((image, side) => {
      const frame = makeElement("button", "visclust-frame");
      frame.type = "button";
      const which = images.length > 1 ? `image ${side + 1} of ${images.length}` : "the image";
      frame.setAttribute("aria-label", `Enlarge ${which}`);
      if (!image) frame.textContent = "This image could not be read. Skip this item.";
      else frame.append(image);
      frame.addEventListener("mousedown", (event) => event.preventDefault());
      frame.addEventListener("click", () => image && openZoom(side, image.src));
      return frame;
    }));
    requestAnimationFrame(() => requestAnimationFrame(() => { // two frames: by the second one they are painted
      root.dispatchEvent(new CustomEvent("visclust-shown", { detail: shown }));
    }));
    shownAt = performance.now();
    if (hadFocus) root.focus({ preventScroll: true });
    drawControls();
  }

  function drawControls() {
    controls.enable(shownAt !== null && !isBlocked(), damaged);
    controls.allowUndo(Boolean(state?.undoable) && !pending.size);
  }

  function openZoom(side, source) {
    const image = new Image();
    image.alt = "Enlarged image. Press Escape to go back.";
    image.src = source;
    parts.zoom.replaceChildren(image);
    parts.zoom.dataset.key = `${shown} ${side}`;
    parts.zoom.showModal();
    transport.send({ kind: "zoom", item_id: shown, side });
  }

  function closeZoom() {
    parts.zoom.close();
    parts.zoom.replaceChildren();
    root.focus({ preventScroll: true });
  }

  function redraw() {
    const next = chooseItem();
    if (next !== shown) {
      shown = next;
      shownAt = null;
      parts.note.value = "";
      controls.reset(shown, given.get(shown));
      if (shown === null) parts.images.replaceChildren(makeElement("p", "visclust-done", describeEnd()));
      else if (!media.get(shown)?.images) drawPlaceholders();
      drawImages();
    } else if (shown !== null && shownAt === null && !pending.size && media.get(shown)?.images) {
      drawImages(); // an answer was refused: the item is still open
    } else if (shown === null && state) {
      parts.images.replaceChildren(makeElement("p", "visclust-done", describeEnd()));
    }
    drawControls();
    requestImages();
    drawStatus();
  }

  function drawPlaceholders() {
    const frames = Array.from({ length: settings.n_images }, () => makeElement("div", "visclust-frame", "Loading…"));
    parts.images.replaceChildren(...frames);
  }

  function describeEnd() {
    if (!state) return "";
    if (state.elsewhere) return "What is left is open in another tab or on another device of yours. Go on there, or close it.";
    return `All ${state.progress.total} items are answered. Thank you.`;
  }

  function drawStatus() {
    const oldest = Math.max(0, ...[...pending.values()].map((entry) => performance.now() - entry.since));
    const unsaved = new Set([...pending.keys(), ...state?.unsaved ?? []]).size;
    const saved = state?.lasting === false ? "Nothing is saved in this browser" : "All answers are saved";
    parts.saved.textContent = unsaved ? `${unsaved} not saved yet` : state ? saved : transport.words.opening;
    parts.saved.classList.toggle("visclust-unsaved", unsaved > 0);
    if (state) {
      parts.bar.max = state.progress.total;
      parts.bar.value = state.progress.done;
      parts.progress.textContent = describePace(state.progress, settings.unit);
    }
    let message = failed || state?.message || "";
    if (!failed && oldest > RESEND_AFTER) message = transport.words.late;
    if (parts.message.textContent !== message) parts.message.textContent = message;
    parts.message.classList.toggle("visclust-alarm", Boolean(failed) || oldest > RESEND_AFTER);
  }

  function receive(message) {
    if (message.kind === "images") void receiveImages(message.item_id, message.sources);
    if (message.kind === "zoom" && parts.zoom.open && parts.zoom.dataset.key === `${message.item_id} ${message.side}`) {
      parts.zoom.firstChild.src = message.source;
    }
    if (message.kind === "file") saveFile(message.name, message.content);
    if (message.kind === "trouble") { // before there is a state
      failed = message.error;
      drawStatus();
    }
    if (message.kind !== "state") return;
    state = message;
    failed = message.error ?? "";
    for (const id of message.acknowledged) {
      pending.delete(id);
      transport.forget(id);
    }
    redraw();
  }

  function onKey(event) {
    event.stopPropagation(); // nor may notebooks that listen further up take a key for a command
    if (event.ctrlKey || event.metaKey || event.altKey || parts.zoom.open) return;
    if (event.target === parts.note) {
      if (event.key === "Escape" || event.key === "Enter") root.focus({ preventScroll: true });
      return;
    }
    if (controls.onKey(event)) event.preventDefault();
  }

  function tick() {
    for (const entry of pending.values()) {
      if (performance.now() - entry.sent < RESEND_AFTER) continue;
      entry.sent = performance.now();
      transport.send(entry.message);
    }
    if (pending.size) redraw();
  }

  root.addEventListener("keydown", onKey);
  for (const name of ["keyup", "keypress"]) root.addEventListener(name, (event) => event.stopPropagation());
  parts.zoom.addEventListener("click", closeZoom);
  parts.zoom.addEventListener("cancel", (event) => { event.preventDefault(); closeZoom(); });
  root.addEventListener("click", (event) => {
    // Who goes from switch to switch by Tab and presses one by key stays there.
    if (event.detail === 0 && event.target.closest("[aria-pressed], [role=radio]")) return;
    if (event.target !== parts.note && !parts.zoom.open) root.focus({ preventScroll: true });
  });
  const stop = transport.listen(receive);
  const timer = setInterval(tick, 500);
  for (const message of transport.recall()) {
    pending.set(message.event.event_id, { message, since: performance.now(), sent: performance.now() });
  }
  transport.send({ kind: "ready" });
  for (const entry of pending.values()) transport.send(entry.message);
  redraw();
  if (settings.autofocus) root.focus({ preventScroll: true });
  return () => {
    clearInterval(timer);
    stop();
    for (const { images } of media.values()) for (const image of images ?? []) if (image) URL.revokeObjectURL(image.src);
  };
}

function buildFrame(root, settings) {
  root.className = `visclust-labeller${settings.n_images === 1 ? " visclust-single" : ""}`;
  root.tabIndex = 0;
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", settings.question);
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab would delete the cell on D D
  const parts = {
    construct: makeElement("p", "visclust-construct", settings.construct),
    question: makeElement("p", "visclust-question", settings.question),
    images: makeElement("div", "visclust-images"),
    controls: makeElement("div", "visclust-controls"),
    body: makeElement("div", "visclust-body"), // a single image has its controls beside it
    note: makeElement("input", "visclust-note"),
    bar: makeElement("progress", "visclust-bar"),
    progress: makeElement("span", "visclust-progress"),
    saved: makeElement("span", "visclust-saved"),
    hint: makeElement("span", "visclust-hint", "Click here to use the keys"),
    message: makeElement("p", "visclust-message"),
    zoom: makeElement("dialog", "visclust-zoom"),
  };
  parts.construct.hidden = !settings.construct;
  parts.note.hidden = !settings.note;
  parts.note.type = "text";
  parts.note.maxLength = 2000;
  parts.note.placeholder = "Note on this item (optional; Esc to leave)";
  parts.note.setAttribute("aria-label", "Note on this item");
  parts.message.setAttribute("role", "status");
  const head = makeElement("div", "visclust-head");
  head.append(makeElement("span", "visclust-annotator", `${settings.person}: ${settings.annotator}`), parts.hint);
  const status = makeElement("div", "visclust-status");
  status.append(parts.bar, parts.progress, parts.saved);
  parts.body.append(parts.images, parts.controls);
  root.replaceChildren(
    head, parts.construct, parts.question, parts.body, parts.note, status, parts.message, parts.zoom,
  );
  return parts;
}

function describePace(progress, unit) {
  const words = [`${progress.done} of ${progress.total} done`, `${progress.left} left`];
  if (progress.per_minute) {
    const minutes = progress.minutes_left;
    words.push(`${progress.per_minute.toFixed(progress.per_minute < 10 ? 1 : 0)} ${unit} per minute`);
    if (progress.left) words.push(minutes < 1 ? "less than a minute left" : `about ${Math.round(minutes)} min left`);
  }
  return words.join(" · ");
}
