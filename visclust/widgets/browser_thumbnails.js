// Thumbnails by list and place in it: asked for when they are seen, kept while there is room.

const KEPT_THUMBNAILS = 2000;
const SETTLE_AFTER = 60; // ms; rows that fly past while one scrolls are not asked for
const ASK_AGAIN_AFTER = 10000; // ms
const AT_ONCE = 24; // thumbnails in one request; the next waits for its answer, so that what is seen now comes soon

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
