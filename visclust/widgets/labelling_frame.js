// What is on the screen: elements, their texts, the keys.

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
