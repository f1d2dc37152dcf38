// The ways to answer. Each entry builds its buttons and returns what the view needs of it: reset for a new
// item (with the answer it had before an undo), enable, allowUndo, onKey. Toggles and ratings have files of
// their own.

const CONTROLS = {
  choices: buildChoices,
  toggles: buildToggles,
  ratings: buildRatings,
};

const KEY_NAMES = { ArrowLeft: "←", ArrowRight: "→", ArrowDown: "↓", ArrowUp: "↑" };

function nameKey(key) {
  return KEY_NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key);
}

// aria-disabled, not disabled: a button that is disabled while it has the focus swallows the next key.
function markEnabled(button, on) {
  button.setAttribute("aria-disabled", String(!on));
}

function isEnabled(button) {
  return button.getAttribute("aria-disabled") === "false";
}

function buildTail(settings, actions) {
  const undo = makeButton("visclust-undo", "Undo", ["Z"], () => actions.undo());
  const downloads = settings.downloads.map(({ format, label }) =>
    makeButton("visclust-download", label, [], () => actions.download(format)));
  return { undo, elements: [makeElement("span", "visclust-gap"), undo, ...downloads] };
}

function makeDeed(value, label, key, act) {
  // A button and what it does, which a key does too without taking the focus from where it is.
  const actIfEnabled = () => { if (isEnabled(button)) act(); };
  const button = makeButton("visclust-choice", label, [key], actIfEnabled);
  button.dataset.value = value;
  return { button, act: actIfEnabled };
}

function pressesButton(event) {
  // Enter and space on a button that has the focus press it; the browser turns them into a click.
  return (event.key === "Enter" || event.key === " ") && event.target.closest("button") !== null;
}

function buildChoices(parent, settings, actions) {
  const answers = settings.choices.map((choice) => {
    const button = makeButton("visclust-choice", choice.label, choice.keys.map(nameKey), () => {
      if (button.getAttribute("aria-disabled") !== "true") actions.submit(choice.value);
    });
    button.dataset.value = choice.value;
    return { ...choice, button };
  });
  const tail = buildTail(settings, actions);
  parent.replaceChildren(...answers.map((choice) => choice.button), ...tail.elements);

  return {
    reset() {},
    enable(on, damaged) {
      for (const choice of answers) markEnabled(choice.button, on && (!damaged || choice.value === "skip"));
    },
    allowUndo(on) {
      markEnabled(tail.undo, on);
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
