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
