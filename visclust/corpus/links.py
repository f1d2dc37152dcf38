"""Which post shows which image: the table of links, and the posts of an image as they are asked for."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from visclust.base.checks import checked
from visclust.base.damage import read_parquet
from visclust.base.progress import WorkBar
from visclust.base.provenance import recorded
from visclust.base.tables import Aside, check_posts, check_table, check_used
from visclust.corpus.linking import (
    FirstSeen,
    Linker,
    PostsToLink,
    follow_posts,
    join_parts,
    name_unmatched,
    save_links,
)


@recorded
def link_posts(
    posts: pd.DataFrame | str | os.PathLike,
    images: pd.DataFrame,
    *,
    folder: str | os.PathLike | None = None,
    save_to: str | os.PathLike | None = None,
    load: bool = True,
    progress: bool = True,
) -> Any:
    """Map posts to the unique images they show, many to many, by content hash.

    Parameters
    ----------
    posts : DataFrame, str or path
        Columns ``post_id`` (text) and ``media``: per post a list of paths, one path as text, or nothing.
        An address (https://…) stands for the file of that name, wherever it is:
        ``https://pbs.twimg.com/media/ABC?format=jpg&name=large`` for ``ABC.jpg``, or for ``ABC`` with another
        ending where there is no ``ABC.jpg``. Where several addresses end alike, the folders before the name
        decide, or else all of them are listed as unmatched. The path of a Parquet file, such as `read_posts`
        writes with `save_to`, is read a part at a time: for more posts than fit into memory.
    images : DataFrame
        The images table of the files that ``media`` names.
    folder : str or path, optional
        Where the paths in ``media`` start, if they are relative to another folder than the paths of `images`.
    save_to : str or path, optional
        A Parquet file to write the links to, with the record of how they were made. What could not be linked
        goes beside it, into ``<name>_unmatched.parquet``.
    load : bool, default True
        Whether the links come as a table. False needs `save_to`, and gives its path: then neither the links
        nor what is unmatched are ever in memory as a whole.
    progress : bool, default True
        Show a progress bar.

    Returns
    -------
    DataFrame, or pathlib.Path without `load`
        The posts_images table: ``post_id, image_id``, each pair once, in the order of the posts.
        Media that are unreadable or not in `images` are not dropped silently: `list_unmatched` lists them.

    Raises
    ------
    ValueError
        If a column is missing, a post id comes twice, not one file could be matched, or links are neither to
        be loaded nor saved.
    FileNotFoundError
        If there is no file of posts at a path.

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
    if not load and save_to is None:
        raise ValueError(
            "Expected save_to beside load=False, got none: name the Parquet file for the links to go to."
        )
    source = PostsToLink(posts)
    linker = Linker(images, folder)
    with WorkBar(total=2 * source.n, desc="Linking", unit="post", progress=progress) as bar:
        ids = FirstSeen()
        for post_ids, media in source.read():
            ids.add(post_ids)
            linker.learn(media)
            bar.update(len(post_ids))
        if (twice := ids.find_twice(source)) is not None:
            raise ValueError(
                f"Expected one row per post, but post_id {twice!r} comes twice. Remove the copies first."
            )
        parts = follow_posts(linker, source, bar)
        if save_to is None:
            found = list(parts)
            linker.check()
            links, unmatched = (join_parts(list(each)) for each in zip(*found, strict=True))
        else:
            saved = save_links(Path(save_to), parts, linker)
            if not load:
                return saved
            links = read_parquet(saved)
            unmatched = read_parquet(name_unmatched(saved))
    links.attrs["unmatched"] = Aside(unmatched.to_dict("records"))
    return check_table(links, "posts_images")


@checked
def list_unmatched(links: pd.DataFrame | str | os.PathLike) -> pd.DataFrame:
    """List the media of posts that `link_posts` could not link to an image, each with the reason.

    Parameters
    ----------
    links : DataFrame, str or path
        What `link_posts` returned, in the same session: a saved table holds the links alone. Or the file that
        it wrote with `save_to`, which has what could not be linked in another beside it.

    Returns
    -------
    DataFrame
        ``post_id, media, reason``, in the order of the posts; no row where all were linked.

    Raises
    ------
    ValueError
        If the table does not carry them, as one that was read from a file.
    FileNotFoundError
        If a file of links has none beside it that lists them.

    Examples
    --------
    >>> images = pd.DataFrame({"image_id": ["a"], "path": ["1.jpg"], "status": ["ok"]})
    >>> posts = pd.DataFrame({"post_id": ["p"], "media": [["1.jpg", "gone.jpg"]]})
    >>> list_unmatched(link_posts(posts, images))
      post_id     media                            reason
    0       p  gone.jpg  no such file in the images table
    """
    if not isinstance(links, pd.DataFrame):
        beside = name_unmatched(Path(links))
        if not beside.is_file():
            raise FileNotFoundError(
                f"Expected {str(beside)!r}, which link_posts writes beside its links with save_to, but there "
                "is no such file. Call link_posts again with save_to."
            )
        return read_parquet(beside)
    rows = links.attrs.get("unmatched")
    if rows is None:
        raise ValueError(
            "Expected the table that link_posts returned, got one that does not say what could not be "
            "linked, such as one read from a file. Call link_posts again."
        )
    return pd.DataFrame(rows, columns=["post_id", "media", "reason"])


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
