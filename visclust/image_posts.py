"""The posts that show an image, and the images whose posts have some words."""

from typing import Any

import numpy as np
import pandas as pd

from visclust.base.tables import check_posts, check_table

__all__ = ["ImagePosts"]


class ImagePosts:
    """Posts by image, looked up as they are asked for.

    Parameters
    ----------
    image_ids : sequence of str
        The images; results speak of them by their position here.
    posts : DataFrame, optional
        ``post_id, text`` and, where there are any, ``author, posted_at``.
    links : DataFrame, optional
        The posts_images table; needed where there are posts.

    Raises
    ------
    ValueError
        If one of the two tables is missing, or a column of them, or a post comes twice.

    Examples
    --------
    >>> posts = pd.DataFrame({"post_id": ["p"], "text": ["Families belong together"], "author": ["ana"]})
    >>> links = pd.DataFrame({"post_id": ["p", "p"], "image_id": ["b", "gone"]})
    >>> found = ImagePosts(["a", "b"], posts, links)
    >>> found.find_images("FAMILIES")
    frozenset({1})
    >>> found.list_posts(1, limit=5)
    [{'author': 'ana', 'posted_at': '', 'text': 'Families belong together'}]
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

    def find_images(self, words: str) -> frozenset[int]:
        """Find the images of which some post has these words, side by side, in capitals or not."""
        if self._folded is None:
            self._folded = self._text.map(str).str.casefold()
        has = self._folded.str.contains(words.casefold(), regex=False).to_numpy(dtype=bool)
        return frozenset(self._images[has[self._of_image]].tolist()) if len(has) else frozenset()
