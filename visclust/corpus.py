"""From a folder of files and a table of posts to unique images and the map between the two."""

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from visclust.base.tables import check_table
from visclust.image_reading import UnreadableImageError, check_image
from visclust.media_addresses import IMAGE_ENDINGS, is_address, match_addresses

__all__ = ["index_images", "link_posts", "select_usable"]


def index_images(folder: str | os.PathLike, *, progress: bool = True) -> pd.DataFrame:
    """List every image file below a folder, with its content hash and whether it can be read.

    Parameters
    ----------
    folder : str or path
        Searched with all its subfolders. Hidden files, and files whose ending is not that of an
        image, are left out.
    progress : bool, default True
        Show a progress bar.

    Returns
    -------
    DataFrame
        The images table, a row per file in the order of the paths: ``image_id`` (the first 32
        hexadecimal digits of the SHA-256 of the file's bytes, as ``sha256sum`` prints it), ``path``,
        ``status`` ("ok"; "duplicate" for the bytes of an earlier row; "unreadable"), ``reason``
        (empty where ok), ``width`` and ``height`` (pixels, after EXIF rotation).

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If it holds no image file.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson, data section: 88,075 images of which 18,096 are unique.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (4, 3), "red").save(folder / "red.png")
    >>> _ = (folder / "page.jpg").write_text("<html>not found</html>")
    >>> index_images(folder, progress=False)[["status", "width", "height"]]
           status  width  height
    0  unreadable   <NA>    <NA>
    1          ok      4       3
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"Expected a folder of images, but {folder} is no folder. Check its name.")
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_ENDINGS and not path.name.startswith(".") and path.is_file()
    )
    if not paths:
        raise ValueError(
            f"Expected image files below {folder}, found none ending in {', '.join(sorted(IMAGE_ENDINGS))}."
        )
    # Decoding releases the interpreter's lock, so threads are enough to keep all cores busy.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = list(
            tqdm(
                pool.map(_describe_file, paths),
                total=len(paths),
                desc="Reading",
                unit="image",
                disable=not progress,
            )
        )
    images = pd.DataFrame(rows, columns=["image_id", "path", "status", "reason", "width", "height"])
    images = images.astype({"width": "Int64", "height": "Int64"})
    first = images.drop_duplicates("image_id").set_index("image_id")["path"]
    copies = images["status"].eq("ok") & images.duplicated("image_id")
    images.loc[copies, "status"] = "duplicate"
    images.loc[copies, "reason"] = "same bytes as " + images.loc[copies, "image_id"].map(first)
    return check_table(images, "images")


def _describe_file(path: Path) -> tuple[str, str, str, str, int | None, int | None]:
    try:
        with path.open("rb") as file:
            image_id = hashlib.file_digest(file, "sha256").hexdigest()[:32]
    except OSError as error:
        # A row needs a name of its own even where there are no bytes to hash.
        image_id = hashlib.sha256(f"unread:{path}".encode("utf-8", "surrogateescape")).hexdigest()[:32]
        return image_id, str(path), "unreadable", f"cannot be opened: {error.strerror}", None, None
    try:
        width, height = check_image(path)
    except UnreadableImageError as error:
        return image_id, str(path), "unreadable", str(error), None, None
    return image_id, str(path), "ok", "", width, height


def select_usable(images: pd.DataFrame) -> pd.DataFrame:
    """Keep one row per unique image that can be read: the rows that embeddings and clusters speak of.

    Parameters
    ----------
    images : DataFrame
        The images table.

    Returns
    -------
    DataFrame
        Its rows with status "ok", numbered from 0.

    Raises
    ------
    ValueError
        If it is no images table, or no image in it can be read.

    Examples
    --------
    >>> images = pd.DataFrame({"image_id": ["a", "a"], "path": ["1.jpg", "2.jpg"],
    ...                        "status": ["ok", "duplicate"], "reason": ["", "same bytes as 1.jpg"],
    ...                        "width": [4, 4], "height": [3, 3]})
    >>> select_usable(images)["path"].tolist()
    ['1.jpg']
    """
    check_table(images, "images")
    usable = images.loc[images["status"].eq("ok")].reset_index(drop=True)
    if usable.empty:
        counts = images["status"].value_counts().to_dict()
        raise ValueError(f"Expected images with status 'ok', got {counts}. Look at the column 'reason'.")
    return usable


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
        ending where there is no ``ABC.jpg``.
    images : DataFrame
        The images table of the files that ``media`` names.
    folder : str or path, optional
        Where the paths in ``media`` start, if they are relative to another folder than the paths of `images`.

    Returns
    -------
    DataFrame
        The posts_images table: ``post_id, image_id``, each pair once, in the order of the posts.
        ``DataFrame.attrs["unmatched"]`` lists the media that are unreadable or not in `images`
        (``post_id, media, reason``), so that nothing is dropped silently.

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
    check_table(images, "images")
    missing = [name for name in ("post_id", "media") if name not in posts.columns]
    if missing:
        raise ValueError(f"The posts need the columns post_id and media; {' and '.join(missing)} is missing.")
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
    found = match_addresses(filter(is_address, uses["media"]), known).set_index("media")
    paths, reasons = found["path"].to_dict(), found["reason"].to_dict()
    uses["path"] = [
        paths[name] if name in paths else os.path.normpath(start / name) for name in uses["media"]
    ]
    uses = uses.merge(known[["path", "image_id", "status", "reason"]], on="path", how="left")
    readable = uses["status"].isin(["ok", "duplicate"])
    if len(uses) and not readable.any():
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
    links.attrs["unmatched"] = unmatched.reset_index(drop=True)
    return check_table(links, "posts_images")


def _list_media(media: Any) -> list[str]:
    if isinstance(media, str):
        return [media] if media else []
    if isinstance(media, Iterable):
        return [str(name) for name in media]
    return []  # None and NaN: a post without media
