// Where the answers of a page without a kernel are kept: the store of this browser. Every store, this one or that
// of a server, has these functions, and page_keeper.js asks no more of it:
//
//   load()           a promise of all events of this person and task, in any order
//   append(event)    a promise of the event as it is kept, its counter set, that resolves only once it is on disk;
//                    it is rejected with an error whose message is for the person before the page. An event that
//                    is there already counts as kept. An undo is an event too (`retracts`): nothing is removed.
//   status()         {lasting, words}: whether anything outlasts the page, and what there is to say, "" for nothing
//   listen(changed)  calls changed() when others, such as a second tab, may have added events; gives back a function
//                    that ends it
//   recall(name), remember(name, value)    a promise of a thing kept beside the events, null where there is none
//   words            {opening, late}: what is said until load() is done, and of an answer that is not confirmed

const OPEN_SECONDS = 15; // then a browser that says nothing is said to be silent

// The order of events is that of their counters, which every later event of a person exceeds, whatever the clock
// says: at least the tenth of a second in which it was given, and more than any that was known. Events of earlier
// versions have none; they stand at their time. Tenths have eleven digits, the most that spreadsheets write in full.
function placeEvent(event) {
  return event.counter ?? Date.parse(event.answered_at) / 100;
}

function countOn(latest) {
  return Math.max(Math.floor(Date.now() / 100), Number.isFinite(latest) ? Math.floor(latest) + 1 : 0);
}

function sortEvents(events) {
  const time = (event) => Date.parse(event.answered_at);
  return [...events].sort((one, other) => placeEvent(one) - placeEvent(other) || time(one) - time(other));
}

function browserStore(key, formerKeys = []) {
  let opened = null; // a promise of the database
  let lasting = true;
  let trouble = "";
  let weak = false; // the browser calls a write complete before it is on disk
  let unreadable = 0;
  let changed = () => {};
  const channel = attempt(() => new BroadcastChannel(`visclust ${key}`), null);

  function describeFault(error) {
    const name = error?.name ?? "Error";
    if (name === "QuotaExceededError") return "the browser's storage or the disk is full. Free some space";
    if (name === "VersionError") return "a newer version of this page has kept answers here. Open the newest page";
    if (name === "TimeoutError") return "the browser's storage does not answer. Close other tabs of this page";
    return `the browser's storage failed (${name}). Restart the browser`;
  }

  function makeFault(error) {
    return new Error(`Not saved: ${describeFault(error)}; this page tries again every few seconds. Do not close it `
      + "before you have downloaded your answers.");
  }

  function open() {
    opened ??= openDatabase().catch((error) => {
      opened = null;
      throw error;
    });
    return opened;
  }

  function openDatabase() {
    return new Promise((resolve, reject) => {
      const request = indexedDB.open(`visclust ${key}`, 1);
      const late = setTimeout(() => reject(new DOMException("no word from the storage", "TimeoutError")), OPEN_SECONDS * 1000);
      request.onupgradeneeded = () => {
        request.result.createObjectStore("events", { keyPath: "event_id" }).createIndex("place", "place");
        request.result.createObjectStore("things");
      };
      request.onblocked = () => {
        trouble = "Another tab holds an older form of the storage: close the other tabs of this page.";
        changed();
      };
      request.onerror = () => {
        clearTimeout(late);
        reject(request.error);
      };
      request.onsuccess = () => {
        clearTimeout(late);
        const database = request.result;
        trouble = "";
        database.onversionchange = () => giveUp(database); // another tab upgrades or deletes: it waits for this one
        database.onclose = () => giveUp(database); // the browser took the storage away
        resolve(database);
      };
    });
  }

  function giveUp(database) {
    database.close();
    opened = null;
    setTimeout(changed, 300); // look again what is there, once the other is done
  }

  async function transact(mode, act) {
    const database = await open();
    return new Promise((resolve, reject) => {
      let result;
      let transaction;
      try {
        transaction = database.transaction(["events", "things"], mode, { durability: "strict" });
      } catch (error) {
        opened = null; // the connection is gone; the next try opens another
        reject(error);
        return;
      }
      weak ||= mode === "readwrite" && transaction.durability !== "strict";
      transaction.oncomplete = () => resolve(result);
      transaction.onabort = () => reject(transaction.error ?? new DOMException("the write was given up", "AbortError"));
      act(transaction.objectStore("events"), transaction.objectStore("things"), (value) => { result = value; });
    });
  }

  // Within one transaction, which no other tab comes between.
  function add(events, event, give) {
    events.get(event.event_id).onsuccess = ({ target: { result: known } }) => {
      if (known) {
        give(known.event);
        return;
      }
      events.index("place").openKeyCursor(null, "prev").onsuccess = ({ target: { result: last } }) => {
        const kept = "counter" in event ? event : { ...event, counter: countOn(last?.key) };
        events.add({ event_id: kept.event_id, place: placeEvent(kept), event: kept });
        give(kept);
      };
    };
  }

  function listFormer() {
    // What earlier versions of this page kept in localStorage. It stays there: an older page may be open.
    const found = [];
    unreadable = 0;
    for (const prefix of [key, ...formerKeys].map((one) => `visclust:page:${one}:`)) {
      attempt(() => {
        for (let at = 0; at < localStorage.length; at += 1) {
          const name = localStorage.key(at);
          if (!name.startsWith(prefix)) continue;
          const event = attempt(() => JSON.parse(localStorage.getItem(name)), null);
          const sound = typeof event?.event_id === "string" && typeof event.item_id === "string"
            && Number.isFinite(Date.parse(event.answered_at));
          if (sound) found.push({ ...event, counter: event.counter ?? null });
          else if (event !== 1) unreadable += 1; // 1: how earlier versions tried whether there is a storage
        }
      });
    }
    return found;
  }

  async function load() {
    if (typeof indexedDB === "undefined" || indexedDB === null) {
      lasting = false;
      return [];
    }
    try {
      const former = listFormer();
      if (former.length) await transact("readwrite", (events) => former.forEach((event) => add(events, event, () => {})));
      return await transact("readonly", (events, _things, give) => {
        events.getAll().onsuccess = ({ target: { result } }) => give(result.map((one) => one.event));
      });
    } catch (error) {
      if (["SecurityError", "InvalidStateError", "NotSupportedError"].includes(error?.name)) {
        lasting = false; // a private window, or a browser that was told to keep nothing
        return [];
      }
      throw new Error(`The answers kept in this browser cannot be read: ${describeFault(error)}. This page tries again `
        + "every few seconds, and asks nothing before it knows what you have answered.");
    }
  }

  return {
    words: {
      opening: "Reading what this browser keeps",
      late: "The last answer is not confirmed by the browser's storage yet. Leave this page open.",
    },
    load,
    async append(event) {
      if (!lasting) throw new Error("Not saved: this browser keeps nothing.");
      try {
        const kept = await transact("readwrite", (events, _things, give) => add(events, event, give));
        attempt(() => channel.postMessage("changed"));
        return kept;
      } catch (error) {
        throw makeFault(error);
      }
    },
    status() {
      const words = [trouble];
      if (!lasting) words.push("This browser keeps nothing when the page is closed: download before you close it.");
      if (weak) words.push("This browser calls answers saved before they are on disk: download them often.");
      if (unreadable) words.push(`${unreadable} answers of an earlier version of this page cannot be read.`);
      return { lasting, words: words.filter(Boolean).join(" ") };
    },
    listen(listener) {
      changed = listener;
      const look = () => { if (document.visibilityState === "visible") changed(); };
      const onStorage = (event) => { if (event.key?.startsWith("visclust:page:")) changed(); };
      if (channel) channel.onmessage = () => changed();
      window.addEventListener("focus", look);
      document.addEventListener("visibilitychange", look);
      window.addEventListener("storage", onStorage); // a tab with an earlier version of the page
      return () => {
        changed = () => {};
        channel?.close();
        window.removeEventListener("focus", look);
        document.removeEventListener("visibilitychange", look);
        window.removeEventListener("storage", onStorage);
      };
    },
    recall(name) {
      return transact("readonly", (_events, things, give) => {
        things.get(name).onsuccess = ({ target: { result } }) => give(result ?? null);
      }).catch(() => null);
    },
    remember(name, value) {
      return transact("readwrite", (_events, things) => { things.put(value, name); }).catch(() => null);
    },
  };
}
