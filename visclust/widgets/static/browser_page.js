// The holder of the clusters for a page without a kernel: what the page was made with, to be read only. The
// transitions are those of browsing.py.

function sortRows(rows, clusters, by) {
  const makeKey = ([number]) => {
    const one = clusters.get(number);
    const wished = {
      size: [],
      silhouette: [one.silhouette === null ? 1 : 0, -(one.silhouette ?? 0)],
      iteration: [one.iteration === null ? 1 : 0, one.iteration ?? 0],
      name: [one.name ? 0 : 1, one.name.toLowerCase()],
    }[by];
    return [number < 0 ? 1 : 0, ...wished, -one.size, number];
  };
  const keys = new Map(rows.map((row) => [row, makeKey(row)]));
  return [...rows].sort((one, other) => {
    const [a, b] = [keys.get(one), keys.get(other)];
    const at = a.findIndex((value, place) => value !== b[place]);
    return at < 0 ? 0 : a[at] < b[at] ? -1 : 1;
  });
}

function clusterPageTransport(page) {
  const clusters = new Map(page.clusters.map((cluster) => [cluster.cluster, cluster]));
  const lists = new Map(); // name -> places in page.images
  let [sort, shown, words, opened] = ["size", "all", "", null];
  let receive = () => {};

  function isShown(cluster) {
    if (shown === "noise") return cluster.noise;
    if (shown === "named") return Boolean(cluster.name) && !cluster.noise;
    if (shown === "open") return !cluster.name && !cluster.noise && cluster.cluster >= 0;
    return true;
  }

  function filterImages(cluster) {
    const sought = words.toLowerCase();
    if (!sought || cluster.name.toLowerCase().includes(sought)) return cluster.images;
    return cluster.images.filter((at) => page.images[at].posts.some((post) => post.text.toLowerCase().includes(sought)));
  }

  function listImages(cluster) {
    const name = `c${cluster.cluster} ${words}`;
    lists.set(name, filterImages(cluster));
    return [name, lists.get(name).length];
  }

  function describeSheet() {
    if (opened === null) return null;
    const [list, count] = listImages(clusters.get(opened));
    return { title: "", cluster: opened, count, depth: 1, list };
  }

  function tell(parts) {
    receive({ kind: "state", parts, acknowledged: [], error: "", message: page.message });
  }

  function tellRows(more = {}) {
    const rows = [...clusters.values()].filter(isShown).map((cluster) => {
      const [list, count] = listImages(cluster);
      return [cluster.cluster, count, list];
    });
    const kept = rows.filter(([, count]) => count > 0);
    tell({ rows: sortRows(kept, clusters, sort), sort, shown, words, sheet: describeSheet(), ...more });
  }

  function sendImages({ list, start, stop }) {
    const images = (lists.get(list) ?? []).slice(start, stop);
    receive({ kind: "images", list, start, images, sources: images.map((at) => page.images[at].source) });
  }

  const answers = {
    ready: () => tellRows({ clusters: page.clusters, selected: [] }),
    sort({ by }) {
      sort = by;
      tellRows();
    },
    filter(message) {
      shown = message.shown ?? shown;
      words = (message.words ?? words).trim();
      tellRows();
    },
    open({ cluster }) {
      opened = cluster;
      tell({ sheet: describeSheet() });
    },
    back() {
      opened = null;
      tell({ sheet: null });
    },
    images: ({ wanted }) => wanted.forEach(sendImages),
    posts({ image }) {
      const { id, cluster, total, posts } = page.images[image];
      receive({ kind: "posts", image, image_id: id, cluster, total, posts });
    },
  };
  return {
    send: (message) => queueMicrotask(() => answers[message.kind]?.(message)),
    remember() {},
    forget() {},
    recall: () => [],
    listen(listener) {
      receive = listener;
      return () => { receive = () => {}; };
    },
  };
}

function mountClusterPage() {
  const page = JSON.parse(document.getElementById("visclust-page").textContent);
  return mountBrowser(document.getElementById("visclust-root"), page.settings, clusterPageTransport(page));
}
