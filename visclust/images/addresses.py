"""Find the downloaded file of an address: by the last part of its path, as downloaders name files."""

import re
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pandas as pd

from visclust.images.reading import IMAGE_ENDINGS

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_SLASH = re.compile(r"[/\\]")
_FEW = 8  # files of one name that are looked through one by one
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

    Gives ``media, path, reason``, a row per different address, as `AddressMatcher` finds them.
    """
    given = list(dict.fromkeys(addresses))
    matcher = AddressMatcher(images)
    matcher.add(given)
    return pd.DataFrame(
        [(address, *matcher.find(address)) for address in given], columns=["media", "path", "reason"]
    )


class _Files(NamedTuple):
    """The files of one name, how many images they are, and where they are many which lie in which folder."""

    rows: tuple[int, ...]
    n_images: int
    parents: dict[str | None, list[int]]

    def narrow(self, address: str, paths: list[str]) -> tuple[tuple[int, ...], int]:
        """Keep those that have most folders in common with an address, and say how many those are.

        Where all have none it is `rows` itself: of very many files one list for all addresses.
        """
        rows: Sequence[int] = self.rows
        if self.parents:
            parent = _name_parent(_split_address(address))
            if parent is None or parent not in self.parents:
                return self.rows, 0
            rows = self.parents[parent]
        common = [_count_common(address, paths[row]) for row in rows]
        most = max(common)
        if most == min(common) and len(rows) == len(self.rows):
            return self.rows, most
        return tuple(row for row, one in zip(rows, common, strict=True) if one == most), most


class AddressMatcher:
    """Finds the file of addresses among `images`, once it has been given all of them.

    The path is missing, and the reason says why, where there is no such file, where files of that name are
    different images, and where different addresses would share one file (``hqdefault.jpg`` of two films).
    Where folders of a file are those before the name in an address, they decide: ``A/hqdefault.jpg`` is the
    file of ``…/vi/A/hqdefault.jpg`` and no other's. A readable file goes before an unreadable one of the same
    name. Addresses of which there is no file, often very many, are not kept.
    """

    def __init__(self, images: pd.DataFrame) -> None:
        unreadable = images["status"].eq("unreadable").to_numpy(dtype=bool)
        order = np.argsort(unreadable, kind="stable")
        self._unreadable = unreadable[order].tolist()
        self._paths = images["path"].to_numpy(dtype=object)[order].tolist()
        self._ids = images["image_id"].to_numpy(dtype=object)[order].tolist()
        # Lists of rows, each made a `_Files` when it is first asked for.
        self._by_name: dict[str, Any] = {}
        self._by_stem: dict[str, Any] = {}
        for row, path in enumerate(self._paths):
            name = _SLASH.split(path)[-1]
            self._by_name.setdefault(name, []).append(row)
            self._by_stem.setdefault(_drop_ending(name), []).append(row)
        self._candidates: dict[str, tuple[int, ...]] = {}
        self._fits: dict[str, tuple[bool, int]] = {}
        self._reasons: dict[str, str] = {}
        self._settled = False

    def add(self, addresses: Iterable[str]) -> None:
        """Take addresses to find the files of."""
        for address in addresses:
            if address in self._candidates:
                continue
            name = _name_file(address)
            files = self._find_files(name)
            if files is None:
                continue
            rows, most = files.narrow(address, self._paths)
            self._fits[address] = (name in self._by_name, most)
            self._candidates[address] = rows
            n = files.n_images if rows is files.rows else len({self._ids[row] for row in rows})
            if n > 1:
                self._reasons[address] = f"{n} different images are called {name}: name the file itself"
        self._settled = False

    def _find_files(self, name: str) -> "_Files | None":
        """Find the files of a name, of that name without its ending where there is none."""
        stem = _drop_ending(name)
        given = self._by_name.get(name) or self._by_stem.get(stem)
        if given is None or isinstance(given, _Files):
            return given
        rows = tuple(row for row in given if not self._unreadable[row]) or tuple(given)
        parents: dict[str | None, list[int]] = {}
        if len(rows) > _FEW:
            for row in rows:
                parents.setdefault(_name_parent(_SLASH.split(self._paths[row])), []).append(row)
        files = _Files(rows, len({self._ids[row] for row in rows}), parents)
        if name in self._by_name:
            self._by_name[name] = files
        else:
            self._by_stem[stem] = files
        return files

    def find(self, address: str) -> tuple[str | None, str]:
        """Give the path of an address that was taken, or why it has none."""
        self._settle()
        if reason := self._reasons.get(address):
            return None, reason
        if rows := self._candidates.get(address):
            return self._paths[rows[0]], ""
        return None, f"no file called {_name_file(address) or 'so'} in the images table"

    def has_undecided(self) -> bool:
        """Tell whether of an address it cannot be said which of the files there are is its own."""
        self._settle()
        return bool(self._reasons)

    def _settle(self) -> None:
        if not self._settled:
            self._reasons |= _find_shared(self._candidates, self._fits, self._reasons)
            self._settled = True


def _find_shared(
    candidates: dict[str, tuple[int, ...]], fits: dict[str, tuple[bool, int]], reasons: dict[str, str]
) -> dict[str, str]:
    """Say of which addresses the file may be another address's: more addresses than files have the name."""
    claims: dict[tuple[int, ...], list[str]] = {}
    for address, rows in candidates.items():
        if address not in reasons:
            claims.setdefault(rows, []).append(address)
    found: dict[str, str] = {}
    for places, addresses in claims.items():
        if len(addresses) <= (n_files := len(places)):
            continue
        sources: dict[tuple[str, ...], list[str]] = {}
        for address in addresses:
            sources.setdefault(_name_source(address), []).append(address)
        if len(sources) <= n_files:
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


def _name_parent(parts: list[str]) -> str | None:
    """Give the folder before the name, where there is one."""
    return parts[-2] if len(parts) > 1 else None


def _count_common(address: str, path: str) -> int:
    """Count the folders before the name that an address and the path of a file share, from the name on."""
    pairs = zip(_split_address(address)[-2::-1], _SLASH.split(path)[-2::-1], strict=False)
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
