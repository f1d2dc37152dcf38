// Thumbnails by list and place in it: asked for when they are seen, kept while there is room.

const KEPT_THUMBNAILS = 2000;
const SETTLE_AFTER = 60; // ms; rows that fly past while one scrolls are not asked for
const ASK_AGAIN_AFTER = 10000; // ms

function makeThumbnails(root, transport) {
  const found = new Map(); // key -> {image, source}
  const asked = new Map(); // key -> time
  let wanted = [];
  let timer = 0;
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
    const now = performance.now();
    const isMissing = (key) => !found.has(key) && !(now - asked.get(key) < ASK_AGAIN_AFTER);
    const ranges = [];
    for (const { list, start, stop } of wanted) {
      const missing = [];
      for (let at = start; at < stop; at += 1) if (isMissing(makeKey(list, at))) missing.push(at);
      if (!missing.length) continue;
      ranges.push({ list, start: missing[0], stop: missing.at(-1) + 1 });
      for (const at of missing) asked.set(makeKey(list, at), now);
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
      images.forEach((image, offset) => {
        const key = makeKey(list, start + offset);
        asked.delete(key);
        if (found.get(key)?.source?.startsWith("blob:")) URL.revokeObjectURL(found.get(key).source);
        found.set(key, { image, source: sources[offset] });
        for (const cell of root.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)) paint(cell, found.get(key));
      });
      forgetOldest();
    },
    forgetAsked: () => asked.clear(),
    stop() {
      clearTimeout(timer);
      for (const { source } of found.values()) if (source?.startsWith("blob:")) URL.revokeObjectURL(source);
    },
  };
}
