"""A small study whose people label on a server: tables, links, and a server that runs beside the test."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from PIL import Image

import visclust as vc
from visclust.widgets.annotate_desks import Desks, LabellingPlan
from visclust.widgets.annotate_links import LinkBook

ROOT = Path(__file__).parents[1]
MODULE = ["-m", "visclust"]


def make_results(results, *, n_images=6, side=64):
    """Write a study's tables: pairs of neighbours, all images for features, two to rate for Ana and r2."""
    results.mkdir(parents=True, exist_ok=True)
    (results / "photos").mkdir(exist_ok=True)
    for number in range(n_images):
        colour = (37 * number % 256, 91 * number % 256, 53 * number % 256)
        Image.new("RGB", (side, side * 3 // 4), colour).save(results / "photos" / f"secret-name-{number}.png")
    names = [f"img{number}" for number in range(n_images)]
    paths = [f"photos/secret-name-{number}.png" for number in range(n_images)]
    images = pd.DataFrame({"image_id": names, "path": paths, "status": "ok", "reason": "", "width": side,
                           "height": side * 3 // 4})  # fmt: skip
    pairs = pd.DataFrame({"pair_id": [f"p{number}" for number in range(n_images - 1)], "image_a": names[:-1],
                          "image_b": names[1:], "stratum": "secret-stratum",
                          "inclusion_probability": 0.5})  # fmt: skip
    assignment = pd.DataFrame({"respondent": ["Ana", "Ana", "r2", "r2"], "group": "g", "position": [1, 2] * 2,
                               "image_id": names[:4], "cluster": [0, 1, 2, 3]})  # fmt: skip
    for name, table in (
        ("images", images),
        ("feature_images", images),
        ("pairs", pairs),
        ("assignment", assignment),
    ):
        table.to_parquet(results / f"{name}.parquet")
    return images, pairs


def make_plan(results, **changes):
    plan = LabellingPlan(
        results=results,
        images_folder=results,
        question="Do they belong together?",
        construct="One theme",
        features=("flag", "crowd"),
        items={"mood": ("happy", "sad")},
        scale=(1, 5),
        annotators=("Ana", "Ben"),
        adjudicator="Cem",
    )
    return plan._replace(**changes)


def make_links(folder):
    links = LinkBook(folder)
    people = [("Ana", "annotator"), ("Ben", "annotator"), ("Cem", "adjudicator"), ("r2", "respondent")]
    return links, {one.name: one for one in links.name_people(people)}


def make_desks(results, **changes):
    make_results(results)
    return Desks(make_plan(results, **changes))


def make_event(number, item, answer="same", **changes):
    event = {"event_id": f"e{number}", "item_id": item, "answer": answer, "seconds": 1.5,
             "answered_at": f"2026-01-05T10:{number // 60 % 60:02}:{number % 60:02}Z"}  # fmt: skip
    return event | changes


def start_study(folder, *, entries='annotators = ["Ana", "Ben"]\n', n_images=6, side=64, check=True):
    """Make a study of one's own in a folder, with its tables in its results."""
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    (folder / "notebooks").mkdir()
    (folder / "study.toml").write_text(f'images = "photos"\nfeatures = ["flag", "crowd"]\n{entries}')
    images, _pairs = make_results(folder / "results", n_images=n_images, side=side)
    place = folder / "results"
    images["path"] = [str(place / path) for path in images["path"]]
    for name in ("images", "feature_images"):
        images.to_parquet(place / f"{name}.parquet")
    return vc.open_study(folder) if check else None


def find_free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_server(folder, *options, port=None, before=()):
    """Start ``visclust annotate`` as a process of its own; what it says goes to a file beside the study."""
    port = port or find_free_port()
    command = [*before, sys.executable, *MODULE, "annotate", str(folder), "--port", str(port), *options]
    said = Path(folder) / "said.txt"
    with said.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=output, stderr=output
        )
    process.said, process.port, process.base = said, port, f"http://127.0.0.1:{port}"
    return process


def wait_for_server(process, *, seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(f"{process.base}/robots.txt", timeout=5).close()
            return process
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server did not start:\n{process.said.read_text()}") from None
            time.sleep(0.05)


def stop_server(process):
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


@contextmanager
def serve(folder, *options, **more):
    process = wait_for_server(start_server(folder, *options, **more))
    try:
        yield process
    finally:
        stop_server(process)


def read_links(folder):
    return {one.name: one.token for one in LinkBook(folder).people}
