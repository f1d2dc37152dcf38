// What both views need: elements, keys and ids; and the way to a kernel, which keeps what a person says.
// A view is given a transport, the kernel's or that of a page without a kernel (labelling_page.js,
// browser_page.js). Each has the same five functions, and the words for waiting, so that one view serves both.

function makeElement(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text; // always as text: what people posted is never markup here
  return element;
}

function makeButton(className, label, keys, onClick) {
  const button = makeElement("button", `visclust-button ${className}`, label);
  button.type = "button";
  for (const key of keys) button.append(makeElement("kbd", "visclust-key", key));
  button.addEventListener("mousedown", (event) => event.preventDefault()); // the keys' focus stays put
  button.addEventListener("click", onClick);
  return button;
}

function makeId() {
  // Not crypto.randomUUID: browsers have it on https and localhost only, a shared server may be neither.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function matchesKey(event, key) {
  if (event.key.toLowerCase() === key.toLowerCase()) return true;
  const otherScript = event.key.length === 1 && event.key.charCodeAt(0) > 127; // a Cyrillic or Greek layout
  return otherScript && event.code === `Key${key.toUpperCase()}`;
}

function makeDrawer(prefix) {
  // One entry per event: two tabs can then write at once without overwriting each other's.
  return {
    put(id, value) {
      localStorage.setItem(prefix + id, JSON.stringify(value));
    },
    remove(id) {
      localStorage.removeItem(prefix + id);
    },
    list() {
      const found = [];
      for (let at = 0; at < localStorage.length; at += 1) {
        const key = localStorage.key(at);
        if (key.startsWith(prefix)) found.push(JSON.parse(localStorage.getItem(key)));
      }
      return found;
    },
  };
}

function attempt(action, otherwise) {
  try {
    return action();
  } catch {
    return otherwise; // private windows and sandboxed frames may have no storage; a dead kernel no channel
  }
}

function saveFile(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content]));
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// A view that asks anew what there is to do (`asksAnew`) hears of what other tabs of its person did.
function kernelTransport(model, settings, { asksAnew = false } = {}) {
  const drawer = makeDrawer(`visclust:pending:${settings.storage_key}:`);
  const channel = asksAnew ? attempt(() => new BroadcastChannel(`visclust ${settings.storage_key}`), null) : null;
  const listInOrder = () => drawer.list().sort((one, other) => (one.place ?? 0) - (other.place ?? 0)); // not by a clock
  return {
    words: {
      opening: "Waiting for the kernel",
      late: "The last answer is not confirmed. It is kept in this browser and sent again. If another cell is running, "
        + "wait for it; if the kernel was restarted, run this cell again (or reload the page).",
    },
    send: (message) => attempt(() => model.send(message)),
    remember: (message) => attempt(() => {
      drawer.put(message.event.event_id, { ...message, place: (listInOrder().at(-1)?.place ?? 0) + 1 });
    }),
    forget(id) {
      attempt(() => drawer.remove(id));
      attempt(() => channel?.postMessage("changed")); // other tabs of this person, each with a kernel of its own
    },
    recall: () => attempt(listInOrder, []),
    listen(receive) {
      const onMessage = (message, buffers) => {
        const bytes = buffers ?? [];
        const toUrl = (at) => URL.createObjectURL(new Blob([bytes[at]], { type: "image/jpeg" }));
        const copy = { ...message }; // a second view of the same widget gets the same object
        if (copy.kind === "images") copy.sources = copy.readable.map((ok, at) => (ok ? toUrl(at) : null));
        if (copy.kind === "zoom") copy.source = toUrl(0);
        if (copy.kind === "file") copy.content = bytes[0];
        receive(copy);
      };
      const look = () => {
        if (asksAnew && document.visibilityState === "visible") attempt(() => model.send({ kind: "ready" }));
      };
      if (channel) channel.onmessage = () => attempt(() => model.send({ kind: "ready" }));
      window.addEventListener("focus", look); // from another browser, or another tab that was closed
      document.addEventListener("visibilitychange", look);
      model.on("msg:custom", onMessage);
      return () => {
        channel?.close();
        window.removeEventListener("focus", look);
        document.removeEventListener("visibilitychange", look);
        model.off("msg:custom", onMessage);
      };
    },
  };
}
