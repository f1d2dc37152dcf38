// The keeper of the answers for a page of a server (annotate_app.py): the server has the state, as a kernel has, and
// confirms what is on its disk. What it has not confirmed stays in this browser and is sent until it has.

const POLL_EVERY = 4000; // ms; what other tabs and devices of the same person answered is seen then
const GIVE_UP_AFTER = 15000; // ms without an answer of the server
const TRY_IMAGE_AGAIN = 3000; // ms
const SILENT = "Not connected: the server does not answer. What you answered is kept in this browser and sent when it is back; "
  + "leave this page open.";

function serverTransport(page, settings) {
  const drawer = makeDrawer(`visclust:pending:${settings.storage_key}:`);
  const channel = attempt(() => new BroadcastChannel(`visclust ${settings.storage_key}`), null);
  const tab = makeId();
  const underWay = new Set(); // ids of events that are being sent
  const unconfirmed = new Set(); // ids of events that the view waits for
  const images = new Map(); // item -> ids of its images
  let state = null;
  let order = { desk: "", number: -1 }; // of the state, among the replies of one desk
  let told = ""; // the last state as the view knows it
  let refusal = ""; // why the server did not save
  let silence = ""; // why it cannot be asked
  let closed = false;
  let timer = null;
  let zoomed = null;
  let receive = () => {};

  async function ask(what, { body = null, query = {}, keepalive = false } = {}) {
    const options = { headers: { [page.header]: page.link }, keepalive, redirect: "error", referrerPolicy: "no-referrer" };
    if (body) Object.assign(options, { method: "POST", body: JSON.stringify(body) });
    if (body) options.headers["content-type"] = "application/json";
    const control = new AbortController();
    const late = setTimeout(() => control.abort(), GIVE_UP_AFTER);
    try {
      const reply = await fetch(`/api/${page.kind}/${what}?${new URLSearchParams(query)}`, { ...options, signal: control.signal });
      return { reply, body: what === "image" && reply.ok ? await reply.blob() : await reply.json().catch(() => ({})) };
    } finally {
      clearTimeout(late);
    }
  }

  function tell(acknowledged = []) {
    const error = silence || state?.error || refusal;
    if (!state) {
      if (error) receive({ kind: "trouble", error });
      return;
    }
    const message = { ...state, acknowledged, error };
    const spelt = JSON.stringify(message);
    if (spelt === told) return; // nothing new: what is on the screen stays as it is
    told = spelt;
    receive(message);
  }

  function take({ desk, number, acknowledged, ...rest }) {
    if (desk !== order.desk || number > order.number) { // else another reply overtook this one
      state = rest;
      order = { desk, number };
      for (const [item, ids] of Object.entries(rest.images)) images.set(item, ids);
    }
    silence = "";
    tell(acknowledged);
  }

  async function keep(message) {
    const { event } = message;
    if (underWay.has(event.event_id)) return;
    underWay.add(event.event_id);
    try {
      const { reply, body } = await ask("events", { body: { tab, event } });
      if (reply.ok) {
        const done = body.acknowledged.includes(event.event_id);
        refusal = done ? "" : body.error;
        take(body);
        if (done) attempt(() => channel.postMessage("changed"));
      } else {
        refusal = `Not saved: ${body.error ?? `the server failed (${reply.status}).`}`;
        silence = "";
        tell();
      }
    } catch {
      silence = SILENT;
      tell();
    } finally {
      underWay.delete(event.event_id);
    }
  }

  async function look() {
    clearTimeout(timer);
    if (closed) return;
    try {
      const query = new URLSearchParams({ tab });
      for (const item of (state?.upcoming ?? []).slice(0, 1 + settings.max_unsaved)) query.append("shown", item);
      const { reply, body } = await ask("state", { query });
      if (reply.ok) {
        if (!unconfirmed.size) refusal = "";
        take(body);
      } else {
        silence = body.error ?? `The server failed (${reply.status}); this page tries again.`;
        tell();
      }
    } catch {
      silence = SILENT;
      tell();
    } finally {
      clearTimeout(timer);
      if (!closed) timer = setTimeout(() => { if (document.visibilityState === "visible") void look(); }, POLL_EVERY);
    }
  }

  async function fetchImage(id, side) {
    while (!closed) {
      try {
        const { reply, body } = await ask("image", { query: { id, side } });
        if (reply.ok) return URL.createObjectURL(body);
        if ([404, 410, 422].includes(reply.status)) return null; // it cannot be read: the view says so
      } catch {
        // No answer: the image is there, and the server is not.
      }
      await new Promise((resolve) => { setTimeout(resolve, TRY_IMAGE_AGAIN); });
    }
    return null;
  }

  async function fetchItem(item) {
    const sources = await Promise.all((images.get(item) ?? []).map((id) => fetchImage(id, page.side)));
    if (!closed) receive({ kind: "images", item_id: item, sources });
  }

  async function fetchZoom({ item_id: item, side }) {
    const id = images.get(item)?.[side];
    const source = id === undefined ? null : await fetchImage(id, page.zoom);
    if (!source) return;
    if (zoomed) URL.revokeObjectURL(zoomed);
    zoomed = source;
    receive({ kind: "zoom", item_id: item, side, source });
  }

  function send(message) {
    if (message.kind === "ready") void look();
    if (message.kind === "answer" || message.kind === "undo") void keep(message);
    if (message.kind === "images") void fetchItem(message.item_id);
    if (message.kind === "zoom") void fetchZoom(message);
  }

  function lookIfSeen() {
    if (document.visibilityState === "visible") void look();
  }

  function leave() {
    void ask("leave", { body: { tab }, keepalive: true }).catch(() => null);
  }

  function warn(event) {
    if (unconfirmed.size) event.preventDefault(); // the browser then asks whether to leave
  }

  return {
    words: {
      opening: "Asking the server",
      late: "The last answer is not confirmed by the server. It is kept in this browser and sent again; leave this page open.",
    },
    send: (message) => queueMicrotask(() => send(message)),
    remember(message) {
      unconfirmed.add(message.event.event_id);
      attempt(() => drawer.put(message.event.event_id, message));
    },
    forget(id) {
      unconfirmed.delete(id);
      attempt(() => drawer.remove(id));
    },
    recall: () => attempt(() => drawer.list().sort((one, other) => (one.event.answered_at < other.event.answered_at ? -1 : 1)), []),
    listen(listener) {
      receive = listener;
      if (channel) channel.onmessage = lookIfSeen;
      const events = [[window, "focus", lookIfSeen], [window, "online", lookIfSeen], [window, "pagehide", leave],
        [window, "pageshow", lookIfSeen], [document, "visibilitychange", lookIfSeen], [window, "beforeunload", warn]];
      for (const [target, name, act] of events) target.addEventListener(name, act);
      return () => {
        closed = true;
        clearTimeout(timer);
        channel?.close();
        for (const [target, name, act] of events) target.removeEventListener(name, act);
        leave();
      };
    },
  };
}

function mountServedPage() {
  const page = JSON.parse(document.getElementById("visclust-page").textContent);
  const root = document.getElementById("visclust-root");
  return mountLabeller(root, page.settings, serverTransport(page, page.settings));
}
