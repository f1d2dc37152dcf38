// Images in a browser of clusters: those of an open cluster, or any others, with the posts of the one pointed at
// and the form for notes; and below, for the overview too, the store of thumbnails and the list that scrolls.

const CELL = 124; // pixels, a thumbnail in an open cluster
const KEPT_THUMBNAILS = 2000;
const SETTLE_AFTER = 60; // ms; rows that fly past while one scrolls are not asked for
const ASK_AGAIN_AFTER = 10000; // ms
const AT_ONCE = 24; // thumbnails in one request; the next waits for its answer, so that what is seen now comes soon

function makeSheet(settings, state, thumbnails, actions) {
  const box = makeElement("div", "visclust-sheet");
  const head = makeElement("div", "visclust-sheet-head");
  const title = makeElement("h3", "visclust-sheet-title");
  const facts = makeElement("span", "visclust-row-facts");
  const back = makeButton("visclust-back", "Back", ["Esc"], actions.back);
  const selectAll = makeButton("visclust-select-all", "Select all", [], actions.selectAll);
  const form = makeElement("div", "visclust-form");
  const middle = makeElement("div", "visclust-sheet-middle");
  const scroller = makeScroller("visclust-grid", drawRow, onVisible);
  const side = makeElement("div", "visclust-side");
  side.setAttribute("role", "region");
  side.setAttribute("aria-label", "About this image");
  scroller.box.setAttribute("role", "group");
  scroller.box.setAttribute("aria-label", "Images");
  head.append(back, title, facts);
  if (!settings.readonly) head.append(selectAll);
  middle.append(scroller.box, side);
  box.append(head, form, middle);
  let current = 0;
  let perRow = 1;
  let about = null; // image whose posts are shown or asked for
  const fields = settings.readonly ? null : buildForm();

  function buildForm() {
    const name = makeTextField("Name", "input", (text) => actions.write("name", text));
    const note = makeTextField("Notes", "input", (text) => actions.write("note", text));
    const noise = makeTick("Noise", (on) => actions.tick("noise", on));
    const frames = makeElement("fieldset", "visclust-frames");
    frames.append(makeElement("legend", "", "Frames"));
    const undo = makeButton("visclust-undo", "Undo", [], actions.undo);
    undo.setAttribute("aria-label", "Undo the last name, frame or note");
    name.box.classList.add("visclust-name-field");
    note.box.classList.add("visclust-note-field");
    form.append(name.field, noise.field, undo, note.field, frames);
    return { name: name.box, note: note.box, noise: noise.box, frames, undo };
  }

  function makeTick(label, onChange) {
    const field = makeElement("label", "visclust-tick");
    const tick = makeElement("input", "");
    tick.type = "checkbox";
    tick.addEventListener("change", () => onChange(tick.checked));
    field.append(tick, makeElement("span", "", label));
    return { field, box: tick };
  }

  function drawForm() {
    const cluster = state.clusters.get(state.sheet?.cluster);
    form.hidden = !cluster || cluster.key === null;
    if (form.hidden) return;
    if (settings.readonly) {
      const marks = [cluster.noise ? "Noise" : "", cluster.frames.join(", "), cluster.note].filter(Boolean);
      form.replaceChildren(makeElement("span", "", marks.join(" · ")));
      form.hidden = !marks.length;
      return;
    }
    const active = box.getRootNode().activeElement;
    if (fields.name !== active) fields.name.value = cluster.name; // what is being typed stays
    if (fields.note !== active) fields.note.value = cluster.note;
    fields.noise.checked = cluster.noise;
    fields.undo.setAttribute("aria-disabled", String(!state.undoable));
    const listed = [...settings.frames, ...cluster.frames.filter((frame) => !settings.frames.includes(frame))];
    if (fields.frames.dataset.listed !== JSON.stringify(listed)) {
      const ticks = listed.map((frame) => {
        const tick = makeTick(frame, (on) => actions.tick(`frame:${frame}`, on));
        tick.box.dataset.frame = frame;
        return tick.field;
      });
      fields.frames.replaceChildren(makeElement("legend", "", "Frames"), ...ticks);
      fields.frames.dataset.listed = JSON.stringify(listed);
    }
    fields.frames.hidden = !listed.length;
    for (const tick of fields.frames.querySelectorAll("input")) {
      tick.checked = cluster.frames.includes(tick.dataset.frame);
    }
  }

  function drawRow(row) {
    const element = makeElement("div", "visclust-grid-row");
    for (let at = row * perRow; at < Math.min(state.sheet.count, (row + 1) * perRow); at += 1) element.append(drawCell(at));
    return element;
  }

  function drawCell(at) {
    const cell = makeElement("div", "visclust-cell");
    const picture = makeElement("button", "visclust-thumbnail visclust-picture");
    picture.type = "button";
    picture.tabIndex = at === current ? 0 : -1;
    picture.setAttribute("aria-label", `Image ${at + 1} of ${state.sheet.count}`);
    picture.addEventListener("click", () => move(at));
    picture.addEventListener("dblclick", () => actions.enlarge(getImage()));
    cell.dataset.at = at;
    cell.append(picture);
    if (!settings.readonly) {
      const tick = makeElement("input", "visclust-select-one");
      tick.type = "checkbox";
      tick.tabIndex = -1; // Space on the image does the same
      tick.setAttribute("aria-label", `Select image ${at + 1}`);
      tick.addEventListener("change", () => actions.select(Number(cell.dataset.image), tick.checked));
      cell.append(tick);
    }
    cell.addEventListener("visclust-filled", () => {
      drawSelected(cell);
      if (at === current) askAbout();
    });
    cell.classList.toggle("visclust-current", at === current);
    thumbnails.fill(cell, state.sheet.list, at);
    return cell;
  }

  function drawSelected(cell) {
    const on = state.selected.has(Number(cell.dataset.image)) && "image" in cell.dataset;
    cell.classList.toggle("visclust-chosen", on);
    const tick = cell.querySelector(".visclust-select-one");
    if (tick) tick.checked = on;
  }

  function onVisible(first, stop) {
    if (!state.sheet || !scroller.box.clientWidth) return;
    const fitting = Math.max(1, Math.floor((scroller.box.clientWidth - 16) / CELL));
    if (fitting !== perRow) {
      perRow = fitting;
      scroller.reset(Math.ceil(state.sheet.count / perRow), CELL);
      scroller.reveal(Math.floor(current / perRow));
      return;
    }
    const end = Math.min(state.sheet.count, stop * perRow);
    thumbnails.want([{ list: state.sheet.list, start: first * perRow, stop: end }]);
  }

  function getCell(at) {
    return scroller.getRow(Math.floor(at / perRow))?.children[at % perRow];
  }

  function getImage() {
    const image = getCell(current)?.dataset.image;
    return image === undefined ? null : Number(image);
  }

  function move(at, focus = true) {
    getCell(current)?.classList.remove("visclust-current");
    if (getCell(current)) getCell(current).firstChild.tabIndex = -1;
    current = Math.max(0, Math.min(state.sheet.count - 1, at));
    scroller.reveal(Math.floor(current / perRow));
    const cell = getCell(current);
    if (!cell) return;
    cell.classList.add("visclust-current");
    cell.firstChild.tabIndex = 0;
    if (focus) cell.firstChild.focus({ preventScroll: true });
    askAbout();
  }

  function askAbout() {
    const image = getImage();
    if (image === null || image === about) return;
    about = image;
    actions.about(image);
  }

  function drawAbout(message) {
    if (message.image !== about) return;
    const place = makeElement("p", "visclust-about", `Image ${current + 1} of ${state.sheet.count}`);
    const buttons = makeElement("div", "visclust-side-buttons");
    buttons.append(makeButton("visclust-enlarge", "Enlarge", ["Enter"], () => actions.enlarge(message.image)));
    if (settings.has_neighbours) {
      buttons.append(makeButton("visclust-like", "More like this", ["M"], () => actions.like(message.image)));
    }
    const cluster = state.clusters.get(message.cluster);
    if (state.sheet.cluster === null && cluster) {
      buttons.append(makeButton("visclust-open", `Open ${nameCluster(cluster)}`, [], () => actions.open(message.cluster)));
    }
    const posts = message.posts.map((post) => {
      const one = makeElement("blockquote", "visclust-post");
      const by = [post.author, post.posted_at].filter(Boolean).join(" · ");
      if (by) one.append(makeElement("cite", "", by));
      one.append(makeElement("p", "", post.text));
      return one;
    });
    let said = "";
    if (settings.has_posts) said = message.total ? `${message.total} post${message.total === 1 ? "" : "s"}` : "No post shows it";
    if (posts.length < message.total) said += `, the first ${posts.length} shown`;
    const identity = makeElement("p", "visclust-identity", message.image_id);
    side.replaceChildren(place, buttons, makeElement("p", "visclust-about", said), ...posts, identity);
    side.scrollTop = 0;
  }

  return {
    box,
    form: fields,
    open(at, focus) {
      current = at;
      about = null;
      side.replaceChildren();
      scroller.reset(Math.ceil(state.sheet.count / perRow), CELL);
      if (state.sheet.count) move(at, focus);
      else if (focus) back.focus({ preventScroll: true });
      this.draw();
    },
    draw() {
      const cluster = state.clusters.get(state.sheet.cluster);
      title.textContent = cluster ? nameCluster(cluster) : state.sheet.title;
      const count = `${state.sheet.count} image${state.sheet.count === 1 ? "" : "s"}`;
      const left = cluster ? describeLeft(cluster, state.sheet.count, settings.readonly && !isFiltered(state)) : "";
      const number = cluster ? numberCluster(cluster) : "";
      facts.textContent = [number, cluster ? describeCluster(cluster, settings) : count, left].filter(Boolean).join(" · ");
      drawForm();
      for (const cell of scroller.box.querySelectorAll(".visclust-cell")) drawSelected(cell);
    },
    drawAbout,
    getImage,
    getPlace: () => current,
    step: (by) => move(current + by, false),
    focus: () => getCell(current)?.firstChild.focus({ preventScroll: true }),
    onKey(event) {
      const page = perRow * scroller.countPerPage();
      const steps = {
        ArrowRight: 1, ArrowLeft: -1, ArrowDown: perRow, ArrowUp: -perRow,
        PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity,
      };
      if (event.key in steps) {
        move(current + steps[event.key]);
        return true;
      }
      const image = getImage();
      const isOnPicture = event.target.closest?.(".visclust-cell");
      if (event.key === "Escape") actions.back();
      else if (matchesKey(event, "n") && fields && !form.hidden) fields.name.focus();
      else if (matchesKey(event, "m") && settings.has_neighbours && image !== null) actions.like(image);
      else if (event.key === "Enter" && isOnPicture && image !== null) actions.enlarge(image);
      else if (event.key === " " && isOnPicture && fields && image !== null) actions.select(image, !state.selected.has(image));
      else return false;
      return true;
    },
    stop: scroller.stop,
  };
}

// Thumbnails by list and place in it: asked for when they are seen, kept while there is room.
function makeThumbnails(root, transport) {
  const found = new Map(); // key -> {image, source}
  const asked = new Map(); // key -> time
  let wanted = [];
  let timer = 0;
  const isWaiting = () => [...asked.values()].some((since) => performance.now() - since < ASK_AGAIN_AFTER);
  const makeKey = (list, at) => `${list} ${at}`;

  function paint(cell, entry) {
    cell.dataset.image = entry.image;
    const holder = cell.querySelector(".visclust-picture") ?? cell;
    if (entry.source === null) {
      holder.textContent = "cannot be read";
    } else {
      const picture = new Image();
      picture.alt = "";
      picture.draggable = false;
      picture.src = entry.source;
      holder.replaceChildren(picture);
    }
    cell.dispatchEvent(new CustomEvent("visclust-filled"));
  }

  function ask() {
    if (isWaiting()) return;
    const ranges = [];
    let room = AT_ONCE;
    for (const { list, start, stop } of wanted) {
      const missing = [];
      for (let at = start; at < stop; at += 1) if (!found.has(makeKey(list, at))) missing.push(at);
      if (!missing.length || room <= 0) continue;
      const end = Math.min(missing.at(-1) + 1, missing[0] + room);
      room -= end - missing[0];
      ranges.push({ list, start: missing[0], stop: end });
      for (let at = missing[0]; at < end; at += 1) asked.set(makeKey(list, at), performance.now());
    }
    if (ranges.length) transport.send({ kind: "images", wanted: ranges });
  }

  function forgetOldest() {
    for (const [key, entry] of found) {
      if (found.size <= KEPT_THUMBNAILS) break;
      if (root.querySelector(`[data-key="${CSS.escape(key)}"]`)) continue;
      if (entry.source?.startsWith("blob:")) URL.revokeObjectURL(entry.source);
      found.delete(key);
    }
  }

  return {
    fill(cell, list, at) {
      cell.dataset.key = makeKey(list, at);
      const entry = found.get(cell.dataset.key);
      if (entry) paint(cell, entry);
    },
    want(ranges) { // what is seen now; whatever was wanted before is not
      wanted = ranges;
      clearTimeout(timer);
      timer = setTimeout(ask, SETTLE_AFTER);
    },
    receive({ list, start, images, sources }) {
      for (const key of [...asked.keys()]) if (key.startsWith(`${list} `)) asked.delete(key);
      if (!images.length) wanted = wanted.filter((range) => range.list !== list); // a list of before a filter
      images.forEach((image, offset) => {
        const key = makeKey(list, start + offset);
        if (found.get(key)?.source?.startsWith("blob:")) URL.revokeObjectURL(found.get(key).source);
        found.set(key, { image, source: sources[offset] });
        for (const cell of root.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)) paint(cell, found.get(key));
      });
      forgetOldest();
      ask();
    },
    forgetAsked: () => asked.clear(),
    stop() {
      clearTimeout(timer);
      for (const { source } of found.values()) if (source?.startsWith("blob:")) URL.revokeObjectURL(source);
    },
  };
}

// A list of rows of one height of which only those on the screen exist.
function makeScroller(className, drawRow, onVisible) {
  const box = makeElement("div", `visclust-scroller ${className}`);
  const inside = makeElement("div", "visclust-scrolled");
  const rows = new Map(); // number of the row -> its element
  let count = 0;
  let height = 100;
  let frame = 0;
  box.append(inside);

  function findVisible() {
    if (!box.clientHeight || !count) return [0, 0];
    const first = Math.max(0, Math.floor(box.scrollTop / height));
    return [first, Math.min(count, Math.ceil((box.scrollTop + box.clientHeight) / height))];
  }

  function draw() {
    const [first, stop] = findVisible();
    for (const [at, element] of rows) {
      // The row that has the focus stays, else the next key would go nowhere.
      if ((at >= first && at < stop) || element.contains(box.getRootNode().activeElement)) continue;
      element.remove();
      rows.delete(at);
    }
    for (let at = first; at < stop; at += 1) {
      if (rows.has(at)) continue;
      const element = drawRow(at);
      element.style.top = `${at * height}px`;
      element.style.height = `${height}px`;
      rows.set(at, element);
      const later = [...rows.keys()].filter((other) => other > at).sort((a, b) => a - b)[0];
      inside.insertBefore(element, later === undefined ? null : rows.get(later)); // Tab goes in this order
    }
    onVisible(first, stop);
  }

  function drawSoon() {
    if (!frame) frame = requestAnimationFrame(() => { frame = 0; draw(); });
  }

  box.addEventListener("scroll", drawSoon);
  const watcher = new ResizeObserver(drawSoon);
  watcher.observe(box);
  return {
    box,
    reset(newCount, newHeight, { keepPlace = false } = {}) {
      count = newCount;
      height = newHeight;
      rows.clear();
      inside.replaceChildren();
      inside.style.height = `${count * height}px`;
      if (!keepPlace) box.scrollTop = 0;
      draw();
    },
    redraw() {
      rows.clear();
      inside.replaceChildren();
      draw();
    },
    reveal(at) {
      const top = at * height;
      if (top < box.scrollTop) box.scrollTop = top;
      if (top + height > box.scrollTop + box.clientHeight) box.scrollTop = top + height - box.clientHeight;
      draw();
    },
    getRow: (at) => rows.get(at),
    countPerPage: () => Math.max(1, Math.floor(box.clientHeight / height)),
    stop: () => watcher.disconnect(),
  };
}
