"""The mark of what a computer made up: a column that goes with every table that rests on it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

MARK = "simulated"


def is_simulated(*tables: Any) -> bool:
    """Say whether any row of the tables is marked as simulated.

    A table without such a column is, where its record says that it had one: columns were chosen from it.
    """
    return any(_is_marked(table) for table in tables if isinstance(table, pd.DataFrame))


def _is_marked(table: pd.DataFrame) -> bool:
    if MARK in table.columns:
        return bool(table[MARK].isin([True]).any())
    record = table.attrs.get("provenance")
    return isinstance(record, Mapping) and record.get(MARK) is True


def mark_simulated(table: pd.DataFrame, *sources: Any) -> pd.DataFrame:
    """Give the table with a column ``simulated``, True throughout, where any of its sources is simulated.

    Otherwise it is given back as it is, without the column.
    """
    return table.assign(**{MARK: True}) if is_simulated(table, *sources) else table
