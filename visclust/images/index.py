"""Index the files of images, choose the usable ones, and find the file of an image by its id."""

import hashlib
import os
import stat
import warnings
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath
from typing import NamedTuple

import pandas as pd

from visclust.base.checks import checked
from visclust.base.machine import choose_workers
from visclust.base.places import SAME_BYTES
from visclust.base.progress import WorkBar
from visclust.base.provenance import digest_file, digest_ids, note_run, recorded
from visclust.base.tables import check_table, check_used
from visclust.images.reading import IMAGE_ENDINGS, UnreadableImageError, check_image, recognise_kind

# Kept by systems and programs for themselves, often with small copies of the pictures beside them.
_SYSTEM_FOLDERS = frozenset(
    {"__MACOSX", "@eaDir", "@Recycle", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found"}
)


@recorded
def index_images(folder: str | os.PathLike, *, progress: bool = True) -> pd.DataFrame:
    r"""List every image file below a folder, with its content hash and whether it can be read.

    Parameters
    ----------
    folder : str or path
        Searched with all its subfolders; links to folders are not followed. A file is an image by its ending,
        or by its first bytes whatever its name. Other files, and hidden ones (a part of the path begins
        with a dot, or is a folder that systems keep for themselves, such as ``__MACOSX``), are left out and
        counted in a line.
    progress : bool, default True
        Show a progress bar.

    Returns
    -------
    DataFrame
        The images table, a row per file in the order of the paths: ``image_id`` (the first 32
        hexadecimal digits of the SHA-256 of the file's bytes, as ``sha256sum`` prints it), ``path``,
        ``status`` ("ok"; "duplicate" for the bytes of an earlier row; "unreadable"), ``reason``
        (where ok it is empty, or a note on how the image is drawn), ``width`` and ``height`` (pixels, after
        EXIF rotation). Folders that cannot be read or are links, broken links, and files whose name is no
        text in UTF-8 (shown with ``\x`` for each such byte) have a row too, as unreadable.

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
    found = walk_folder(folder)
    left_out = say_left_out(found)
    paths = sorted({*found.images, *found.problems}, key=os.fsencode)
    if not found.images:
        problems = "".join(f" {path}: {reason}." for path, reason in list(found.problems.items())[:3])
        raise ValueError(
            f"Expected image files below {folder}, found none. {left_out or 'It holds no file.'}{problems}"
        )
    if left_out:
        print(left_out)
    # Decoding releases the interpreter's lock, so threads are enough to keep all cores busy.
    with ThreadPoolExecutor(choose_workers()) as pool:
        rows = list(
            WorkBar(
                pool.map(lambda path: describe_image(path, found.problems.get(path, "")), paths),
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
    note_run(
        inputs={"folder": digest_ids(images["image_id"])},
        parameters={"hidden_files": found.n_hidden, "other_files": dict(found.others.most_common())},
    )
    return check_table(images, "images")


class _Found(NamedTuple):
    """What lies in a folder: images, places with a reason why they are none, and what is left out."""

    images: list[str]
    problems: dict[str, str]
    others: Counter[str]
    n_hidden: int


def walk_folder(folder: Path) -> _Found:
    """Go through a folder and all below it; links to folders could lead in a circle, or out of the study."""
    images: list[str] = []
    problems: dict[str, str] = {}
    others: Counter[str] = Counter()
    n_hidden = 0
    waiting = [os.fspath(folder)]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(place) as entries:
                here = list(entries)
        except OSError as error:
            problems[place] = f"a folder that cannot be opened: {error.strerror}"
            continue
        for entry in here:
            if entry.name.startswith(".") or entry.name in _SYSTEM_FOLDERS:
                n_hidden += 1
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            elif problem := _find_problem(entry.path):
                problems[entry.path] = problem
            elif PurePath(entry.name).suffix.lower() in IMAGE_ENDINGS or recognise_kind(entry.path):
                images.append(entry.path)
            else:
                ending = os.fsencode(PurePath(entry.name).suffix).decode("utf-8", "backslashreplace")
                others[ending.lower() or "without ending"] += 1
    return _Found(images, problems, others, n_hidden)


def _find_problem(path: str) -> str:
    """Say why a place that is no folder cannot be looked at, or ""; a pipe would be waited for forever."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - names that are no UTF-8 stay as they are
    except FileNotFoundError:
        return "a broken link: what it points to is not there"
    except OSError as error:
        return f"cannot be opened: {error.strerror}"
    if stat.S_ISDIR(mode):
        return "a link to a folder, which is not followed: index that folder by its own name"
    return "" if stat.S_ISREG(mode) else "not a file: a pipe, socket or device"


def say_left_out(found: _Found) -> str:
    """Count in one line what is no row of the table; the empty string where that is nothing."""
    parts = []
    if found.others:
        common = found.others.most_common(8)
        listed = ", ".join(f"{count:,} {ending}" for ending, count in common)
        rest = found.others.total() - sum(count for _, count in common)
        parts.append(
            f"{found.others.total():,} that are no images ({listed}{f', {rest:,} others' if rest else ''})"
        )
    if found.n_hidden:
        parts.append(f"{found.n_hidden:,} hidden")
    return f"Files and folders left out: {'; '.join(parts)}." if parts else ""


def describe_image(path: str, problem: str) -> tuple[str, str, str, str, int | None, int | None]:
    """Give one row of the images table; whatever is wrong with the file is its reason."""
    shown = os.fsencode(path).decode("utf-8", "backslashreplace")
    if not problem and shown != path:
        problem = "its name is no text in UTF-8, and no table could hold it: rename the file"
    try:
        image_id = "" if problem else digest_file(path)[:32]
    except OSError as error:
        problem = f"cannot be opened: {error.strerror}"
    if problem:
        # A row needs a name of its own even where there are no bytes to hash.
        image_id = hashlib.sha256(b"unread:" + os.fsencode(path)).hexdigest()[:32]
        return image_id, shown, "unreadable", problem, None, None
    try:
        width, height, note = check_image(path)
    except UnreadableImageError as error:
        return image_id, path, "unreadable", str(error), None, None
    return image_id, path, "ok", note, width, height


@checked
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
