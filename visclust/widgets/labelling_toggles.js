// One image, a switch for each feature, and an answer that says what was asked and what is there.

const PLACES = { Minus: "-", Equal: "=" }; // by their place, where a layout has other signs there

function readSign(event) {
  if (/^\d$/.test(event.key)) return event.key;
  const digit = /^Digit(\d)$/.exec(event.code);
  if (digit && !event.shiftKey) return digit[1]; // a French layout has its digits behind Shift
  if (event.key === "-" || event.key === "=") return event.key;
  return event.shiftKey ? "" : PLACES[event.code] ?? "";
}

function buildToggles(parent, settings, actions) {
  let open = false;
  let broken = false;
  const toggles = settings.toggles.map(({ name, key }) => {
    const button = makeButton("visclust-toggle", "", [], () => toggle({ button }));
    button.append(makeElement("span", "visclust-check"), makeElement("span", "visclust-name", name));
    if (key) {
      button.append(makeElement("kbd", "visclust-key", key));
      button.setAttribute("aria-keyshortcuts", key);
    }
    button.setAttribute("aria-label", name);
    button.setAttribute("aria-pressed", "false");
    button.dataset.name = name;
    return { name, key, button };
  });
  const grid = makeElement("div", "visclust-toggles");
  grid.setAttribute("role", "group");
  grid.setAttribute("aria-label", settings.question);
  grid.style.gridTemplateRows = `repeat(${Math.ceil(toggles.length / 2)}, auto)`; // down, then to the right
  grid.append(...toggles.map((one) => one.button));

  const write = (present) => JSON.stringify({ asked: toggles.map((one) => one.name), present });
  const nothing = makeDeed("nothing", "Nothing here", "N", () => actions.submit(write([])));
  const next = makeDeed("next", "Next", "Enter", () => actions.submit(write(listOn())));
  const skip = makeDeed("skip", "Skip", "K", () => actions.submit("skip"));
  const tail = buildTail(settings, actions);
  const answers = makeElement("div", "visclust-actions");
  answers.append(nothing.button, next.button, skip.button);
  const rest = makeElement("div", "visclust-actions");
  rest.append(...tail.elements);
  parent.replaceChildren(grid, answers, rest);

  function isOn({ button }) {
    return button.getAttribute("aria-pressed") === "true";
  }

  function listOn() {
    return toggles.filter(isOn).map((one) => one.name);
  }

  function toggle(one) {
    if (!isEnabled(one.button)) return;
    one.button.setAttribute("aria-pressed", String(!isOn(one)));
    draw();
  }

  function draw() {
    const some = toggles.some(isOn);
    for (const { button } of toggles) markEnabled(button, open && !broken);
    markEnabled(next.button, open && !broken && some); // an Enter too many is no "nothing"
    markEnabled(nothing.button, open && !broken && !some);
    markEnabled(skip.button, open);
  }

  return {
    reset(_item, given) {
      const present = given && given !== "skip" ? JSON.parse(given).present : [];
      for (const { name, button } of toggles) button.setAttribute("aria-pressed", String(present.includes(name)));
    },
    enable(on, damaged) {
      open = on;
      broken = damaged;
      draw();
    },
    allowUndo(on) {
      markEnabled(tail.undo, on);
    },
    onKey(event) {
      if (pressesButton(event)) return false;
      const sign = readSign(event);
      const named = toggles.find((one) => sign && one.key === sign);
      const goesOn = event.key === "Enter" || event.key === " ";
      const does = named ? () => toggle(named)
        : goesOn ? next.act
          : matchesKey(event, "n") ? nothing.act
            : matchesKey(event, "k") ? skip.act
              : matchesKey(event, "z") ? () => actions.undo() : null;
      if (does && !event.repeat) does(); // a key held down is one press
      return Boolean(does);
    },
  };
}
