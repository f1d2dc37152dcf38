// The holder of the clusters for a page without a kernel: what the page was made with, to be read only. The
// transitions are those of browsing.py.

function sortRows(rows, clusters, by) {
  const makeKey = ([number]) => {
    const one = clusters.get(number);
    const wished = {
      size: [],
      posts: [-one.posts],
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
  let [sort, shown, opened] = ["size", "all", null];
  const asked = { words: "", author: "", since: "", until: "", frame: "" };
  let receive = () => {};

  function isShown(cluster) {
    if (asked.frame && !cluster.frames.includes(asked.frame)) return false;
    if (shown === "noise") return cluster.noise;
    if (shown === "named") return Boolean(cluster.name) && !cluster.noise;
    if (shown === "open") return !cluster.name && !cluster.noise && cluster.cluster >= 0;
    return true;
  }

  function filterImages(cluster) {
    const sought = isCalled(cluster) ? "" : asked.words.toLowerCase();
    if (!sought && !asked.author && !asked.since && !asked.until) return cluster.images;
    return cluster.images.filter((at) => page.images[at].posts.some((post) => passes(post, sought)));
  }

  // By its name or number: the words then filter none of its images.
  function isCalled(cluster) {
    const sought = asked.words.toLowerCase();
    if (cluster.name.toLowerCase().includes(sought)) return true;
    if (cluster.cluster < 0) return ["unassigned", "unassigned images"].includes(sought);
    const number = /^(?:cluster )?\s*#?(\d+)$/.exec(sought);
    return number !== null && Number(number[1]) === cluster.cluster;
  }

  function passes(post, sought) {
    const day = post.posted_at.slice(0, 10);
    const isInTime = (!asked.since && !asked.until)
      || (day && day >= asked.since && day <= (asked.until || "9999-12-31"));
    return isInTime && post.text.toLowerCase().includes(sought)
      && post.author.toLowerCase().includes(asked.author.toLowerCase());
  }

  function listImages(cluster) {
    const name = `c${cluster.cluster} ${JSON.stringify(asked)}`;
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
    tell({ rows: sortRows(kept, clusters, sort), sort, shown, ...asked, sheet: describeSheet(), ...more });
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
      for (const name of Object.keys(asked)) asked[name] = (message[name] ?? asked[name]).trim();
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
