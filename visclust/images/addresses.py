"""Find the downloaded file of an address: by the last part of its path, as downloaders name files."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

import pandas as pd

from visclust.images.reading import IMAGE_ENDINGS

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
# Twitter's older way to ask for a size: ABC.jpg:large.
_SIZE = re.compile(r":(orig|large|medium|small|thumb|\d+x\d+)$")


def is_address(name: str) -> bool:
    """Tell an address such as https://… from the name of a file."""
    return _SCHEME.match(name) is not None


def _name_file(address: str) -> str:
    """Give the name of a file downloaded from an address: the last part of its path, without a size.

    ``format=`` gives the ending where the name has none.
    """
    try:
        parts = urlsplit(address.strip())
    except ValueError:  # such as a bracket that is never closed
        return ""
    name = _SIZE.sub("", unquote(parts.path).rstrip("/").rpartition("/")[2])
    if PurePosixPath(name).suffix.lower() in IMAGE_ENDINGS:
        return name  # goes before format=, which Twitter's own pages set to jpg for PNG files too
    ending = parse_qs(parts.query).get("format", [""])[0]
    return f"{name}.{ending}" if name and f".{ending.lower()}" in IMAGE_ENDINGS else name


def is_image_address(name: str) -> bool:
    """Tell the address of a picture from that of a film or page, by its ending."""
    return PurePosixPath(_name_file(name)).suffix.lower() in IMAGE_ENDINGS


def match_addresses(addresses: Iterable[str], images: pd.DataFrame) -> pd.DataFrame:
    """Find the file of each address by its name, then by its name without the ending.

    Gives ``media, path, reason``, a row per different address. The path is missing, and the reason says why,
    where there is no such file, or where files of that name are different images. A readable file goes
    before an unreadable one of the same name.
    """
    files = images[["path", "image_id"]].assign(
        name=[re.split(r"[/\\]", path)[-1] for path in images["path"]],
        unreadable=images["status"].eq("unreadable"),
    )
    files["stem"] = [_drop_ending(name) for name in files["name"]]
    files = files.sort_values("unreadable", kind="stable")
    by_name, by_stem = (_index(files, column) for column in ("name", "stem"))
    rows: list[tuple[str, str | None, str]] = []
    for address in dict.fromkeys(addresses):
        name = _name_file(address)
        found = by_name.get(name) or by_stem.get(_drop_ending(name))
        if not found:
            rows.append((address, None, f"no file called {name or 'so'} in the images table"))
        elif found[1] > 1:
            rows.append(
                (address, None, f"{found[1]} different images are called {name}: name the file itself")
            )
        else:
            rows.append((address, found[0], ""))
    return pd.DataFrame(rows, columns=["media", "path", "reason"])


def _index(files: pd.DataFrame, column: str) -> dict[str, tuple[str, int]]:
    """First path and number of different images by name; unreadable files count only among themselves."""
    groups = files.groupby([column, "unreadable"], sort=False)
    table = groups.agg(path=("path", "first"), images=("image_id", "nunique")).reset_index()
    table = table.drop_duplicates(column)
    return {
        name: (path, number)
        for name, path, number in zip(table[column], table["path"], table["images"], strict=True)
    }


def _drop_ending(name: str) -> str:
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in IMAGE_ENDINGS else name
