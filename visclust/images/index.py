"""Index the files of images, choose the usable ones, and find the file of an image by its id."""

import hashlib
import os
import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from visclust.base.places import SAME_BYTES
from visclust.base.progress import WorkBar
from visclust.base.provenance import digest_file, digest_ids, note_run, recorded
from visclust.base.tables import check_table, check_used
from visclust.images.reading import IMAGE_ENDINGS, UnreadableImageError, check_image


@recorded
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
            WorkBar(
                pool.map(_describe_file, paths),
                total=len(paths),
                desc="Reading",
                unit="image",
                work=f"Reading {len(paths):,} images",
                progress=progress,
            )
        )
    images = pd.DataFrame(rows, columns=["image_id", "path", "status", "reason", "width", "height"])
    images = images.astype({"width": "Int64", "height": "Int64"})
    first = images.drop_duplicates("image_id").set_index("image_id")["path"]
    copies = images["status"].eq("ok") & images.duplicated("image_id")
    images.loc[copies, "status"] = "duplicate"
    images.loc[copies, "reason"] = SAME_BYTES + images.loc[copies, "image_id"].map(first)
    note_run(inputs={"folder": digest_ids(images["image_id"])})
    return check_table(images, "images")


def _describe_file(path: Path) -> tuple[str, str, str, str, int | None, int | None]:
    """Give one row of the images table; whatever is wrong with the file is its reason."""
    try:
        image_id = digest_file(path)[:32]
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
    check_used(images, "images", ["image_id", "path", "status"])
    usable = images.loc[images["status"].eq("ok")].reset_index(drop=True)
    if usable.empty:
        counts = images["status"].value_counts().to_dict()
        raise ValueError(
            f"Expected at least one image with status 'ok', got {counts or 'an empty table'}. See the column "
            "'reason', and run index_images on a folder with readable images."
        )
    return usable


def locate_images(
    images: pd.DataFrame,
    ids: Iterable[str] | None = None,
    *,
    folder: str | os.PathLike | None = None,
    complete: bool = False,
) -> dict[str, str]:
    """Find the file of each image: of these ids in their order, or of all usable images of the table.

    Only rows with status "ok" count. Relative paths start at `folder`, which every public function calls
    `images_folder`, or at the working directory. Where not one file of the table is there, or with `complete`
    where one of those wanted is not, this is an error before any work is done; otherwise a warning counts
    those that are gone, and whoever reads the files marks their places. The paths are absolute, and text:
    20,000 Paths take half a second to make, and a person waits for the first rows.
    """
    usable = select_usable(images).drop_duplicates("image_id")
    start = str(Path.cwd() if folder is None else Path(folder).absolute())
    files = {
        image: os.path.join(start, path)  # noqa: PTH118 - an absolute path stays as it is
        for image, path in zip(usable["image_id"], usable["path"], strict=True)
    }
    wanted = list(files if ids is None else dict.fromkeys(ids))
    lacking = [image for image in wanted if image not in files]
    if lacking:
        raise ValueError(
            f"Expected a row with status 'ok' in the images table for each of the {len(wanted)} images, got "
            f"none for {len(lacking)} of them (the first is {lacking[0]!r}). Use the images table that they "
            "come from."
        )
    missing = [image for image in wanted if not os.path.isfile(files[image])]  # noqa: PTH113
    if missing:
        said = (
            f"Expected {len(wanted)} image files, but {len(missing)} of them are not there; the first is "
            f"{files[missing[0]]}."
        )
        advice = "Put them back, or run index_images again on the folder where they are now."
        # With a file of the table in its place the start is right, and the others are gone.
        found_none = len(missing) == len(wanted) and not any(map(os.path.isfile, files.values()))
        if found_none and not usable["path"].map(os.path.isabs).all():
            given = "the working directory" if folder is None else "images_folder"
            said += f" Relative paths were taken to start at {start} ({given})."
            advice = f"Say with images_folder where they start. Or: {advice[0].lower()}{advice[1:]}"
        if found_none or complete:
            raise FileNotFoundError(f"{said} {advice}")
        warnings.warn(f"{said} {advice}", stacklevel=3)
    return {image: files[image] for image in wanted}
