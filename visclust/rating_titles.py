"""Titles of figures of ratings, which say so where the ratings were simulated."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from visclust.rating_tables import find_simulated

__all__ = ["SIMULATED_NOTE", "title_ratings"]

SIMULATED_NOTE = "SIMULATED ratings, made by a computer: nobody felt this"


def title_ratings(text: str, table: pd.DataFrame, *, subtitle: Sequence[str] = ()) -> alt.TitleParams:
    """Title a figure, with a note below wherever its table rests on simulated ratings.

    Parameters
    ----------
    text : str
        The title.
    table : DataFrame
        What is drawn, with the column ``simulated``.
    subtitle : sequence of str, default ()
        Lines below the title.

    Returns
    -------
    altair.TitleParams
        The title, at the left.

    Raises
    ------
    ValueError
        If the table does not say whether its ratings were simulated.

    Examples
    --------
    >>> title_ratings("Means", pd.DataFrame({"simulated": [True]})).subtitle
    ['SIMULATED ratings, made by a computer: nobody felt this']
    """
    lines = [SIMULATED_NOTE, *subtitle] if find_simulated(table) else list(subtitle)
    return alt.TitleParams(text, subtitle=lines, anchor="start", subtitleColor="#444", offset=8)
