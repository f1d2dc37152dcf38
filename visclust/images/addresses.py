"""Find the downloaded file of an address: by the last part of its path, as downloaders name files."""

import re
from collections.abc import Iterable
from itertools import takewhile
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
    where there is no such file, where files of that name are different images, and where different addresses
    would share one file (``hqdefault.jpg`` of two films). Where folders of a file are those before the name
    in an address, they decide: ``A/hqdefault.jpg`` is the file of ``…/vi/A/hqdefault.jpg`` and no other's. A
    readable file goes before an unreadable one of the same name.
    """
    files = images[["path", "image_id"]].assign(
        name=[re.split(r"[/\\]", path)[-1] for path in images["path"]],
        unreadable=images["status"].eq("unreadable"),
    )
    files["stem"] = [_drop_ending(name) for name in files["name"]]
    files = files.sort_values("unreadable", kind="stable").reset_index(drop=True)
    by_name, by_stem = (files.groupby(column, sort=False).indices for column in ("name", "stem"))
    paths, ids, unreadable = (files[name].tolist() for name in ("path", "image_id", "unreadable"))
    candidates: dict[str, list[int]] = {}
    fits: dict[str, tuple[bool, int]] = {}
    reasons: dict[str, str] = {}
    for address in dict.fromkeys(addresses):
        name = _name_file(address)
        rows = list(by_name.get(name, ())) or list(by_stem.get(_drop_ending(name), ()))
        rows = [row for row in rows if not unreadable[row]] or rows
        common = max((_count_common(address, paths[row]) for row in rows), default=0)
        rows = [row for row in rows if _count_common(address, paths[row]) == common]
        fits[address] = (name in by_name, common)
        candidates[address] = rows
        if not rows:
            reasons[address] = f"no file called {name or 'so'} in the images table"
        elif (n := len({ids[row] for row in rows})) > 1:
            reasons[address] = f"{n} different images are called {name}: name the file itself"
    reasons |= _find_shared(candidates, fits, reasons)
    return pd.DataFrame(
        [
            (address, None if address in reasons else paths[rows[0]], reasons.get(address, ""))
            for address, rows in candidates.items()
        ],
        columns=["media", "path", "reason"],
    )


def _find_shared(
    candidates: dict[str, list[int]], fits: dict[str, tuple[bool, int]], reasons: dict[str, str]
) -> dict[str, str]:
    """Say of which addresses the file may be another address's: more addresses than files have the name."""
    claims: dict[tuple[int, ...], dict[tuple[str, ...], list[str]]] = {}
    for address, rows in candidates.items():
        if address not in reasons:
            claims.setdefault(tuple(rows), {}).setdefault(_name_source(address), []).append(address)
    found: dict[str, str] = {}
    for places, sources in claims.items():
        if len(sources) <= (n_files := len(places)):
            continue
        best = max(fits[address] for group in sources.values() for address in group)
        nearest = [source for source, group in sources.items() if max(map(fits.__getitem__, group)) == best]
        for source, group in sources.items():
            if source in nearest and len(nearest) > n_files:
                why = (
                    f"{len(nearest)} different addresses end so, and not as many files: name the file itself"
                )
            elif source in nearest:
                continue
            else:
                why = "the file of this name fits another address better"
            found |= dict.fromkeys(group, why)
    return found


def _split_address(address: str) -> list[str]:
    """Give the host and the parts of the path, the name as `_name_file` gives it."""
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return []
    inner = [part for part in unquote(parts.path).split("/") if part]
    return [parts.netloc.lower(), *inner[:-1], _name_file(address)]


def _count_common(address: str, path: str) -> int:
    """Count the folders before the name that an address and the path of a file share, from the name on."""
    pairs = zip(_split_address(address)[-2::-1], re.split(r"[/\\]", path)[-2::-1], strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _name_source(address: str) -> tuple[str, ...]:
    """Give what is the same in two addresses of one picture: the domain, folders and name.

    Neither the size nor the ending counts, nor the machine of a network that delivers copies (the host's
    first parts).
    """
    host, *folders, name = _split_address(address) or ["", ""]
    return (".".join(host.partition(":")[0].split(".")[-2:]), *folders, _drop_ending(name))


def _drop_ending(name: str) -> str:
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in IMAGE_ENDINGS else name
