// What a page on a disk loads: a view whose answers go to the store of this browser.

function mountPage() {
  const page = JSON.parse(document.getElementById("visclust-page").textContent);
  const root = document.getElementById("visclust-root");
  const { settings } = page;
  if (window.showSaveFilePicker) settings.downloads.push({ format: "file", label: "Keep in a file too" });
  const store = browserStore(settings.storage_key, page.former_keys ?? []);
  const transport = pageTransport(page, settings, store);
  root.addEventListener("visclust-file", (event) => void transport.useFile(event.detail)); // a file given by a script
  attempt(() => void navigator.storage.persist().catch(() => null)); // ask to be spared where space gets short
  return mountLabeller(root, settings, transport);
}
