"""Cut a corpus into shards: files in one folder, with a manifest that says what each must hold."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.base.checks import check_choice, check_whole_number
from visclust.base.damage import read_json, read_parquet
from visclust.base.files import check_writable, write_json
from visclust.base.progress import WorkBar
from visclust.base.provenance import digest_text, is_embedding, recorded
from visclust.base.rows import take_rows
from visclust.base.tables import check_used
from visclust.corpus.posts import list_post_files
from visclust.images.index import say_left_out, walk_folder
from visclust.scale.parts import describe_file, is_intact, name_shard, to_text, write_file

MANIFEST = "manifest.json"
_FORMAT = 1
_KINDS = ("files", "images", "posts", "rows")
_NO_TEXT = "its name is no text in UTF-8, and no table could hold it: rename the file"
_AGAIN = "Make the shards again with make_shards, or put the file back from a copy."


class ShardedCorpus(NamedTuple):
    """A folder of shards: its kind, a row per shard, and the settings that the manifest holds.

    ``shards`` has ``shard`` (number, from 0), ``file``, ``rows``, ``bytes`` and ``digest`` (SHA-256).
    """

    folder: Path
    kind: str
    shards: pd.DataFrame
    settings: dict[str, Any]

    @property
    def rows(self) -> int:
        """Rows of all shards: files, images or rows of numbers; of posts the files, each a shard."""
        return int(self.shards["rows"].sum())


class DamagedShardError(ValueError):
    """A shard is not what the manifest says: it is refused, and the other shards go on.

    Examples
    --------
    >>> issubclass(DamagedShardError, ValueError)
    True
    """


@recorded
def make_shards(
    source: Any,
    folder: str | os.PathLike,
    *,
    kind: str = "auto",
    shard_size: int = 10_000,
    source_folder: str | os.PathLike | None = None,
    progress: bool = True,
) -> ShardedCorpus:
    """Cut images, posts or an embedding into shards, for `run_shards` and `cluster_shards`.

    Parameters
    ----------
    source : DataFrame, path, Embedding, or ndarray of shape (n, d)
        An images table; a folder of images, of which only the names are read here (the step "index" reads
        the files); a folder or file of posts with ``kind="posts"``; or an embedding, or a matrix, which may
        be memory-mapped.
    folder : str or path
        The new folder of the corpus. Where the same corpus lies there already, nothing is written.
    kind : {"auto", "images", "posts", "rows"}, default "auto"
        What the source is. A path is taken for a folder of images, unless it is said to be of posts.
    shard_size : int, default 10,000
        Rows of a shard at most. A shard is what one worker does at a time and holds in memory: 10,000 images
        take some minutes to embed on one core, and 100,000 rows of 512 numbers are 200 MB. Of posts each file
        is one shard, whatever its size: split larger ones beforehand (``split -l`` for lines of JSON).
    source_folder : str or path, optional
        Where relative paths of an images table start, as all machines see it; the working directory by
        default.
    progress : bool, default True
        Show a bar.

    Returns
    -------
    ShardedCorpus
        ``folder``, ``kind`` ("files" for a folder of images, "images", "posts", "rows"), ``shards`` (a row
        per shard: ``shard, file, rows, bytes, digest``) and ``settings``.

    Raises
    ------
    FileExistsError
        If another corpus, or something else, lies in the folder.
    TypeError, ValueError
        If the source is none of these.

    Examples
    --------
    >>> import tempfile
    >>> x = np.arange(12, dtype="float32").reshape(6, 2)
    >>> corpus = make_shards(x, Path(tempfile.mkdtemp()) / "corpus", shard_size=4, progress=False)
    >>> corpus.shards["rows"].tolist()
    [4, 2]
    """
    check_choice("kind", kind, ("auto", "images", "posts", "rows"))
    check_whole_number("shard_size", shard_size, least=1)
    folder = Path(folder)
    check_writable(folder / MANIFEST)
    found, contents, settings = _take_source(source, kind, shard_size, source_folder)
    settings = {"shard_size": shard_size, **settings}
    old = open_shards(folder) if (folder / MANIFEST).exists() else None
    if old is None and not _is_new(folder):
        raise FileExistsError(
            f"Expected a new or an empty folder, but {folder} holds other files. Choose another name."
        )
    if old is not None and (old.kind != found or old.settings != settings):
        raise FileExistsError(_refuse_other(folder, old))
    rows = []
    bar = WorkBar(contents, desc="Cutting", unit="shard", total=_count(settings), progress=progress)
    for number, files in enumerate(bar):
        rows.append(_write_shard(folder, number, files, old))
    if old is not None and len(rows) != len(old.shards):
        raise FileExistsError(_refuse_other(folder, old))
    manifest = {"format": _FORMAT, "kind": found, "settings": settings, "shards": rows}
    if old is None:
        write_json(folder / MANIFEST, manifest)  # last: now it is a corpus
    return open_shards(folder)


def _refuse_other(folder: Path, old: ShardedCorpus) -> str:
    return (
        f"Expected a new folder or this very corpus in {folder}, but another corpus lies there: "
        f"{len(old.shards)} shards of {old.kind}, made with {to_text(old.settings)}. Choose another name."
    )


def _is_new(folder: Path) -> bool:
    """Tell whether a folder holds nothing, or nothing but shards of a run that was killed."""
    return all(each.name == "shards" or each.name.startswith(".") for each in folder.glob("*"))


def _count(settings: dict[str, Any]) -> int:
    return -(-settings["n"] // settings["shard_size"]) if "n" in settings else settings["files"]


def _write_shard(
    folder: Path, number: int, files: dict[str, Any], old: ShardedCorpus | None
) -> dict[str, Any]:
    """Write the files of a shard; where the corpus is there already they must come out the same.

    A file that is damaged there is put right then.
    """
    name = name_shard(number)
    if "" in files:  # a file that is a shard as it is
        row = {"shard": number, **files[""]}
        if old is not None and row["digest"] not in set(old.shards["digest"][number : number + 1]):
            raise FileExistsError(_refuse_other(folder, old))
        return row
    place = folder / ("shards" if old is None else ".again")
    written = [write_file(place / f"{name}{ending}", content) for ending, content in files.items()]
    first, *others = [{**each, "file": f"shards/{each['file']}"} for each in written]
    row = {"shard": number, **first, **({"ids": others[0]} if others else {})}
    if old is not None:
        same = first["digest"] in set(old.shards["digest"][number : number + 1])
        for each in [first, *others]:
            again = place / Path(each["file"]).name
            if same and not is_intact(folder / each["file"], each):
                again.replace(folder / each["file"])
            else:
                again.unlink()
        if not any(place.iterdir()):
            place.rmdir()
        if not same:
            raise FileExistsError(_refuse_other(folder, old))
    return row


def _take_source(
    source: Any, kind: str, shard_size: int, source_folder: str | os.PathLike | None
) -> tuple[str, Iterator[dict[str, Any]], dict[str, Any]]:
    """Find what a source is: its kind, the contents of its shards one after the other, and the settings."""
    if isinstance(source, str | os.PathLike):
        return _list_posts(Path(source)) if kind == "posts" else _list_images(Path(source), kind, shard_size)
    if isinstance(source, pd.DataFrame):
        if kind not in ("auto", "images"):
            raise ValueError(f"Expected kind to be 'images' for a table as source, got {kind!r}.")
        try:
            check_used(source, "images", ["image_id", "path", "status"])
        except ValueError as error:
            raise ValueError(f"Expected source to be an images table. {error}") from error
        if not len(source):
            raise ValueError("Expected source to be an images table with rows, got an empty one.")
        start = Path.cwd() if source_folder is None else Path(source_folder).absolute()
        table = source.reset_index(drop=True)
        pieces = ({".parquet": table.iloc[i : i + shard_size]} for i in range(0, len(table), shard_size))
        return "images", pieces, {"n": len(table), "images_folder": str(start)}
    if not (is_embedding(source) or isinstance(source, np.ndarray)):
        raise TypeError(
            "Expected source to be an images table, a folder, an embedding or a matrix, got "
            f"{type(source).__name__}."
        )
    if kind not in ("auto", "rows"):
        raise ValueError(f"Expected kind to be 'rows' for an embedding or a matrix as source, got {kind!r}.")
    return _cut_rows(source, shard_size)


def _cut_rows(source: Any, shard_size: int) -> tuple[str, Iterator[dict[str, Any]], dict[str, Any]]:
    x: Any = source if isinstance(source, np.ndarray) else None
    ids: list[str] | None = None
    how = "none"
    if x is None:
        x, ids, how = take_rows(source, name="source")
    elif x.ndim != 2 or x.dtype.kind != "f" or not len(x):
        raise ValueError(
            f"Expected source to be a matrix of floats (n, d), got {x.dtype} of shape {x.shape}."
        )
    kept = np.float64 if x.dtype == np.float64 else np.float32

    def cut() -> Iterator[dict[str, Any]]:
        for start in range(0, len(x), shard_size):
            piece = np.array(x[start : start + shard_size], dtype=kept)
            if not np.isfinite(piece).all():
                row = start + int(np.flatnonzero(~np.isfinite(piece).all(axis=1))[0])
                raise ValueError(f"Expected source to hold finite numbers, got another one in row {row}.")
            names = ids[start : start + len(piece)] if ids is not None else None
            table = pd.DataFrame({"image_id": names or [str(start + i) for i in range(len(piece))]})
            yield {".npy": piece, ".parquet": table}

    return "rows", cut(), {"n": len(x), "d": int(x.shape[1]), "dtype": np.dtype(kept).name, "prepared": how}


def _list_images(
    source: Path, kind: str, shard_size: int
) -> tuple[str, Iterator[dict[str, Any]], dict[str, Any]]:
    if kind == "rows":
        raise ValueError("Expected kind to be 'images' or 'posts' for a path as source, got 'rows'.")
    if not source.is_dir():
        raise FileNotFoundError(f"Expected a folder of images as source, but {source} is no folder.")
    found = walk_folder(source.absolute())
    if left_out := say_left_out(found):
        print(left_out)
    paths = sorted({*found.images, *found.problems}, key=os.fsencode)
    if not found.images:
        raise ValueError(f"Expected image files below {source} (source), found none.")
    shown = [os.fsencode(path).decode("utf-8", "backslashreplace") for path in paths]
    problems = [
        found.problems.get(path, "" if path == name else _NO_TEXT)
        for path, name in zip(paths, shown, strict=True)
    ]
    table = pd.DataFrame({"path": shown, "problem": problems})
    pieces = ({".parquet": table.iloc[i : i + shard_size]} for i in range(0, len(table), shard_size))
    about = {"n": len(table), "source": str(source.absolute()), "left_out": left_out}
    return "files", pieces, about


def _list_posts(source: Path) -> tuple[str, Iterator[dict[str, Any]], dict[str, Any]]:
    paths, skipped = list_post_files(source)
    left_out = [f"{path}: {reason}" for path, reason in skipped]
    if left_out:
        print(f"{len(left_out)} files are not read; the first is {left_out[0]}. The manifest lists them.")
    described = (
        {"": {**describe_file(path), "file": str(path.absolute()), "rows": 1}} for path in paths
    )  # read where they are: copying them would double what 400 million posts take
    about = {"files": len(paths), "source": str(source.absolute()), "left_out": left_out}
    return "posts", described, about


@recorded
def open_shards(folder: str | os.PathLike) -> ShardedCorpus:
    """Open a folder of shards by its manifest; the shards themselves are read when they are worked on.

    Parameters
    ----------
    folder : str or path
        The folder that `make_shards` made.

    Returns
    -------
    ShardedCorpus
        As `make_shards` gives it.

    Raises
    ------
    FileNotFoundError
        If there is no manifest.
    ValueError
        If the manifest is damaged or of another version.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp()) / "corpus"
    >>> _ = make_shards(np.eye(3, dtype="float32"), folder, shard_size=2, progress=False)
    >>> open_shards(folder).kind
    'rows'
    """
    path = Path(folder) / MANIFEST
    if not path.exists():
        raise FileNotFoundError(
            f"Expected a folder of shards with {MANIFEST}, got {folder}, which has none: make it with "
            "make_shards."
        )
    found = read_json(path, "the manifest of a corpus", _AGAIN)
    try:
        kind, settings, rows = found["kind"], found["settings"], found["shards"]
        if found["format"] != _FORMAT or kind not in _KINDS or not rows:
            raise KeyError
        shards = pd.DataFrame(rows)
        right = shards["shard"].tolist() == list(range(len(rows)))
        _ = shards[["file", "rows", "bytes", "digest"]]
    except (KeyError, TypeError, ValueError):
        right = False
    if not right:
        raise ValueError(f"Expected the manifest of a corpus at {path}, got something else. {_AGAIN}")
    return ShardedCorpus(Path(folder), kind, shards, settings)


def take_corpus(corpus: "ShardedCorpus | str | os.PathLike") -> ShardedCorpus:
    """Take a corpus, or open the folder of one."""
    return corpus if isinstance(corpus, ShardedCorpus) else open_shards(corpus)


def check_shard(corpus: ShardedCorpus, number: int) -> dict[str, Any]:
    """Give the row of a shard after reading it against its digest; a damaged one is refused."""
    if not 0 <= number < len(corpus.shards):
        raise ValueError(f"Expected a shard from 0 to {len(corpus.shards) - 1}, got {number}.")
    row: dict[str, Any] = {str(name): each for name, each in corpus.shards.iloc[number].items()}
    described = [row, *([row["ids"]] if isinstance(row.get("ids"), dict) else [])]
    for each in described:
        if not is_intact(corpus.folder / each["file"], each):
            raise DamagedShardError(
                f"Expected shard {number} as the manifest says, but {each['file']} is damaged, changed or "
                f"gone. {_AGAIN}"
            )
    return row


def read_shard(corpus: ShardedCorpus, number: int) -> pd.DataFrame:
    """Read the table of a shard that was checked."""
    return read_parquet(corpus.folder / corpus.shards.iloc[number]["file"], advice=_AGAIN)


def digest_corpus(corpus: ShardedCorpus) -> str:
    """Give one digest for all shards in their order."""
    return digest_text("\n".join(corpus.shards["digest"]), digits=32)
