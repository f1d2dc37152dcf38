"""Carry frames from clusters to the posts that show their images, and on to the users who posted them."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from visclust.base.origins import check_origin
from visclust.base.provenance import recorded
from visclust.base.simulated import MARK, mark_simulated
from visclust.base.tables import UNASSIGNED, check_posts, check_table


class LabelledPosts(NamedTuple):
    """Which post uses which frame, how often each user does, and how many posts could be labelled."""

    posts: pd.DataFrame
    users: pd.DataFrame
    counts: pd.DataFrame


@recorded
def label_posts(
    clusters: pd.DataFrame,
    frames: pd.DataFrame,
    posts: pd.DataFrame,
    *,
    links: pd.DataFrame,
    noise: Iterable[int] = (),
    keep: Iterable[str] = (),
) -> LabelledPosts:
    """Carry the frames of clusters to posts and to users.

    A post uses a frame where it shows an image of a cluster with that frame; a post with images of several
    clusters uses all their frames. Images that are in no cluster, or in one called noise, tell nothing about
    frames: a post that shows only such images, or none at all, is left out of the result and counted. A
    cluster without a frame that is not called noise is taken at its word: its images show none of the frames.

    Parameters
    ----------
    clusters : DataFrame
        The clusters table.
    frames : DataFrame
        The frames table. Where a column ``simulated`` marks it as made up, it goes on to all tables of the
        result.
    posts : DataFrame
        The posts table; ``post_id, author`` are needed.
    links : DataFrame
        The posts_images table. Links to posts that `posts` lacks are left out.
    noise : iterable of int, optional
        Clusters whose images tell nothing, such as screenshots of mixed kinds. They must have no frame.
    keep : iterable of str, optional
        Further columns of `posts` to carry along, such as controls for `model_frame_use`.

    Returns
    -------
    posts : DataFrame
        A row per post with a clustered image, in the order of `posts`: ``post_id, author``, the columns kept,
        and a True-or-False column per frame, in the order in which the frames first come in `frames`.
    users : DataFrame
        A row per author and frame: ``author, frame, posts`` (labelled), ``uses`` (those with the frame),
        ``share`` and ``used`` (whether any). Posts without an author are in no row.
    counts : DataFrame
        ``step, posts, authors``: what is left after each step from all posts to those with a frame.

    Raises
    ------
    ValueError
        If a table is not of its kind, the record of the frames says that they were given to other clusters, a
        frame is given to a cluster that is not in `clusters`, to the
        unassigned or to noise, or a frame has the name of another column.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson, "Automated Visual Clustering …", section 3.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": list("abc"), "cluster": [0, 1, -1], "iteration": 1,
    ...                          "silhouette": 0.1})
    >>> frames = pd.DataFrame({"cluster": [0, 1], "frame": ["protest", "family"]})
    >>> posts = pd.DataFrame({"post_id": list("pqr"), "author": ["ann", "bob", "bob"]})
    >>> links = pd.DataFrame({"post_id": ["p", "p", "q", "r"], "image_id": ["a", "b", "a", "c"]})
    >>> labelled = label_posts(clusters, frames, posts, links=links)
    >>> labelled.posts
      post_id author  protest  family
    0       p    ann     True    True
    1       q    bob     True   False
    >>> labelled.counts["posts"].tolist()
    [3, 3, 2, 2]
    """
    check_table(clusters, "clusters")
    check_table(frames, "frames")
    check_table(links, "posts_images")
    check_posts(posts, ["author"])
    check_origin(frames, clusters, what="the frames", made_from="the clusters")
    kept, silent = list(keep), set(noise)
    names = list(dict.fromkeys(frames["frame"]))
    _check_frames(clusters, frames, silent)
    columns = ["post_id", "author", *kept]
    if missing := [name for name in kept if name not in posts.columns]:
        raise ValueError(f"Expected columns of the posts in keep=, got {', '.join(missing)}.")
    if taken := [
        name for name in names if name in {*columns, "frame", "posts", "uses", "share", "used", MARK}
    ]:
        raise ValueError(f"{taken[0]!r} is a frame and a column too: give the frame another name.")

    telling = clusters.loc[clusters["cluster"].ne(UNASSIGNED) & ~clusters["cluster"].isin(silent)]
    shown = links.merge(telling[["image_id", "cluster"]], on="image_id")
    shown = shown[["post_id", "cluster"]].drop_duplicates()
    labelled = posts.loc[posts["post_id"].isin(shown["post_id"]), columns].reset_index(drop=True)
    framed = shown.merge(frames[["cluster", "frame"]], on="cluster")
    row = pd.Index(labelled["post_id"]).get_indexer(framed["post_id"])
    column = pd.Index(names).get_indexer(framed["frame"])
    truth = np.zeros((len(labelled), len(names)), dtype=bool)
    truth[row[row >= 0], column[row >= 0]] = True
    labelled = pd.concat([labelled, pd.DataFrame(truth, columns=names)], axis=1)
    steps = {
        "in the table of posts": posts,
        "with an image": posts.loc[posts["post_id"].isin(links["post_id"])],
        "with an image in a cluster (noise left out)": labelled,
        "with a frame": labelled[truth.any(axis=1)],
    }
    counts = pd.DataFrame(
        {
            "step": list(steps),
            "posts": [len(part) for part in steps.values()],
            "authors": [part["author"].nunique() for part in steps.values()],
        }
    )
    tables = (labelled, _count_by_user(labelled, names), counts)
    return LabelledPosts(*(mark_simulated(table, frames) for table in tables))


def _check_frames(clusters: pd.DataFrame, frames: pd.DataFrame, noise: set[int]) -> None:
    """Check that frames belong to clusters of this table that mean something."""
    known = set(clusters["cluster"]) - {UNASSIGNED}
    given = frames["cluster"]
    if len(stale := given[~given.isin(known)]):
        raise ValueError(
            f"The frames name cluster {stale.iloc[0]}, which is not in the clusters table: they were given "
            "to another clustering. Read the clusters that the frames were given to."
        )
    if unknown := noise - known:
        raise ValueError(f"noise names cluster {min(unknown)}, which is not in the clusters table.")
    if len(both := given[given.isin(noise)]):
        raise ValueError(f"Cluster {both.iloc[0]} has a frame and is called noise: decide for one.")


def _count_by_user(labelled: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Count, for each author and frame, the posts and those that use the frame."""
    by_author = labelled.groupby("author", as_index=False)
    uses = by_author[names].sum().assign(posts=by_author.size()["size"])
    table = uses.melt(["author", "posts"], var_name="frame", value_name="uses")
    order = table["frame"].map({name: place for place, name in enumerate(names)})
    table = table.assign(order=order).sort_values(["author", "order"], ignore_index=True)
    table["share"] = table["uses"] / table["posts"]
    table["used"] = table["uses"].gt(0)
    return table[["author", "frame", "posts", "uses", "share", "used"]]
