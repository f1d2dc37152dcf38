"""Where a study is, and paths that survive a move of its folder: kept relative to it in its tables' files."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

STUDY_FILE = "study.toml"

# What the reason of a copy in an images table begins with; a path follows.
SAME_BYTES = "same bytes as "


def find_study_folder(path: str | os.PathLike) -> Path | None:
    """Find the study that a file or folder lies in: the nearest folder above it with a study file."""
    place = Path(path).absolute()
    return next((each for each in (place, *place.parents) if (each / STUDY_FILE).is_file()), None)


def keep_places(table: pd.DataFrame, file: str | os.PathLike) -> pd.DataFrame:
    """Give a table of image files as it goes into a file of a study: paths below the study start there.

    They stand with "/" between their parts. Files elsewhere keep their absolute paths, and so do all of
    them where the file belongs to no study. Other tables are given back as they are.
    """
    study = find_study_folder(Path(file).parent)
    if study is None or not _has_places(table):
        return table
    start = f"{study}{os.sep}"

    def shorten(path: str) -> str:
        whole = path if os.path.isabs(path) else os.path.abspath(path)  # noqa: PTH100, PTH117
        if not whole.startswith(start) or (whole != path and not os.path.exists(whole)):  # noqa: PTH110
            return path
        return whole[len(start) :].replace(os.sep, "/")

    return _change_places(table, shorten)


def find_places(table: pd.DataFrame, file: str | os.PathLike) -> pd.DataFrame:
    """Give a table of image files that was read from a file of a study: every path absolute again."""
    study = find_study_folder(Path(file).parent)
    if study is None or not _has_places(table):
        return table
    return _change_places(table, lambda path: os.path.normpath(os.path.join(study, path)))  # noqa: PTH118


def drop_common_folder(table: pd.DataFrame) -> pd.DataFrame:
    """Give a table of image files with its paths from the folder that they share: as its digest reads it.

    The same files at another place have the same digest so.
    """
    if not _has_places(table):
        return table
    start = _find_common_folder(table["path"].to_numpy(dtype=object))
    if os.sep == "/":
        return _change_places(table, lambda path: path.removeprefix(start))
    return _change_places(table, lambda path: path.removeprefix(start).replace(os.sep, "/"))


def _has_places(table: pd.DataFrame) -> bool:
    return len(table) > 0 and {"image_id", "path"} <= set(table.columns) and table.columns.is_unique


def _change_places(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    changed = table.copy(deep=False)
    changed["path"] = _map_texts(table["path"], change)
    if "reason" in table.columns:

        def change_reason(reason: str) -> str:
            named = reason.startswith(SAME_BYTES)
            return SAME_BYTES + change(reason.removeprefix(SAME_BYTES)) if named else reason

        changed["reason"] = _map_texts(table["reason"], change_reason)
    return changed


def _map_texts(column: pd.Series, change: Callable[[str], str]) -> pd.Series:
    changed = [change(each) if isinstance(each, str) else each for each in column.to_numpy(dtype=object)]
    # Categories would have no place for the new texts.
    dtype = object if isinstance(column.dtype, pd.CategoricalDtype) else column.dtype
    return pd.Series(changed, index=column.index, dtype=dtype, name=column.name)


def _find_common_folder(paths: Iterable[str]) -> str:
    """Find what the folders of all paths begin with, the last separator included; empty where nothing."""
    # By characters, and then back to the last separator: 100,000 paths take no time so.
    common = os.path.commonprefix([path for path in paths if isinstance(path, str)])  # noqa: RUF071
    return common[: max(common.rfind("/"), common.rfind(os.sep)) + 1]
