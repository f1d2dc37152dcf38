"""A plan with numbers: bytes, workers, hours and cost of each step for a corpus of any size."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from visclust.base.checks import check_numbers, check_whole_number
from visclust.base.provenance import recorded

# Items per second of one core, measured by benchmarks/bench_shards.py, whose table holds date and hardware:
# CPU time, one thread; JPEGs of 1,024 x 768, rows of 512 float32, 100 clusters, 3,000 rows drawn.
RATES: dict[str, float] = {
    "read": 6880.0,
    "index": 91.8,
    "hash": 66.8,
    "embed": 11.3,
    "k-means pass": 145_000.0,
    "silhouettes": 13_800.0,
    "assign": 43_400.0,
}
# Bytes of one item on the disk, from the same run: what comes in, and the part that a step makes of it. The
# texts of real posts do not repeat as made-up ones do: the 250 bytes of "read" are an assumption.
SIZES: dict[str, float] = {
    "post": 2140.0,
    "image": 245_000.0,
    "read": 250.0,
    "index": 123.0,
    "hash": 112.0,
    "assign": 17.3,
}
# An assumption, not measured: images per second of one GPU of the class of an A100 through ResNet-18 at 224
# pixels in float32 with decoding beside it, where some 16 cores decode for it. Measure yours.
GPU_RATE = 2_500.0
# Assumptions too, per hour in one currency: a core and a GPU where they are cheap (spot, or a university's
# own) and where they are dear (on demand).
CORE_PRICES = (0.01, 0.05)
GPU_PRICES = (0.70, 3.00)
# An assumption: what all workers together read from shared storage, bytes per second.
STORAGE_RATE = 2e9
# What one row takes where all comes together: labels, iterations, silhouettes, numbers of rows, and the draw.
_COORDINATOR_BYTES = 60
_ID_BYTES = 120  # of an id in a set, in the memory of a worker that counts


@recorded
def plan_scale(
    *,
    posts: int = 400_000_000,
    images: int = 100_000_000,
    dimensions: int = 512,
    n_clusters: int = 100,
    iterations: int = 20,
    passes: int = 10,
    workers: int = 256,
    gpus: int = 4,
    core_prices: Sequence[float] = CORE_PRICES,
    gpu_prices: Sequence[float] = GPU_PRICES,
    gpu_rate: float = GPU_RATE,
    storage_rate: float = STORAGE_RATE,
    rates: Mapping[str, float] | None = None,
    sizes: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Plan the steps for a corpus: bytes, hours and cost of each, and which of them breaks first.

    The rates per core were measured on one machine (``benchmarks/shard_rates.md``); those of GPUs, storage
    and prices are assumptions, and the column ``rests_on`` says so. Everything is plain arithmetic: measure
    one shard of yours, and give its rates.

    Parameters
    ----------
    posts, images : int, default 400,000,000 and 100,000,000
        How many. Images are unique files.
    dimensions : int, default 512
        Numbers in a row of the embedding.
    n_clusters : int, default 100
        Clusters of an iteration, at most.
    iterations, passes : int, default 20 and 10
        Iterations of the method, and passes of k-means over the remaining rows in each. All rows are taken
        to remain in each, so that this is an upper end.
    workers, gpus : int, default 256 and 4
        Cores, and GPUs for embedding.
    core_prices, gpu_prices : two floats, default (0.01, 0.05) and (0.70, 3.00)
        Of one hour of a core and of a GPU, the low and the high price, in one currency.
    gpu_rate : float, default 2,500
        Images per second of one GPU: an assumption.
    storage_rate : float, bytes per second, default 2e9
        What all workers together read from storage: an assumption.
    rates, sizes : mapping, optional
        Rates of one core (items per second) and bytes per item of your own, by the names in
        `visclust.scale.plan.RATES` and ``SIZES``.

    Returns
    -------
    DataFrame
        A row per step: ``step, items``; ``gigabytes_read, gigabytes_written``; ``machines`` ("256 cores"),
        ``machine_hours`` (summed over them), ``hours`` (until it is done); ``limit`` ("cores", "gpus" or
        "storage", whichever takes longest); ``cost_low``, ``cost_high``; ``gigabytes_in_one_place`` (the most
        memory that any one process needs); ``breaks_first`` (True in the row that takes longest) and
        ``rests_on``. Embedding comes on cores and on GPUs: one of the two is enough, and the slower one never
        breaks first.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> plan = plan_scale(posts=1_000_000, images=1_000_000, workers=8, gpus=1)
    >>> plan["step"].tolist()[:3]
    ['read posts', 'index images', 'hash images']
    """
    for name, value in (
        ("posts", posts),
        ("images", images),
        ("dimensions", dimensions),
        ("n_clusters", n_clusters),
        ("iterations", iterations),
        ("passes", passes),
        ("workers", workers),
        ("gpus", gpus),
    ):
        check_whole_number(name, value, least=0 if name in ("posts", "images", "gpus") else 1)
    prices = {
        name: _take_prices(name, each)
        for name, each in (("core_prices", core_prices), ("gpu_prices", gpu_prices))
    }
    for name, value in (("gpu_rate", gpu_rate), ("storage_rate", storage_rate)):
        if not 0 < value < np.inf:
            raise ValueError(f"Expected {name} to be a number above 0, got {value!r}.")
    rate = {**RATES, **_take_own("rates", rates, RATES)}
    size = {**SIZES, **_take_own("sizes", sizes, SIZES)}
    rows_bytes = images * dimensions * 4
    # Products grow with both; the measured ones had 512 columns and 100 clusters.
    wide = dimensions / 512
    product = wide * n_clusters / 100
    together = images * _COORDINATOR_BYTES
    shard = 2e8  # what a worker holds of a shard that it makes
    plans: list[tuple[str, float, float, float, float, float]] = [
        ("read posts", posts, rate["read"], posts * size["post"], posts * size["read"], 2e9),
        ("index images", images, rate["index"], images * size["image"], images * size["index"], shard),
        ("hash images", images, rate["hash"], images * size["image"], images * size["hash"], shard),
        ("count copies", images, 1e6, 64 * images * 40.0, 0.0, images / 64 * _ID_BYTES),
        ("embed on cores", images, rate["embed"], images * size["image"], rows_bytes, 2 * shard),
        ("embed on GPUs", images, gpu_rate, images * size["image"], rows_bytes, 4e9),
        (
            "k-means",
            images * iterations * passes,
            rate["k-means pass"] / product,
            float(rows_bytes) * iterations * passes,
            0.0,
            together,
        ),
        (
            "silhouettes",
            images * iterations,
            rate["silhouettes"] / product,
            float(rows_bytes) * iterations,
            0.0,
            together,
        ),
        ("assign", images, rate["assign"] / product, rows_bytes, images * size["assign"], shard),
    ]
    table: list[dict[str, Any]] = []
    for step, items, speed, read, written, memory in plans:
        on_gpu = step.endswith("GPUs")
        if on_gpu and not gpus:
            continue
        machines = gpus if on_gpu else workers
        spent = items / speed / 3600
        by_machines, by_storage = spent / machines, (read + written) / storage_rate / 3600
        low, high = prices["gpu_prices" if on_gpu else "core_prices"]
        assumed = step == "count copies"
        table.append(
            {
                "step": step,
                "items": int(items),
                "gigabytes_read": read / 1e9,
                "gigabytes_written": written / 1e9,
                "machines": f"{machines} {'GPUs' if on_gpu else 'cores'}",
                "machine_hours": spent,
                "hours": max(by_machines, by_storage),
                "limit": "storage" if by_storage > by_machines else "gpus" if on_gpu else "cores",
                # Machines that wait for storage are paid too.
                "cost_low": max(by_machines, by_storage) * machines * low,
                "cost_high": max(by_machines, by_storage) * machines * high,
                "gigabytes_in_one_place": memory / 1e9,
                "rests_on": "an assumed rate" if on_gpu or assumed else "a measured rate",
            }
        )
    plan = pd.DataFrame(table)
    # One of the two ways to embed is enough: the slower one stops nobody.
    ways = plan.loc[plan["step"].str.startswith("embed"), "hours"]
    counted = plan["hours"].drop(ways.index.difference([ways.idxmin()]))
    plan.insert(len(plan.columns) - 1, "breaks_first", plan.index == counted.idxmax())
    numbers = ["gigabytes_read", "gigabytes_written", "machine_hours", "hours", "cost_low", "cost_high"]
    return plan.round(dict.fromkeys(numbers, 2) | {"gigabytes_in_one_place": 2})


def _take_prices(name: str, value: Any) -> tuple[float, float]:
    found = check_numbers(name, value)
    if found.shape != (2,) or not (0 <= found[0] <= found[1]):
        raise ValueError(
            f"Expected {name} to be two prices of 0 or more, the lower one first, got {value!r}."
        )
    return float(found[0]), float(found[1])


def _take_own(name: str, given: Mapping[str, float] | None, known: Mapping[str, float]) -> dict[str, float]:
    own = dict(given or {})
    wrong = [each for each, value in own.items() if each not in known or not 0 < value < np.inf]
    if wrong:
        raise ValueError(
            f"Expected {name} to be numbers above 0 by names among {', '.join(known)}, got {wrong[0]!r}."
        )
    return own
