// The view of the cluster browser: it draws the state that it is told, and forwards what the researcher does.
// It does not know whether a kernel or the page itself holds the clusters: see shared.js.

const TRY_AGAIN_AFTER = 3000; // ms without a word that a note is on disk, then it is sent again
const ROW_HEIGHT = 112; // pixels, as the next two
const ROW_PICTURE = 100;
const ROW_HEAD = 190;
const SORT_NAMES = { size: "size", posts: "posts", silhouette: "silhouette", iteration: "iteration", name: "name" };
const SHOWN_NAMES = { all: "all clusters", open: "not named yet", named: "named", noise: "noise" };

function mountBrowser(root, settings, transport) {
  const state = {
    clusters: new Map(), rows: [], sheet: null, selected: new Set(), undoable: null,
    sort: "size", shown: "all", words: "", author: "", since: "", until: "", frame: "", known: false,
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
    filter: (name, value) => send("filter", { [name]: value }),
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

  // The researcher's own list, and what was ticked before under other lists.
  function drawFrames() {
    const ticked = [...state.clusters.values()].flatMap((cluster) => cluster.frames);
    const frames = [...new Set([...settings.frames, ...ticked])];
    parts.frameField.hidden = !frames.length;
    if (parts.frame.dataset.listed !== JSON.stringify(frames)) {
      parts.frame.replaceChildren(makeOption("", "any or none"), ...frames.map((frame) => makeOption(frame, frame)));
      parts.frame.dataset.listed = JSON.stringify(frames);
    }
    parts.frame.value = state.frame;
  }

  function drawBar() {
    parts.sort.value = state.sort;
    parts.shown.value = state.shown;
    drawFrames();
    for (const [name, box] of Object.entries(parts.filters)) {
      if (root.getRootNode().activeElement !== box && !parts.isTyped(name)) box.value = state[name];
    }
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
    for (const name of ["rows", "sheet", "undoable", "sort", "shown", "words", "author", "since", "until",
      "frame"]) {
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

// The clusters as rows of thumbnails.
function makeOverview(settings, state, thumbnails, actions) {
  const scroller = makeScroller("visclust-overview", drawRow, onVisible);
  let current = 0;
  let perRow = 1;
  scroller.box.setAttribute("role", "list");
  scroller.box.setAttribute("aria-label", "Clusters");
  const empty = makeElement("p", "visclust-empty", "No cluster passes the filter.");
  scroller.box.append(empty);
  empty.hidden = true;

  function countPerRow() {
    return Math.max(1, Math.floor((scroller.box.clientWidth - ROW_HEAD - 24) / (ROW_PICTURE + 4)));
  }

  function drawHead(cluster, count) {
    const head = makeButton("visclust-row-head", "", [], () => open(cluster.cluster));
    head.append(makeElement("span", "visclust-row-name", nameCluster(cluster)));
    const number = numberCluster(cluster);
    if (number) head.append(makeElement("span", "visclust-row-number", number));
    head.append(makeElement("span", "visclust-row-facts", describeCluster(cluster, settings)));
    const left = describeLeft(cluster, count, settings.readonly && !isFiltered(state));
    if (left) head.append(makeElement("span", "visclust-row-facts", left));
    const marks = makeElement("span", "visclust-marks");
    if (cluster.noise) marks.append(makeElement("span", "visclust-mark visclust-mark-noise", "noise"));
    for (const frame of cluster.frames) marks.append(makeElement("span", "visclust-mark", frame));
    head.append(marks);
    return head;
  }

  function open(number, place = 0) {
    move(state.rows.findIndex(([cluster]) => cluster === number), false); // where one comes back to
    actions.open(number, place);
  }

  function drawRow(at) {
    const [number, count, list] = state.rows[at];
    const cluster = state.clusters.get(number);
    const row = makeElement("div", "visclust-row");
    row.dataset.cluster = number;
    row.setAttribute("role", "listitem");
    row.setAttribute("aria-setsize", state.rows.length);
    row.setAttribute("aria-posinset", at + 1);
    const head = drawHead(cluster, count);
    head.tabIndex = at === current ? 0 : -1;
    head.addEventListener("focus", () => { move(at, false); });
    row.append(head);
    for (let place = 0; place < Math.min(count, perRow); place += 1) {
      const cell = makeElement("button", "visclust-thumbnail visclust-picture");
      cell.type = "button";
      cell.tabIndex = -1; // the row's head leads to the same images, so Tab need not visit each
      cell.setAttribute("aria-label", `Image ${place + 1} of ${count} in ${nameCluster(cluster)}`);
      cell.addEventListener("click", () => open(number, place));
      thumbnails.fill(cell, list, place);
      row.append(cell);
    }
    return row;
  }

  function onVisible(first, stop) {
    if (scroller.box.hidden || !scroller.box.clientWidth) return;
    if (countPerRow() !== perRow) {
      perRow = countPerRow();
      scroller.redraw();
      return;
    }
    thumbnails.want(state.rows.slice(first, stop).map(([, count, list]) =>
      ({ list, start: 0, stop: Math.min(count, perRow) })));
  }

  function move(at, focus = true) {
    const before = scroller.getRow(current)?.querySelector(".visclust-row-head");
    if (before) before.tabIndex = -1;
    current = Math.max(0, Math.min(state.rows.length - 1, at));
    if (focus) scroller.reveal(current);
    const head = scroller.getRow(current)?.querySelector(".visclust-row-head");
    if (!head) return;
    head.tabIndex = 0;
    if (focus) head.focus({ preventScroll: true });
  }

  return {
    box: scroller.box,
    reset({ keepPlace = false } = {}) {
      if (!keepPlace) current = 0;
      empty.hidden = state.rows.length > 0;
      scroller.reset(state.rows.length, ROW_HEIGHT, { keepPlace });
    },
    redraw: scroller.redraw,
    focus: () => move(current),
    onKey(event) {
      const page = scroller.countPerPage();
      const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
      if (!(event.key in steps)) return false;
      move(current + steps[event.key]);
      return true;
    },
    stop: scroller.stop,
  };
}

// The parts that are always there: bar, messages, the enlarged image.
function buildBrowserFrame(root, settings, actions) {
  root.className = "visclust-browser";
  root.tabIndex = -1;
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Cluster browser");
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab would delete the cell on D D
  root.style.setProperty("--visclust-height", `${settings.height}px`);
  const { posts: byPosts, ...others } = SORT_NAMES;
  const sort = makeChoice("Sort by", settings.has_posts ? SORT_NAMES : others, actions.sort);
  const shown = makeChoice("Show", SHOWN_NAMES, actions.show);
  const label = settings.has_posts ? "Words in posts or names" : "Words in names";
  const filter = makeTextField(label, "input", () => {});
  filter.box.type = "search";
  filter.box.placeholder = "or cluster 31";
  const author = makeTextField("Author", "input", () => {});
  author.box.type = "search";
  const frame = makeChoice("Frame", {}, (value) => actions.filter("frame", value));
  const timers = new Map(); // name of the filter -> the timer that sends what is in its box
  const sendSoon = (name, box) => {
    clearTimeout(timers.get(name));
    timers.set(name, setTimeout(() => { // ms: a word is typed, not each letter sought
      timers.delete(name);
      actions.filter(name, box.value);
    }, 300));
  };
  const since = makeDayField("Posted from", () => sendSoon("since", since.box));
  const until = makeDayField("to", () => sendSoon("until", until.box));
  until.box.setAttribute("aria-label", "Posted until");
  filter.box.addEventListener("input", () => sendSoon("words", filter.box));
  author.box.addEventListener("input", () => sendSoon("author", author.box));
  const parts = {
    sort: sort.choice,
    shown: shown.choice,
    filter: filter.box,
    filters: { words: filter.box, author: author.box, since: since.box, until: until.box },
    frame: frame.choice,
    frameField: frame.field,
    isTyped: (name) => timers.has(name), // what is in the box is not what holds yet
    count: makeElement("span", "visclust-count"),
    selected: makeElement("span", "visclust-selected"),
    openSelection: makeButton("visclust-open-selection", "Open selection", [], actions.openSelection),
    clearSelection: makeButton("visclust-clear-selection", "Clear", [], actions.clearSelection),
    body: makeElement("div", "visclust-body"),
    saved: makeElement("span", "visclust-saved"),
    keys: makeElement("span", "visclust-keys"),
    message: makeElement("p", "visclust-message"),
    zoom: makeElement("dialog", "visclust-zoom"),
  };
  parts.clearSelection.setAttribute("aria-label", "Clear the selection");
  parts.message.setAttribute("role", "status");
  parts.count.setAttribute("role", "status");
  parts.zoom.setAttribute("aria-label", "Enlarged image");
  const bar = makeElement("div", "visclust-bar-top");
  bar.append(sort.field, shown.field, frame.field, filter.field);
  if (settings.has_authors) bar.append(author.field);
  if (settings.has_times) bar.append(since.field, until.field);
  bar.append(parts.count);
  if (!settings.readonly) bar.append(parts.selected, parts.openSelection, parts.clearSelection);
  const foot = makeElement("div", "visclust-foot");
  foot.append(parts.keys, parts.saved);
  root.replaceChildren(bar, parts.body, foot, parts.message, parts.zoom);
  return parts;
}

function nameCluster(cluster) {
  if (cluster.cluster < 0) return "Unassigned images";
  return cluster.name || `Cluster ${cluster.cluster}`;
}

function numberCluster(cluster) {
  return cluster.name && cluster.cluster >= 0 ? `Cluster ${cluster.cluster}` : ""; // others are called by it
}

function isFiltered(state) {
  return Boolean(state.words || state.author || state.since || state.until);
}

function describeCluster(cluster, settings) {
  const words = [`${cluster.size} image${cluster.size === 1 ? "" : "s"}`];
  if (settings.has_posts) words.push(`${cluster.posts} post${cluster.posts === 1 ? "" : "s"}`);
  if (cluster.silhouette !== null) words.push(`silhouette ${cluster.silhouette.toFixed(2)}`);
  if (cluster.iteration > 0) words.push(`iteration ${cluster.iteration}`);
  return words.join(" · ");
}

function describeLeft(cluster, count, isPage) {
  if (count >= cluster.size) return "";
  return `${count} ${isPage ? "in this page" : count === 1 ? "passes the filter" : "pass the filter"}`;
}

function makeChoice(label, names, onChange) {
  const field = makeElement("label", "visclust-field", `${label} `);
  const choice = makeElement("select", "visclust-select");
  choice.setAttribute("aria-label", label); // the text of the label has all the options in it
  for (const [value, name] of Object.entries(names)) choice.append(makeOption(value, name));
  choice.addEventListener("change", () => onChange(choice.value));
  field.append(choice);
  return { field, choice };
}

function makeOption(value, name) {
  const option = makeElement("option", "", name);
  option.value = value;
  return option;
}

function makeDayField(label, onChange) {
  const { field, box } = makeTextField(label, "input", () => {});
  box.type = "date";
  box.classList.add("visclust-day");
  box.addEventListener("input", onChange);
  return { field, box };
}

function makeTextField(label, tag, onCommit) {
  const field = makeElement("label", "visclust-field", `${label} `);
  const box = makeElement(tag, "visclust-text");
  if (tag === "input") box.type = "text";
  box.maxLength = 2000;
  box.addEventListener("change", () => onCommit(box.value.trim()));
  field.append(box);
  return { field, box };
}
