"""Figures of the tracking of hashtags, drawn from its tables."""

import altair as alt
import pandas as pd

__all__ = ["plot_hashtag_spans"]

# Okabe and Ito's colours, which people with any colour vision tell apart.
_COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9"]


def plot_hashtag_spans(spans: pd.DataFrame, *, width: int = 560, row_height: int = 16) -> alt.LayerChart:
    """Draw when each hashtag was tracked, coloured by the kind of account that brought it in.

    Parameters
    ----------
    spans : DataFrame
        From `track_hashtags`; take a part of it where there are more hashtags than a page holds.
    width, row_height : int, pixels
        Of the panel, and of the row of a hashtag.

    Returns
    -------
    altair.Chart
        A row per hashtag in the order of their first entry, a bar per span, and how many posts all of its
        spans collected. A tick marks where a bar ends only because the posts do. Days are drawn as in the
        timezone of the spans.

    Raises
    ------
    ValueError
        If no hashtag was tracked.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson, Appendix A.

    Examples
    --------
    >>> day = pd.Timestamp("2018-06-15")
    >>> spans = pd.DataFrame({"hashtag": ["FamiliesBelongTogether"], "entered": [day],
    ...     "left": [day + pd.Timedelta(days=2)], "entered_by": ["ACLU"], "kind": ["organization"],
    ...     "uses": [3], "renewals": [0], "reason": ["not renewed"], "posts": [12]})
    >>> type(plot_hashtag_spans(spans)).__name__
    'LayerChart'
    """
    if spans.empty:
        raise ValueError("Expected at least one span, got none: no hashtag was tracked.")
    columns = ["hashtag", "entered", "left", "entered_by", "kind", "uses", "renewals", "reason", "posts"]
    table = spans[columns].copy()
    for name in ("entered", "left"):  # without a zone, a browser shows the time as it stands
        table[name] = table[name].dt.tz_localize(None)
    # Altair puts the data into the script of a saved page as they are, and "</script>" would end it.
    table["tag"] = "#" + table.pop("hashtag").astype(str).str.replace("<", "‹")
    order = table.sort_values("entered", kind="stable")["tag"].drop_duplicates().tolist()
    y = alt.Y("tag:N", title=None, sort=order, axis=alt.Axis(labelLimit=260))
    base = alt.Chart(table).encode(y=y)
    bars = base.mark_bar(height=row_height - 5, cornerRadius=2).encode(
        x=alt.X("entered:T", title=None, axis=alt.Axis(format="%-d %b", tickCount=8, labelOverlap=True)),
        x2="left:T",
        color=alt.Color(
            "kind:N",
            title="Brought in by",
            scale=alt.Scale(range=_COLOURS),
            legend=alt.Legend(orient="bottom"),
        ),
        tooltip=[
            alt.Tooltip("tag:N", title="Hashtag"),
            alt.Tooltip("entered:T", title="Entered", format="%Y-%m-%d"),
            alt.Tooltip("left:T", title="Left", format="%Y-%m-%d"),
            alt.Tooltip("entered_by:N", title="Brought in by"),
            alt.Tooltip("uses:Q", title="With so many posts that day"),
            alt.Tooltip("renewals:Q", title="Renewals"),
            alt.Tooltip("reason:N", title="Why it ends"),
            alt.Tooltip("posts:Q", title="Posts collected", format=","),
        ],
    )
    counts = base.mark_text(align="left", dx=8, fontSize=10, color="#444").encode(
        x=alt.value(width), text=alt.Text("sum(posts):Q", format=",")
    )
    cut = (
        base.transform_filter("datum.reason === 'posts end'")
        .mark_tick(color="black", thickness=2, height=row_height - 3)
        .encode(x="left:T")
    )
    title = alt.TitleParams(
        "When each hashtag was tracked",
        subtitle="At the right: posts collected. Black end: the posts end there",
        anchor="start",
    )
    return (bars + cut + counts).properties(width=width, height=alt.Step(row_height), title=title)
