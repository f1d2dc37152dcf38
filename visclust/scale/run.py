"""Run a step over the shards of a corpus: what is there is left alone, and each shard has a row."""

import contextlib
import errno
import os
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from visclust.base.checks import show
from visclust.base.damage import read_json, read_matrix, read_parquet
from visclust.base.progress import WorkBar
from visclust.base.provenance import recorded
from visclust.embedding.embed import Embedding
from visclust.scale.executors import check_place, open_executor
from visclust.scale.parts import find_part, name_shard, write_part
from visclust.scale.shards import DamagedShardError, ShardedCorpus, check_shard, open_shards, take_corpus
from visclust.scale.steps import (
    STEPS,
    MissingPartError,
    Task,
    check_step,
    describe_part,
    find_folders,
    find_state,
    list_inputs,
    locate_parts,
)

DONE = ("made", "made again", "there")
_COLUMNS = ["shard", "status", "rows", "bytes", "seconds", "reason"]


@recorded
def run_shards(
    corpus: ShardedCorpus | str | os.PathLike,
    step: str,
    *,
    shards: Sequence[int] | None = None,
    on: Any = "here",
    workers: int | None = None,
    progress: bool = True,
    **settings: Any,
) -> pd.DataFrame:
    """Run a step over shards: one shard in, one part out, and never again what is there.

    A part is written whole or not at all, with a record of its bytes, its settings and what it was made from.
    A part whose record holds is left alone; one that is damaged, was not finished, or was made from something
    else is made again. A shard that is not what the manifest says is refused, and the others go on. The
    parts are the same bytes wherever they are made, on machines with the same libraries and kind of processor
    (`check_shards` says where these differ).

    Parameters
    ----------
    corpus : ShardedCorpus or path
        From `make_shards`, or its folder.
    step : {"index", "hash", "read", "embed", "assign"}
        "index" reads the files of images and lists them as `index_images` does; "hash" makes perceptual
        hashes, see `hash_images`; "read" reads posts, see `read_posts`; "embed" embeds images, see
        `embed_images`; "assign" gives each row the nearest of some centres, with the distance.
    shards : list of int, optional
        Some shards, by number; all by default. An array of jobs gives each job its own.
    on : {"here", "processes"} or client of Dask, default "here"
        Where: in this process, in processes of this machine, or on the workers of a cluster (see
        `open_workers`).
    workers : int, optional
        Processes for "processes"; by default one per core.
    progress : bool, default True
        Show a bar over the shards.
    **settings
        Of the step. "read": ``format, columns, time_format, time_zone``. "embed": ``encoder="resnet18"``,
        ``weights``, ``batch_size=32``, ``device="cpu"``, ``fast_decoding=True``, ``threads=1`` (of torch, in
        each worker: their number moves the last bits). "assign": ``centers`` (a file of k x d numbers,
        ``.npy``) and ``embedding`` (a folder of parts, where there are several).

    Returns
    -------
    DataFrame
        A row per shard: ``shard, status`` ("made"; "there", and left alone; "made again"; "refused": the
        shard, or what the step needs of it, is missing or damaged; "failed"), ``rows``, ``bytes``,
        ``seconds`` and ``reason``.

    Raises
    ------
    TypeError, ValueError
        Before any work, if the step, a setting or a number of a shard is wrong.
    RuntimeError
        If a worker died (`WorkerDiedError`); what was finished is kept.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from visclust.scale.shards import make_shards
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "photos").mkdir()
    >>> Image.linear_gradient("L").save(folder / "photos" / "a.png")
    >>> Image.radial_gradient("L").save(folder / "photos" / "b.png")
    >>> corpus = make_shards(folder / "photos", folder / "corpus", shard_size=1, progress=False)
    >>> run_shards(corpus, "index", progress=False)["status"].tolist()
    ['made', 'made']
    >>> run_shards(corpus, "index", progress=False)["status"].tolist()
    ['there', 'there']
    >>> read_parts(corpus, "index")[["status", "width"]].values.tolist()
    [['ok', 256], ['ok', 256]]
    """
    corpus = take_corpus(corpus)
    settled = check_step(corpus, step, settings)
    numbers = _take_numbers(corpus, shards)
    check_place(on)
    find_folders(corpus, step, settled)
    rows = []
    with (
        open_executor(on, workers=workers) as executor,
        WorkBar(
            total=len(numbers),
            desc=f"Step {step}",
            unit="shard",
            work=f"The step {step!r} on {len(numbers):,} shards",
            progress=progress,
        ) as bar,
    ):
        tasks = ((str(corpus.folder.absolute()), step, number, settled) for number in numbers)
        for row in executor.map(run_shard, tasks):
            rows.append(row)
            bar.update()
    table = pd.DataFrame(rows, columns=_COLUMNS)
    left = table.loc[~table["status"].isin(DONE)]
    if len(left):
        first = left.iloc[0]
        print(
            f"{len(left)} of {len(table)} shards have no part of the step {step!r}. The first is shard "
            f"{first['shard']}, {first['status']}: {first['reason']}"
        )
    return table


def _take_numbers(corpus: ShardedCorpus, shards: Sequence[int] | None) -> list[int]:
    numbers = list(range(len(corpus.shards)) if shards is None else shards)
    wrong = [each for each in numbers if not 0 <= each < len(corpus.shards)]
    if wrong or not numbers:
        raise ValueError(
            f"Expected shards to be numbers from 0 to {len(corpus.shards) - 1}, got "
            f"{wrong[0] if wrong else show(shards)}."
        )
    return list(dict.fromkeys(numbers))


def run_shard(folder: str, step: str, number: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Make the part of one shard, unless it is there: what every worker runs. Gives a row of `run_shards`."""
    started = time.perf_counter()
    status, reason = "failed", ""
    record: dict[str, Any] = {}
    try:
        corpus = open_shards(folder)
        status, reason, record = _make_part(corpus, step, number, settings)
    except (DamagedShardError, MissingPartError) as error:
        status, reason = "refused", str(error)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = f"the disk of {folder} is full: make room, and run the step again" if full else str(error)
    except (ValueError, RuntimeError, MemoryError) as error:
        reason = str(error) or type(error).__name__
    files = record.get("files", [])
    return {
        "shard": number,
        "status": status,
        "rows": files[0]["rows"] if files else 0,
        "bytes": sum(each["bytes"] for each in files),
        "seconds": time.perf_counter() - started,
        "reason": reason,
    }


def _make_part(
    corpus: ShardedCorpus, step: str, number: int, settings: dict[str, Any]
) -> tuple[str, str, dict[str, Any]]:
    folders = find_folders(corpus, step, settings)
    inputs = list_inputs(corpus, number, folders)
    place = locate_parts(corpus, step, settings)
    state = find_part(place, number, inputs)
    if state.there:
        return "there", "", state.record
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        files = STEPS[step].make(Task(corpus, number, folders), **settings)
    notes = [str(each.message) for each in said if issubclass(each.category, UserWarning)]
    about = {**describe_part(corpus, step, settings), "inputs": inputs, "notes": notes}
    record = write_part(place, number, files, about)
    return ("made again" if state.reason else "made"), state.reason, record


@recorded
def read_parts(
    corpus: ShardedCorpus | str | os.PathLike, step: str, **settings: Any
) -> pd.DataFrame | Embedding:
    """Read the parts of a step as one table, or one embedding: where they fit into memory.

    Parameters
    ----------
    corpus : ShardedCorpus or path
        From `make_shards`, or its folder.
    step : {"index", "hash", "read", "embed", "assign"}
        Which step.
    **settings
        Those with which the step was run.

    Returns
    -------
    DataFrame, or Embedding
        The rows of all parts in the order of the shards. Of "index", an image whose bytes came in an earlier
        shard is marked "duplicate" here, as `index_images` marks it. Of "embed" an embedding.

    Raises
    ------
    ValueError
        If the part of a shard is not there, is damaged, or was made from something else.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from visclust.scale.shards import make_shards
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "photos").mkdir()
    >>> Image.linear_gradient("L").save(folder / "photos" / "a.png")
    >>> corpus = make_shards(folder / "photos", folder / "corpus", progress=False)
    >>> _ = run_shards(corpus, "index", progress=False)
    >>> read_parts(corpus, "index")["status"].tolist()
    ['ok']
    """
    corpus = take_corpus(corpus)
    settled = check_step(corpus, step, settings)
    place = require_parts(corpus, step, settled)
    names = [name_shard(number) for number in range(len(corpus.shards))]
    tables = [read_parquet(place / f"{name}.parquet") for name in names]
    table = pd.concat([each for each in tables if len(each)] or tables[:1], ignore_index=True)
    if step == "embed":
        x = np.concatenate([read_matrix(place / f"{name}.npy") for name in names])
        return Embedding(x, table["image_id"].tolist(), {})
    if step == "index":
        first = table.drop_duplicates("image_id").set_index("image_id")["path"]
        copies = table["status"].eq("ok") & table.duplicated("image_id")
        table.loc[copies, "status"] = "duplicate"
        table.loc[copies, "reason"] = "same bytes as " + table.loc[copies, "image_id"].map(first)
    return table


def require_parts(corpus: ShardedCorpus, step: str, settings: dict[str, Any]) -> Path:
    """Give the folder of a step's parts, all of which must be there and hold; says which are not."""
    place = locate_parts(corpus, step, settings)
    folders = find_folders(corpus, step, settings)
    states = [find_state(corpus, step, number, place, folders) for number in range(len(corpus.shards))]
    wrong = [(number, state.reason) for number, state in enumerate(states) if not state.there]
    if wrong:
        raise MissingPartError(
            f"Expected a part of the step {step!r} for each of {len(states)} shards, but {len(wrong)} cannot "
            f"be used; shard {wrong[0][0]}: {wrong[0][1] or 'it is not there'}. Run the step again: it makes "
            "only these."
        )
    return place


@recorded
def check_shards(corpus: ShardedCorpus | str | os.PathLike, *, progress: bool = True) -> pd.DataFrame:
    """Check every shard and every part against its digest, and list what is there and what is not.

    Parameters
    ----------
    corpus : ShardedCorpus or path
        From `make_shards`, or its folder.
    progress : bool, default True
        Show a bar.

    Returns
    -------
    DataFrame
        A row for the shards themselves (``step`` "shards") and one per step and settings: ``step, parts``
        (the folder's name), ``settings``, ``whole`` (how many hold), ``missing``, ``damaged`` (or not
        finished, or made from something else), ``rows``, ``bytes``, and ``made_with``: 1 where all parts were
        made with the same libraries and kind of processor, as all should be.

    Examples
    --------
    >>> import tempfile
    >>> from visclust.scale.shards import make_shards
    >>> corpus = make_shards(np.eye(2, dtype="float32"), Path(tempfile.mkdtemp()) / "corpus", progress=False)
    >>> check_shards(corpus, progress=False)[["step", "whole", "missing", "damaged"]].values.tolist()
    [['shards', 1, 0, 0]]
    """
    corpus = take_corpus(corpus)
    places = sorted(each for each in (corpus.folder / "parts").glob("*/*") if each.is_dir())
    numbers = range(len(corpus.shards))
    rows = []
    with WorkBar(
        total=len(numbers) * (1 + len(places)), desc="Checking", unit="file", progress=progress
    ) as bar:
        whole = []
        for number in numbers:
            try:
                whole.append(check_shard(corpus, number))
            except DamagedShardError as error:
                print(error)
            bar.update()
        rows.append(_sum_up("shards", "", corpus.settings, len(numbers), 0, whole, 1))
        for place in places:
            step, settings = place.parent.name, _read_settings(place)
            folders = find_folders(corpus, step, settings)
            states = []
            for number in numbers:
                states.append(find_state(corpus, step, number, place, folders))
                bar.update()
            missing = sum(not each.there and not each.reason for each in states)
            there = [each.record for each in states if each.there]
            files = [
                {"rows": each["files"][0]["rows"], "bytes": sum(one["bytes"] for one in each["files"])}
                for each in there
            ]
            kinds = len({str(each.get("made_with")) for each in there})
            rows.append(_sum_up(step, place.name, settings, len(numbers), missing, files, kinds))
    return pd.DataFrame(rows)


def _read_settings(place: Path) -> dict[str, Any]:
    """Read the settings of the parts in a folder from the first of their records that can be read."""
    for about in sorted(place.glob("*.json")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return dict(read_json(about)["settings"])
    return {"embedding": None}


def _sum_up(
    step: str,
    parts: str,
    settings: dict[str, Any],
    n: int,
    missing: int,
    files: list[dict[str, Any]],
    made_with: int,
) -> dict[str, Any]:
    return {
        "step": step,
        "parts": parts,
        "settings": ", ".join(f"{name}={value}" for name, value in settings.items() if value is not None),
        "whole": len(files),
        "missing": missing,
        "damaged": n - missing - len(files),
        "rows": sum(each["rows"] for each in files),
        "bytes": sum(each["bytes"] for each in files),
        "made_with": made_with,
    }
