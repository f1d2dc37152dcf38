// The view of the cluster browser: it draws the state that it is told, and forwards what the researcher does.
// It does not know whether a kernel or the page itself holds the clusters.

const TRY_AGAIN_AFTER = 3000; // ms without a word that a note is on disk, then it is sent again

function mountBrowser(root, settings, transport) {
  const state = {
    clusters: new Map(), rows: [], sheet: null, selected: new Set(), undoable: null,
    sort: "size", shown: "all", words: "", known: false,
  };
  const pending = new Map(); // event id -> {message, since, sent}
  let openAt = 0; // image to point at in the sheet that was asked for
  let asked = false; // whether it was asked for here, and not by a cell of the notebook: only then it takes the focus
  let failed = "";
  let message = "";
  const places = []; // where one was in the sheets that one came from
  const send = (kind, content = {}) => transport.send({ kind, ...content });

  const actions = {
    sort: (by) => send("sort", { by }),
    show: (shown) => send("filter", { shown }),
    filter: (words) => send("filter", { words }),
    open: (cluster, at = 0) => go("open", { cluster }, at),
    like: (image) => go("like", { image }),
    openSelection: () => state.selected.size && go("selection"),
    back: () => go("back"),
    select: (image, on) => send("select", { images: [image], on }),
    selectAll: () => send("select", { images: "sheet", on: true }),
    clearSelection: () => send("select", { images: "all", on: false }),
    about: (image) => send("posts", { image }),
    enlarge,
    write: (field, text) => note(field, { answer: text ? "written" : "cleared", note: text || null }),
    tick: (field, on) => note(field, { answer: on ? "yes" : "no" }),
    undo() {
      if (!state.undoable || pending.size) return;
      keep({ item_id: state.undoable.item_id, retracts: state.undoable.event_id });
    },
  };
  const parts = buildBrowserFrame(root, settings, actions);
  const thumbnails = makeThumbnails(root, transport);
  const overview = makeOverview(settings, state, thumbnails, actions);
  const sheet = makeSheet(settings, state, thumbnails, actions);
  sheet.box.hidden = true;
  parts.body.append(overview.box, sheet.box);

  function go(kind, content = {}, at = 0) {
    openAt = at;
    asked = true;
    send(kind, content);
  }

  function note(field, said) {
    const cluster = state.clusters.get(state.sheet?.cluster);
    if (!cluster?.key) return;
    keep({ item_id: `cluster:${cluster.key}:${field}`, ...said });
  }

  function keep(said) {
    const event = { event_id: makeId(), answered_at: new Date().toISOString(), ...said };
    const sent = { kind: "note", event };
    pending.set(event.event_id, { message: sent, since: performance.now(), sent: performance.now() });
    transport.remember(sent); // before sending: a note given to a dead kernel survives in the browser
    transport.send(sent);
    drawStatus();
  }

  function enlarge(image) {
    if (image === null) return;
    const small = sheet.box.querySelector(`.visclust-cell[data-image="${image}"] img`);
    const picture = new Image();
    picture.alt = "Enlarged image. Arrows go on, Escape goes back.";
    if (small) picture.src = small.src;
    parts.zoom.replaceChildren(picture);
    parts.zoom.dataset.image = image;
    if (!parts.zoom.open) parts.zoom.showModal();
    send("zoom", { image });
  }

  function closeZoom() {
    parts.zoom.close();
    parts.zoom.replaceChildren();
    sheet.focus();
  }

  function drawStatus() {
    const now = performance.now();
    const oldest = Math.max(0, ...[...pending.values()].map((entry) => now - entry.since));
    if (!settings.readonly) {
      parts.saved.textContent = pending.size ? `${pending.size} not saved yet` : "All notes are saved";
      if (!state.known) parts.saved.textContent = "Waiting for the kernel";
    }
    parts.saved.classList.toggle("visclust-unsaved", pending.size > 0);
    let said = failed || message;
    if (!failed && oldest > TRY_AGAIN_AFTER) {
      said = "The last note is not confirmed. It is kept in this browser and sent again. If another cell is "
        + "running, wait for it; if the kernel was restarted, run this cell again (or reload the page).";
    }
    if (parts.message.textContent !== said) parts.message.textContent = said;
    parts.message.classList.toggle("visclust-alarm", Boolean(failed) || oldest > TRY_AGAIN_AFTER);
  }

  function drawBar() {
    parts.sort.value = state.sort;
    parts.shown.value = state.shown;
    if (root.getRootNode().activeElement !== parts.filter && !parts.isTyped()) parts.filter.value = state.words;
    const shown = state.rows.filter(([cluster]) => cluster >= 0);
    const images = state.rows.reduce((sum, [, count]) => sum + count, 0);
    parts.count.textContent = state.known ? `${shown.length} cluster${shown.length === 1 ? "" : "s"}, ${images} images` : "";
    parts.selected.textContent = `${state.selected.size} selected`;
    for (const button of [parts.openSelection, parts.clearSelection]) {
      button.setAttribute("aria-disabled", String(!state.selected.size));
    }
    const more = settings.readonly ? "" : " · Space select · N name";
    const like = settings.has_neighbours ? " · M more like this" : "";
    parts.keys.textContent = state.sheet
      ? `Keys: arrows · Enter enlarge${more}${like} · Esc back · / filter`
      : "Keys: ↑ ↓ rows · Enter open · / filter";
  }

  function showSheet(before) {
    const opened = state.sheet;
    const focus = asked;
    asked = false;
    overview.box.hidden = Boolean(opened);
    sheet.box.hidden = !opened;
    if (!opened) {
      places.length = 0;
      overview.reset({ keepPlace: true });
      if (focus) overview.focus();
      return;
    }
    const isBack = before && opened.depth < before.depth;
    if (before && opened.depth > before.depth) places[before.depth] = sheet.getPlace();
    const at = isBack ? places[opened.depth] ?? 0 : openAt;
    openAt = 0;
    sheet.open(Math.min(at, Math.max(0, opened.count - 1)), focus);
  }

  function receiveState({ parts: changed, acknowledged, error, message: said }) {
    const before = state.sheet;
    failed = error ?? "";
    message = said ?? "";
    for (const id of acknowledged) {
      pending.delete(id);
      transport.forget(id);
    }
    for (const cluster of changed.clusters ?? []) state.clusters.set(cluster.cluster, cluster);
    if ("clusters" in changed && changed.rows) {
      state.known = true;
      thumbnails.forgetAsked();
    }
    for (const name of ["rows", "sheet", "undoable", "sort", "shown", "words"]) {
      if (name in changed) state[name] = changed[name];
    }
    if ("selected" in changed) state.selected = new Set(changed.selected);
    drawBar();
    if ("sheet" in changed && (state.sheet?.list !== before?.list || state.sheet?.depth !== before?.depth)) {
      if ("rows" in changed) overview.reset();
      showSheet(before);
    } else if ("rows" in changed) overview.reset();
    else if ("clusters" in changed && !state.sheet) overview.redraw();
    if (state.sheet) sheet.draw();
    drawStatus();
  }

  function receive(sent) {
    if (sent.kind === "images") {
      thumbnails.receive(sent);
      root.dispatchEvent(new CustomEvent("visclust-thumbnails", { detail: sent.images.length }));
    }
    if (sent.kind === "posts" && state.sheet) sheet.drawAbout(sent);
    if (sent.kind === "zoom" && parts.zoom.open && parts.zoom.dataset.image === String(sent.image)) {
      parts.zoom.firstChild.src = sent.source;
    }
    if (sent.kind === "state") receiveState(sent);
  }

  function onKey(event) {
    event.stopPropagation(); // nor may notebooks that listen further up take a key for a command
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (parts.zoom.open) {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      sheet.step(step);
      enlarge(sheet.getImage());
      return;
    }
    const isTyping = event.target.matches?.(".visclust-text");
    if (isTyping || event.target.matches?.("select")) {
      if (event.key === "Enter" || event.key === "Escape") {
        event.preventDefault();
        event.target.blur(); // this commits what was typed
        if (state.sheet) sheet.focus();
        else overview.focus();
      }
      return;
    }
    if (event.key === "/") {
      event.preventDefault();
      parts.filter.focus();
      return;
    }
    if (state.sheet ? sheet.onKey(event) : overview.onKey(event)) event.preventDefault();
  }

  function tick() {
    for (const entry of pending.values()) {
      if (performance.now() - entry.sent < TRY_AGAIN_AFTER) continue;
      entry.sent = performance.now();
      transport.send(entry.message);
    }
    if (pending.size) drawStatus();
  }

  root.addEventListener("keydown", onKey);
  for (const name of ["keyup", "keypress"]) root.addEventListener(name, (event) => event.stopPropagation());
  parts.zoom.addEventListener("click", closeZoom);
  parts.zoom.addEventListener("cancel", (event) => { event.preventDefault(); closeZoom(); });
  const stop = transport.listen(receive);
  const timer = setInterval(tick, 500);
  for (const sent of transport.recall()) {
    pending.set(sent.event.event_id, { message: sent, since: performance.now(), sent: performance.now() });
  }
  transport.send({ kind: "ready" });
  for (const entry of pending.values()) transport.send(entry.message);
  drawBar();
  drawStatus();
  return () => {
    clearInterval(timer);
    stop();
    overview.stop();
    sheet.stop();
    thumbnails.stop();
  };
}
