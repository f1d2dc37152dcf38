"""Measure the labellers in a real browser: from the last key of an answer to the next item painted.

    python benchmarks/bench_labelling.py [--labels 100] [--side 1600]

JupyterLab and the browser run on this machine. Keys are sent through the browser's own input queue. The time
runs from the event's time stamp to the second animation frame after the next item is in the page; the answer
was flushed to disk in between.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "widgets" / "browser"))
from browser_tools import (
    answer,
    find_missing,
    make_study,
    open_browser,
    open_notebook,
    run_command,
    start_jupyterlab,
    wait_for_labeller,
    wait_until,
    write_notebook,
)
from browsing_studies import write_cells

from visclust.annotation.answer_files import append_answer, name_answer_file
from visclust.annotation.answers import read_answers

WATCH = """(root) => {
  window.times = [];
  let pressed = null;
  root.addEventListener("keydown", (event) => { pressed = event.timeStamp; }, true);
  root.addEventListener("visclust-shown", () => {
    if (pressed !== null) window.times.push(performance.now() - pressed);
    pressed = null;
  });
}"""


FEATURES = """import pandas as pd
import visclust as vc
vc.label_features(pd.read_parquet("images.parquet"), annotator="Ana", save_to="answers")"""
RATINGS = """import pandas as pd
import visclust as vc
images = pd.read_parquet("images.parquet")
assignment = images[["image_id"]].assign(respondent="Ana", group="a", position=range(len(images)), cluster=0)
vc.rate_images(assignment, images, respondent="Ana", save_to="answers")"""


def measure_labels(folder, *, n_labels, side, pause):
    """Milliseconds from key to next pair, one per label."""
    make_study(folder, n_pairs=n_labels + 5, side=side)
    write_notebook(folder / "label.ipynb")
    with start_jupyterlab(folder) as address, open_browser(folder / "profile") as context:
        page = context.pages[0]
        open_notebook(page, address, "label.ipynb")
        run_command(page, "notebook:run-all-cells")
        labeller = wait_for_labeller(page)
        answer(page, labeller, ["s"], by="key")
        labeller.evaluate(WATCH)
        for number in range(n_labels):
            time.sleep(pause)
            page.keyboard.press("sd"[number % 2])
            wait_until(
                lambda number=number: page.evaluate("window.times.length") > number, what="the next pair"
            )
        times = page.evaluate("window.times")
    assert len(read_answers(folder / "answers")) == n_labels + 1
    return times


def measure_images(folder, cell, keys, *, n_labels, side, pause):
    """Milliseconds from the last of an answer's keys to the next image, one per image."""
    make_study(folder, n_pairs=n_labels + 5, side=side)
    write_cells(folder / "label.ipynb", [cell])
    with start_jupyterlab(folder) as address, open_browser(folder / "profile") as context:
        page = context.pages[0]
        open_notebook(page, address, "label.ipynb")
        run_command(page, "notebook:run-all-cells")
        ready = ".visclust-toggle[aria-disabled=false], .visclust-radio[aria-disabled=false]"
        page.wait_for_selector(ready)
        labeller = page.locator(".visclust-labeller")
        labeller.evaluate(WATCH)
        labeller.focus()
        for number in range(n_labels):
            time.sleep(pause)
            for key in keys:
                page.keyboard.press(key)
            wait_until(
                lambda number=number: page.evaluate("window.times.length") > number, what="the next image"
            )
        times = page.evaluate("window.times")
    assert len(read_answers(folder / "answers")) == n_labels
    return times


def measure_appends(folder, *, n=500):
    """Milliseconds for one answer to be on disk."""
    path = name_answer_file(folder, "Ana")
    times = []
    for number in range(n):
        row = {"event_id": str(number), "item_id": "p", "annotator": "Ana", "answer": "same",
               "answered_at": "2026-01-05T10:00:00Z"}  # fmt: skip
        before = time.perf_counter()
        append_answer(path, row)
        times.append((time.perf_counter() - before) * 1000)
    return times


def summarize(times):
    cuts = statistics.quantiles(times, n=20)
    return {"n": len(times), "median_ms": round(statistics.median(times), 2), "p95_ms": round(cuts[18], 2),
            "max_ms": round(max(times), 2)}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--side", type=int, default=1600, help="longest side of the image files, in pixels")
    parser.add_argument("--pause", type=float, default=0.4, help="seconds between a pair and the next key")
    options = parser.parse_args()
    if missing := find_missing():
        sys.exit(missing)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = {"n_labels": options.labels, "side": options.side, "pause": options.pause}
        for each in ("pairs", "features", "ratings", "appends"):
            (folder / each).mkdir()
        ratings = [*"1234567890", "Enter"]
        result = {
            "key_to_next_pair": summarize(measure_labels(folder / "pairs", **study)),
            "key_to_next_image_features": summarize(
                measure_images(folder / "features", FEATURES, ["1", "8", "Enter"], **study)
            ),
            "key_to_next_image_ratings": summarize(
                measure_images(folder / "ratings", RATINGS, ratings, **study)
            ),
            "append_and_flush": summarize(measure_appends(folder / "appends")),
            "image_side_px": options.side,
            "cores": os.cpu_count(),
            "machine": platform.platform(),
            "load": os.getloadavg() if hasattr(os, "getloadavg") else None,
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
