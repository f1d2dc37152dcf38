"""Near copies among perceptual hashes, ours beside imagededup's, on generated hashes with planted copies.

Run ``python benchmarks/bench_duplicates.py`` (``--quick`` for a small one). imagededup is left out where it
is not installed. It would take hours on 100,000 hashes: there it looks up 300 of them among all, and the
time beyond that for a single one, which is its start, is scaled up to all.
The last part measures precision and recall on the near copies of the example corpus.
"""

import argparse
import logging
import tempfile
import time
from pathlib import Path

import imagehash
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont
from side_by_side import compare_times, describe_machine, print_table, time_alternating
from sklearn.neighbors import NearestNeighbors

from visclust.base.components import connect_pairs
from visclust.embedding.embed import embed_images
from visclust.example import Example, load_example
from visclust.images import looks, ruling_out
from visclust.images.close_pairs import Plan, _plan_search, iterate_close_hashes
from visclust.images.duplicates import Duplicates, combine_duplicates, find_duplicates, score_duplicates
from visclust.images.hashes import _write_cache, pack_hashes
from visclust.images.index import index_images, select_usable
from visclust.images.reading import read_image

THRESHOLD = 6


def make_hashes(n: int, *, kind: str, seed: int = 0) -> list[str]:
    """Make hashes, one in ten a near copy of another (0 to 6 bits), and one in twenty the very same.

    "even": all bits random. "clumped": fifty kinds of picture, in each of which a fifth of the bits differ
    from the kind's own; pairs within 10 and 14 bits are then about as frequent as among the photographs of
    the example corpus.
    """
    rng = np.random.default_rng(seed)
    n_copies, n_same = n // 10, n // 20
    n_own = n - n_copies - n_same
    own = rng.integers(0, 2**64, n_own, dtype=np.uint64)
    if kind == "clumped":
        kinds = rng.integers(0, 2**64, 50, dtype=np.uint64)
        own = kinds[rng.integers(0, 50, n_own)] ^ pack_bits(rng.random((n_own, 64)) < 0.2)
    bits = rng.random((n_copies, 64)).argsort(axis=1) < rng.integers(0, 7, n_copies)[:, None]
    copies = own[rng.integers(0, n_own, n_copies)] ^ pack_bits(bits)
    hashes = np.concatenate([own, copies, np.repeat(own[:1], n_same)])
    return [f"{value:016x}" for value in rng.permutation(hashes).tolist()]


def pack_bits(bits: np.ndarray) -> np.ndarray:
    return np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)


def connect(hashes: list[str], *, plan: Plan | None = None) -> np.ndarray:
    """Groups of near copies, from the same text that imagededup starts from."""
    unique, item = np.unique(pack_hashes(hashes), return_inverse=True)
    pairs = iterate_close_hashes(unique, threshold=THRESHOLD, plan=plan)
    return connect_pairs(pairs, len(unique))[item]


def list_others(hashes: list[str], methods: tuple[str, ...], n_queries: int) -> dict:
    """imagededup's ways to search, as its PHash.find_duplicates calls them."""
    logging.disable(logging.INFO)
    try:
        from imagededup.handlers.search.retrieval import HashEval
        from imagededup.methods import PHash
    except ImportError as error:
        print(f"imagededup cannot run here ({error}): left out.")
        return {}
    encoded = {str(i): text for i, text in enumerate(hashes)}

    def search(method: str, n_queries: int) -> dict:
        found = HashEval(
            test=encoded,
            queries={str(i): hashes[i] for i in range(n_queries)},
            distance_function=PHash.hamming_distance,
            verbose=False,
            threshold=THRESHOLD,
            search_method=method,
            num_dist_workers=2,
        )
        return found.retrieve_results(scores=False)

    ways = {f"imagededup, {method}": lambda method=method: search(method, n_queries) for method in methods}
    starts = {f"start of {method}": lambda method=method: search(method, 1) for method in methods}
    return ways | (starts if n_queries < len(hashes) else {})


def check_same(hashes: list[str], other: dict) -> None:
    """Fail unless the other's pairs make the same groups as ours, or lie within ours if it made only some."""
    theirs = next(iter(other.values()))()
    i, j = np.array([(int(name), int(near)) for name, found in theirs.items() for near in found]).T
    ours = connect(hashes)
    assert (ours[i] == ours[j]).all()
    if len(theirs) < len(hashes):
        print(f"All {len(i):,} pairs that it found are in our groups.")
        return
    groups = connect_pairs([(i, j)], len(hashes))
    assert len(set(zip(groups, ours, strict=True))) == len(set(groups)) == len(set(ours))
    print(f"The groups are the same: {len(set(ours)):,}.")


def bench_search(n: int, turns: int, methods: tuple[str, ...], *, n_queries: int) -> None:
    for kind in ("even", "clumped"):
        hashes = make_hashes(n, kind=kind)
        ways = {
            "visclust": lambda hashes=hashes: connect(hashes),
            "visclust, all pairs": lambda hashes=hashes: connect(hashes, plan=Plan((), 0.0)),
        }
        others = list_others(hashes, methods, n_queries)
        seconds = time_alternating(ways | others, turns=turns)
        title = f"{n:,} {kind} hashes, at most {THRESHOLD} bits apart, {turns} turns"
        if others and n_queries < n:
            title += f" (imagededup: {n_queries} lookups, scaled up)"
            for method in methods:
                start = seconds.pop(f"start of {method}")
                beyond = seconds[f"imagededup, {method}"] - start
                seconds[f"imagededup, {method}"] = start + beyond * (n - 1) / (n_queries - 1)
        print_table(title, compare_times(seconds, ours="visclust"))
        if others:
            check_same(hashes, others)


def bench_thresholds(n: int) -> None:
    rows = {}
    for kind in ("even", "clumped"):
        unique = np.unique(pack_hashes(make_hashes(n, kind=kind)))
        for threshold in (2, 4, 6, 8, 10, 12):
            started = time.perf_counter()
            plan = _plan_search(unique, threshold=threshold)
            found = sum(len(i) for i, _ in iterate_close_hashes(unique, threshold=threshold, plan=plan))
            rows[f"{kind}, {threshold} bits"] = {
                "seconds": f"{time.perf_counter() - started:.2f}",
                "chunks searched": len(plan.chunks) or "all pairs",
                "candidates, million": f"{plan.candidates / 1e6:,.1f}",
                "of all pairs": f"{plan.candidates / (len(unique) * (len(unique) - 1) / 2):.4%}",
                "pairs found, with repeats": f"{found:,}",
            }
    print_table(f"{n:,} hashes by threshold, one run each", pd.DataFrame(rows).T)


def bench_whole(n: int) -> None:
    """From an images table whose hashes are in the cache to the table of groups."""
    ids = [f"{i:032x}" for i in range(n)]
    rows = {"image_id": ids, "status": "ok", "reason": ""}
    images = pd.DataFrame(rows | {"path": ids, "width": 4, "height": 3})
    hashes = pd.DataFrame(rows | {"hash": make_hashes(n, kind="clumped")})
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "hashes.parquet"
        _write_cache(cache, hashes)
        started = time.perf_counter()
        found = find_duplicates(images, method="perceptual", confirm=False, cache=cache, progress=False)
        seconds = time.perf_counter() - started
    groups = found.groups["group"].nunique()
    print(f"find_duplicates, {n:,} images, hashes cached: {seconds:.1f} s, {groups:,} groups.")


def bench_rows(n: int, turns: int) -> None:
    """Near rows of an embedding: ours, scikit-learn's, and the bare products, which are the limit."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(200, 512))
    x = (centers[rng.integers(0, 200, n)] + rng.normal(size=(n, 512))).astype("float32")
    x[: n // 40] = x[-(n // 40) :] + rng.normal(scale=0.02, size=(n // 40, 512))
    ids = [f"{i:032x}" for i in range(n)]
    images = pd.DataFrame(
        {"image_id": ids, "path": ids, "status": "ok", "reason": "", "width": 4, "height": 3}
    )
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)

    def search_by_sklearn() -> object:
        model = NearestNeighbors(radius=0.2**0.5, algorithm="brute").fit(unit)
        return model.radius_neighbors(unit, return_distance=False)

    def multiply() -> None:
        for i in range(0, n, 1024):
            for j in range(i, n, 1024):
                unit[i : i + 1024] @ unit[j : j + 1024].T

    ways = {
        "visclust": lambda: find_duplicates(images, method="embedding", x=x),
        "bare float32 product, upper triangle": multiply,
        "scikit-learn, radius_neighbors": search_by_sklearn,
    }
    seconds = time_alternating(ways, turns=turns)
    print_table(f"Near rows, {n:,} x 512, cosine distance 0.1", compare_times(seconds, ours="visclust"))


def bench_layout(n: int) -> None:
    """Posts of one layout with other words, none a copy; seconds of the processor on one core."""
    words = ["people", "march", "families", "today", "stand", "child", "mother", "silence", "join", "vote"]
    rng = np.random.default_rng(0)
    font = ImageFont.load_default(size=44)
    with tempfile.TemporaryDirectory() as folder:
        for post in range(n):
            image = Image.new("L", (800, 800), 240)
            draw = ImageDraw.Draw(image)
            draw.rectangle((0, 0, 800, 100), fill=60)
            draw.ellipse((640, 680, 760, 776), fill=100)
            for row in range(6):
                draw.text((48, 160 + 60 * row), " ".join(rng.choice(words, 4)), fill=30, font=font)
            image.save(Path(folder) / f"{post:04}.png")
        images = index_images(folder, progress=False)
        cache = Path(folder) / "hashes.parquet"
        find_duplicates(images, method="perceptual", confirm=False, cache=cache, progress=False)
        rows = {}
        for name, ruled in (("visclust", looks.rule_out), ("every pair laid over the other", None)):
            looks.rule_out = ruled or (lambda *given, **_: np.zeros(len(given[2]), dtype=bool))
            few = images if ruled else images.head(n // 10)
            started = time.process_time()
            found = find_duplicates(few, method="perceptual", cache=cache, progress=False)
            seconds = time.process_time() - started
            pairs = len(few) * (len(few) - 1) / 2
            rows[name] = {"posts": len(few), "pairs": f"{pairs:,.0f}", "seconds": f"{seconds:.1f}",
                          "milliseconds a pair": f"{1000 * seconds / pairs:.2f}",
                          "groups": found.groups["group"].nunique()}  # fmt: skip
            looks.rule_out = ruling_out.rule_out
    print_table(f"Posts of one layout, {n}, none a copy of another", pd.DataFrame(rows).T)


def score_methods() -> None:
    example = load_example()
    images = example.images
    x = embed_images(images, encoder="efficientnet_lite0", device="cpu", progress=False)
    settings = [{"method": "exact"}]
    settings += [
        {"method": "perceptual", "threshold": bits, "confirm": confirm}
        for confirm in (False, True)
        for bits in (0, 2, 4, 6, 8, 10, 12, 14)
    ]
    settings += [
        {"method": "embedding", "x": x, "threshold": distance, "grouping": grouping}
        for grouping in ("connected", "centred")
        for distance in (0.02, 0.05, 0.08, 0.1, 0.12, 0.15, 0.2)
    ]
    rows = []
    for given in settings:
        found = find_duplicates(images, progress=False, **given)
        rows.append(
            {name: given.get(name, "") for name in ("method", "threshold", "grouping", "confirm")}
            | list_scores(found, example.near_duplicates)
        )
    both = combine_duplicates(
        images,
        find_duplicates(images, method="perceptual", progress=False),
        find_duplicates(images, method="embedding", x=x),
    )
    rows.append({"method": "both, defaults"} | list_scores(both, example.near_duplicates))
    table = pd.DataFrame(rows).astype(object).fillna("").set_index("method")
    table.index.name = ""
    print_table("Example corpus: pairs of near copies; recall by kind in the columns named for them", table)
    compare_kinds(example)


def list_scores(found: Duplicates, known: pd.DataFrame) -> dict:
    scores = score_duplicates(found, known).set_index("kind")
    shown = {name: int(scores.loc["all", name]) for name in ("known", "found", "correct")}
    shown |= {name: round(scores.loc["all", name], 3) for name in ("precision", "recall")}
    shown |= {kind: round(scores.loc[kind, "recall"], 2) for kind in scores.index[1:]}
    return shown | {"largest radius": round(float(found.groups["radius"].max()), 3)}


def compare_kinds(example: Example) -> None:
    """Why pHash: of each hash of the package, what it finds before it joins a wrong pair."""
    usable = select_usable(example.images)
    known = example.near_duplicates
    place = pd.Series(usable.index, index=usable["image_id"])
    links = [(place[known["image_id"]].to_numpy(), place[known["source_id"]].to_numpy())]
    group = connect_pairs(links, len(usable))
    i, j = np.triu_indices(len(usable), 1)
    same = group[i] == group[j]
    opened = [read_image(path) for path in usable["path"]]
    rows = {}
    for name in ("phash", "dhash", "average_hash", "whash", "phash_simple"):
        bits = np.array([getattr(imagehash, name)(image).hash.ravel() for image in opened])
        distances = (bits[i] != bits[j]).sum(axis=1)
        first_wrong = int(distances[~same].min())
        rows[name] = {
            "bits of the first wrong pair": first_wrong,
            "recall of pairs below": round(float((distances[same] < first_wrong).mean()), 3),
        }
    print_table("Hashes of the imagehash package on the example corpus", pd.DataFrame(rows).T)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few hashes and turns")
    parser.add_argument(
        "--only",
        nargs="*",
        help="small, medium, large, thresholds, whole, rows, layout and scores, or some of them",
    )
    given = parser.parse_args()
    print(describe_machine())
    few, some, n, turns = (200, 1000, 10_000, 2) if given.quick else (1000, 5000, 100_000, 3)
    parts = {
        "small": lambda: bench_search(few, 3, ("brute_force_cython", "bktree", "brute_force"), n_queries=few),
        "medium": lambda: bench_search(some, 3, ("brute_force_cython",), n_queries=some),
        "large": lambda: bench_search(n, turns, ("brute_force_cython",), n_queries=300),
        "thresholds": lambda: bench_thresholds(n),
        "whole": lambda: bench_whole(n),
        "rows": lambda: bench_rows(2000 if given.quick else 18_096, turns),
        "layout": lambda: bench_layout(60 if given.quick else 300),
        "scores": score_methods,
    }
    for name, part in parts.items():
        if name in (given.only or parts):
            part()


if __name__ == "__main__":
    main()
