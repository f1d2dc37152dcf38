"""The web server's addresses: who may see and do what, and what a browser is told to allow."""

import io
import json
import os
import re
import subprocess
import sys
import threading

import pandas as pd
import pytest
from PIL import Image
from served_studies import make_event, make_links, make_plan, make_results
from starlette.testclient import TestClient

import visclust as vc
from visclust.widgets import annotate_app
from visclust.widgets.annotate_app import MOST_BYTES, make_app
from visclust.widgets.annotate_desks import Desks

MARKUP = '<img src=x onerror="window.hacked=1"></script><script>alert(1)</script>'


class Server:
    """An application on a study of its own, asked as browsers ask."""

    def __init__(self, folder, *, may_type_names=False, **changes):
        self.folder = folder
        make_results(folder)
        self.links, self.people = make_links(folder)
        self.said = []
        app = make_app(
            self.links,
            Desks(make_plan(folder, **changes)),
            may_type_names=may_type_names,
            say=self.said.append,
        )
        self.web = TestClient(app, raise_server_exceptions=False)

    def head(self, name):
        return {"x-visclust-link": self.people[name].token}

    def page(self, name, kind=""):
        return self.web.get(f"/{self.people[name].token}" + (f"/{kind}" if kind else ""))

    def state(self, name, kind="pairs", tab="t"):
        return self.web.get(f"/api/{kind}/state", params={"tab": tab}, headers=self.head(name))

    def send(self, name, event, kind="pairs", tab="t"):
        return self.web.post(
            f"/api/{kind}/events", json={"tab": tab, "event": event}, headers=self.head(name)
        )

    def image(self, name, image, side="384", kind="pairs", **headers):
        query = {"id": image, "side": side}
        return self.web.get(f"/api/{kind}/image", params=query, headers=self.head(name) | headers)

    def rows(self, folder="answers"):
        return vc.read_answers(self.folder / folder)


@pytest.fixture
def server(tmp_path):
    return Server(tmp_path)


def test_a_person_sees_their_tasks_and_how_far_they_are(server):
    server.send("Ana", make_event(1, "p0"))
    page = server.page("Ana")
    assert page.status_code == 200
    assert re.findall(r"<h2>(.*?)</h2>", page.text) == [
        "Pairs of images",
        "What images show",
        "What images make you feel",
    ]
    assert "1 of 5 done" in page.text
    assert f'href="/{server.people["Ana"].token}/pairs">Go on' in page.text
    assert server.page("Ana", "pairs").status_code == 200
    assert "Pairs to decide" in server.page("Cem").text


def test_a_page_says_nothing_of_files_strata_or_others(server):
    text = server.page("Ana").text + server.page("Ana", "pairs").text + server.state("Ana").text
    for secret in ("secret-name", "secret-stratum", "inclusion", str(server.folder), "Ben", "results"):
        assert secret not in text
    assert server.people["Ben"].token not in text


@pytest.mark.parametrize("kind, folder, item, answer", [
    ("pairs", "answers", "p0", "same"),
    ("features", "feature_answers", "img0", '{"asked":["flag","crowd"],"present":["crowd"]}'),
    ("ratings", "rating_answers", "img0", None),
])  # fmt: skip
def test_pairs_features_and_ratings_are_kept_as_the_widgets_keep_them(server, kind, folder, item, answer):
    if kind == "ratings":
        order = json.loads(
            re.search(r'id="visclust-page">(.*?)</script>', server.page("Ana", kind).text).group(1)
        )
        answer = json.dumps({"scale": [1, 5], "ratings": [[name, 3] for name in order["settings"]["items"]]},
                            separators=(",", ":"))  # fmt: skip
    told = server.send("Ana", make_event(1, item, answer), kind).json()
    assert (told["acknowledged"], told["error"]) == (["e1"], "")
    row = server.rows(folder).iloc[0]
    assert (row["item_id"], row["annotator"], row["answer"]) == (item, "Ana", answer)
    assert (row["left"] == "img0") == (kind == "pairs")


def test_the_ratings_that_were_served_are_read_like_any_survey(server):
    order = json.loads(
        re.search(r'id="visclust-page">(.*?)</script>', server.page("r2", "ratings").text).group(1)
    )
    for number, item in enumerate(["img2", "img3"]):
        rated = [[name, 2 + number] for name in order["settings"]["items"]]
        answer = json.dumps({"scale": [1, 5], "ratings": rated}, separators=(",", ":"))
        assert server.send("r2", make_event(number, item, answer), "ratings").json()["error"] == ""
    read = vc.read_ratings(
        server.folder / "rating_answers", pd.read_parquet(server.folder / "assignment.parquet"),
        items={"mood": ("happy", "sad")}, scale=(1, 5),
    )  # fmt: skip
    given = read.ratings.dropna(subset="rating")
    assert given["respondent"].unique().tolist() == ["r2"]
    assert given.groupby("image_id")["rating"].unique().map(list).to_dict() == {"img2": [2], "img3": [3]}


def test_a_wrong_link_shows_one_friendly_page_that_hints_at_nothing(server):
    pages = [server.web.get(f"/{wrong}") for wrong in (
        "x", "0" * 48, server.people["Ana"].token[:-1], server.people["Ana"].token + "/disputed/x", "pairs",
        "annotator_links.json", "%2e%2e%2fstudy.toml", "api", "api/pairs", "é",
    )]  # fmt: skip
    pages.append(server.web.get("/"))
    assert {page.status_code for page in pages} == {404}
    assert len({page.text for page in pages}) == 1
    assert "This link does not work" in pages[0].text
    assert not any(hint in pages[0].text for hint in ("study", "Ana", "pairs", "visclust"))


@pytest.mark.parametrize("header", [None, "", "0" * 48, "é".encode("latin-1")])
@pytest.mark.parametrize("what", ["state?tab=t", "image?id=img0&side=384"])
def test_nothing_is_told_without_the_link_in_the_header(server, what, header):
    headers = {} if header is None else {"x-visclust-link": header}
    reply = server.web.get(f"/api/pairs/{what}", headers=headers)
    assert reply.status_code == 403
    assert "Ask the person who sent it" in reply.json()["error"]
    # In the address it opens a page, and no more: another site could make a browser ask for that.
    token = server.people["Ana"].token
    assert server.web.get(f"/api/pairs/{what}&link={token}").status_code == 403


def test_another_site_cannot_make_a_browser_answer(server):
    token, event = server.people["Ana"].token, {"tab": "t", "event": make_event(1, "p0")}
    as_form = {"x-visclust-link": token, "content-type": "text/plain"}
    assert server.web.post("/api/pairs/events", content=json.dumps(event), headers=as_form).status_code == 415
    assert server.web.post("/api/pairs/events", json=event).status_code == 403
    asked = {"origin": "http://evil.example", "access-control-request-method": "POST",
             "access-control-request-headers": "x-visclust-link"}  # fmt: skip
    reply = server.web.options("/api/pairs/events", headers=asked)
    assert reply.status_code == 405
    assert not [name for name in reply.headers if name.startswith("access-control")]
    assert not list(server.folder.glob("answers/*"))


def test_every_reply_tells_the_browser_to_allow_as_little_as_can_be(server):
    replies = [server.page("Ana"), server.page("Ana", "pairs"), server.web.get("/nobody"),
               server.state("Ana"),
               server.web.get("/api/pairs/state"), server.image("Ana", "img0"), server.web.post("/"),
               server.web.get("/robots.txt"), server.send("Ana", make_event(1, "p0"))]  # fmt: skip
    for reply in replies:
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert reply.headers["x-frame-options"] == "DENY"
        policy = reply.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert policy.endswith("frame-ancestors 'none'")
        assert "unsafe" not in policy
        assert "server" not in reply.headers
    kept = [reply.headers["cache-control"] for reply in replies]
    assert kept.pop(5) == "private, no-cache"  # the image
    assert set(kept) == {"no-store"}


def test_texts_of_others_stay_texts_on_every_page(tmp_path):
    server = Server(tmp_path, question=MARKUP, construct=MARKUP)
    person = server.links.add(MARKUP)
    for page in (f"/{person.token}", f"/{person.token}/pairs"):
        text = server.web.get(page).text
        assert MARKUP not in text
        assert "<img" not in text
        assert text.count("<script") == (2 if page.endswith("pairs") else 0)


def test_an_image_is_given_by_its_id_small_or_large_and_without_its_metadata(server):
    photo = Image.new("RGB", (3000, 2000), "red")
    exif = photo.getexif()
    exif[0x010E] = "taken at home"
    photo.save(server.folder / "photos" / "secret-name-0.png", exif=exif)
    sizes = {side: server.image("Ana", "img0", side) for side in ("384", "1600")}
    for side, reply in sizes.items():
        assert reply.headers["content-type"] == "image/jpeg"
        assert max(Image.open(io.BytesIO(reply.content)).size) == int(side)
        assert b"taken at home" not in reply.content
    assert server.image("Ana", "img0", "99999").status_code == 404


@pytest.mark.parametrize("wrong", [
    "photos/secret-name-0.png", "../images.parquet", "/etc/passwd", "..%2f..%2fetc%2fpasswd", "img0\x00.png",
    "file:///etc/passwd", "img99", "IMG0",
])  # fmt: skip
def test_an_image_is_never_given_by_a_path(server, wrong):
    assert server.image("Ana", wrong).status_code == 404


def test_a_person_gets_no_image_of_a_task_that_is_not_theirs(server):
    assert server.image("r2", "img0").status_code == 409  # the pairs are not for respondents
    assert server.image("r2", "img0", "640", kind="ratings").status_code == 404  # nor Ana's images
    assert server.image("r2", "img2", "640", kind="ratings").status_code == 200


def test_an_image_is_sent_once_and_again_only_when_its_file_has_changed(server):
    first = server.image("Ana", "img0")
    tag = first.headers["etag"]
    again = server.image("Ana", "img0", **{"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert server.image("Ana", "img0", **{"if-none-match": f'"x", W/{tag}'}).status_code == 304
    Image.new("RGB", (70, 50), "blue").save(server.folder / "photos" / "secret-name-0.png")
    assert server.image("Ana", "img0", **{"if-none-match": tag}).status_code == 200


def test_an_image_that_is_gone_or_damaged_is_said_without_its_path(server):
    (server.folder / "photos" / "secret-name-0.png").write_bytes(b"no image")
    (server.folder / "photos" / "secret-name-1.png").unlink()
    for image in ("img0", "img1"):
        reply = server.image("Ana", image)
        assert (reply.status_code, reply.json()) == (410, {"error": "This image cannot be read."})


def test_encoded_images_stay_in_memory_up_to_a_bound(server, monkeypatch):
    monkeypatch.setattr(annotate_app, "_IMAGE_BYTES", 3000)
    store = annotate_app._ImageStore()
    for number in range(100):
        store._keep(str(number), b"x" * 500)
    assert store._size <= 3000
    assert list(store._kept) == ["96", "97", "98", "99"]


def test_the_same_answer_sent_again_after_a_lost_reply_is_one_row(server):
    for _ in range(3):
        assert server.send("Ana", make_event(1, "p0")).json()["acknowledged"] == ["e1"]
    threads = [threading.Thread(target=server.send, args=("Ana", make_event(2, "p1"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (file,) = (server.folder / "answers").iterdir()
    assert [json.loads(line)["event_id"] for line in file.read_text().splitlines()] == ["e1", "e2"]


@pytest.mark.parametrize("content, status", [
    (b"", 400), (b"{", 400), (b"[" * 50_000, 400), (b"[]", 422), (b"null", 422), (b"{}", 422),
    (b"\xff\xfe", 400),
    (b'{"tab": "t"}', 422), (b'{"tab": "t", "event": []}', 422), (b'{"tab": 3, "event": {}}', 422),
    (b'{"tab": "t", "event": {"event_id": "", "item_id": "p0"}}', 422),
    (b'{"tab": "t", "event": {"event_id": "e", "item_id": ["p0"]}}', 422),
    (b'{"tab": "t", "event": {"event_id": "' + b"e" * 600 + b'", "item_id": "p0"}}', 422),
    (b'{"tab": "t", "event": {"event_id": "e", "item_id": "p0", "note": "' + b"x" * MOST_BYTES + b'"}}', 413),
    (b"9" * 6000, 400),
])  # fmt: skip
def test_what_is_no_answer_is_refused_in_words_and_nothing_is_written(server, content, status):
    headers = server.head("Ana") | {"content-type": "application/json"}
    reply = server.web.post("/api/pairs/events", content=content, headers=headers)
    assert reply.status_code == status
    assert reply.json()["error"]
    assert not list(server.folder.glob("answers/*"))


def test_half_a_character_does_not_cost_the_answer_that_it_stands_in(server):
    event = json.dumps({"tab": "t", "event": make_event(1, "p0") | {"note": "half\ud83d"}})
    headers = server.head("Ana") | {"content-type": "application/json"}
    reply = server.web.post("/api/pairs/events", content=event.encode(), headers=headers)
    assert reply.json()["acknowledged"] == ["e1"]
    assert server.rows()["note"].tolist() == ["half?"]


def test_what_does_not_say_how_long_it_is_is_bounded_too(server):
    sent = []

    def trickle():
        for _ in range(1000):
            sent.append(1)
            yield b" " * 1024

    headers = server.head("Ana") | {"content-type": "application/json"}
    assert server.web.post("/api/pairs/events", content=trickle(), headers=headers).status_code == 413


@pytest.mark.parametrize("changes, words", [
    ({"answer": "maybe"}, "Expected one of this widget's answers"),
    ({"answer": None}, "Expected one of this widget's answers"),
    ({"answer": ["same"]}, "Expected one of this widget's answers"),
    ({"answered_at": "yesterday"}, "ISO 8601"),
    ({"seconds": -1}, "seconds"),
    ({"seconds": "NaN"}, "seconds"),
    ({"retracts": 5, "answer": None}, "retracts"),
])  # fmt: skip
def test_an_answer_that_no_page_gives_is_refused_for_good(server, changes, words):
    told = server.send("Ana", make_event(1, "p0") | changes).json()
    assert told["acknowledged"] == ["e1"]  # sending it again would not help
    assert words in told["error"]
    assert not list(server.folder.glob("answers/*"))


def test_a_browser_cannot_answer_for_someone_else(server):
    server.send("Ana", make_event(1, "p0") | {"annotator": "Ben", "simulated": True, "left": "img5"})
    row = server.rows().iloc[0]
    assert (row["annotator"], bool(row["simulated"]), row["left"]) == ("Ana", False, "img0")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110
def test_a_full_disk_is_said_and_the_answer_stays_with_the_browser_until_there_is_room(server):
    from visclust.annotation.answer_files import name_answer_file

    place = name_answer_file(server.folder / "answers", "Ana")
    place.parent.mkdir()
    place.symlink_to("/dev/full")
    told = server.send("Ana", make_event(1, "p0")).json()
    assert told["acknowledged"] == []
    assert told["error"].startswith("Not saved: No space left on device")
    assert str(server.folder) not in told["error"]
    assert str(place) in server.said[0]  # whoever runs the server reads where
    server.send("Ana", make_event(1, "p0"))
    assert len(server.said) == 1  # once a minute
    place.unlink()
    assert server.send("Ana", make_event(1, "p0")).json()["acknowledged"] == ["e1"]
    assert len(server.rows()) == 1


def test_a_file_of_answers_to_another_question_is_said_and_not_mixed(server):
    server.send("Ana", make_event(1, "p0"))
    (file,) = (server.folder / "answers").iterdir()
    file.write_text(file.read_text().replace('"same"', '"yes"'))
    page = server.page("Ana")
    assert "This cannot be labelled at the moment" in page.text
    assert "another question" in server.said[-1]
    assert server.page("Ben").status_code == 200


def test_a_damaged_table_stops_one_task_and_says_why_to_the_host(server):
    (server.folder / "pairs.parquet").write_bytes(b"PAR1 no table")
    page = server.page("Ana")
    assert "This cannot be labelled at the moment" in page.text
    assert "What images show" in page.text
    assert "pairs.parquet" in server.said[0]
    assert server.state("Ana").status_code == 409
    assert server.state("Ana", "features").status_code == 200


def test_a_fault_of_the_server_is_said_in_words_and_with_its_headers(server, monkeypatch):
    monkeypatch.setattr("visclust.widgets.annotate_desks.Desk.tell", lambda *_, **__: 1 / 0)
    reply = server.state("Ana")
    assert reply.status_code == 500
    assert "What you answered stays in this browser" in reply.json()["error"]
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_names_are_typed_only_where_the_study_lets_them(server, tmp_path):
    assert server.web.post("/api/name", json={"name": "Eve"}).status_code == 404
    open_server = Server(tmp_path / "open", may_type_names=True)
    assert "Who are you?" in open_server.web.get("/").text
    page = open_server.web.post("/api/name", json={"name": "Eve"}).json()["page"]
    assert "<h1>Eve</h1>" in open_server.web.get(page).text
    taken = open_server.web.post("/api/name", json={"name": "ana"})
    assert (taken.status_code, open_server.people["Ana"].token in taken.text) == (409, False)
    for wrong in ("", " ", None, 7, "x" * 101):
        assert open_server.web.post("/api/name", json={"name": wrong}).status_code == 422


def test_a_link_that_was_ended_ends_pages_that_are_open(server):
    server.state("Ana")
    server.links.renew("Ana")
    assert server.state("Ana").status_code == 403
    assert server.send("Ana", make_event(1, "p0")).status_code == 403


def test_the_application_needs_no_notebook_and_no_network_of_neurons():
    heavy = ("torch", "ipywidgets", "IPython", "sklearn", "altair")
    code = "import sys, visclust.annotate, visclust.widgets.annotate_app"
    code += f"; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
