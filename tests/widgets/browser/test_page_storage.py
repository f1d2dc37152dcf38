"""Where a page keeps its answers, and what it says where the browser keeps nothing, is full, or is old."""

import functools
import http.server
import json
import threading
from datetime import datetime

import pandas as pd
import pytest
from browser_tools import answer, make_study, read_done, wait_for_labeller, wait_until

import visclust as vc

pytestmark = pytest.mark.browser

# A handle of a file of the browser's own disk, which is written as one that a person chose.
PUT_HANDLE_IN = """async (name) => {
  const folder = await navigator.storage.getDirectory();
  window.handle = await folder.getFileHandle(name, { create: true });
  const chosen = new CustomEvent("visclust-file", { detail: window.handle });
  document.getElementById("visclust-root").dispatchEvent(chosen);
}"""
READ_FILE = """async (name) => {
  const folder = await navigator.storage.getDirectory();
  return (await (await folder.getFileHandle(name)).getFile()).text();
}"""
WRITE_FILE = """async ([name, text]) => {
  const folder = await navigator.storage.getDirectory();
  const writable = await (await folder.getFileHandle(name, { create: true })).createWritable();
  await writable.write(text);
  await writable.close();
}"""
BLOCKED = """IDBFactory.prototype.open = () => { throw new DOMException("blocked", "SecurityError"); };"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def export_page(folder, **options):
    images, pairs = make_study(folder, n_pairs=12, side=300)
    return vc.export_pair_page(pairs, images, annotator="Ana", save_to=folder / "pages", **options)


@pytest.fixture
def address(tmp_path):
    """A page from a server: files and quotas can be tried there, and not from a disk."""
    path = export_page(tmp_path)
    handler = functools.partial(Quiet, directory=str(path.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{path.name}"
        server.shutdown()


def read_saved(labeller):
    return labeller.locator(".visclust-saved").inner_text()


def read_message(labeller):
    return labeller.locator(".visclust-message").inner_text()


def read_file(page, name):
    return [json.loads(line) for line in page.evaluate(READ_FILE, name).splitlines()]


def download(page, labeller, folder, label="Download answers"):
    with page.expect_download() as expected:
        labeller.get_by_role("button", name=label).click()
    path = folder / expected.value.suggested_filename
    expected.value.save_as(path)
    return path


# A file of the annotator's choice.


def test_a_file_that_was_chosen_holds_every_answer_and_goes_on_after_a_reload(page, address, tmp_path):
    page.goto(address)
    labeller = wait_for_labeller(page)
    answer(page, labeller, ["s"], by="key")
    page.evaluate(PUT_HANDLE_IN, "ana.jsonl")
    wait_until(lambda: "also in ana.jsonl" in read_message(labeller), what="the file to be written")
    answer(page, labeller, ["d", "u"], by="key")
    labeller.press("z")
    wait_until(lambda: len(read_file(page, "ana.jsonl")) == 4, what="the undo in the file")
    page.reload()
    labeller = wait_for_labeller(page)
    wait_until(lambda: "also in ana.jsonl" in read_message(labeller), what="the page to go on with the file")
    answer(page, labeller, ["s"], by="key")
    wait_until(lambda: len(read_file(page, "ana.jsonl")) == 5, what="the fifth event in the file")
    (tmp_path / "ana.jsonl").write_text(page.evaluate(READ_FILE, "ana.jsonl"), encoding="utf-8")
    assert vc.import_answers(tmp_path / "ana.jsonl", tmp_path / "answers").added == 5
    standing = vc.current_answers(vc.read_answers(tmp_path / "answers"))
    assert standing["answer"].tolist() == ["same", "different", "same"]
    assert page.faults == []


def test_answers_in_the_chosen_file_count_where_the_browser_knows_none(page, address):
    rows = [{"event_id": "e1", "item_id": "pair000", "annotator": "ANA", "answer": "same", "seconds": 1,
             "answered_at": "2026-01-05T10:00:00.000Z", "retracts": None, "note": None}]  # fmt: skip
    page.goto(address)
    labeller = wait_for_labeller(page)
    page.evaluate(WRITE_FILE, ["ana.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows)])
    page.evaluate(PUT_HANDLE_IN, "ana.jsonl")
    wait_until(lambda: read_done(labeller) == 1, what="the answer from the file")
    answer(page, labeller, ["d"], by="key")
    wait_until(lambda: len(read_file(page, "ana.jsonl")) == 2, what="both in the file")
    assert [row["item_id"] for row in read_file(page, "ana.jsonl")] == ["pair000", "pair001"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"event_id": "e1", "annotator": "Ben", "item_id": "x"}\n', "holds answers of Ben"),
        (
            '{"event_id": "e1", "annotator": "Ana"}\n{"event_id": "e2", "ann',
            "Line 2 of other.jsonl is no answer",
        ),
        ("my notes\n", "Line 1 of other.jsonl is no answer"),
    ],
)
def test_a_file_of_somebody_or_something_else_is_left_as_it_is(page, address, text, said):
    page.goto(address)
    labeller = wait_for_labeller(page)
    page.evaluate(WRITE_FILE, ["other.jsonl", text])
    page.evaluate(PUT_HANDLE_IN, "other.jsonl")
    wait_until(lambda: said in read_message(labeller), what="the refusal")
    answer(page, labeller, ["s"], by="key")
    assert page.evaluate(READ_FILE, "other.jsonl") == text
    assert read_saved(labeller) == "All answers are saved"


def test_a_file_that_cannot_be_written_any_more_is_said_and_the_browser_still_keeps_all(page, address):
    page.goto(address)
    labeller = wait_for_labeller(page)
    page.evaluate(PUT_HANDLE_IN, "ana.jsonl")
    wait_until(lambda: "also in ana.jsonl" in read_message(labeller), what="the file to be written")
    page.evaluate("""() => {
      const fail = async () => { throw new DOMException("gone", "NotFoundError"); };
      FileSystemFileHandle.prototype.createWritable = fail;
    }""")
    answer(page, labeller, ["s"], by="key")
    wait_until(lambda: "could not be written (NotFoundError)" in read_message(labeller), what="the words")
    assert read_saved(labeller) == "All answers are saved"
    page.reload()
    assert read_done(wait_for_labeller(page)) == 1


# A browser that keeps nothing, or has no room.


@pytest.mark.parametrize(
    "script",
    [BLOCKED, 'Object.defineProperty(window, "indexedDB", { value: undefined });',
     """IDBFactory.prototype.open = () => { const request = {}; setTimeout(() => {
       Object.assign(request, { error: new DOMException("private", "InvalidStateError") }).onerror();
     }); return request; };"""],
)  # fmt: skip
def test_a_browser_that_keeps_nothing_says_so_and_the_download_has_all(page, tmp_path, script):
    page.add_init_script(script)
    page.goto(export_page(tmp_path).as_uri())
    labeller = wait_for_labeller(page)
    assert "keeps nothing when the page is closed: download" in read_message(labeller)
    answer(page, labeller, ["s", "d", "u"], by="key")
    labeller.press("z")
    wait_until(lambda: read_done(labeller) == 2, what="the undo")
    assert read_saved(labeller) == "4 not saved yet"
    rows = pd.read_json(download(page, labeller, tmp_path), lines=True)
    assert rows["answer"].tolist()[:3] == ["same", "different", "unsure"]
    assert rows["counter"].is_monotonic_increasing
    assert rows["counter"].is_unique


def test_a_page_with_answers_that_are_saved_nowhere_asks_before_it_is_left(page, tmp_path):
    page.add_init_script(BLOCKED)
    address = export_page(tmp_path).as_uri()
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.goto(address)
    answer(page, wait_for_labeller(page), ["same"], by="click")
    page.reload()
    assert asked == ["beforeunload"]
    labeller = wait_for_labeller(page)
    answer(page, labeller, ["same"], by="click")
    download(page, labeller, tmp_path)
    page.reload()
    assert asked == ["beforeunload"]


def test_a_file_keeps_what_the_browser_does_not(page, address):
    page.add_init_script(BLOCKED)
    page.goto(address)
    labeller = wait_for_labeller(page)
    answer(page, labeller, ["s"], by="key")
    assert read_saved(labeller) == "1 not saved yet"
    page.evaluate(PUT_HANDLE_IN, "ana.jsonl")
    wait_until(lambda: read_saved(labeller) == "All answers are saved", what="the file to take the answer")
    answer(page, labeller, ["d"], by="key")
    wait_until(lambda: read_saved(labeller) == "All answers are saved", what="the file to take the next")
    assert [row["answer"] for row in read_file(page, "ana.jsonl")] == ["same", "different"]


def test_a_full_disk_is_said_and_what_was_not_saved_is_once_there_is_room(page, address):
    origin = address.rsplit("/", 1)[0]
    console = page.context.new_cdp_session(page)
    console.send("Storage.overrideQuotaForOrigin", {"origin": origin, "quotaSize": 1})
    page.goto(address)
    labeller = wait_for_labeller(page)
    labeller.press("s")
    full = "Not saved: the browser's storage or the disk is full"
    wait_until(lambda: full in read_message(labeller), what="the words")
    assert read_saved(labeller) == "1 not saved yet"
    assert read_done(labeller) == 0  # what is not on disk does not count
    console.send("Storage.overrideQuotaForOrigin", {"origin": origin})
    wait_until(lambda: read_saved(labeller) == "All answers are saved", what="the answer to be saved")
    assert read_done(labeller) == 1
    assert "Not saved" not in read_message(labeller)
    page.reload()
    assert read_done(wait_for_labeller(page)) == 1


def test_a_browser_whose_storage_does_not_answer_is_said_to_be_silent(page, tmp_path):
    page.add_init_script("IDBFactory.prototype.open = () => ({});")
    page.clock.install()
    page.goto(export_page(tmp_path).as_uri())
    page.locator(".visclust-labeller").wait_for()
    page.clock.fast_forward(16_000)
    labeller = page.locator(".visclust-labeller")
    wait_until(lambda: "storage does not answer" in read_message(labeller), what="the words")
    assert labeller.locator(".visclust-choice[aria-disabled=false]").count() == 0  # nothing is asked twice


# Answers of an earlier version, in localStorage.


def test_answers_that_an_older_page_kept_are_taken_over_and_stay_where_they_are(page, tmp_path):
    path = export_page(tmp_path)
    data = json.loads(
        path.read_text(encoding="utf-8").split('id="visclust-page"')[1].split(">", 1)[1].split("<")[0]
    )
    (former,) = data["former_keys"]
    key = data["settings"]["storage_key"]
    events = [
        {"event_id": f"e{at}", "item_id": f"pair{at:03}", "answer": said, "seconds": 2,
         "answered_at": f"2026-01-05T10:0{at}:00.000Z", "note": None, "retracts": None}
        for at, said in enumerate(["same", "different", "unsure"])
    ]  # fmt: skip
    events.append(
        events[2] | {"event_id": "u", "retracts": "e2", "answer": None, "answered_at": "2026-01-05T10:09:00Z"}
    )
    page.goto(path.as_uri())
    wait_for_labeller(page)
    page.evaluate(
        "(entries) => { for (const [name, value] of entries) localStorage.setItem(name, value); }",
        [[f"visclust:page:{former}:{event['event_id']}", json.dumps(event)] for event in events[:2]]
        + [[f"visclust:page:{key}:{event['event_id']}", json.dumps(event)] for event in events[2:]]
        + [[f"visclust:page:{key}:broken", '{"event_id": "br'], ["visclust:page:another study:x", "1"]],
    )
    page.reload()
    labeller = wait_for_labeller(page)
    assert read_done(labeller) == 2
    assert "1 answers of an earlier version of this page cannot be read" in read_message(labeller)
    answer(page, labeller, ["s"], by="key")
    page.reload()
    labeller = wait_for_labeller(page)
    assert read_done(labeller) == 3
    lines = download(page, labeller, tmp_path)
    assert vc.import_answers(lines, tmp_path / "answers").added == 5
    standing = vc.current_answers(vc.read_answers(tmp_path / "answers"))
    assert standing["answer"].tolist() == ["same", "different", "same"]
    assert page.evaluate("localStorage.length") >= 6


def test_an_older_page_in_another_tab_is_heard(page, browser, tmp_path):
    path = export_page(tmp_path)
    page.goto(path.as_uri())
    labeller = wait_for_labeller(page)
    second = browser.new_page()
    second.goto(path.as_uri())
    wait_for_labeller(second)
    key = second.evaluate(
        "JSON.parse(document.getElementById('visclust-page').textContent).settings.storage_key"
    )
    event = {"event_id": "e1", "item_id": "pair000", "answer": "same", "answered_at": "2026-01-05T10:00:00Z"}
    second.evaluate(
        "([name, value]) => localStorage.setItem(name, value)",
        [f"visclust:page:{key}:e1", json.dumps(event)],
    )
    wait_until(lambda: read_done(labeller) == 1, what="the first tab to hear of it")


# Clocks, reminders and tabs.


def test_a_clock_that_is_set_back_changes_neither_undo_nor_what_stands(page, tmp_path):
    page.clock.install(time=datetime(2026, 1, 5, 12, 0))
    page.goto(export_page(tmp_path).as_uri())
    labeller = wait_for_labeller(page)
    answer(page, labeller, ["s"], by="key")
    page.clock.set_system_time(datetime(2026, 1, 5, 9, 0))
    answer(page, labeller, ["d"], by="key")
    labeller.press("z")  # of the second, whose time is the earlier one
    wait_until(lambda: read_done(labeller) == 1, what="the undo")
    answer(page, labeller, ["u"], by="key")
    page.reload()
    labeller = wait_for_labeller(page)
    answer(page, labeller, ["s"], by="key")
    lines = download(page, labeller, tmp_path)
    rows = pd.read_json(lines, lines=True)
    assert rows["counter"].is_monotonic_increasing
    assert not rows["answered_at"].is_monotonic_increasing
    vc.import_answers(lines, tmp_path / "answers")
    standing = vc.current_answers(vc.read_answers(tmp_path / "answers"))
    assert standing[["item_id", "answer"]].to_numpy().tolist() == [
        ["pair000", "same"], ["pair001", "unsure"], ["pair002", "same"]
    ]  # fmt: skip


def test_who_takes_long_over_an_answer_is_reminded_by_time(page, tmp_path):
    page.clock.install()
    page.goto(export_page(tmp_path).as_uri())
    labeller = wait_for_labeller(page)
    page.clock.fast_forward("40:00")
    assert read_message(labeller) == ""  # nothing to download yet
    answer(page, labeller, ["s"], by="key")
    page.clock.fast_forward("29:00")
    assert read_message(labeller) == ""
    page.clock.fast_forward("01:10")
    wait_until(lambda: "1 answer since your last download" in read_message(labeller), what="the reminder")
    download(page, labeller, tmp_path)
    wait_until(lambda: read_message(labeller) == "", what="the reminder to go")


def test_two_tabs_that_take_turns_never_ask_the_same_pair(page, browser, tmp_path):
    address = export_page(tmp_path).as_uri()
    page.goto(address)
    second = browser.new_page()
    second.goto(address)
    tabs = [(page, wait_for_labeller(page)), (second, wait_for_labeller(second))]
    for turn in range(12):
        tab, labeller = tabs[turn % 2]
        wait_until(
            lambda turn=turn, labeller=labeller: read_done(labeller) == turn, what="the other's answer"
        )
        answer(tab, labeller, ["s"], by="key")
    rows = pd.read_json(download(second, tabs[1][1], tmp_path), lines=True)
    assert rows["item_id"].tolist() == [f"pair{number:03}" for number in range(12)]
    assert rows["counter"].is_unique
