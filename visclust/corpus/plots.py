"""Figures of the corpus: images per day, how unequally they are posted, and when hashtags were tracked."""

import altair as alt
import pandas as pd

from visclust.base.charts import (
    ORANGE,
    PALE_GRAY,
    choose_colours,
    colour_by,
    drawn,
    label_long,
    scale_log,
    title_chart,
)
from visclust.base.tables import check_columns
from visclust.base.times import take_times


@drawn
def plot_images_per_day(days: pd.DataFrame, *, width: int = 620, height: int = 200) -> alt.Chart:
    """Draw the images posted on each day, those shown for the first time apart from those seen before.

    Parameters
    ----------
    days : DataFrame
        From `describe_corpus`.
    width, height : int, pixels
        Size.

    Returns
    -------
    altair.Chart
        One panel of stacked bars. Days are drawn as in the timezone of the table.

    Raises
    ------
    ValueError
        If a column is missing, or what stands for a day is none.

    Examples
    --------
    >>> days = pd.DataFrame({"day": pd.to_datetime(["2018-06-14"], utc=True), "images": [3],
    ...     "new_images": [1], "posts": [5], "posts_with_images": [3], "unique_images": [2]})
    >>> type(plot_images_per_day(days)).__name__
    'Chart'
    """
    columns = ["day", "posts", "posts_with_images", "images", "unique_images", "new_images"]
    check_columns(days, columns, "the days")
    table = days[columns].copy()
    # Without a zone, a browser shows the time as it stands.
    table["day"] = take_times(table, "day", "the days").dt.tz_localize(None)
    new, seen = "New images", "Images seen before"
    return (
        alt.Chart(table)
        .transform_calculate(new="datum.new_images", seen="datum.images - datum.new_images")
        .transform_fold(["new", "seen"], as_=["kind", "count"])
        .transform_calculate(
            # New ones at the bottom, where they can be compared over days.
            place="datum.kind === 'new' ? 0 : 1",
            kind=f"datum.kind === 'new' ? '{new}' : '{seen}'",
        )
        .mark_bar()
        .encode(
            x=alt.X(
                "yearmonthdate(day):T",
                title=None,
                axis=alt.Axis(format="%-d %b %Y", tickCount=8, labelOverlap=True),
            ),
            y=alt.Y("count:Q", title="Images posted on the day"),
            color=colour_by("kind", {new: ORANGE, seen: PALE_GRAY}, orient="top"),
            order=alt.Order("place:Q"),
            tooltip=[
                alt.Tooltip("day:T", title="Day", format="%Y-%m-%d"),
                alt.Tooltip("posts:Q", title="Posts", format=","),
                alt.Tooltip("posts_with_images:Q", title="Posts with images", format=","),
                alt.Tooltip("images:Q", title="Images", format=","),
                alt.Tooltip("unique_images:Q", title="Unique images", format=","),
                alt.Tooltip("new_images:Q", title="New images", format=","),
            ],
        )
        .properties(width=width, height=height, title=alt.TitleParams("Images per day", anchor="start"))
    )


@drawn
def plot_image_uses(uses: pd.DataFrame, *, width: int = 480, height: int = 240) -> alt.Chart:
    """Draw the number of posts per image by rank, both on log scales.

    Parameters
    ----------
    uses : DataFrame
        From `count_image_uses`.
    width, height : int, pixels
        Size.

    Returns
    -------
    altair.Chart
        One panel; a straight line downwards is a power law.

    Examples
    --------
    >>> type(plot_image_uses(pd.DataFrame({"image_id": ["a"], "posts": [2], "rank": [1]}))).__name__
    'Chart'
    """
    check_columns(uses, ("rank", "posts"), "the uses")
    x_scale, x_axis = scale_log(uses["rank"])
    y_scale, y_axis = scale_log(uses["posts"])
    title = alt.TitleParams("How often each image is posted", anchor="start")
    return (
        alt.Chart(uses[["rank", "posts"]])
        .mark_line(color="black", point=alt.OverlayMarkDef(color="black", size=14))
        .encode(
            x=alt.X("rank:Q", title="Images, the most posted first (log scale)", scale=x_scale, axis=x_axis),
            y=alt.Y("posts:Q", title="Posts that show it (log scale)", scale=y_scale, axis=y_axis),
        )
        .properties(width=width, height=height, title=title)
    )


@drawn
def plot_lorenz(lorenz: pd.DataFrame, *, width: int = 320, height: int = 320) -> alt.LayerChart:
    """Draw how unequally the unique images are posted, against the line of equal use.

    Parameters
    ----------
    lorenz : DataFrame
        ``unique_share, images_share``, from `describe_corpus`.
    width, height : int, pixels
        Size.

    Returns
    -------
    altair.Chart
        One panel. The further the curve hangs below the dashed line, the fewer images make up the corpus;
        the Gini coefficient is twice the area between the two.

    Source
    ------
    M. O. Lorenz, "Methods of Measuring the Concentration of Wealth", Publications of the American
    Statistical Association 9 (1905).

    Examples
    --------
    >>> type(plot_lorenz(pd.DataFrame({"unique_share": [0, 0.5, 1], "images_share": [0, 0.2, 1]}))).__name__
    'LayerChart'
    """
    check_columns(lorenz, ("unique_share", "images_share"), "the lorenz")
    scale = alt.Scale(domain=[0, 1], nice=False)
    axis = alt.Axis(format="%", tickCount=5)
    curve = (
        alt.Chart(lorenz[["unique_share", "images_share"]])
        .mark_line(color="black")
        .encode(
            x=alt.X("unique_share:Q", title="Unique images, the least posted first", scale=scale, axis=axis),
            y=alt.Y("images_share:Q", title="Their share of the images posted", scale=scale, axis=axis),
        )
    )
    points = curve.mark_circle(opacity=0, size=120).encode(
        tooltip=[
            alt.Tooltip("unique_share:Q", title="The least posted", format=".1%"),
            alt.Tooltip("images_share:Q", title="have of the images posted", format=".1%"),
        ]
    )
    equal = (
        alt.Chart(pd.DataFrame({"unique_share": [0.0, 1.0], "images_share": [0.0, 1.0]}))
        .mark_line(color=PALE_GRAY, strokeDash=[5, 4])
        .encode(x="unique_share:Q", y="images_share:Q")
    )
    title = alt.TitleParams(
        "How unequally images are posted", subtitle="Dashed: all equally often", anchor="start"
    )
    return (equal + curve + points).properties(width=width, height=height, title=title)


@drawn
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
        timezone of the spans. Where they rest on simulated accounts, the figure says so.

    Raises
    ------
    ValueError
        If no hashtag was tracked, or what stands for a time is none.

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
    columns = ["hashtag", "entered", "left", "entered_by", "kind", "uses", "renewals", "reason", "posts"]
    check_columns(spans, columns, "the spans")
    if spans.empty:
        raise ValueError("Expected at least one row in spans, got none: no hashtag was tracked.")
    table = spans[columns].copy()
    for name in ("entered", "left"):  # without a zone, a browser shows the time as it stands
        table[name] = take_times(table, name, "the spans").dt.tz_localize(None)
    table["tag"] = "#" + table.pop("hashtag").astype(str)
    order = table.sort_values("entered", kind="stable")["tag"].drop_duplicates().tolist()
    y = alt.Y(
        "tag:N", title=None, sort=order, axis=alt.Axis(**label_long(wide=28, limit=170), labelLineHeight=9)
    )
    base = alt.Chart(table).encode(y=y)
    bars = base.mark_bar(height=row_height - 5, cornerRadius=2).encode(
        x=alt.X(
            "entered:T",
            title=None,
            axis=alt.Axis(format="%-d %b %Y", tickCount=8, labelOverlap=True),
        ),
        x2="left:T",
        color=colour_by("kind", choose_colours(sorted(table["kind"].dropna())), title="Brought in by"),
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
    title = title_chart(
        "When each hashtag was tracked",
        spans,
        subtitle=["At the right: posts collected. Black end: the posts end there"],
    )
    return (bars + cut + counts).properties(width=width, height=alt.Step(row_height), title=title)
