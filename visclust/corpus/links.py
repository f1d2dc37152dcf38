"""Which post shows which image: the table of links, and the posts of an image as they are asked for."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from visclust.base.checks import checked
from visclust.base.provenance import recorded
from visclust.base.tables import Aside, check_columns, check_posts, check_table, check_used
from visclust.images.addresses import is_address, match_addresses


@recorded
def link_posts(
    posts: pd.DataFrame, images: pd.DataFrame, *, folder: str | os.PathLike | None = None
) -> pd.DataFrame:
    """Map posts to the unique images they show, many to many, by content hash.

    Parameters
    ----------
    posts : DataFrame
        Columns ``post_id`` (text) and ``media``: per post a list of paths, one path as text, or nothing.
        An address (https://…) stands for the file of that name, wherever it is:
        ``https://pbs.twimg.com/media/ABC?format=jpg&name=large`` for ``ABC.jpg``, or for ``ABC`` with another
        ending where there is no ``ABC.jpg``. Where several addresses end alike, the folders before the name
        decide, or else all of them are listed as unmatched.
    images : DataFrame
        The images table of the files that ``media`` names.
    folder : str or path, optional
        Where the paths in ``media`` start, if they are relative to another folder than the paths of `images`.

    Returns
    -------
    DataFrame
        The posts_images table: ``post_id, image_id``, each pair once, in the order of the posts.
        Media that are unreadable or not in `images` are not dropped silently: `list_unmatched` lists them.

    Raises
    ------
    ValueError
        If a column is missing, a post id comes twice, or not one file could be matched.

    Examples
    --------
    >>> images = pd.DataFrame({"image_id": ["a", "a"], "path": ["1.jpg", "2.jpg"],
    ...                        "status": ["ok", "duplicate"], "reason": ["", "same bytes as 1.jpg"],
    ...                        "width": [4, 4], "height": [3, 3]})
    >>> posts = pd.DataFrame({"post_id": ["p", "q", "r"], "media": [["1.jpg", "2.jpg"], ["2.jpg"], []]})
    >>> link_posts(posts, images)
      post_id image_id
    0       p        a
    1       q        a
    """
    check_used(images, "images", ["image_id", "path", "status"])
    check_columns(posts, ("post_id", "media"), "the posts", hint="read_posts makes such a table.")
    if posts["post_id"].duplicated().any():
        twice = posts.loc[posts["post_id"].duplicated(), "post_id"].iloc[0]
        raise ValueError(
            f"Expected one row per post, but post_id {twice!r} comes twice. Remove the copies first."
        )
    uses = pd.DataFrame(
        [
            (str(post), name)
            for post, media in zip(posts["post_id"], posts["media"], strict=True)
            for name in _list_media(media)
        ],
        columns=["post_id", "media"],
    )
    start = Path(folder) if folder is not None else Path()
    known = images.assign(path=[os.path.normpath(path) for path in images["path"]])
    if "reason" not in known.columns:  # of another tool's table: what is not readable has no reason then
        known["reason"] = ""
    found = match_addresses(filter(is_address, uses["media"]), known).set_index("media")
    paths, reasons = found["path"].to_dict(), found["reason"].to_dict()
    uses["path"] = [
        paths[name] if name in paths else os.path.normpath(start / name) for name in uses["media"]
    ]
    uses = uses.merge(known[["path", "image_id", "status", "reason"]], on="path", how="left")
    readable = uses["status"].isin(["ok", "duplicate"])
    # Files of which it cannot be said whose they are are listed; a folder named wrongly is an error.
    undecided = any(reason and not reason.startswith("no file") for reason in reasons.values())
    if len(uses) and not readable.any() and not undecided:
        raise ValueError(
            f"None of the {len(uses)} media of the posts is in the images table: the posts say "
            f"{uses['media'].iloc[0]!r}, the images {known['path'].iloc[0]!r}. "
            "Say with folder= where the posts' paths start; addresses are found by the name of the file."
        )
    unmatched = uses.loc[~readable, ["post_id", "media", "reason"]]
    unmatched["reason"] = [
        reasons.get(name) or "no such file in the images table" if pd.isna(reason) else reason
        for name, reason in zip(unmatched["media"], unmatched["reason"], strict=True)
    ]
    links = uses.loc[readable, ["post_id", "image_id"]].drop_duplicates().reset_index(drop=True)
    links.attrs["unmatched"] = Aside(unmatched.to_dict("records"))
    return check_table(links, "posts_images")


@checked
def list_unmatched(links: pd.DataFrame) -> pd.DataFrame:
    """List the media of posts that `link_posts` could not link to an image, each with the reason.

    Parameters
    ----------
    links : DataFrame
        What `link_posts` returned, in the same session: a saved table holds the links alone.

    Returns
    -------
    DataFrame
        ``post_id, media, reason``, in the order of the posts; no row where all were linked.

    Raises
    ------
    ValueError
        If the table does not carry them, as one that was read from a file.

    Examples
    --------
    >>> images = pd.DataFrame({"image_id": ["a"], "path": ["1.jpg"], "status": ["ok"]})
    >>> posts = pd.DataFrame({"post_id": ["p"], "media": [["1.jpg", "gone.jpg"]]})
    >>> list_unmatched(link_posts(posts, images))
      post_id     media                            reason
    0       p  gone.jpg  no such file in the images table
    """
    rows = getattr(links, "attrs", {}).get("unmatched")
    if rows is None:
        raise ValueError(
            "Expected the table that link_posts returned, got one that does not say what could not be "
            "linked, such as one read from a file. Call link_posts again."
        )
    return pd.DataFrame(rows, columns=["post_id", "media", "reason"])


def _list_media(media: Any) -> list[str]:
    """List the media of one post."""
    if isinstance(media, str):
        return [media] if media else []
    if isinstance(media, Iterable):
        return [str(name) for name in media]
    return []  # None and NaN: a post without media


class ImagePosts:
    """Posts by image, looked up as they are asked for; images are named by their position in `image_ids`.

    `posts` needs ``post_id, text`` and may have ``author, posted_at``; `links`, the posts_images table, must
    come with it. Links to other images or posts count for nothing.
    """

    def __init__(
        self, image_ids: Any, posts: pd.DataFrame | None = None, links: pd.DataFrame | None = None
    ) -> None:
        if (posts is None) != (links is None):
            raise ValueError(
                "Expected posts and links together, got one of them. The table posts_images says which post "
                "shows which image: give it as links=."
            )
        self.given = posts is not None
        if posts is None or links is None:
            posts = pd.DataFrame({"post_id": [], "text": []}, dtype=str)
            links = pd.DataFrame({"post_id": [], "image_id": []}, dtype=str)
        check_table(links, "posts_images")
        check_posts(posts, ["text", *({"posted_at"} & set(posts.columns))])
        self._posts = posts
        self._text = posts["text"].astype(object).where(posts["text"].notna(), "")
        self._folded: pd.Series | None = None
        self._days: np.ndarray | None = None
        self.has_authors = "author" in posts.columns and bool(posts["author"].notna().any())
        self.has_times = "posted_at" in posts.columns and bool(posts["posted_at"].notna().any())
        images = pd.Index(image_ids).get_indexer(pd.Index(links["image_id"]))
        rows = pd.Index(posts["post_id"]).get_indexer(pd.Index(links["post_id"]))
        known = (images >= 0) & (rows >= 0)
        # By time within an image, so that the first post shown is the first that used it.
        rank = (
            posts["posted_at"].rank(method="first").to_numpy()
            if "posted_at" in posts
            else np.arange(len(posts))
        )
        order = np.lexsort((rank[rows[known]], images[known]))
        self._images, self._of_image = images[known][order], rows[known][order]

    def count_posts(self, image: int) -> int:
        """Count the posts that show an image."""
        start, stop = np.searchsorted(self._images, [image, image + 1])
        return int(stop - start)

    def list_posts(self, image: int, *, limit: int) -> list[dict[str, str]]:
        """List the posts that show an image, the earliest first."""
        start, stop = np.searchsorted(self._images, [image, image + 1])
        return [self._describe(row) for row in self._of_image[start : min(stop, start + limit)]]

    def _describe(self, row: int) -> dict[str, str]:
        """Describe one post as text."""
        post = self._posts.iloc[row]
        author, posted_at = post.get("author"), post.get("posted_at")
        return {
            "author": "" if pd.isna(author) else str(author),
            "posted_at": "" if pd.isna(posted_at) else pd.Timestamp(posted_at).strftime("%Y-%m-%d %H:%M"),
            "text": str(self._text.iloc[row]),
        }

    def find_images(
        self, words: str = "", *, author: str = "", since: str = "", until: str = ""
    ) -> frozenset[int]:
        """Find the images of which one post has these words, by this author, on these days, all at once.

        Words stand side by side, in capitals or not; of the author a part of the name is enough; days are
        YYYY-MM-DD in the zone of the posts' times, the last included. What is empty does not matter.
        """
        has = np.ones(len(self._text), dtype=bool)
        if words:
            if self._folded is None:
                self._folded = self._text.map(str).str.casefold()
            has &= self._folded.str.contains(words.casefold(), regex=False).to_numpy(dtype=bool)
        if author:
            names = self._posts["author"] if self.has_authors else pd.Series("", index=self._posts.index)
            folded = names.astype(object).where(names.notna(), "").map(str).str.casefold()
            has &= folded.str.contains(author.casefold(), regex=False).to_numpy(dtype=bool)
        if since or until:
            has &= self._list_days() >= since
            has &= self._list_days() <= (until or "9999-12-31")
            has &= self._list_days() != ""
        return frozenset(self._images[has[self._of_image]].tolist()) if len(has) else frozenset()

    def _list_days(self) -> np.ndarray:
        """Give the day of each post as text, empty where it is not known."""
        if self._days is None:
            if self.has_times:
                days = self._posts["posted_at"].dt.strftime("%Y-%m-%d").astype(object)
                self._days = days.where(days.notna(), "").to_numpy(dtype=str)
            else:
                self._days = np.full(len(self._posts), "", dtype="U10")
        return self._days

    def count_by(self, labels: np.ndarray) -> dict[int, int]:
        """Count the posts that show an image of each cluster, a post once; `labels` (n,) are the images'."""
        shown = np.unique(np.column_stack([labels[self._images], self._of_image]), axis=0)
        clusters, counts = np.unique(shown[:, 0], return_counts=True)
        return dict(zip(clusters.tolist(), counts.tolist(), strict=True))
