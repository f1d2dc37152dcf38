"""Values that few functions should take; each is made anew, as some can be gone through once."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

BAD_VALUES: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "True": lambda: True,
    "-1": lambda: -1,
    "0": lambda: 0,
    "1.5": lambda: 1.5,
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "1e308": lambda: 1e308,
    "10**30": lambda: 10**30,
    "'0'": lambda: "0",
    "''": lambda: "",
    "a zero byte": lambda: "\0",
    "half a character": lambda: "\ud800",
    "b'x'": lambda: b"x",
    "[]": list,
    "[1, 'a']": lambda: [1, "a"],
    "[None]": lambda: [None],
    "{}": dict,
    "{1: 'a'}": lambda: {1: "a"},
    "a set": lambda: {"a"},
    "a generator": lambda: (each for each in ("a", 2)),
    "range(3)": lambda: range(3),
    "np.int64(2)": lambda: np.int64(2),
    "np.float32(.5)": lambda: np.float32(0.5),
    "np.bool_": lambda: np.True_,
    "np.array([2, 3])": lambda: np.array([2, 3]),
    "np.array(['a'])": lambda: np.array(["a"]),
    "a matrix of NaN": lambda: np.full((2, 2), np.nan),
    "object()": object,
    "a function": lambda: len,
    "pd.NA": lambda: pd.NA,
    "a time": lambda: pd.Timestamp("2018-06-14"),
    "a series": lambda: pd.Series([1, 2]),
    "an empty table": pd.DataFrame,
    "a table of other columns": lambda: pd.DataFrame({"other": [1, 2]}),
    "a path of nothing": lambda: "nowhere/nothing.parquet",
}
