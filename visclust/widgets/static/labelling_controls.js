// The ways to answer: choices, a switch per feature, a scale per item. Each builds its buttons and returns what
// the view needs of it: reset for a new item (with the answer it had before an undo), enable, allowUndo, onKey.

const CONTROLS = {
  choices: buildChoices,
  toggles: buildToggles,
  ratings: buildRatings,
};

const KEY_NAMES = { ArrowLeft: "←", ArrowRight: "→", ArrowDown: "↓", ArrowUp: "↑" };
const PLACES = { Minus: "-", Equal: "=" }; // signs by their place, where a layout has other ones there
const MOST_BUTTONS = 11; // of a scale; more numbers get a slider

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

function readSign(event) {
  if (/^\d$/.test(event.key)) return event.key;
  const digit = /^Digit(\d)$/.exec(event.code);
  if (digit && !event.shiftKey) return digit[1]; // a French layout has its digits behind Shift
  if (event.key === "-" || event.key === "=") return event.key;
  return event.shiftKey ? "" : PLACES[event.code] ?? "";
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

// One image, a switch for each feature, and an answer that says what was asked and what is there.
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

// One image, and a scale for each item: buttons in a row, or a slider where there are many numbers.
function buildRatings(parent, settings, actions) {
  const [low, high] = settings.scale;
  const numbers = Array.from({ length: high - low + 1 }, (_, at) => low + at);
  const buildRow = numbers.length <= MOST_BUTTONS ? buildButtonRow : buildSliderRow;
  const values = new Map(); // item -> number, or null for "can't say"; without an entry: still open
  let open = false;
  let broken = false;
  let current = 0;

  const table = makeElement("div", "visclust-ratings");
  table.style.setProperty("--visclust-numbers", numbers.length <= MOST_BUTTONS ? numbers.length : 1);
  const longest = Math.max(...settings.items.flatMap((item) => item.split(" ").map((word) => word.length)));
  const least = buildRow === buildSliderRow ? 12 : 7; // a slider leaves room for longer names
  table.style.setProperty("--visclust-label", `${Math.min(16, Math.max(least, 1.5 + longest * 0.6))}em`); // breaks no word
  const head = makeElement("div", "visclust-ends");
  head.setAttribute("aria-hidden", "true"); // each scale says it in its own name
  const ends = makeElement("span", "visclust-between");
  ends.append(makeElement("span", "", settings.ends[0]), makeElement("span", "", settings.ends[1]));
  head.append(makeElement("span", ""), ends, makeElement("span", "visclust-unsure", "can’t say"));
  const rows = settings.items.map((item, at) => {
    const row = makeElement("div", "visclust-rating");
    row.dataset.item = item;
    row.setAttribute("aria-label", `${item}, from ${low}, ${settings.ends[0]}, to ${high}, ${settings.ends[1]}`);
    row.append(makeElement("span", "visclust-item", item));
    row.addEventListener("focusin", () => mark(at));
    return { item, row, ...buildRow(row, settings, item, numbers, (value) => { mark(at); rate(at, value); }) };
  });
  table.append(head, ...rows.map((one) => one.row));

  const next = makeDeed("next", "Next", "Enter", () => actions.submit(write()));
  const skip = makeDeed("skip", "Skip", "K", () => actions.submit("skip"));
  const count = makeElement("span", "visclust-count");
  count.setAttribute("role", "status");
  const keys = makeElement("p", "visclust-help", describeKeys());
  const tail = buildTail(settings, actions);
  const answers = makeElement("div", "visclust-actions");
  answers.append(next.button, skip.button, count);
  const rest = makeElement("div", "visclust-actions");
  rest.append(...tail.elements);
  parent.replaceChildren(table, keys, answers, rest);

  function describeKeys() {
    const digits = buildRow === buildButtonRow ? `Digits rate${low > 0 && high === 10 ? " (0 is 10)" : ""} and go on · ` : "";
    return `${digits}↑ ↓ other item · ← → change · C can’t say`;
  }

  function write() {
    const ratings = settings.items.map((item) => [item, values.get(item)]);
    return JSON.stringify({ scale: [low, high], ratings });
  }

  function mark(at) {
    current = at;
    for (const [place, { row }] of rows.entries()) row.classList.toggle("visclust-current", place === at);
  }

  function goTo(at) {
    mark(Math.min(rows.length - 1, Math.max(0, at)));
    rows[current].focus();
    rows[current].row.scrollIntoView({ block: "nearest" });
  }

  function rate(at, value) {
    if (!open || broken) return false;
    values.set(rows[at].item, value);
    draw();
    return true;
  }

  function change(step) {
    const value = values.get(rows[current].item);
    const from = typeof value === "number" ? value + step : null;
    const start = buildRow === buildSliderRow ? Math.round((low + high) / 2) : step > 0 ? low : high;
    rate(current, Math.min(high, Math.max(low, from ?? start)));
    rows[current].focus();
  }

  function draw() {
    const left = rows.filter(({ item }) => !values.has(item)).length;
    for (const one of rows) one.draw(values.get(one.item), open && !broken);
    markEnabled(next.button, open && !broken && !left);
    markEnabled(skip.button, open);
    skip.button.hidden = !settings.allow_skip && !broken;
    const words = left ? `${rows.length - left} of ${rows.length} rated` : "All rated";
    if (count.textContent !== words) count.textContent = words;
  }

  function goOn() {
    if (isEnabled(next.button)) next.act();
    else if (open) goTo(Math.max(0, rows.findIndex(({ item }) => !values.has(item)))); // shows what is missing
  }

  function findNumber(sign) {
    if (buildRow === buildSliderRow || !/^\d$/.test(sign)) return undefined;
    const digit = Number(sign);
    return numbers.find((number) => number === digit) ?? (digit === 0 ? numbers.find((number) => number === 10) : undefined);
  }

  function rateAndGoOn(value) {
    if (rate(current, value)) goTo(current + 1);
  }

  function chooseAct(event) {
    const { key } = event;
    const number = findNumber(readSign(event));
    if (key === "ArrowDown") return () => goTo(current + 1);
    if (key === "ArrowUp") return () => goTo(current - 1);
    if (key === "ArrowRight") return () => change(1);
    if (key === "ArrowLeft") return () => change(-1);
    if (key === "PageUp" || key === "PageDown") return () => change((key === "PageUp" ? 1 : -1) * Math.max(1, Math.round((high - low) / 10)));
    if (key === "Home" || key === "End") return () => { rate(current, key === "Home" ? low : high); rows[current].focus(); };
    if (event.repeat) return number !== undefined || /^[ckz]$|^Enter$/i.test(key) ? () => {} : null; // one press
    if (number !== undefined) return () => rateAndGoOn(number);
    if (key === "Enter") return goOn;
    if (matchesKey(event, "c")) return () => rateAndGoOn(null);
    if (matchesKey(event, "k") && !skip.button.hidden) return skip.act;
    if (matchesKey(event, "z")) return () => actions.undo();
    return null;
  }

  return {
    reset(_item, given) {
      values.clear();
      if (given && given !== "skip") for (const [item, value] of JSON.parse(given).ratings) values.set(item, value);
      const hadFocus = parent.contains(parent.getRootNode().activeElement);
      mark(0);
      if (hadFocus) rows[0].focus();
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
      const scale = event.target.closest("[role=radio], input");
      if (pressesButton(event) && !(scale && event.key === "Enter")) return false;
      const act = chooseAct(event);
      act?.();
      return Boolean(act);
    },
  };
}

function buildButtonRow(row, settings, item, numbers, rate) {
  row.setAttribute("role", "radiogroup");
  const radios = [...numbers, null].map((value) => {
    const button = makeButton("visclust-radio", value === null ? "–" : String(value), [], () => rate(value));
    button.setAttribute("role", "radio");
    if (value === null) {
      button.classList.add("visclust-unsure");
      button.setAttribute("aria-label", `${item}: can’t say`);
    } else {
      button.setAttribute("aria-label", `${item}: ${value}`);
    }
    button.dataset.value = String(value);
    return { value, button };
  });
  row.append(...radios.map(({ button }) => button));
  return {
    focus: () => row.querySelector("[tabindex='0']").focus({ preventScroll: true }),
    draw(chosen, on) {
      const stop = Math.max(0, radios.findIndex(({ value }) => value === chosen)); // one stop for Tab per item
      for (const [at, { value, button }] of radios.entries()) {
        button.setAttribute("aria-checked", String(value === chosen));
        button.tabIndex = at === stop ? 0 : -1;
        markEnabled(button, on);
      }
    },
  };
}

function buildSliderRow(row, settings, item, numbers, rate) {
  row.setAttribute("role", "group");
  const slider = makeElement("input", "visclust-slider");
  Object.assign(slider, { type: "range", min: numbers[0], max: numbers.at(-1), step: 1 });
  slider.setAttribute("aria-label", item);
  slider.addEventListener("input", () => rate(Number(slider.value)));
  const number = makeElement("output", "visclust-number");
  const unsure = makeButton("visclust-radio visclust-unsure", "–", [], () => rate(null));
  unsure.setAttribute("aria-label", `${item}: can’t say`);
  const middle = Math.round((numbers[0] + numbers.at(-1)) / 2);
  const between = makeElement("span", "visclust-between");
  between.append(slider, number);
  row.append(between, unsure);
  return {
    focus: () => slider.focus({ preventScroll: true }),
    draw(chosen, on) {
      slider.value = String(chosen ?? middle);
      slider.disabled = !on && chosen === undefined;
      slider.classList.toggle("visclust-open", typeof chosen !== "number"); // without a thumb nothing suggests a number
      slider.setAttribute("aria-valuetext", chosen === undefined ? "not rated yet" : chosen === null ? "can’t say" : String(chosen));
      number.textContent = typeof chosen === "number" ? String(chosen) : "";
      unsure.setAttribute("aria-pressed", String(chosen === null));
      markEnabled(unsure, on);
    },
  };
}
