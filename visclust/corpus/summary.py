"""The corpus at a glance: how many posts, images and unique images, how unequally used, and on which days."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_list_like

from visclust.base.provenance import recorded
from visclust.base.tables import check_posts, check_table, check_used

_PAPER = {"posts": 174_172, "images": 88_075, "unique images": 18_096}
_SHARES = (0.01, 0.1)


class CorpusDescription(NamedTuple):
    """What `describe_corpus` returns: counts, concentration of use, Lorenz curve, and days."""

    counts: pd.DataFrame
    concentration: pd.DataFrame
    lorenz: pd.DataFrame
    days: pd.DataFrame


@recorded
def describe_corpus(
    posts: pd.DataFrame, images: pd.DataFrame, links: pd.DataFrame, *, timezone: str = "UTC"
) -> CorpusDescription:
    """Count a corpus as the paper counts its own, and say how unequally its images are used.

    Parameters
    ----------
    posts : DataFrame
        The posts table.
    images : DataFrame
        The images table.
    links : DataFrame
        The posts_images table, as `link_posts` makes it of the two.
    timezone : str, default "UTC"
        Whose midnights part the days, such as "America/New_York".

    Returns
    -------
    counts : DataFrame
        ``measure, count, paper`` (the paper's number, where it has one), ``meaning``. The measures:

        - posts: rows of `posts`.
        - posts with media, posts with images: those that name media, and those with one image at least that
          is here and can be read.
        - media named: entries of ``media``, each once per post; what a collection hoped for.
        - images: each image once per post that shows it, so that an image in ten posts is ten images. These
          are the rows of `links`.
        - unique images: different images among them, by their bytes.
        - image files, unreadable files: rows of `images`, and those that cannot be read. One file
          per download: where the same address was fetched once for many posts, fewer than images.
        - unique images that no post shows: readable, but without a link.
    concentration : DataFrame
        ``measure, value, meaning``: images per unique image; shares (0 to 1) of the images that are the most
        posted one, and the most posted 1% and 10% of the unique images (rounded up); the share of the unique
        images that are posted once; the Gini coefficient (0: all posted equally often; near 1: one has nearly
        all posts).
    lorenz : DataFrame
        ``unique_share, images_share``: the curve from (0, 0) to (1, 1), the least posted first, with a point
        wherever its slope changes; nothing between is lost.
    days : DataFrame
        ``day, posts, posts_with_images, images, unique_images, new_images``, a row per day from the first
        post to the last; new images are unique ones shown for the first time. Posts without a time are in no
        day.

    Raises
    ------
    ValueError
        If a table is not of its kind, or links name posts or images that are not there.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson, data section: 174,172 tweets, 88,075 images, of which 18,096
    are unique. Whether its images are counted once per post or once per file downloaded, these numbers do not
    tell; they stand beside ours counted once per post, and the files are counted in a row of their own.

    Examples
    --------
    >>> posts = pd.DataFrame({"post_id": ["p", "q", "r"], "media": [["1.jpg"], ["1.jpg", "2.jpg"], []],
    ...     "posted_at": pd.to_datetime(["2018-06-14", "2018-06-16", "2018-06-16"], utc=True)})
    >>> images = pd.DataFrame({"image_id": ["a", "b"], "path": ["1.jpg", "2.jpg"], "status": ["ok", "ok"],
    ...                        "reason": ["", ""], "width": [4, 4], "height": [3, 3]})
    >>> links = pd.DataFrame({"post_id": ["p", "q", "q"], "image_id": ["a", "a", "b"]})
    >>> description = describe_corpus(posts, images, links)
    >>> description.counts.set_index("measure")["count"][["posts", "images", "unique images"]].tolist()
    [3, 3, 2]
    >>> description.days["new_images"].tolist()
    [1, 0, 1]
    """
    uses = _number_links(posts, images, links)
    often = count_image_uses(links)["posts"].to_numpy()
    return CorpusDescription(
        _count(posts, images, uses),
        _measure_concentration(often),
        _draw_lorenz(often),
        _count_days(posts, uses, timezone),
    )


def _number_links(posts: pd.DataFrame, images: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Check the tables, and give the links as row of the post and number of the image: faster than text."""
    check_posts(posts, ["posted_at", "media"])
    check_used(images, "images", ["image_id", "status"])
    check_table(links, "posts_images")
    numbers = {}
    for name, known in (("post_id", posts["post_id"]), ("image_id", images["image_id"].unique())):
        numbers[name] = pd.Index(known).get_indexer(pd.Index(links[name]))
        strange = numbers[name] < 0
        if strange.any():
            raise ValueError(
                f"{int(strange.sum()):,} of {len(links):,} links name a {name} that is not there, the first "
                f"{links.loc[strange, name].iloc[0]!r}. Make the links of these tables with link_posts."
            )
    return pd.DataFrame({"post": numbers["post_id"], "image": numbers["image_id"]})


def _count(posts: pd.DataFrame, images: pd.DataFrame, uses: pd.DataFrame) -> pd.DataFrame:
    """Make the table of counts, each with the paper's and with what it means."""
    named = np.array([_count_media(media) for media in posts["media"]], dtype="int64")
    readable = images["status"].isin(["ok", "duplicate"])
    unused = len(set(pd.factorize(images["image_id"])[0][readable]) - set(uses["image"]))
    rows = [
        ("posts", len(posts), "rows of the posts table"),
        ("posts with media", int((named > 0).sum()), "posts that name an image"),
        ("posts with images", uses["post"].nunique(), "posts with an image that is here and readable"),
        ("media named", int(named.sum()), "images that the posts name, each once per post"),
        ("images", len(uses), "images posted: each once per post that shows it"),
        ("unique images", uses["image"].nunique(), "different images among them, by their bytes"),
        ("image files", len(images), "files below the folder, copies among them"),
        ("unreadable files", int((~readable).sum()), "files that cannot be read as an image"),
        ("unique images that no post shows", unused, "readable, but named by no post"),
    ]
    table = pd.DataFrame(rows, columns=["measure", "count", "meaning"])
    paper = table["measure"].map(_PAPER).astype("Int64")
    return table.assign(paper=paper)[["measure", "count", "paper", "meaning"]]


def _count_media(media: object) -> int:
    """Count the media that a post names, each once."""
    return len(set(media)) if is_list_like(media) else 0  # type: ignore[call-overload]


def _measure_concentration(uses: np.ndarray) -> pd.DataFrame:
    """Describe how unequally the images are used; `uses` is sorted, the most posted first."""
    n, total = len(uses), uses.sum()
    shares = [uses[: int(np.ceil(share * n))].sum() / total if n else np.nan for share in _SHARES]
    rank = np.arange(n, 0, -1)  # the least posted has rank 1
    gini = (2 * (rank * uses).sum() / (n * total) - (n + 1) / n) if n else np.nan
    rows = [
        ("images per unique image", total / n if n else np.nan, "how often a unique image is posted, mean"),
        ("share of the most posted image", uses[0] / total if n else np.nan, "of the images posted"),
        *(
            (f"share of the most posted {share:.0%}", value, "of the images posted")
            for share, value in zip(_SHARES, shares, strict=True)
        ),
        ("posted once", float((uses == 1).mean()) if n else np.nan, "of the unique images"),
        ("Gini coefficient", gini, "0: all posted equally often; near 1: one has nearly all posts"),
    ]
    return pd.DataFrame(rows, columns=["measure", "value", "meaning"])


def _draw_lorenz(uses: np.ndarray) -> pd.DataFrame:
    """Give the curve's corners: it is straight over images that are posted equally often."""
    often, images = np.unique(uses, return_counts=True)
    x = np.concatenate([[0], np.cumsum(images)]).astype(float)
    y = np.concatenate([[0], np.cumsum(often * images)]).astype(float)
    return pd.DataFrame({"unique_share": x / max(x[-1], 1), "images_share": y / max(y[-1], 1)})


def _count_days(posts: pd.DataFrame, uses: pd.DataFrame, timezone: str) -> pd.DataFrame:
    """Count posts and images by day, days without any among them."""
    day = number_days(posts["posted_at"], timezone=timezone).to_numpy(dtype="float64", na_value=np.nan)
    placed = uses.assign(day=day[uses["post"].to_numpy()]).dropna().astype("int64")
    day_of = pd.Series(day).dropna().astype("int64")
    columns = {
        "posts": day_of.value_counts(),
        "posts_with_images": placed.groupby("day")["post"].nunique(),
        "images": placed["day"].value_counts(),
        "unique_images": placed.groupby("day")["image"].nunique(),
        "new_images": placed.groupby("image")["day"].min().value_counts(),
    }
    every = np.arange(day_of.min(), day_of.max() + 1) if len(day_of) else np.array([], dtype="int64")
    table = pd.DataFrame({name: counts.reindex(every, fill_value=0) for name, counts in columns.items()})
    table.insert(0, "day", start_of_days(every, timezone=timezone))
    return table.reset_index(drop=True)


@recorded
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


def number_days(times: pd.Series, *, timezone: str) -> pd.Series:
    """Give the day that each time falls on in a timezone: days since 1970-01-01, Int64, missing where it is.

    Times without a zone are taken for UTC.
    """
    if times.dt.tz is None:
        times = times.dt.tz_localize("UTC")
    local = times.dt.tz_convert(timezone).dt.tz_localize(None)
    number = (local - pd.Timestamp(0)) // pd.Timedelta(days=1)
    return number.astype("Int64")


def start_of_days(days: np.ndarray, *, timezone: str) -> pd.DatetimeIndex:
    """Give the moment at which each day (since 1970-01-01) begins in a timezone, with that zone.

    Where a clock change leaves a day without a midnight this is its first moment; of two midnights the first.
    """
    midnights = pd.DatetimeIndex(
        np.asarray(days, dtype="int64").astype("datetime64[D]").astype("datetime64[s]")
    )
    return midnights.tz_localize(
        timezone, ambiguous=np.ones(len(midnights), dtype=bool), nonexistent="shift_forward"
    )
