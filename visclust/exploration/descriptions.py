"""What helps to name a cluster: typical images, words, size, days, and how many authors stand behind it."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.base.arrays import find_scale, take_matrix
from visclust.base.backend import get_namespace, to_host
from visclust.base.columns import check_clusters
from visclust.base.copies import take_picture_rows
from visclust.base.distances import center_rows
from visclust.base.provenance import recorded
from visclust.base.rows import match_rows
from visclust.base.tables import UNASSIGNED, check_columns, check_posts, check_table
from visclust.base.times import take_times
from visclust.clustering.silhouettes import sum_by_cluster
from visclust.exploration.words import list_overrepresented_words

_RANKED = {
    "cluster": "Cluster",
    "images": "Images",
    "posts": "Posts",
    "authors": "Authors",
    "effective_authors": "Effective authors",
    "top_author_share": "Top author's share",
    "silhouette": "Silhouette",
    "days": "Days",
    "words": "Words",
}


class ClusterDescriptions(NamedTuple):
    """A row per cluster; a row per cluster and typical image; a row per cluster and word."""

    clusters: pd.DataFrame
    typical: pd.DataFrame
    words: pd.DataFrame


@recorded
def describe_clusters(
    clusters: pd.DataFrame,
    x: Any,
    *,
    posts: pd.DataFrame,
    links: pd.DataFrame,
    n_words: int = 8,
    n_typical: int = 5,
    count_by: str = "posts",
    prior_size: float | None = None,
    min_uses: int = 3,
    stop_words: str | Iterable[str] = (),
) -> ClusterDescriptions:
    """Describe each cluster by its typical images, its words, its size, its days and its authors.

    Parameters
    ----------
    clusters : DataFrame
        The clusters table (``image_id, cluster`` are enough); its rows are the rows of `x`, in
        their order. The unassigned are left out.
    x : Embedding, or ndarray, shape (n, d), float32 or float64
        The embedding, whose images must be those of the table, in its order; or its matrix, NumPy, or CuPy
        for a GPU.
    posts : DataFrame
        The posts table; ``post_id, author, posted_at, text`` are needed.
    links : DataFrame
        The posts_images table. Links to posts that `posts` lacks are left out.
    n_words : int, default 8
        Over-represented words per cluster at most.
    n_typical : int, default 5
        Typical images per cluster at most.
    count_by : {"posts", "authors"}, default "posts"
        Whether words are counted in posts or in authors, see `list_overrepresented_words`.
    prior_size, min_uses, stop_words
        See `list_overrepresented_words`.

    Returns
    -------
    clusters : DataFrame
        A row per cluster, the one with most images first: ``cluster, images, silhouette`` (mean),
        ``iteration, posts`` (that show an image of it), ``uses`` (of its images: a post with two counts
        twice), ``first_day, last_day`` (UTC), ``authors, effective_authors`` (as many authors, posting
        equally often, would be as concentrated: the inverse Simpson index, 1 / Σ pᵢ² with pᵢ the share of
        the cluster's posts by author i), ``top_author, top_author_share`` (of equals the first by name; all
        shares are of the posts whose author is known), ``medoid`` (an image_id) and ``words`` (joined by
        commas; empty where none stands out).
    typical : DataFrame
        From `list_typical_images`: ``cluster, rank, image_id, mean_distance``.
    words : DataFrame
        From `list_overrepresented_words`: ``cluster, rank, word, uses, …, z``.

    Raises
    ------
    ValueError
        If a table or a setting is not as described.

    Source
    ------
    Laakso and Taagepera (1979), "Effective" number of parties, Comparative Political Studies 12, 3-27, for
    the effective number. Words: Monroe, Colaresi and Quinn (2008), see `weigh_log_odds`.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": list("abc"), "cluster": 0, "iteration": 1, "silhouette": 0.1})
    >>> posts = pd.DataFrame({"post_id": ["p", "q", "r"], "author": ["ann", "ann", "bob"],
    ...     "posted_at": pd.to_datetime(["2018-06-30", "2018-07-01", "2018-07-01"], utc=True),
    ...     "text": "March"})
    >>> links = pd.DataFrame({"post_id": ["p", "q", "r", "r"], "image_id": ["a", "a", "a", "b"]})
    >>> import numpy as np
    >>> found = describe_clusters(clusters, np.array([[0.0], [4.0], [5.0]]), posts=posts, links=links)
    >>> found.clusters[["images", "posts", "uses", "authors", "effective_authors", "medoid"]].round(2)
       images  posts  uses  authors  effective_authors medoid
    0       3      3     4        2                1.8      b
    """
    clusters = check_clusters(clusters, fill=True)
    check_table(links, "posts_images")
    check_posts(posts, ["author", "posted_at", "text"])
    typical = list_typical_images(clusters, x, n_images=n_typical)
    words = list_overrepresented_words(
        clusters,
        posts,
        links=links,
        n_words=n_words,
        count_by=count_by,
        prior_size=prior_size,
        min_uses=min_uses,
        stop_words=stop_words,
    )
    assigned = clusters.loc[clusters["cluster"].ne(UNASSIGNED)]
    table = assigned.groupby("cluster").agg(
        images=("image_id", "size"), silhouette=("silhouette", "mean"), iteration=("iteration", "first")
    )
    shown = assigned[["image_id", "cluster"]].merge(links, on="image_id")
    shown = shown.merge(posts[["post_id", "author", "posted_at"]], on="post_id")
    table = table.join(_describe_posts(shown))
    table["medoid"] = typical.loc[typical["rank"].eq(1)].set_index("cluster")["image_id"]
    table["words"] = words.groupby("cluster")["word"].agg(", ".join)
    counts = ["posts", "uses", "authors"]
    table[counts] = table[counts].fillna(0).astype("int64")
    table["words"] = table["words"].astype(object).fillna("")
    table = table.reset_index().sort_values(["images", "cluster"], ascending=[False, True], ignore_index=True)
    return ClusterDescriptions(table, typical, words)


@recorded
def rank_clusters(
    descriptions: pd.DataFrame, *, by: str = "images", ascending: bool = False, n_clusters: int = 20
) -> pd.DataFrame:
    """Rank clusters by one of their numbers, as a table to read.

    Parameters
    ----------
    descriptions : DataFrame
        The ``clusters`` of `describe_clusters`.
    by : str, default "images"
        A column of it: "posts", "silhouette", "authors", "effective_authors", "top_author_share",
        "first_day" and so on.
    ascending : bool, default False
        Whether the smallest comes first.
    n_clusters : int, default 20
        Rows at most.

    Returns
    -------
    DataFrame
        Columns with headings for people: cluster, images, posts, authors, effective authors, the top author's
        share, mean silhouette, days from the first post to the last, and words. Clusters without the number
        come last.

    Raises
    ------
    TypeError
        If `descriptions` is no table.
    ValueError
        If there is no such column.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": list("abc"), "cluster": 0, "iteration": 1, "silhouette": 0.1})
    >>> posts = pd.DataFrame({"post_id": ["p", "q"], "author": ["ann", "bob"],
    ...     "posted_at": pd.to_datetime(["2018-06-30", "2018-07-01"], utc=True), "text": "March"})
    >>> links = pd.DataFrame({"post_id": ["p", "q"], "image_id": ["a", "a"]})
    >>> import numpy as np
    >>> found = describe_clusters(clusters, np.eye(3), posts=posts, links=links)
    >>> rank_clusters(found.clusters, by="posts")[["Cluster", "Posts", "Top author's share", "Days"]]
       Cluster  Posts Top author's share                     Days
    0        0      2                50%  2018-06-30 – 2018-07-01
    """
    check_columns(descriptions, ("cluster",), "the descriptions")
    if by not in descriptions.columns:
        raise ValueError(f"Expected one of the columns {', '.join(descriptions.columns)}, got {by!r}.")
    table = descriptions.sort_values([by, "cluster"], ascending=[ascending, True], ignore_index=True)
    table = table.head(n_clusters)
    first_day, last_day = (take_times(table, name, "the descriptions") for name in ("first_day", "last_day"))
    first, last = first_day.dt.strftime("%Y-%m-%d"), last_day.dt.strftime("%Y-%m-%d")
    days = first.where(first.eq(last), first + " – " + last)
    table = table.assign(
        days=days.astype(object).where(first.notna(), ""),
        effective_authors=table["effective_authors"].map("{:.1f}".format, na_action="ignore"),
        top_author_share=table["top_author_share"].map("{:.0%}".format, na_action="ignore"),
        silhouette=table["silhouette"].map("{:.3f}".format, na_action="ignore"),
    )
    return table[list(_RANKED)].rename(columns=_RANKED)


@recorded
def list_typical_images(clusters: pd.DataFrame, x: Any, *, n_images: int = 5) -> pd.DataFrame:
    """List the most typical images of each cluster, its medoid first.

    An image is the more typical, the smaller its mean Euclidean distance to the other images of its cluster.
    The most typical is the medoid. All distances within a cluster are computed, none is sampled. Where the
    table names representatives (see `add_copies`), each picture is there once.

    Parameters
    ----------
    clusters : DataFrame
        The clusters table (``image_id, cluster`` are enough); its rows are the rows of `x`, in
        their order. The unassigned are left out.
    x : ndarray, shape (n, d), float32 or float64
        The embedding; NumPy, or CuPy for a GPU.
    n_images : int, default 5
        Images per cluster at most.

    Returns
    -------
    DataFrame
        ``cluster, rank`` (1 is the medoid), ``image_id, mean_distance`` (to the others of the cluster;
        missing for the only image of a cluster), by cluster and rank. Of equally typical images, the one in
        the earlier row comes first.

    Raises
    ------
    ValueError
        If `x` has not as many rows as `clusters`, or is known to have others or another order, or `n_images`
        is not positive.

    Source
    ------
    Kaufman and Rousseeuw (1990), Finding Groups in Data, chapter 2, for the medoid.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": list("abc"), "cluster": 0, "iteration": 1, "silhouette": 0.1})
    >>> list_typical_images(clusters, np.array([[0.0], [4.0], [5.0]]), n_images=2)
       cluster  rank image_id  mean_distance
    0        0     1        b            2.5
    1        0     2        c            3.0
    """
    clusters = check_clusters(clusters)
    x = match_rows(x, clusters)
    x = take_matrix(x)
    if len(clusters) != len(x):
        raise ValueError(
            f"Expected a row of the embedding for each of the {len(clusters)} images of the clusters table, "
            f"got {len(x)}: take the embedding that was clustered."
        )
    if n_images < 1:
        raise ValueError(f"Expected n_images of 1 or more, got {n_images!r}.")
    clusters, x = take_picture_rows(clusters, x)
    labels = clusters["cluster"].to_numpy()
    image_ids = clusters["image_id"].to_numpy()
    parts = []
    for cluster in np.unique(labels[labels != UNASSIGNED]):
        members = np.flatnonzero(labels == cluster)
        means = _average_distances(x[get_namespace(x).asarray(members)])
        order = np.argsort(means, kind="stable")[:n_images]
        parts.append(
            pd.DataFrame(
                {
                    "cluster": cluster,
                    "rank": np.arange(1, len(order) + 1),
                    "image_id": image_ids[members[order]],
                    "mean_distance": means[order],
                }
            )
        )
    if not parts:
        return pd.DataFrame({"cluster": [], "rank": [], "image_id": [], "mean_distance": []}).astype(
            {"cluster": "int64", "rank": "int64", "image_id": "str"}
        )
    return pd.concat(parts, ignore_index=True)


def _describe_posts(shown: pd.DataFrame) -> pd.DataFrame:
    """Describe the posts of each cluster; a row of the table is a use of an image by a post."""
    uses = shown.groupby("cluster").size()
    once = shown.drop_duplicates(["cluster", "post_id"])
    table = once.groupby("cluster").agg(
        posts=("post_id", "size"), first_day=("posted_at", "min"), last_day=("posted_at", "max")
    )
    table.insert(1, "uses", uses)
    for day in ("first_day", "last_day"):
        table[day] = table[day].dt.floor("D")
    by_author = once.groupby(["cluster", "author"]).size().rename("posts").reset_index()
    total = by_author.groupby("cluster")["posts"].transform("sum")
    by_author["share"] = by_author["posts"] / total
    by_author["square"] = by_author["share"] ** 2
    top = by_author.sort_values(["share", "author"], ascending=[False, True]).drop_duplicates("cluster")
    authors = by_author.groupby("cluster").agg(authors=("author", "size"), squares=("square", "sum"))
    table["authors"] = authors["authors"]
    table["effective_authors"] = 1 / authors["squares"]
    return table.join(
        top.set_index("cluster")[["author", "share"]].set_axis(["top_author", "top_author_share"], axis=1)
    )


def _average_distances(rows: Any) -> np.ndarray:
    """Give each row's mean distance to the others; NaN for a single row."""
    if len(rows) == 1:
        return np.array([np.nan])
    sums = sum_by_cluster(center_rows(rows), np.zeros(len(rows), dtype=int), n_clusters=1)
    return to_host(sums)[:, 0] / (len(rows) - 1) / find_scale(rows)
