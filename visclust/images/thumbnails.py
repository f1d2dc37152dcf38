"""Small JPEG copies of images: for pages and widgets, as rows in a notebook, and for figures of clusters."""

import base64
import io
import os
import re
import textwrap
from collections.abc import Callable, Sequence
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TypeVar

import pandas as pd

from visclust.base.charts import SIMULATED_NOTE
from visclust.base.checks import checked
from visclust.base.columns import check_clusters
from visclust.base.copies import take_pictures
from visclust.base.figure_layout import POINTS_PER_PIXEL
from visclust.base.origins import check_origin
from visclust.base.simulated import is_simulated
from visclust.base.tables import check_columns
from visclust.images.index import locate_images
from visclust.images.reading import UnreadableImageError, read_image

# About 30 kB each at 384 pixels: enough for an hour of labelling to go back and forth without decoding again.
_KEPT = 512
ZOOM_SIDE = 1600  # pixels, of one image looked at closely; a large screen

# Pixels of 0.7 points; a single picture need not fill a page.
_LARGEST_SIDE = 110.0
# Many rows get smaller, so that a page of 230 mm holds them, but not smaller than what can be seen.
_SMALLEST_SIDE, _PAGE = 30.0, 230 / 25.4 * 72 / POINTS_PER_PIXEL
_LETTERS = 'font-family="sans-serif" font-size="10px" fill="#222"'
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

_Encoded = TypeVar("_Encoded", bytes, str)

_STYLE = (
    ".visclust-rows{font:13px/1.3 sans-serif;background:#fff;color:#222;padding:4px}"
    ".visclust-row{display:flex;align-items:center;border-top:1px solid #ddd;padding:4px 0}"
    ".visclust-name{flex:0 0 150px;padding-right:8px;overflow-wrap:anywhere}"
    ".visclust-row img{object-fit:contain;margin-right:4px}"
)


class ThumbnailRows:
    """Rows of pictures that a notebook shows; `html` is the text, `save_figure` saves them for a paper."""

    def __init__(
        self,
        html: str,
        rows: Sequence[tuple[str, Sequence[str]]] = (),
        tables: Sequence[pd.DataFrame] = (),
    ) -> None:
        self.html = html
        self.rows = rows
        self.tables = tables

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        """Stand for the pictures where HTML cannot be shown."""
        return "Rows of thumbnails, shown where the page knows HTML."

    def draw_svg(self, millimetres: float, *, dpi: int) -> str:
        """Draw the rows as SVG so wide in print, in pixels of 0.7 points, with pictures of so many dots."""
        width = millimetres / 25.4 * 72 / POINTS_PER_PIXEL
        left = min(150.0, 0.3 * width)
        most = max((len(paths) for _, paths in self.rows), default=1)
        side = min(_LARGEST_SIDE, (width - left) / most)
        side = min(side, max(_SMALLEST_SIDE, _PAGE / max(1, len(self.rows)) - 5))
        dots = round((side - 4) * POINTS_PER_PIXEL / 72 * dpi)
        parts, y = [], 4.0
        if is_simulated(*self.tables):
            for line in _wrap(SIMULATED_NOTE, int(width / 6)):
                parts.append(f'<text x="2" y="{y + 11:g}" {_LETTERS}>{_spell(line)}</text>')
                y += 14
        for name, paths in self.rows:
            lines = _wrap(name, max(8, int(left / 5.6)))
            high = max(side, 12.0 * len(lines) + 4)
            top = y + high / 2 - 6 * len(lines) + 9
            parts.append(f'<rect x="0" y="{y - 2:g}" width="{width:g}" height="0.6" fill="#ccc"/>')
            parts += [
                f'<text x="2" y="{top + 12 * place:g}" {_LETTERS}>{_spell(line)}</text>'
                for place, line in enumerate(lines)
            ]
            for place, path in enumerate(paths):
                url = thumbnail_or_none(encode_data_url, path, max_side=dots, quality=90)
                box = f'x="{left + place * side:g}" y="{y + (high - side) / 2:g}"'
                size = f'width="{side - 4:g}" height="{side - 4:g}"'
                if url is None:
                    parts.append(f'<rect {box} {size} fill="none" stroke="#bbb"/>')
                else:
                    parts.append(f'<image {box} {size} xlink:href="{url}"/>')
            y += high + 4
        head = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1"'
        paper = f'<rect width="{width:g}" height="{y:g}" fill="white"/>'
        return f'<svg {head} viewBox="0 0 {width:.6g} {y:.6g}">{paper}{"".join(parts)}</svg>'


def _wrap(text: str, most: int) -> list[str]:
    """Break a text into lines of so many letters, four at most."""
    lines = textwrap.wrap(str(text), most, max_lines=4, placeholder=" …")
    return lines or [""]


def _spell(text: str) -> str:
    """Escape a text for XML, which has no place for control characters and halves of others."""
    return escape(_NOT_IN_XML.sub("\ufffd", text))


def encode_thumbnail(path: str | os.PathLike, *, max_side: int = 384, quality: int = 85) -> bytes:
    """Encode a small JPEG of an image, and keep it for the next time as long as the file stays as it is.

    The longest side has at most `max_side` pixels; small images are not enlarged. The original's metadata,
    which may say where a photograph was taken, stay out. UnreadableImageError says why it cannot be read.
    """
    path = Path(path)
    try:
        state = path.stat()
        version = (state.st_mtime_ns, state.st_size)
    except OSError:
        version = (0, 0)  # reading it says what is wrong
    return _encode(path, max_side, quality, version)


@lru_cache(maxsize=_KEPT)
def _encode(path: Path, max_side: int, quality: int, version: tuple[int, int]) -> bytes:  # noqa: ARG001
    """Encode one image; `version` makes a replaced file another entry of the cache."""
    buffer = io.BytesIO()
    read_image(path, max_side=max_side).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def encode_data_url(path: str | os.PathLike, *, max_side: int = 384, quality: int = 85) -> str:
    """Encode a small JPEG of an image as a ``data:`` URL, for a page that holds its images itself."""
    jpeg = encode_thumbnail(path, max_side=max_side, quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def thumbnail_or_none(
    encode: Callable[..., _Encoded], path: str | os.PathLike, **options: int
) -> _Encoded | None:
    """Encode an image by one of the two functions above, or give None where it cannot be read (any more).

    Whoever shows it marks the place. The reason is not given on, as it may hold a path.
    """
    try:
        return encode(path, **options)
    except UnreadableImageError:
        return None


@checked
def show_thumbnail_rows(
    rows: pd.DataFrame,
    images: pd.DataFrame,
    *,
    row: str = "cluster",
    names: dict | None = None,
    side: int = 84,
    images_folder: str | os.PathLike | None = None,
) -> ThumbnailRows:
    """Show images as rows of thumbnails, one row per cluster or other value of a column.

    Parameters
    ----------
    rows : DataFrame
        ``image_id`` and the column named by `row`; rows and images are shown in their order.
    images : DataFrame
        The images table, which says where the files are.
    row : str, default "cluster"
        Column whose values make the rows.
    names : dict, optional
        What to write before a row, by its value; otherwise the column's name and the value.
    side : int, pixels, default 84
        Height and width of the box that each picture is fitted into, undistorted.
    images_folder : str or path, optional
        Where relative paths in `images` start; the working directory by default.

    Returns
    -------
    ThumbnailRows
        Shows itself in a notebook; text is escaped, the pictures are inside, nothing is fetched. A file that
        cannot be read leaves an empty box with the reason; a warning counts those that are gone.

    Raises
    ------
    ValueError
        If a column is missing or an image is not in the images table with status "ok".
    FileNotFoundError
        If none of the files is there.

    Source
    ------
    Casas et al., Figure 8.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (4, 3), "red").save(folder / "red.png")
    >>> images = pd.DataFrame({"image_id": ["a"], "path": "red.png", "status": "ok", "reason": "",
    ...                        "width": 4, "height": 3})
    >>> rows = pd.DataFrame({"image_id": ["a"], "cluster": ["<b>"]})
    >>> shown = show_thumbnail_rows(rows, images, images_folder=folder)
    >>> "&lt;b&gt;" in shown.html
    True
    """
    check_columns(rows, ("image_id", row), "the rows")
    paths = locate_images(images, rows["image_id"], folder=images_folder)
    parts = [f"<style>{_STYLE}</style><div class='visclust-rows'>"]
    if is_simulated(rows):
        parts.append(f"<div>{escape(SIMULATED_NOTE)}</div>")
    drawn = []
    for value, members in rows.groupby(row, sort=False):
        name = (names or {}).get(value, f"{row} {value}")
        drawn.append((str(name), [paths[image_id] for image_id in members["image_id"]]))
        parts.append(f"<div class='visclust-row'><div class='visclust-name'>{escape(str(name))}</div>")
        parts += [_draw(paths[image_id], side) for image_id in members["image_id"]]
        parts.append("</div>")
    return ThumbnailRows("".join([*parts, "</div>"]), drawn, (rows, images))


def _draw(path: str, side: int) -> str:
    """Write the element of one picture; the reason stands in its place where the file cannot be read."""
    size = f"width='{side}' height='{side}'"
    try:
        # Twice the pixels, for screens that have them.
        return (
            f"<img loading='lazy' {size} src='{encode_data_url(path, max_side=2 * side, quality=80)}' alt=''>"
        )
    except UnreadableImageError as error:
        return f"<img {size} alt='{escape(str(error), quote=True)}'>"


@checked
def encode_cluster_thumbnails(
    chosen: pd.DataFrame,
    clusters: pd.DataFrame,
    images: pd.DataFrame,
    *,
    n_images: int = 3,
    side: int = 144,
    images_folder: str | os.PathLike | None = None,
) -> pd.DataFrame:
    """Encode the most typical images of chosen clusters for a figure.

    Parameters
    ----------
    chosen : DataFrame
        The ``chosen`` of `tabulate_emotion_heatmap`: ``cluster, letter``.
    clusters : DataFrame
        The clusters table (``image_id, cluster`` are enough); the images of highest
        ``silhouette`` are taken, or where there is none the first.
    images : DataFrame
        The images table, which says where the files are.
    n_images : int, default 3
        Images per cluster at most. Those that cannot be read are passed over.
    side : int, pixels, default 144
        Longest side.
    images_folder : str or path, optional
        Where relative paths in `images` start; the working directory by default.

    Returns
    -------
    DataFrame
        A row per picture: ``cluster, letter, block`` (number of the cluster, from 0), ``place`` (number
        within it), ``image_id, url`` (a ``data:`` URL).

    Raises
    ------
    ValueError
        If an image of a chosen cluster is not in the images table with status "ok", or the record of `chosen`
        says that it was made from other clusters.
    FileNotFoundError
        If none of the files is there.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (4, 3), "red").save(folder / "red.png")
    >>> images = pd.DataFrame({"image_id": ["a"], "path": "red.png", "status": "ok", "reason": "",
    ...                        "width": 4, "height": 3})
    >>> clusters = pd.DataFrame({"image_id": ["a"], "cluster": [7], "iteration": [1], "silhouette": [0.1]})
    >>> chosen = pd.DataFrame({"cluster": [7], "letter": ["A"]})
    >>> made = encode_cluster_thumbnails(chosen, clusters, images, images_folder=folder)
    >>> made[["cluster", "letter", "place"]]
       cluster letter  place
    0        7      A      0
    """
    clusters = check_clusters(clusters, fill=True)
    check_origin(chosen, clusters, what="the choice", made_from="the clusters")
    check_columns(chosen, ("cluster", "letter"), "the chosen clusters")
    clusters = take_pictures(clusters)
    of_chosen = clusters.loc[clusters["cluster"].isin(chosen["cluster"]), "image_id"]
    paths = locate_images(images, of_chosen, folder=images_folder)
    rows = []
    for block, (cluster, letter) in enumerate(zip(chosen["cluster"], chosen["letter"], strict=True)):
        members = clusters[clusters["cluster"].eq(cluster)]
        members = members.sort_values("silhouette", ascending=False, kind="stable")
        place = 0
        for image_id in members["image_id"]:
            if place == n_images:
                break
            url = thumbnail_or_none(encode_data_url, paths[image_id], max_side=side, quality=80)
            if url is not None:
                rows.append((cluster, letter, block, place, image_id, url))
                place += 1
    return pd.DataFrame(rows, columns=["cluster", "letter", "block", "place", "image_id", "url"])
