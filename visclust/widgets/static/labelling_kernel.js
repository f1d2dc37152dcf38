// What Jupyter loads: a view whose answers go to the kernel.

export default {
  render({ model, el }) {
    const settings = model.get("settings");
    const root = document.createElement("div");
    el.append(root);
    return mountLabeller(root, settings, kernelTransport(model, settings, { asksAnew: true }));
  },
};
