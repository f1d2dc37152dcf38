// What Jupyter loads: a browser whose clusters a kernel holds.

export default {
  render({ model, el }) {
    const settings = model.get("settings");
    const root = document.createElement("div");
    el.append(root);
    return mountBrowser(root, settings, kernelTransport(model, settings));
  },
};
