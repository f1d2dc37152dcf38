"""The steps that turn one shard into one part: index, hash, read, embed, assign."""

import functools
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.base.checks import check_choice, settle_options, show
from visclust.base.damage import digest_bytes, read_matrix, read_parquet
from visclust.base.places import SAME_BYTES
from visclust.base.provenance import digest_text, list_versions
from visclust.clustering.kmeans import find_nearest
from visclust.corpus.posts import read_posts
from visclust.embedding.embed import embed_images
from visclust.embedding.encoders import Encoder, load_for_use
from visclust.images.hashes import describe_hashes, hash_images
from visclust.images.index import describe_image
from visclust.scale.parts import ALGORITHM, PartState, find_part, name_shard, to_text
from visclust.scale.shards import DamagedShardError, ShardedCorpus, check_shard, read_shard

# Settings that name a file: its bytes count, not where it lies.
_FILES = ("weights", "centers")
_FEW_ROWS = 4096


class MissingPartError(ValueError):
    """A step needs the part of an earlier one, which is not there or damaged.

    Examples
    --------
    >>> issubclass(MissingPartError, ValueError)
    True
    """


class Task(NamedTuple):
    """What a step works on: the corpus, the number of the shard, and the folders of parts that it reads."""

    corpus: ShardedCorpus
    number: int
    folders: Mapping[str, Path]

    def read_images(self) -> pd.DataFrame:
        """Read the images table of the shard: the shard itself, or what the step "index" made of it."""
        if "index" not in self.folders:
            return read_shard(self.corpus, self.number)
        return read_parquet(self.folders["index"] / f"{name_shard(self.number)}.parquet")

    def open_rows(self) -> tuple[np.ndarray, pd.DataFrame]:
        """Open the rows of numbers of the shard (memory-mapped), and the table of their images."""
        if "embed" in self.folders:
            name = self.folders["embed"] / name_shard(self.number)
            matrix, table = name.with_suffix(".npy"), name.with_suffix(".parquet")
        else:
            row = self.corpus.shards.iloc[self.number]
            matrix, table = self.corpus.folder / row["file"], self.corpus.folder / row["ids"]["file"]
        return read_matrix(matrix, mmap=True), read_parquet(table)


class Step(NamedTuple):
    """A step: what makes a part, the kinds of corpus it is for, and what it needs of each kind."""

    make: Callable[..., dict[str, Any]]
    needs: Mapping[str, tuple[str, ...]]
    made_with: Callable[[], dict[str, Any]]


def _index(task: Task) -> dict[str, Any]:
    listed = read_shard(task.corpus, task.number)
    rows = [describe_image(*each) for each in listed[["path", "problem"]].itertuples(index=False)]
    images = pd.DataFrame(rows, columns=["image_id", "path", "status", "reason", "width", "height"])
    images = images.astype({"width": "Int64", "height": "Int64"})
    first = images.drop_duplicates("image_id").set_index("image_id")["path"]
    copies = images["status"].eq("ok") & images.duplicated("image_id")
    images.loc[copies, "status"] = "duplicate"
    images.loc[copies, "reason"] = SAME_BYTES + images.loc[copies, "image_id"].map(first)
    return {".parquet": images}


def _hash(task: Task) -> dict[str, Any]:
    start = task.corpus.settings.get("images_folder")
    return {".parquet": hash_images(task.read_images(), images_folder=start, progress=False)}


def _read(
    task: Task,
    *,
    format: str = "auto",
    columns: Mapping[str, str | None] | None = None,
    time_format: str | None = None,
    time_zone: str | None = None,
) -> dict[str, Any]:
    file = task.corpus.shards.iloc[task.number]["file"]
    found = read_posts(
        file, format=format, columns=columns, time_format=time_format, time_zone=time_zone, progress=False
    )
    return {".parquet": found.posts, "_malformed.parquet": found.malformed, "_notes.parquet": found.notes}


def _embed(
    task: Task,
    *,
    encoder: str = "resnet18",
    weights: str | os.PathLike | None = None,
    batch_size: int = 32,
    device: str = "cpu",
    fast_decoding: bool = True,
    threads: int = 1,
) -> dict[str, Any]:
    check_choice("device", device, ("auto", "cpu", "gpu"))
    loaded = _load_once(encoder, None if weights is None else str(weights), device)
    images = task.read_images()
    with _limit_torch(threads):
        if not images["status"].eq("ok").any():
            x = np.empty((0, loaded.dimension), dtype=np.float32)
            ids: list[str] = []
        else:
            x, ids, _ = embed_images(
                images,
                encoder=loaded,
                batch_size=batch_size,
                device=device,
                fast_decoding=fast_decoding,
                workers=0 if device == "cpu" else None,
                images_folder=task.corpus.settings.get("images_folder"),
                progress=False,
            )
    return {".npy": x, ".parquet": pd.DataFrame({"image_id": pd.Series(ids, dtype="str")})}


def _assign(task: Task, *, centers: str | os.PathLike, embedding: str | None = None) -> dict[str, Any]:
    del embedding  # by which the folder was found that the rows are opened in
    matrix = read_matrix(centers)
    x, table = task.open_rows()
    if matrix.ndim != 2 or matrix.shape[1] != x.shape[1]:
        raise ValueError(
            f"Expected centers to be a matrix with {x.shape[1]} columns, as the rows have, got one of shape "
            f"{matrix.shape} in {centers}."
        )
    cluster, distance = np.empty(len(x), dtype=np.int64), np.empty(len(x))
    origin = matrix.mean(axis=0, dtype=np.float64)
    near = matrix - origin
    for start in range(0, len(x), _FEW_ROWS):
        rows = x[start : start + _FEW_ROWS] - origin
        found = find_nearest(rows, near)
        cluster[start : start + len(rows)] = found
        distance[start : start + len(rows)] = np.sqrt(((rows - near[found]) ** 2).sum(axis=1))
    return {".parquet": table.assign(cluster=cluster, distance=distance)}


@functools.lru_cache(maxsize=2)
def _load_once(encoder: str, weights: str | None, device: str) -> Encoder:
    """Load an encoder for all shards that this process works on."""
    return load_for_use(encoder, weights=weights, device=device)[0]


@contextmanager
def _limit_torch(threads: int) -> Iterator[None]:
    """Let torch compute with so many threads, as their number moves the last bits of what it adds up."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, threads))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _tell_embedding() -> dict[str, Any]:
    import torch

    versions = list_versions()
    names = ("visclust", "torch", "torchvision", "timm", "pillow")
    return {
        **{name: versions[name] for name in names if name in versions},
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }


def _tell_version() -> dict[str, Any]:
    versions = list_versions()
    return {name: versions[name] for name in ("visclust", "numpy", "pillow") if name in versions}


_IMAGES = {"images": (), "files": ("index",)}
STEPS: dict[str, Step] = {
    "index": Step(_index, {"files": ()}, _tell_version),
    "hash": Step(_hash, _IMAGES, describe_hashes),
    "read": Step(_read, {"posts": ()}, _tell_version),
    "embed": Step(_embed, _IMAGES, _tell_embedding),
    "assign": Step(_assign, {"rows": (), "images": ("embed",), "files": ("embed",)}, _tell_version),
}


def check_step(corpus: ShardedCorpus, step: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Check a step and its settings before any work; gives all settings, those left out by their defaults."""
    if step not in STEPS:
        raise ValueError(f"Expected one of {', '.join(STEPS)} as step, got {show(step)}.")
    if corpus.kind not in STEPS[step].needs:
        raise ValueError(
            f"Expected a corpus of {' or '.join(STEPS[step].needs)} for the step {step!r}, got one of "
            f"{corpus.kind}: {corpus.folder}."
        )
    make = STEPS[step].make
    settled = settle_options(make, settings, but=("task",))
    options = {name: each for name, each in inspect.signature(make).parameters.items() if name != "task"}
    for name, option in options.items():
        if name not in settled:
            if option.default is option.empty:
                raise ValueError(f"Expected a value for {name}, which the step {step!r} cannot do without.")
            settled[name] = option.default
    for name in set(_FILES) & settled.keys():
        if settled[name] is not None and not Path(settled[name]).is_file():
            raise FileNotFoundError(f"Expected a file as {name}, but there is none: {settled[name]}.")
    return settled


def locate_parts(corpus: ShardedCorpus, step: str, settings: Mapping[str, Any]) -> Path:
    """Give the folder of the parts that a step makes with these (whole) settings."""
    return corpus.folder / "parts" / step / digest_text(to_text(describe_settings(corpus, step, settings)))


def describe_settings(corpus: ShardedCorpus, step: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Describe settings by what they mean: of files the digest, of an embedding where its parts lie."""
    told = {name: str(each) if isinstance(each, Path) else each for name, each in settings.items()}
    for name in _FILES:
        if told.get(name) is not None:
            told[name] = digest_bytes(Path(told[name]))
    if step == "assign" and corpus.kind != "rows":
        told["embedding"] = find_embedding(corpus, settings["embedding"]).name
    return told


def find_embedding(corpus: ShardedCorpus, name: str | None) -> Path:
    """Find the folder of the parts of the step "embed": the only one, or the one that is named."""
    places = sorted(each for each in (corpus.folder / "parts" / "embed").glob("*") if each.is_dir())
    if name is not None:
        places = [each for each in places if each.name == name]
    if not places:
        raise MissingPartError(
            f"Expected parts of the step 'embed' in {corpus.folder}{f' named {name}' if name else ''}, found "
            "none: run the step 'embed' first."
        )
    if len(places) > 1:
        raise ValueError(
            f"Expected embedding to name one of {', '.join(each.name for each in places)}, which were made "
            "with different settings (check_shards lists them)."
        )
    return places[0]


def find_folders(corpus: ShardedCorpus, step: str, settings: Mapping[str, Any]) -> dict[str, Path]:
    """Give the folders of parts that a step reads, by the step that made them."""
    folders = {}
    for need in STEPS[step].needs[corpus.kind]:
        folders[need] = (
            find_embedding(corpus, settings["embedding"])
            if need == "embed"
            else locate_parts(corpus, need, check_step(corpus, need, {}))
        )
    return folders


def list_inputs(corpus: ShardedCorpus, number: int, folders: Mapping[str, Path]) -> dict[str, str]:
    """Check what a part is made from, to the last byte, and give the digests by name."""
    inputs = {"shard": str(check_shard(corpus, number)["digest"])}
    for need, folder in folders.items():
        state = find_state(corpus, need, number, folder, find_folders(corpus, need, {}))
        if not state.there:
            raise MissingPartError(
                f"Expected the part of the step {need!r} for shard {number}, but "
                f"{state.reason or 'it is not there'}: run the step {need!r} for this shard."
            )
        inputs[need] = " ".join(each["digest"] for each in state.record["files"])
    return inputs


def find_state(
    corpus: ShardedCorpus, step: str, number: int, place: Path, folders: Mapping[str, Path]
) -> PartState:
    """Find out whether the part of a shard lies whole in a folder, made from what is there now."""
    try:
        return find_part(place, number, list_inputs(corpus, number, folders))
    except (DamagedShardError, MissingPartError) as error:
        return PartState({}, f"the step {step!r} lacks what it needs: {error}")


def describe_part(corpus: ShardedCorpus, step: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Say what a part is made with: for its record."""
    return {
        "algorithm": ALGORITHM,
        "step": step,
        "settings": describe_settings(corpus, step, settings),
        "made_with": STEPS[step].made_with(),
    }
