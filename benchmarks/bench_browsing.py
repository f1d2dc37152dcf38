"""Measure the cluster browser in a real browser: first rows, scrolling, an opened cluster, more like this.

    python benchmarks/bench_browsing.py [--images 20000] [--clusters 400] [--files 1000] [--side 1200]

JupyterLab and the browser run on this machine. The images of the table share 1,000 generated files, to spare
the disk; each thumbnail is asked for, encoded (or taken from the kernel's cache, which holds 512) and sent on
its own all the same. Times are the browser's own clock. "First rows" runs from the sending of the cell to the
kernel until every thumbnail on the screen is decoded, with `browse_clusters` itself in it; it is given for
the first run in a fresh kernel, which imports the widget's libraries, and for the second.
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
    find_missing,
    open_browser,
    open_notebook,
    run_command,
    start_jupyterlab,
    wait_until,
)
from browsing_studies import BROWSE, READ, make_corpus, write_cells

# In the page: counts what is asked for and received over the kernel's channel, and when the screen is full.
WATCH = """() => {
  window.bench = {asked: 0, received: 0, bytes: 0, longest: 0};
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (data) {
    const text = typeof data === "string" ? data : new TextDecoder().decode(data);
    if (text.includes('"wanted"')) window.bench.asked += 1;
    if (!this.watched) {
      this.watched = true;
      this.addEventListener("message", (event) => {
        window.bench.bytes += event.data.byteLength ?? event.data.length;
      });
    }
    return send.call(this, data);
  };
}"""
# How many cells on the screen are filled: [filled, all], and 0 before the browser is there.
FILLED = """() => {
  const box = document.querySelector(".visclust-sheet:not([hidden]) .visclust-scroller")
    ?? document.querySelector(".visclust-scroller:not([hidden])");
  if (!box) return [0, 0];
  const cells = [...box.querySelectorAll("[data-key]")];
  return [cells.filter((cell) => cell.querySelector("img")?.complete).length, cells.length];
}"""
UNTIL_FULL = """(start) => new Promise((done) => {
  const filled = FILLED;
  const look = () => {
    const [some, all] = filled();
    if (all > 0 && some === all) requestAnimationFrame(() => done(performance.now() - start));
    else requestAnimationFrame(look);
  };
  look();
})""".replace("FILLED", FILLED)


def run_last_cell(page):
    """Run the last cell, and give milliseconds until the screen is full of thumbnails."""
    page.evaluate("() => { void window.jupyterapp.commands.execute('notebook:run-cell'); }")
    return page.evaluate(UNTIL_FULL, page.evaluate("performance.now()"))


def scroll(page, *, pixels, steps, pause):
    """Scroll by the wheel and give, per step, milliseconds of the longest frame, and thumbnails received."""
    box = page.locator(".visclust-overview").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.evaluate("""() => {
      window.frames_ms = []; let last = performance.now();
      const step = (now) => {
        window.frames_ms.push(now - last); last = now; window.raf = requestAnimationFrame(step);
      };
      window.raf = requestAnimationFrame(step);
    }""")
    for _ in range(steps):
        page.mouse.wheel(0, pixels)
        time.sleep(pause)
    frames = page.evaluate("() => { cancelAnimationFrame(window.raf); return window.frames_ms; }")
    after = page.evaluate(UNTIL_FULL, page.evaluate("performance.now()"))
    return frames, after


def summarize(times):
    cuts = statistics.quantiles(times, n=20)
    return {"n": len(times), "median_ms": round(statistics.median(times), 1), "p95_ms": round(cuts[18], 1),
            "max_ms": round(max(times), 1)}  # fmt: skip


def count_received(page):
    return page.evaluate("() => window.received ?? 0")


def measure(folder, options):
    """Run the whole measurement in one notebook."""
    sizes = [options.images // options.clusters] * options.clusters
    make_corpus(folder, sizes, n_files=options.files, side=options.side, d=options.dimensions)
    write_cells(folder / "browse.ipynb", [READ, "_ = browser = None", BROWSE])
    with start_jupyterlab(folder) as address, open_browser(folder / "profile") as context:
        page = context.pages[0]
        page.add_init_script(f"({WATCH})()")
        open_notebook(page, address, "browse.ipynb")
        for _ in range(2):
            run_command(page, "notebook:run-cell-and-select-next")
        wait_until(lambda: page.locator(".jp-InputPrompt").nth(1).inner_text() == "[2]:", what="the tables")
        page.evaluate("""() => document.addEventListener("visclust-thumbnails", (event) => {
          window.received = (window.received ?? 0) + event.detail;
        }, true)""")
        first = run_last_cell(page)
        again = run_last_cell(page)
        page.evaluate("() => { window.received = 0; window.bench.asked = 0; window.bench.bytes = 0; }")
        page.locator(".visclust-browser").scroll_into_view_if_needed()
        # A run over the whole list in large jumps, as with a dragged scroll bar, then reading row by row.
        jumps, after_jumps = scroll(page, pixels=4000, steps=12, pause=0.03)
        passed = count_received(page)
        page.evaluate("() => { window.received = 0; window.bench.asked = 0; }")
        reading, after_reading = scroll(page, pixels=-220, steps=40, pause=0.15)
        read = count_received(page)
        asked = page.evaluate("window.bench.asked")
        start = page.evaluate("""() => {
          const head = document.querySelector(".visclust-row-head"); head.click(); return performance.now();
        }""")
        wait_until(lambda: page.locator(".visclust-sheet:not([hidden])").count(), what="the cluster")
        opened = page.evaluate(UNTIL_FULL, start)
        start = page.evaluate("() => performance.now()")
        page.locator(".visclust-like").click()
        page.get_by_text("Most like the first image").wait_for()
        like = page.evaluate(UNTIL_FULL, start)
        start = page.evaluate("() => performance.now()")
        page.locator(".visclust-browser input[type=search]").fill("number7")
        wait_until(lambda: "images" in page.locator(".visclust-count").inner_text()
                   and f"{options.images} images" not in page.locator(".visclust-count").inner_text(),
                   what="the filter")  # fmt: skip
        filtered = page.evaluate("(start) => performance.now() - start", start)
        screen = page.evaluate(FILLED)
    return {
        "first_rows_ms": round(first),
        "first_rows_run_again_ms": round(again),
        "jumping_over_all_rows": {"frames": summarize(jumps), "full_after_ms": round(after_jumps),
                                  "thumbnails_sent": passed},
        "reading_row_by_row": {"frames": summarize(reading), "full_after_ms": round(after_reading),
                               "thumbnails_sent": read, "requests": asked},
        "open_cluster_ms": round(opened),
        "more_like_this_ms": round(like),
        "filter_by_words_ms_with_300_of_waiting_for_the_typist": round(filtered),
        "cells_on_screen": screen[1],
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--clusters", type=int, default=400)
    parser.add_argument("--files", type=int, default=1000, help="image files that they share")
    parser.add_argument("--side", type=int, default=1200, help="longest side of the image files, in pixels")
    parser.add_argument("--dimensions", type=int, default=1280, help="columns of the embedding")
    options = parser.parse_args()
    if missing := find_missing():
        sys.exit(missing)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), options)
    result |= {"settings": vars(options), "cores": os.cpu_count(), "machine": platform.platform(),
               "load": os.getloadavg() if hasattr(os, "getloadavg") else None}  # fmt: skip
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
