// The ways to answer. Each entry builds its buttons and returns what the view needs of it; widgets with
// toggles or scales add an entry here and name it in their settings.

const CONTROLS = {
  choices: buildChoices,
};

function buildChoices(parent, settings, actions) {
  const KEY_NAMES = { ArrowLeft: "←", ArrowRight: "→", ArrowDown: "↓", ArrowUp: "↑" };
  const name = (key) => KEY_NAMES[key] ?? key.toUpperCase();
  const answers = settings.choices.map((choice) => {
    const button = makeButton("visclust-choice", choice.label, choice.keys.map(name), () => {
      if (button.getAttribute("aria-disabled") !== "true") actions.submit(choice.value);
    });
    button.dataset.value = choice.value;
    return { ...choice, button };
  });
  const undo = makeButton("visclust-undo", "Undo", ["Z"], () => actions.undo());
  const downloads = settings.downloads.map(({ format, label }) =>
    makeButton("visclust-download", label, [], () => actions.download(format)));
  const gap = makeElement("span", "visclust-gap");
  parent.replaceChildren(...answers.map((choice) => choice.button), gap, undo, ...downloads);

  // aria-disabled, not disabled: a button that is disabled while it has the focus swallows the next key.
  const mark = (button, on) => button.setAttribute("aria-disabled", String(!on));

  return {
    reset() {},
    enable(on, damaged) {
      for (const choice of answers) mark(choice.button, on && (!damaged || choice.value === "skip"));
    },
    allowUndo(on) {
      mark(undo, on);
    },
    onKey(event) {
      const choice = answers.find((one) => one.keys.some((key) => matchesKey(event, key)));
      const isUndo = matchesKey(event, "z");
      if ((choice || isUndo) && !event.repeat) { // a key held down is one answer
        if (isUndo) actions.undo();
        else actions.submit(choice.value);
      }
      return Boolean(choice || isUndo);
    },
  };
}
