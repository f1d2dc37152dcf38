"""The mark of what a computer made up: a column that goes with every table that rests on it."""

from typing import Any

import pandas as pd

MARK = "simulated"


def is_simulated(*tables: Any) -> bool:
    """Say whether any row of the tables is marked as simulated; what has no such column is not."""
    marked = [table[MARK] for table in tables if isinstance(table, pd.DataFrame) and MARK in table.columns]
    return any(bool(column.isin([True]).any()) for column in marked)


def mark_simulated(table: pd.DataFrame, *sources: Any) -> pd.DataFrame:
    """Give the table with a column ``simulated``, True throughout, where any of its sources is simulated.

    Otherwise it is given back as it is, without the column.
    """
    return table.assign(**{MARK: True}) if is_simulated(table, *sources) else table
