"""Columns of times, as a table from anywhere holds them: as times, as texts, as datetimes of Python."""

from datetime import date, datetime
from typing import Any

import pandas as pd


def take_times(table: pd.DataFrame, name: str, what: str) -> pd.Series:
    """Give a column of a table as times.

    Times stay as they are. Texts of ISO 8601 (2018-06-14, 2018-06-14 09:30, with an offset or without) and
    datetimes of Python are turned into them; of several zones they are put into UTC. What is no time, or has
    a zone in some rows only, is refused, with the row.
    """
    column = table[name]
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column
    times = [_take_time(value, row, name, what) for row, value in enumerate(column)]
    known = [each for each in times if each is not pd.NaT]
    with_zone = {each.tzinfo is not None for each in known}
    if len(with_zone) > 1:
        bare = next(row for row, each in enumerate(times) if each is not pd.NaT and each.tzinfo is None)
        raise ValueError(
            f"Expected the column {name!r} of {what} with a time zone in all rows or in none, got both: "
            f"row {bare} has {column.iloc[bare]!r}, without one. Write the zone of each, or take it from all."
        )
    zones = {str(each.tzinfo) for each in known}
    result = pd.to_datetime(pd.Series(times, index=column.index, dtype=object), utc=with_zone == {True})
    return result.dt.tz_convert(known[0].tzinfo) if len(zones) == 1 and with_zone == {True} else result


def _take_time(value: Any, row: int, name: str, what: str) -> Any:
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return pd.NaT
    try:
        if isinstance(value, str):
            return pd.Timestamp(datetime.fromisoformat(value.strip()))
        if isinstance(value, datetime | date):
            return pd.Timestamp(value)
    except ValueError:  # not of the form, or beyond the calendar of pandas
        pass
    raise ValueError(
        f"Expected the column {name!r} of {what} as times, or texts such as 2018-06-14 09:30, got {value!r} "
        f"in row {row}: read_posts reads times of other forms; pandas.to_datetime(..., format=...) does too."
    )
