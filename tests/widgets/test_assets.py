"""Scripts and styles: what a browser loads is whole, and no file lies unused."""

import re
import shutil
import subprocess
from importlib.resources import files

import pytest

from visclust.widgets.assets import load_asset

LABELLERS = ("labelling_kernel.js", "labelling_page.js", "server_store.js")
BROWSERS = ("browser_kernel.js", "browser_page.js")
OTHERS = ("labelling.css", "browser.css", "name_page.js")
OF_BROWSERS = {"setTimeout", "setInterval", "clearInterval", "clearTimeout", "queueMicrotask",
               "requestAnimationFrame"}  # fmt: skip
PARAMETERS = {"onChange", "onCommit", "onClick", "onVisible", "drawRow"}


@pytest.mark.parametrize("name", LABELLERS + BROWSERS)
def test_the_scripts_that_a_browser_loads_define_every_function_that_they_call(name):
    script = load_asset(name)
    defined = set(re.findall(r"(\w+)\([^()]*\) \{", script)) | set(re.findall(r"const (\w+) =", script))
    defined |= set(re.findall(r"function (\w+)\(", script))
    called = set(re.findall(r"(?<![.\w])([a-z]+[A-Z]\w*)\(", script))
    assert called - OF_BROWSERS <= defined | (PARAMETERS if name in BROWSERS else set())
    assert ("mountBrowser" if name in BROWSERS else "buildFrame") in called
    assert "innerHTML" not in script


@pytest.mark.parametrize("name", LABELLERS + BROWSERS)
def test_no_name_is_defined_twice_in_one_script(name):
    names = re.findall(
        r"^(?:async )?(?:function|const|let|class) (\w+)", load_asset(name), flags=re.MULTILINE
    )
    assert len(names) > 20
    assert sorted(names) == sorted(set(names))


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize("name", LABELLERS + BROWSERS)
def test_the_scripts_are_whole_modules(name, tmp_path):
    script = tmp_path / "joined.mjs"
    script.write_text(load_asset(name), encoding="utf-8")
    subprocess.run(["node", "--check", script], check=True)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_answers_to_a_dead_kernel_are_sent_again_in_the_order_in_which_they_were_given(tmp_path):
    script = (files("visclust.widgets") / "static" / "shared.js").read_text(encoding="utf-8")
    (tmp_path / "pending.mjs").write_text(
        """const kept = new Map();
globalThis.localStorage = {
  setItem: (key, value) => kept.set(key, value), getItem: (key) => kept.get(key),
  removeItem: (key) => kept.delete(key), key: (at) => [...kept.keys()].sort()[at],
  get length() { return kept.size; },
};
"""
        + script
        + """
const tell = (id, time) => ({ kind: "answer", event: { event_id: id, answered_at: time } });
const first = kernelTransport(null, { storage_key: "a" });
first.remember(tell("z", "2026-01-05T12:00:00Z"));
first.remember(tell("m", "2026-01-05T09:00:00Z")); // the clock was set back
first.remember(tell("a", "2026-01-05T10:00:00Z"));
first.forget("z");
const again = kernelTransport(null, { storage_key: "a" });
again.remember(tell("b", "2026-01-05T08:00:00Z"));
console.log(again.recall().map((message) => message.event.event_id).join(" "));
process.exit(); // the channels between tabs would wait
"""
    )
    said = subprocess.run(["node", tmp_path / "pending.mjs"], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["m", "a", "b"]


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize(("name", "asked"), [("labelling_kernel.js", 2), ("browser_kernel.js", 0)])
def test_a_labeller_asks_anew_when_its_tab_comes_to_the_front_and_a_sheet_of_images_stays(
    tmp_path, name, asked
):
    script = load_asset(name)
    transport = re.search(
        r"kernelTransport\(model, settings.*?\)(?=\);)", script[script.index("export default") :]
    )[0]
    (tmp_path / "front.mjs").write_text(
        """const listeners = new Map(), sent = [];
const page = { addEventListener: (name, act) => listeners.set(name, act), removeEventListener() {} };
globalThis.window = page;
globalThis.document = { ...page, visibilityState: "visible" };
const model = { send: (message) => sent.push(message.kind), on() {}, off() {} };
const settings = { storage_key: "a" };
"""
        + (files("visclust.widgets") / "static" / "shared.js").read_text(encoding="utf-8")
        + f"""{transport}.listen(() => {{}});
for (const name of ["focus", "visibilitychange"]) listeners.get(name)();
console.log(sent.join(" "));
process.exit();
"""
    )
    said = subprocess.run(["node", tmp_path / "front.mjs"], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["ready"] * asked


def test_each_file_of_the_folder_is_loaded_by_some_module():
    folder = files("visclust.widgets") / "static"
    whole = "\n".join(load_asset(name) for name in (*LABELLERS, *BROWSERS, *OTHERS))
    unused = [one.name for one in folder.iterdir() if one.read_text(encoding="utf-8") not in whole]
    assert unused == []
