"""Show rows of thumbnails as plain HTML with the pictures inside."""

from html import escape

import pandas as pd

from visclust.image_reading import UnreadableImageError
from visclust.thumbnails import encode_data_url

__all__ = ["ThumbnailRows", "show_thumbnail_rows"]

_STYLE = (
    ".visclust-rows{font:13px/1.3 sans-serif;background:#fff;color:#222;padding:4px}"
    ".visclust-row{display:flex;align-items:center;border-top:1px solid #ddd;padding:4px 0}"
    ".visclust-name{flex:0 0 150px;padding-right:8px;overflow-wrap:anywhere}"
    ".visclust-row img{object-fit:contain;margin-right:4px}"
)


class ThumbnailRows:
    """HTML that a notebook shows; `html` is the text, for saving elsewhere."""

    def __init__(self, html: str) -> None:
        self.html = html

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        """Stand for the pictures where HTML cannot be shown."""
        return "Rows of thumbnails, shown where the page knows HTML."


def show_thumbnail_rows(
    rows: pd.DataFrame,
    images: pd.DataFrame,
    *,
    row: str = "cluster",
    names: dict | None = None,
    side: int = 84,
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

    Returns
    -------
    ThumbnailRows
        Shows itself in a notebook; text is escaped, the pictures are inside, nothing is fetched.

    Raises
    ------
    ValueError
        If a column is missing or an image is not in the images table.

    Source
    ------
    Casas et al., Figure 8.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> path = Path(tempfile.mkdtemp()) / "red.png"
    >>> Image.new("RGB", (4, 3), "red").save(path)
    >>> images = pd.DataFrame({"image_id": ["a"], "path": [str(path)], "status": ["ok"]})
    >>> shown = show_thumbnail_rows(pd.DataFrame({"image_id": ["a"], "cluster": ["<b>"]}), images)
    >>> "&lt;b&gt;" in shown.html
    True
    """
    missing = [name for name in ("image_id", row) if name not in rows.columns]
    if missing:
        raise ValueError(f"Expected the columns image_id and {row}; {', '.join(missing)} is missing.")
    paths = images.drop_duplicates("image_id").set_index("image_id")["path"]
    unknown = rows.loc[~rows["image_id"].isin(paths.index), "image_id"]
    if len(unknown):
        raise ValueError(
            f"{len(unknown)} images are not in the images table (the first is {unknown.iloc[0]})."
        )
    parts = [f"<style>{_STYLE}</style><div class='visclust-rows'>"]
    for value, members in rows.groupby(row, sort=False):
        name = (names or {}).get(value, f"{row} {value}")
        parts.append(f"<div class='visclust-row'><div class='visclust-name'>{escape(str(name))}</div>")
        parts += [_draw(paths[image_id], side) for image_id in members["image_id"]]
        parts.append("</div>")
    return ThumbnailRows("".join([*parts, "</div>"]))


def _draw(path: str, side: int) -> str:
    size = f"width='{side}' height='{side}'"
    try:
        # Twice the pixels, for screens that have them.
        return (
            f"<img loading='lazy' {size} src='{encode_data_url(path, max_side=2 * side, quality=80)}' alt=''>"
        )
    except UnreadableImageError as error:
        return f"<img {size} alt='{escape(str(error), quote=True)}'>"
