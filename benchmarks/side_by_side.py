"""Time ways of doing the same thing side by side: alternating runs, and ratios."""

import os
import platform
import time
from collections.abc import Callable

import numpy as np
import pandas as pd


def time_alternating(ways: dict[str, Callable[[], object]], *, turns: int = 5) -> pd.DataFrame:
    """Run every way in every turn, after one unmeasured run of each; a column of seconds per way."""
    for way in ways.values():
        way()
    rows = []
    for _ in range(turns):
        row = {}
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            row[name] = time.perf_counter() - started
        rows.append(row)
    return pd.DataFrame(rows)


def compare_times(seconds: pd.DataFrame, *, ours: str) -> pd.DataFrame:
    """Give seconds (median) and the ratio of each way to ours: minimum, median and maximum over the turns."""
    ratios = seconds.div(seconds[ours], axis=0)
    return pd.DataFrame(
        {
            "seconds": seconds.median(),
            "ratio min": ratios.min(),
            "ratio median": ratios.median(),
            "ratio max": ratios.max(),
        }
    ).round(3)


def describe_machine() -> str:
    """Name processor, cores, and the versions that matter."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:  # noqa: PTH123 - a device file
            name = next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    import sklearn

    return (
        f"{pd.Timestamp.now():%Y-%m-%d}, {name}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, scikit-learn {sklearn.__version__}"
    )


def print_table(title: str, table: pd.DataFrame) -> None:
    """Print a table in Markdown."""
    print(f"\n### {title}\n")
    text = table.reset_index().rename(columns={"index": ""}).astype(str)
    print("| " + " | ".join(text.columns) + " |")
    print("|" + " --- |" * len(text.columns))
    for row in text.itertuples(index=False):
        print("| " + " | ".join(map(str, row)) + " |")
    print(flush=True)
