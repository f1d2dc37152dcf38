"""How often each image is posted: a few very often, most once or twice."""

import altair as alt
import pandas as pd

from visclust.base.tables import check_table

__all__ = ["count_image_uses", "plot_image_uses"]


def count_image_uses(links: pd.DataFrame) -> pd.DataFrame:
    """Count the posts that show each image.

    Parameters
    ----------
    links : DataFrame
        The posts_images table.

    Returns
    -------
    DataFrame
        ``image_id, posts`` and ``rank`` (from 1), the most posted first.

    Examples
    --------
    >>> links = pd.DataFrame({"post_id": ["p", "q", "q"], "image_id": ["a", "a", "b"]})
    >>> count_image_uses(links)
      image_id  posts  rank
    0        a      2     1
    1        b      1     2
    """
    check_table(links, "posts_images")
    uses = links.groupby("image_id").size().rename("posts").reset_index()
    uses = uses.sort_values(["posts", "image_id"], ascending=[False, True], ignore_index=True)
    return uses.assign(rank=range(1, len(uses) + 1))


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
    return (
        alt.Chart(uses[["rank", "posts"]])
        .mark_line(color="black", point=alt.OverlayMarkDef(color="black", size=14))
        .encode(
            x=alt.X("rank:Q", title="Images, the most posted first", scale=alt.Scale(type="log")),
            y=alt.Y("posts:Q", title="Posts that show the image", scale=alt.Scale(type="log")),
        )
        .properties(width=width, height=height, title="How often each image is posted")
    )
