// The keeper of the answers for a page without a kernel: it hands them to a store (page_store.js), and tells the view
// what stands and what is saved. The transitions are those of labelling.py.

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

const LOAD_AGAIN = 5000; // ms after which a store that could not be read is asked again
const REMIND_MINUTES = 30; // for those who take long over each answer

function pageTransport(page, settings, store) {
  const downloadedKey = `visclust:downloaded:${settings.storage_key}`;
  const places = new Map(page.items.map((item) => [item.id, item]));
  const saved = new Map(); // event id -> event, confirmed by the store or the file
  const waiting = new Map(); // event id -> event, given here and not confirmed
  const known = new Set(); // ids of events that were confirmed once, should the browser's data be deleted
  const downloaded = new Set(); // ids of events in a download of this page
  const underWay = new Set(); // ids of events that the store is asked to keep just now
  let loaded = false;
  let fault = "";
  let undone = null;
  let file = null; // that the annotator chose
  let fileTurn = Promise.resolve();
  let fileHolds = 0;
  let loading = null;
  let remindedSince = null;
  let receive = () => {};

  function nameSide(item, side) {
    return settings.n_images > 1 ? places.get(item)?.images[side] ?? null : null; // one image has no sides
  }

  function listEvents() {
    // Where nothing can be saved, answers count and last as long as the page; elsewhere only once they are saved.
    const { lasting } = store.status();
    return sortEvents([...saved.values(), ...[...waiting.values()].filter((event) => !lasting || known.has(event.event_id))]);
  }

  function listAll() {
    return sortEvents([...saved.values(), ...waiting.values()]);
  }

  function remind(events) {
    const words = [store.status().words, file?.describe() ?? ""];
    const since = events.length - Math.max(attempt(() => Number(localStorage.getItem(downloadedKey)), 0), downloaded.size);
    if (since <= 0 || fileHolds >= events.length) remindedSince = null;
    else remindedSince ??= performance.now();
    const minutes = remindedSince === null ? 0 : (performance.now() - remindedSince) / 60000;
    if (remindedSince !== null && (since >= (settings.remind_every || Infinity) || minutes >= (settings.remind_minutes ?? REMIND_MINUTES))) {
      const count = since === 1 ? "1 answer" : `${since} answers`;
      words.push(`${count} since your last download: please download them now.`);
    }
    return words.filter(Boolean).join(" ");
  }

  function tell(acknowledged = []) {
    if (!loaded) return;
    const events = listEvents();
    const standing = listStanding(events);
    const open = listOpen(page.items, standing, settings.revisit_skipped);
    const first = undone === null ? [] : [undone];
    const others = open.map((item) => item.id).filter((id) => id !== undone);
    const upcoming = first.concat(others).slice(0, settings.prefetch + 1);
    receive({
      kind: "state",
      acknowledged,
      error: fault,
      message: remind(events),
      lasting: store.status().lasting || fileHolds > 0,
      unsaved: [...waiting.keys()],
      upcoming,
      undoable: standing.at(-1) ?? null,
      progress: measureProgress(page.items, open, standing),
    });
  }

  function load() {
    loading ??= readStore().finally(() => { loading = null; });
    return loading;
  }

  async function readStore() {
    try {
      const events = await store.load();
      const found = new Set(events.map((event) => event.event_id));
      for (const event of events) {
        saved.set(event.event_id, event);
        waiting.delete(event.event_id);
        known.add(event.event_id);
      }
      // Where the browser's data were deleted while the page is open, they are kept once more.
      for (const [id, event] of store.status().lasting ? [...saved] : []) {
        if (found.has(id) || underWay.has(id)) continue;
        saved.delete(id);
        waiting.set(id, event);
      }
      loaded = true;
      if (!waiting.size) fault = "";
      const open = listOpen(page.items, listStanding(listEvents()), false);
      if (!open.some((item) => item.id === undone)) undone = null; // another tab answered it
      tell([...found]);
      tryAgain();
    } catch (error) {
      if (loaded) fail(error.message);
      else receive({ kind: "trouble", error: error.message });
      setTimeout(() => void load(), LOAD_AGAIN);
    }
  }

  function tryAgain() {
    for (const event of waiting.values()) if (known.has(event.event_id)) void keep(event, { isNew: false });
  }

  async function keep(event, { isNew = true } = {}) {
    const id = event.event_id;
    if (saved.has(id)) tell([id]); // the view sends again what it has no word of
    if (saved.has(id) || underWay.has(id)) return;
    waiting.set(id, event);
    underWay.add(id);
    try {
      confirm(await store.append(event), isNew);
    } catch (error) {
      // The counter is the store's to give; where it cannot, the page counts on from what it knows.
      const last = listEvents().at(-1);
      const counted = "counter" in event ? event : { ...event, counter: countOn(last && placeEvent(last)) };
      waiting.set(id, counted);
      if (file && await writeFile()) confirm(counted, isNew);
      else if (store.status().lasting) fail(error.message);
      else goOn(counted, isNew); // and the view says how many are not saved
    } finally {
      underWay.delete(id);
    }
  }

  function confirm(event, isNew) {
    waiting.delete(event.event_id);
    saved.set(event.event_id, event);
    known.add(event.event_id);
    if (!waiting.size) fault = "";
    goOn(event, isNew);
    if (file) void writeFile();
  }

  function goOn(event, isNew) {
    if (isNew) undone = event.retracts ? event.item_id : null;
    tell([event.event_id]);
  }

  function fail(words) {
    fault = words;
    tell();
  }

  function makeRows() {
    return listAll().map((event) => ({
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
      counter: event.counter ?? null,
    }));
  }

  function writeFile() {
    // One after the other, each with all that is known by then; tells whether it went well.
    fileTurn = fileTurn.then(async () => {
      const rows = makeRows();
      try {
        await file.write(rows);
        fileHolds = rows.length;
        return true;
      } catch {
        fileHolds = 0;
        return false;
      } finally {
        tell();
      }
    });
    return fileTurn;
  }

  async function useFile(handle) {
    try {
      const chosen = answerFile(handle, settings.annotator);
      const known = new Set(listAll().map((event) => event.event_id));
      const others = (await chosen.read()).filter((row) => !known.has(row.event_id));
      file = chosen;
      for (const row of others) {
        const { event_id, item_id, answer, answered_at, seconds, retracts, note, counter } = row;
        const event = { event_id, item_id, answer, answered_at, seconds, retracts, note, counter: counter ?? null };
        await keep(event, { isNew: false });
      }
      if (await writeFile()) for (const event of [...waiting.values()]) confirm(event, false);
      void store.remember("file", handle);
    } catch (error) {
      fail(error?.name === "Error" ? error.message : `The file could not be used (${error?.name}). Choose another.`);
    }
  }

  async function chooseFile() {
    try {
      const former = await store.recall("file");
      if (former && !file && await former.requestPermission({ mode: "readwrite" }) === "granted") {
        await useFile(former);
        return;
      }
      const suggestedName = `${page.file_stem}-answers.jsonl`;
      await useFile(await window.showSaveFilePicker({ suggestedName }));
    } catch (error) {
      if (error?.name !== "AbortError") fail(`No file can be written from here (${error?.name}): download your answers.`);
    }
  }

  async function goOnWithFile() {
    const former = await store.recall("file");
    const allowed = await attempt(() => former?.queryPermission({ mode: "readwrite" }), null);
    if (allowed === "granted") await useFile(former);
  }

  function download(format) {
    if (format === "file") {
      void chooseFile();
      return;
    }
    const rows = makeRows();
    const name = `${page.file_stem}-${rows.length}-answers.${format}`;
    const lines = rows.map((row) => `${JSON.stringify(row)}\n`).join("");
    const cells = rows.map((row) => page.columns.map((column) => row[column]));
    saveFile(name, format === "csv" ? writeCsv(page.columns, cells, ["seconds"]) : lines);
    for (const row of rows) downloaded.add(row.event_id);
    attempt(() => localStorage.setItem(downloadedKey, String(rows.length)));
    tell();
  }

  function complete(event) {
    return { retracts: null, note: null, seconds: null, answer: null, ...event };
  }

  function send(message) {
    const item = places.get(message.item_id);
    if (message.kind === "ready") void load().then(goOnWithFile);
    if (message.kind === "answer" || message.kind === "undo") void keep(complete(message.event));
    if (message.kind === "images") {
      receive({ kind: "images", item_id: item.id, sources: item.images.map((id) => page.images[id] ?? null) });
    }
    if (message.kind === "download") download(message.format);
  }

  window.addEventListener("beforeunload", (event) => {
    // The browser then asks whether to leave.
    if ([...waiting.keys()].some((id) => !downloaded.has(id))) event.preventDefault();
  });
  return {
    words: store.words,
    useFile, // for a file that was chosen elsewhere
    send: (message) => queueMicrotask(() => send(message)),
    remember() {},
    forget() {},
    recall: () => [],
    listen(listener) {
      receive = listener;
      const stop = store.listen(() => void load());
      const timer = setInterval(() => { tryAgain(); tell(); }, LOAD_AGAIN); // tells the reminder by time too
      return () => {
        receive = () => {};
        clearInterval(timer);
        stop();
      };
    },
  };
}
