// The parts of the cluster browser that are always there: bar, messages, the enlarged image.

const SORT_NAMES = { size: "size", silhouette: "silhouette", iteration: "iteration", name: "name" };
const SHOWN_NAMES = { all: "all clusters", open: "not named yet", named: "named", noise: "noise" };

function nameCluster(cluster) {
  if (cluster.cluster < 0) return "Unassigned images";
  return cluster.name || `Cluster ${cluster.cluster}`;
}

function describeCluster(cluster) {
  const words = [`${cluster.size} image${cluster.size === 1 ? "" : "s"}`];
  if (cluster.silhouette !== null) words.push(`silhouette ${cluster.silhouette.toFixed(2)}`);
  if (cluster.iteration > 0) words.push(`iteration ${cluster.iteration}`);
  return words.join(" · ");
}

function describeLeft(cluster, count, isPage) {
  if (count >= cluster.size) return "";
  return `${count} ${isPage ? "in this page" : count === 1 ? "passes the filter" : "pass the filter"}`;
}

function makeChoice(label, names, onChange) {
  const field = makeElement("label", "visclust-field", `${label} `);
  const choice = makeElement("select", "visclust-select");
  choice.setAttribute("aria-label", label); // the text of the label has all the options in it
  for (const [value, name] of Object.entries(names)) {
    const option = makeElement("option", "", name);
    option.value = value;
    choice.append(option);
  }
  choice.addEventListener("change", () => onChange(choice.value));
  field.append(choice);
  return { field, choice };
}

function makeTextField(label, tag, onCommit) {
  const field = makeElement("label", "visclust-field", `${label} `);
  const box = makeElement(tag, "visclust-text");
  if (tag === "input") box.type = "text";
  box.maxLength = 2000;
  box.addEventListener("change", () => onCommit(box.value.trim()));
  field.append(box);
  return { field, box };
}

function buildBrowserFrame(root, settings, actions) {
  root.className = "visclust-browser";
  root.tabIndex = -1;
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Cluster browser");
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab would delete the cell on D D
  root.style.setProperty("--visclust-height", `${settings.height}px`);
  const sort = makeChoice("Sort by", SORT_NAMES, actions.sort);
  const shown = makeChoice("Show", SHOWN_NAMES, actions.show);
  const label = settings.has_posts ? "Words in posts or names" : "Words in names";
  const filter = makeTextField(label, "input", () => {});
  filter.box.type = "search";
  let timer = 0;
  filter.box.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => { // ms: a word is typed, not each letter sought
      timer = 0;
      actions.filter(filter.box.value);
    }, 300);
  });
  const parts = {
    sort: sort.choice,
    shown: shown.choice,
    filter: filter.box,
    isTyped: () => timer !== 0, // what is in the box is not what holds yet
    count: makeElement("span", "visclust-count"),
    selected: makeElement("span", "visclust-selected"),
    openSelection: makeButton("visclust-open-selection", "Open selection", [], actions.openSelection),
    clearSelection: makeButton("visclust-clear-selection", "Clear", [], actions.clearSelection),
    body: makeElement("div", "visclust-body"),
    saved: makeElement("span", "visclust-saved"),
    keys: makeElement("span", "visclust-keys"),
    message: makeElement("p", "visclust-message"),
    zoom: makeElement("dialog", "visclust-zoom"),
  };
  parts.clearSelection.setAttribute("aria-label", "Clear the selection");
  parts.message.setAttribute("role", "status");
  parts.count.setAttribute("role", "status");
  parts.zoom.setAttribute("aria-label", "Enlarged image");
  const bar = makeElement("div", "visclust-bar-top");
  bar.append(sort.field, shown.field, filter.field, parts.count);
  if (!settings.readonly) bar.append(parts.selected, parts.openSelection, parts.clearSelection);
  const foot = makeElement("div", "visclust-foot");
  foot.append(parts.keys, parts.saved);
  root.replaceChildren(bar, parts.body, foot, parts.message, parts.zoom);
  return parts;
}
