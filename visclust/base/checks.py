"""Check arguments that are numbers, before any work starts."""

import numpy as np


def check_whole_number(name: str, value: object, *, least: int) -> None:
    """Refuse an argument that is not a whole number, or too small."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"Expected {name} to be a whole number of at least {least}, got {value!r}.")


def check_level(level: object) -> None:
    """Refuse a confidence level that is none, such as one in percent."""
    if not isinstance(level, int | float | np.number) or not 0 < level < 1:
        raise ValueError(f"Expected a level between 0 and 1, such as 0.95, got {level!r}.")
