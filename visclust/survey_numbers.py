"""Read one rating as it stands in an answer file."""

import math
import re

__all__ = ["read_rating"]


def read_rating(text: object, scale: tuple[int, int]) -> tuple[float, str]:
    """Read a rating, or say why it is none.

    Parameters
    ----------
    text : object
        What stands there: "7", "7.0", or a label that begins with its number and holds no other, such as
        "10 (very much)".
    scale : tuple of two int
        Lowest and highest number.

    Returns
    -------
    tuple of float and str
        The rating, NaN where there is none; and what is wrong: "not a number", "not a whole number", "out of
        range", or empty.

    Examples
    --------
    >>> read_rating("10 (very much)", (1, 10)), read_rating("11", (1, 10))
    ((10.0, ''), (nan, 'out of range'))
    """
    said = str(text).strip()
    if not said:
        return math.nan, ""
    match = re.fullmatch(r"([+-]?\d+(?:[.,]\d+)?)(?![\d.,])(?:\W\D*)?", said, re.DOTALL)
    if not match:
        return math.nan, "not a number"
    number = float(match[1].replace(",", "."))
    if not number.is_integer() and math.isfinite(number):
        return math.nan, "not a whole number"
    if not scale[0] <= number <= scale[1]:
        return math.nan, "out of range"
    return number, ""
