// The clusters as rows of thumbnails.

const ROW_HEIGHT = 112; // pixels
const ROW_PICTURE = 100;
const ROW_HEAD = 190;

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
    head.append(makeElement("span", "visclust-row-facts", describeCluster(cluster)));
    const left = describeLeft(cluster, count, settings.readonly && !state.words);
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
