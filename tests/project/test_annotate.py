"""``visclust annotate``: a server that people label on, as a process that is started, stopped and killed."""

import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest
from served_studies import (
    ROOT,
    find_free_port,
    make_event,
    read_links,
    serve,
    start_server,
    start_study,
    stop_server,
    wait_for_server,
)

import visclust as vc
from visclust import annotate
from visclust.annotate import ServerOptions, annotate_study
from visclust.commands import main


def ask(process, path, *, token="", body=None, context=None):
    """Ask a server, with the link in the header; gives the status, and JSON or text."""
    headers = {"x-visclust-link": token, "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{process.base}{path}", data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as reply:
            return reply.status, json.load(reply) if "json" in reply.headers[
                "content-type"
            ] else reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture
def served(monkeypatch):
    """Do all but serve: give what would be served."""
    calls = []

    def note(_options, links, desks, listener, _study):
        listener.close()
        calls.append((links, desks))
        return 0

    monkeypatch.setattr(annotate, "_serve", note)
    return calls


def test_each_annotator_of_the_study_gets_a_link_which_is_said_once(tmp_path, served, capsys):
    study = start_study(tmp_path, entries='annotators = ["Ana", "Ben B"]\nadjudicator = "Cem"\n')
    port = find_free_port()
    assert main(["annotate", str(tmp_path), "--port", str(port)]) == 0
    said = capsys.readouterr().out
    links = read_links(tmp_path)
    assert sorted(links) == ["Ana", "Ben B", "Cem"]
    for name, token in links.items():
        assert f"  {name}: http://127.0.0.1:{port}/{token}\n" in said
    assert "Only browsers on this machine reach it" in said
    assert f"Answers go to {study.results}: answers, feature_answers, rating_answers." in said
    assert main(["annotate", str(tmp_path), "--port", str(port)]) == 0
    again = capsys.readouterr().out
    assert not any(token in again for token in links.values())
    assert "Links given out before still hold: Ana, Ben B, Cem. See them again with --links." in again
    assert main(["annotate", str(tmp_path), "--port", str(port), "--links"]) == 0
    said = capsys.readouterr().out
    assert all(token in said for token in links.values())
    assert read_links(tmp_path) == links


def test_people_are_added_renewed_and_removed(tmp_path, served, capsys):
    start_study(tmp_path)
    port = f"--port={find_free_port()}"
    main(["annotate", str(tmp_path), port, "--add", "Dora"])
    before = read_links(tmp_path)
    assert sorted(before) == ["Ana", "Ben", "Dora"]
    capsys.readouterr()
    main(["annotate", str(tmp_path), port, "--renew", "dora"])
    assert read_links(tmp_path)["Dora"] != before["Dora"]
    assert read_links(tmp_path)["Dora"] in capsys.readouterr().out
    main(["annotate", str(tmp_path), port, "--remove", "Dora"])
    assert "Dora" not in read_links(tmp_path)
    assert main(["annotate", str(tmp_path), port, "--remove", "Ana"]) == 2


def test_respondents_of_the_assignment_get_links_if_asked_for_and_keep_them(tmp_path, served):
    start_study(tmp_path)
    annotate_study(vc.open_study(tmp_path), ServerOptions(port=find_free_port()))
    assert sorted(read_links(tmp_path)) == ["Ana", "Ben"]
    annotate_study(vc.open_study(tmp_path), ServerOptions(port=find_free_port(), respondents=True))
    links = read_links(tmp_path)
    assert sorted(links) == ["Ana", "Ben", "r2"]
    annotate_study(vc.open_study(tmp_path), ServerOptions(port=find_free_port()))
    book, desks = served[-1]
    (r2,) = [one for one in book.people if one.name == "r2"]
    assert r2.token == links["r2"]
    assert desks.tasks.list_kinds(r2) == ["ratings"]


def test_an_address_that_others_reach_says_what_it_means_without_a_certificate(tmp_path, served, capsys):
    study = start_study(tmp_path)
    annotate_study(study, ServerOptions(address="0.0.0.0", port=find_free_port()))
    said = capsys.readouterr().out
    assert "whoever listens there can read links, images and answers" in said
    assert "http://0.0.0.0" not in said  # nobody can open that
    options = ServerOptions(port=find_free_port(), public_url="https://labels.example.org/", show_links=True)
    annotate_study(study, options)
    assert f"Ana: https://labels.example.org/{read_links(tmp_path)['Ana']}" in capsys.readouterr().out


@pytest.mark.parametrize("entries, files, options, words", [
    ("", (), [], r"Expected to know who labels: name them in study\.toml"),
    ('annotators = ["Ana"]\n', ("pairs", "feature_images", "assignment"), [], "01, 02 and 05 first"),
    ('annotators = ["Ana"]\n', ("assignment",), ["--respondents"], r"respondents in .*assignment\.parquet"),
    ('annotators = ["Ana"]\n', (), ["--keyfile", "key.pem"], "Expected --certfile with --keyfile"),
    ('annotators = ["Ana"]\n', (), ["--certfile", "nowhere.pem"], r"Expected a PEM file at nowhere\.pem"),
    ('annotators = ["Ana"]\n', (), ["--certfile", "study.toml"], "Expected a certificate and its key as PEM"),
    ('annotators = ["Ana"]\n', (), ["--public-url", "labels.example.org"], "--public-url as the address"),
    ('annotators = ["Ana"]\n', (), ["--public-url", "http://x.org/label"], "Folders below it are not"),
    ('annotators = ["Ana"]\n', (), ["--address", "192.0.2.7"], "The address 192.0.2.7 cannot be had"),
    ('annotators = ["Ana"]\n', (), ["--address", "no such host"], "cannot be had"),
    ('annotators = ["Ana"]\n', (), ["--port", "70000"], "Expected a port from 1 to 65535"),
    ('annotators = ["Ana"]\n', (), ["--add", "x" * 200], "at most 100 printable characters"),
    ('annotators = ["Ana"]\nadjudicator = "ana"\n', (), [], "somebody who is no annotator"),
])  # fmt: skip
def test_what_is_not_possible_is_said_before_people_begin(
    tmp_path, served, capsys, monkeypatch, entries, files, options, words
):
    start_study(tmp_path, entries=entries, check=False)
    monkeypatch.chdir(tmp_path)
    for name in files:
        (tmp_path / "results" / f"{name}.parquet").unlink()
    assert main(["annotate", str(tmp_path), "--port", str(find_free_port()), *options]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert re.search(words, said), said
    assert served == []


def test_a_folder_of_answers_that_cannot_be_written_stops_it_at_the_start(tmp_path, served, capsys):
    start_study(tmp_path)
    (tmp_path / "results" / "answers").write_text("")
    assert main(["annotate", str(tmp_path), "--port", str(find_free_port())]) == 2
    assert "Expected to write answers into" in capsys.readouterr().err


def test_it_is_up_soon_and_ctrl_c_ends_it_cleanly(tmp_path):
    start_study(tmp_path)
    with serve(tmp_path) as process:
        ana = read_links(tmp_path)["Ana"]
        assert ask(process, f"/{ana}")[0] == 200
        assert stop_server(process) == 0
    said = process.said.read_text()
    assert "Stopped. What was confirmed to anybody is on disk" in said
    assert "Traceback" not in said


def test_a_port_that_is_taken_is_said_and_who_was_added_gets_into_the_running_server(tmp_path):
    start_study(tmp_path)
    with serve(tmp_path) as process:
        second = start_server(tmp_path, "--add", "Dora", port=process.port)
        assert second.wait(60) == 2
        assert f"Port {process.port} is taken" in process.said.read_text()
        assert "has taken your change in already" in process.said.read_text()
        dora = read_links(tmp_path)["Dora"]
        assert f"{dora}" in process.said.read_text()
        status, page = ask(process, f"/{dora}")
        assert status == 200
        assert "Pairs of images" in page


def test_with_a_certificate_it_speaks_tls(tmp_path):
    start_study(tmp_path)
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem",
               "-out", "cert.pem",
               "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]  # fmt: skip
    try:
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl here to make a certificate with")
    process = start_server(tmp_path, "--certfile", "cert.pem", "--keyfile", "key.pem")
    context = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    process.base = f"https://127.0.0.1:{process.port}"
    try:
        for _ in range(300):
            try:
                status, page = ask(process, "/robots.txt", context=context)
                break
            except OSError:
                time.sleep(0.1)
        assert (status, "Disallow" in page) == (200, True)
        ana = read_links(tmp_path)["Ana"]
        assert f"Ana: https://127.0.0.1:{process.port}/{ana}" in process.said.read_text()
        assert ask(process, f"/{ana}", context=context)[0] == 200
        with pytest.raises(OSError, match=r"."):
            urllib.request.urlopen(f"http://127.0.0.1:{process.port}/", timeout=5)
    finally:
        assert stop_server(process) == 0


@pytest.mark.slow
def test_a_server_killed_while_people_label_loses_nothing_that_it_confirmed(tmp_path):
    start_study(tmp_path, n_images=400, side=16)
    port, confirmed = find_free_port(), []
    for turn in range(5):
        process = wait_for_server(start_server(tmp_path, port=port))
        token = read_links(tmp_path)["Ana"]
        killer = subprocess.Popen(["sh", "-c", f"sleep 0.{3 + turn}; kill -9 {process.pid}"])
        try:
            while True:
                _, told = ask(process, "/api/pairs/state?tab=t", token=token)
                if not told["upcoming"]:  # all were answered before the kill
                    break
                event = make_event(len(confirmed) + 1000 * turn, told["upcoming"][0])
                _status, told = ask(
                    process, "/api/pairs/events", token=token, body={"tab": "t", "event": event}
                )
                confirmed += told["acknowledged"]
        except (OSError, http.client.HTTPException, json.JSONDecodeError):  # before, in or after a reply
            pass
        killer.wait()
        process.wait()
        assert process.returncode == -signal.SIGKILL
    rows = vc.read_answers(tmp_path / "results" / "answers")
    assert len(confirmed) > 50
    assert rows["event_id"].is_unique
    assert set(confirmed) <= set(rows["event_id"])
    assert len(rows) <= len(confirmed) + 5  # one on its way at each kill
    assert rows["item_id"].is_unique  # who came back was not asked the same again


def send_raw(process, data):
    """Send bytes as they are, and read until the server closes or falls silent."""
    with socket.create_connection(("127.0.0.1", process.port)) as line:
        line.settimeout(2)
        line.sendall(data)
        reply = b""
        try:
            while part := line.recv(65536):
                reply += part
        except OSError:
            pass
        return reply


def test_what_is_no_sound_request_is_refused_and_the_server_goes_on(tmp_path):
    start_study(tmp_path)
    with serve(tmp_path) as process:
        ana = read_links(tmp_path)["Ana"].encode()
        hidden = b"GET /" + ana + b" HTTP/1.1\r\nHost: x\r\n\r\n"
        head = b"POST /api/pairs/events HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
        smuggled = send_raw(process, head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden)
        assert smuggled.count(b"HTTP/1.1") == 1
        for wrong in (head + b"Content-Length: 40\r\n\r\nabcd", b"\x16\x03\x01" + b"\0" * 300, smuggled):
            assert send_raw(process, wrong).startswith(b"HTTP/1.1 400")
        endless = b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000 + b"\r\n\r\n"
        assert send_raw(process, endless)[:12] in (b"HTTP/1.1 400", b"")  # it may hang up before we have read
        for path in (b"/../../etc/passwd", b"/%2e%2e/%2e%2e/etc/passwd", b"/" + b"a" * 60_000):
            reply = send_raw(process, b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert reply.startswith(b"HTTP/1.1 404")
            assert b"This link does not work" in reply
        evil = b"GET /" + ana + b"/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
        assert b"evil" not in send_raw(process, evil)
        assert ask(process, f"/{ana.decode()}")[0] == 200
        assert ana not in process.said.read_text().encode().partition(b"Stop it with")[2]  # nor in any log


def test_replies_are_sent_at_once(tmp_path, served):
    # asyncio turns Nagle's algorithm off for sockets that say they are TCP; else each reply takes 40 ms.
    with annotate._listen(ServerOptions(port=0), "", []) as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_who_sends_half_a_request_and_waits_is_cut_off(tmp_path, monkeypatch):
    start_study(tmp_path)
    code = ("import visclust.annotate as a, sys; a._HEADER_SECONDS = 0.5\n"
            "from visclust.commands import main; sys.exit(main(sys.argv[1:]))")  # fmt: skip
    monkeypatch.setattr("served_studies.MODULE", ["-c", code])
    with serve(tmp_path) as process, socket.create_connection(("127.0.0.1", process.port)) as line:
        line.settimeout(20)
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        assert line.recv(100) == b""
        assert ask(process, "/robots.txt")[0] == 200


class Client:
    """One of many people at once: a connection of its own, and how long each answer took."""

    def __init__(self, process, token, number):
        self.line = http.client.HTTPConnection("127.0.0.1", process.port, timeout=60)
        self.token, self.number = token, number
        self.confirmed, self.seconds = [], []

    def ask(self, method, path, body=None):
        headers = {"x-visclust-link": self.token, "content-type": "application/json"}
        self.line.request(method, path, None if body is None else json.dumps(body), headers)
        reply = self.line.getresponse()
        content = reply.read()
        assert reply.status == 200, (reply.status, content)
        return json.loads(content) if "json" in reply.headers["content-type"] else content

    def label(self, n_answers):
        self.ask("GET", f"/{self.token}")
        self.ask("GET", f"/{self.token}/pairs")
        told = self.ask("GET", "/api/pairs/state?tab=t")
        for turn in range(n_answers):
            item = told["upcoming"][0]
            for image in told["images"][item]:
                self.ask("GET", f"/api/pairs/image?side=384&id={image}")
            event = make_event(turn, item) | {"event_id": f"{self.number}-{turn}"}
            began = time.perf_counter()
            told = self.ask("POST", "/api/pairs/events", {"tab": "t", "event": event})
            self.seconds.append(time.perf_counter() - began)
            self.confirmed += told["acknowledged"]


def read_memory(process):
    """Read a process's memory in MiB, and the number of processes that it started."""
    psutil = pytest.importorskip("psutil")
    one = psutil.Process(process.pid)
    return one.memory_info().rss / 2**20, len(one.children(recursive=True))


@pytest.mark.slow
def test_fifty_people_at_once_lose_no_answer_and_wait_for_none(tmp_path):
    names = [f"person {number:02}" for number in range(50)]
    start_study(tmp_path, entries=f"annotators = {json.dumps(names)}\n", n_images=121)
    with serve(tmp_path) as process:
        links = read_links(tmp_path)
        clients = [Client(process, links[name], number) for number, name in enumerate(names)]
        threads = [threading.Thread(target=client.label, args=(20,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(240)
        memory, n_children = read_memory(process)
    seconds = sorted(second for client in clients for second in client.seconds)
    confirmed = [event for client in clients for event in client.confirmed]
    rows = vc.read_answers(tmp_path / "results" / "answers")
    assert len(confirmed) == 50 * 20
    lines = [
        line
        for file in (tmp_path / "results" / "answers").iterdir()
        for line in file.read_text().splitlines()
    ]
    assert sorted(json.loads(line)["event_id"] for line in lines) == sorted(confirmed)
    assert rows.groupby("annotator")["item_id"].nunique().eq(20).all()
    p50, p95 = seconds[len(seconds) // 2], seconds[int(0.95 * len(seconds))]
    print(f"answers: p50 {1000 * p50:.0f} ms, p95 {1000 * p95:.0f} ms; memory {memory:.0f} MiB")
    assert p95 < 3  # a second on two busy cores; beyond three the page would say that it waits
    assert n_children == 0


@pytest.mark.slow
def test_memory_stays_flat_over_a_thousand_loads_of_the_page(tmp_path):
    start_study(tmp_path, n_images=121)
    with serve(tmp_path) as process:
        client = Client(process, read_links(tmp_path)["Ana"], 0)

        def load(n_times):
            for turn in range(n_times):
                client.ask("GET", f"/{client.token}")
                client.ask("GET", f"/{client.token}/pairs")
                client.ask("GET", f"/api/pairs/state?tab=tab{turn}")
                client.ask("GET", f"/api/pairs/image?side=384&id=img{turn % 121}")

        load(200)  # every image is in memory then
        before, _ = read_memory(process)
        load(1000)
        after, n_children = read_memory(process)
    print(f"memory: {before:.1f} MiB after 200 loads, {after:.1f} MiB after 1,200")
    assert after - before < 5  # MiB; a kernel for each load would be 200,000
    assert n_children == 0


@pytest.mark.slow
def test_a_notebook_and_the_server_write_one_persons_file_at_the_same_time(tmp_path):
    study = start_study(tmp_path, n_images=201)
    code = (
        "import sys\nfrom served_studies import make_event\n"
        "from visclust.annotation.answer_files import append_answer, name_answer_file\n"
        "path = name_answer_file(sys.argv[1], 'Ana')\n"
        "for n in range(100): append_answer(path, make_event(n, f'p{199 - n}') | "
        "{'event_id': f'notebook-{n}', 'annotator': 'Ana'})\n"
    )
    with serve(tmp_path) as process:
        client = Client(process, read_links(tmp_path)["Ana"], 0)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
        command = [sys.executable, "-c", code, str(study.results / "answers")]
        notebook = subprocess.Popen(command, env=environment)
        client.label(60)
        assert notebook.wait(60) == 0
        told = client.ask("GET", "/api/pairs/state?tab=t")
    rows = vc.read_answers(study.results / "answers")
    assert len(client.confirmed) == 60
    assert len(rows) == 160
    assert told["progress"]["done"] == 160
