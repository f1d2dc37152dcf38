"""Figures of the corpus at a glance, drawn from the tables of `describe_corpus`."""

import altair as alt
import pandas as pd

__all__ = ["plot_images_per_day", "plot_lorenz"]

_GRAY, _ORANGE = "#9e9e9e", "#e6780a"


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
        .mark_line(color=_GRAY, strokeDash=[5, 4])
        .encode(x="unique_share:Q", y="images_share:Q")
    )
    title = alt.TitleParams(
        "How unequally images are posted", subtitle="Dashed: all equally often", anchor="start"
    )
    return (equal + curve + points).properties(width=width, height=height, title=title)


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

    Examples
    --------
    >>> days = pd.DataFrame({"day": pd.to_datetime(["2018-06-14"], utc=True), "images": [3],
    ...     "new_images": [1], "posts": [5], "posts_with_images": [3], "unique_images": [2]})
    >>> type(plot_images_per_day(days)).__name__
    'Chart'
    """
    table = days[["day", "posts", "posts_with_images", "images", "unique_images", "new_images"]].copy()
    table["day"] = table["day"].dt.tz_localize(None)  # without a zone, a browser shows the time as it stands
    words = {"new": "New images", "seen": "Images seen before"}
    return (
        alt.Chart(table)
        .transform_calculate(new="datum.new_images", seen="datum.images - datum.new_images")
        .transform_fold(list(words), as_=["kind", "count"])
        .transform_calculate(
            kind=f"datum.kind === 'new' ? '{words['new']}' : '{words['seen']}'",
            # New ones at the bottom, where they can be compared over days.
            place="datum.kind === 'New images' ? 0 : 1",
        )
        .mark_bar()
        .encode(
            x=alt.X(
                "yearmonthdate(day):T",
                title=None,
                axis=alt.Axis(format="%-d %b %Y", tickCount=8, labelOverlap=True),
            ),
            y=alt.Y("count:Q", title="Images posted on the day"),
            color=alt.Color(
                "kind:N",
                title=None,
                scale=alt.Scale(domain=list(words.values()), range=[_ORANGE, _GRAY]),
                legend=alt.Legend(orient="top"),
            ),
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
