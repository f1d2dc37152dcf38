// The keeper of the answers for a page without a kernel: this browser's storage, one entry per event. The
// transitions are those of labelling.py.

function listStanding(events) {
  const retracted = new Set(events.map((event) => event.retracts).filter(Boolean));
  return events.filter((event) => !event.retracts && !retracted.has(event.event_id));
}

function listOpen(items, standing, revisitSkipped) {
  const latest = new Map(standing.map((event) => [event.item_id, event.answer]));
  const open = items.filter((item) => !latest.has(item.id));
  if (!revisitSkipped) return open;
  const skips = (item) => standing.filter((event) => event.item_id === item.id && event.answer === "skip").length;
  return open.concat(items.filter((item) => latest.get(item.id) === "skip" && skips(item) === 1));
}

function measureProgress(items, open, standing) {
  const seconds = standing.map((event) => event.seconds).filter(Boolean).slice(-20).sort((a, b) => a - b);
  const half = seconds.length / 2;
  const pace = seconds.length ? (seconds[Math.ceil(half) - 1] + seconds[Math.floor(half)]) / 2 : null;
  return {
    total: items.length,
    done: items.length - open.length,
    left: open.length,
    per_minute: pace && 60 / pace,
    minutes_left: pace && (open.length * pace) / 60,
  };
}

function writeCsv(rows, columns) {
  const quote = (value) => `"${String(value ?? "").replaceAll('"', '""')}"`;
  const lines = [columns, ...rows.map((row) => columns.map((name) => row[name]))];
  return `\ufeff${lines.map((line) => line.map(quote).join(",")).join("\r\n")}\r\n`; // with the mark Excel needs
}

function pageTransport(page, settings) {
  const drawer = makeDrawer(`visclust:page:${settings.storage_key}:`);
  const downloadedKey = `visclust:downloaded:${settings.storage_key}`;
  const places = new Map(page.items.map((item) => [item.id, item]));
  const unsaved = new Map(); // where the browser has no storage, answers last as long as the page
  const hasStorage = attempt(() => { drawer.put("test", 1); drawer.remove("test"); return true; }, false);
  let downloadedInPage = 0;
  let undone = null;
  let receive = () => {};

  function nameSide(item, side) {
    return settings.n_images > 1 ? places.get(item)?.images[side] ?? null : null; // one image has no sides
  }

  function listEvents() {
    const events = hasStorage ? drawer.list() : [...unsaved.values()];
    return events.sort((a, b) => (a.answered_at < b.answered_at ? -1 : 1));
  }

  function remind(events) {
    const words = [];
    if (!hasStorage) words.push("This browser keeps nothing when the page is closed: download before you close it.");
    const downloaded = hasStorage ? Number(localStorage.getItem(downloadedKey)) : downloadedInPage;
    if (events.length - downloaded >= settings.remind_every) {
      words.push(`${events.length - downloaded} answers since your last download: please download them now.`);
    }
    return words.join(" ");
  }

  function tell(acknowledged, error = "") {
    const events = listEvents();
    const standing = listStanding(events);
    const open = listOpen(page.items, standing, settings.revisit_skipped);
    const first = undone === null ? [] : [undone];
    const others = open.map((item) => item.id).filter((id) => id !== undone);
    const upcoming = first.concat(others).slice(0, settings.prefetch + 1);
    receive({
      kind: "state",
      acknowledged,
      error,
      message: remind(events),
      upcoming,
      undoable: standing.at(-1) ?? null,
      progress: measureProgress(page.items, open, standing),
    });
  }

  function keep(message) {
    const event = { retracts: null, note: null, seconds: null, answer: null, ...message.event };
    try {
      if (hasStorage) drawer.put(event.event_id, event);
      else unsaved.set(event.event_id, event);
    } catch {
      tell([], "Not saved: this browser's storage is full. Download your answers, then free some space.");
      return;
    }
    undone = message.kind === "undo" ? event.item_id : null;
    tell([event.event_id]);
  }

  function download(format) {
    const events = listEvents();
    const rows = events.map((event) => ({
      item_id: event.item_id,
      annotator: settings.annotator,
      answer: event.answer,
      answered_at: event.answered_at,
      seconds: event.seconds,
      retracts: event.retracts,
      event_id: event.event_id,
      left: nameSide(event.item_id, 0),
      right: nameSide(event.item_id, 1),
      note: event.note,
      widget_version: settings.widget_version,
      simulated: false,
    }));
    const name = `${page.file_stem}-${rows.length}-answers.${format}`;
    const lines = rows.map((row) => `${JSON.stringify(row)}\n`).join("");
    saveFile(name, format === "csv" ? writeCsv(rows, page.columns) : lines);
    downloadedInPage = events.length;
    if (hasStorage) attempt(() => localStorage.setItem(downloadedKey, String(events.length)));
    tell([]);
  }

  function send(message) {
    const item = places.get(message.item_id);
    if (message.kind === "ready") tell([]);
    if (message.kind === "answer" || message.kind === "undo") keep(message);
    if (message.kind === "images") {
      receive({ kind: "images", item_id: item.id, sources: item.images.map((id) => page.images[id] ?? null) });
    }
    if (message.kind === "download") download(message.format);
  }

  window.addEventListener("storage", () => tell([])); // a second tab of the same page answered
  return {
    send: (message) => queueMicrotask(() => send(message)),
    remember() {},
    forget() {},
    recall: () => [],
    listen(listener) {
      receive = listener;
      return () => { receive = () => {}; };
    },
  };
}

function mountPage() {
  const page = JSON.parse(document.getElementById("visclust-page").textContent);
  const root = document.getElementById("visclust-root");
  return mountLabeller(root, page.settings, pageTransport(page, page.settings));
}
