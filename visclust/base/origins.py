"""What a table goes back to: the digests of all tables and matrices before it, and which files they are."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

# Folders inside a results folder; the files in them belong to the results folder.
NOTES = "cluster_notes"
SUBFOLDERS = (
    "embeddings",
    "prepared",
    "encoders",
    "answers",
    "feature_answers",
    "frame_answers",
    "rating_answers",
    "rating_trial",
    NOTES,
    "survey",
    "figures",
)
MATRIX = "matrix"
ANSWERS = "answers"
# What stays right whatever becomes of its inputs. People's judgements of pairs hold for any clustering, and
# the chance of each pair was that of the draft it was drawn from; an encoder can embed later images.
_LASTING: dict[str, tuple[str, ...] | None] = {
    "sample_pairs": None,
    "keep_answered_pairs": None,
    "finetune": ("images",),
}


class Core(NamedTuple):
    """The kind of a table, known by its columns, and the digest of those columns that others build on."""

    kind: str
    digest: str


class _Shape(NamedTuple):
    kind: str
    known_by: frozenset[str]
    columns: tuple[str, ...]


# The first that fits. A column more (a name, a note), another order of rows, or a silhouette that differs in
# its last digits makes no sample, assignment or rating wrong, and a moved folder of images none either.
_SHAPES = tuple(
    _Shape(kind, frozenset(known_by.split()), tuple(columns.split()))
    for kind, known_by, columns in (
        ("ratings", "respondent image_id item rating", "respondent image_id item rating"),
        ("assignment", "respondent position image_id", "respondent group image_id cluster"),
        ("sample", "image_id cluster inclusion_probability", "image_id cluster inclusion_probability"),
        ("frames", "cluster frame", "cluster frame"),
        ("clusters", "image_id cluster", "image_id cluster"),
    )
)


def find_core(table: pd.DataFrame) -> Core | None:
    """Find the kind of a table by its columns, and digest what others build on; of other tables nothing.

    An images table is digested by the ids of its usable images, in their order, which are the rows of an
    embedding. The other kinds are digested by some columns, whatever the order of the rows.
    """
    columns = set(table.columns)
    if {"image_id", "path", "status"} <= columns and "representative" not in columns:
        return Core("images", _digest(table.loc[table["status"].eq("ok"), "image_id"].astype(str).tolist()))
    for shape in _SHAPES:
        if shape.known_by <= columns:
            parts = [_spell(table[name]) for name in shape.columns if name in columns]
            return Core(shape.kind, _digest(sorted(map("\x1f".join, zip(*parts, strict=True)))))
    return None


def _spell(column: pd.Series) -> Iterable[str]:
    """Spell values as text; a whole number is spelled alike whether a reader made it a float or not."""
    values = column.tolist()
    if column.name == "cluster" and pd.api.types.is_float_dtype(column):
        return (str(int(each)) if each == each and each.is_integer() else str(each) for each in values)
    return map(str, values)


def _digest(rows: Iterable[str]) -> str:
    # As `digest_ids` does, so that the record of an embedding and that of its images agree.
    return hashlib.sha256("\n".join(rows).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def join_origins(*known: Mapping[str, Iterable[str]] | None) -> dict[str, list[str]]:
    """Put together what several records say of where things come from."""
    joined: dict[str, list[str]] = {}
    for origins in known:
        for kind, digests in (origins or {}).items():
            joined[kind] = list(dict.fromkeys([*joined.get(kind, []), *digests]))
    return joined


def describe_origin(value: Any, digest: str) -> dict[str, list[str]]:
    """Tell of an input what it is; `digest` is that of all its values.

    A table that was changed after its record was made stands for the table of the record too.
    """
    if not isinstance(value, pd.DataFrame):
        return {MATRIX: [digest]}
    record = find_record(value)
    core = find_core(value)
    if core is None:
        return {"table": [digest, *([record["result"]] if isinstance(record.get("result"), str) else [])]}
    return {core.kind: [core.digest, *([record["core"]] if record.get("kind_of_core") == core.kind else [])]}


def find_record(made: Any) -> dict[str, Any]:
    """Give the record that a table or a result carries; what people keep under its name is none."""
    carrier = (
        made.attrs if isinstance(made, pd.DataFrame) else {"provenance": getattr(made, "provenance", None)}
    )
    record = carrier.get("provenance")
    return dict(record) if isinstance(record, Mapping) else {}


def recall_origins(value: Any) -> Mapping[str, Iterable[str]]:
    """Give what the record of an input, if it has one, says that the input goes back to."""
    return find_record(value).get("origins") or {}


def describe_origins(inputs: Iterable[tuple[Any, str]]) -> dict[str, Any]:
    """Make the part of a record that says what a result goes back to, from its inputs and their digests.

    ``origins`` are all, by kind; ``direct`` those that the result was made from itself.
    """
    inputs = list(inputs)
    own = join_origins(*(describe_origin(value, digest) for value, digest in inputs))
    origins = join_origins(own, *(recall_origins(value) for value, _ in inputs))
    return {"origins": origins, "direct": list(dict.fromkeys(each for some in own.values() for each in some))}


def keep_origins(function: str, origins: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Leave out the origins that the result of a function does not depend on any more."""
    dropped = _LASTING.get(function, ())
    return (
        {} if dropped is None else {kind: list(each) for kind, each in origins.items() if kind not in dropped}
    )


def check_origin(table: Any, other: Any, *, what: str, made_from: str) -> None:
    """Refuse two tables that do not belong together, as far as the record of the first one tells.

    `table` may say that it was made from a table of the kind of `other`; if from another, this raises.
    A table without a record, or made from none of this kind, passes: where ids and numbers can be compared,
    that is the caller's to do. So does a table whose rows were chosen from the one that the record names.

    Parameters
    ----------
    table : DataFrame
        The later table, such as a sample.
    other : DataFrame
        The table that it should have been made from, such as the clusters.
    what, made_from : str
        What the two are called in the error: "the sample", "the clusters".

    Raises
    ------
    ValueError
        If the record of `table` says that it was made from another table of this kind.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": ["a"], "cluster": [0], "iteration": [1]})
    >>> check_origin(pd.DataFrame({"image_id": ["a"]}), clusters, what="the sample", made_from="the clusters")
    """
    if not isinstance(table, pd.DataFrame) or not isinstance(other, pd.DataFrame):
        return
    core = find_core(other)
    record = find_record(table)
    wanted = (record.get("origins") or {}).get(core.kind, []) if core else []
    if core is None or not wanted or core.digest in wanted:
        return
    given = find_record(other)
    # Rows chosen from the right table; what the caller compares row by row still has to fit.
    if given.get("kind_of_core") == core.kind and given.get("core") in wanted:
        return
    when = f" on {record['made_at']}" if record.get("made_at") else ""
    raise ValueError(
        f"Expected {made_from} that {what} {_verb(what)} made from, got another: {what} {_verb(what)} made"
        f"{when} from {made_from} with the digest {wanted[0][:8]}, and what was given has {core.digest[:8]}"
        f"{_say_made(given)}. Give {made_from} of that time, or make {what} again from these."
    )


def check_same_clusters(table: pd.DataFrame, clusters: pd.DataFrame, *, what: str) -> None:
    """Refuse a table of ``image_id, cluster`` whose images a second one lacks, or has in other clusters.

    The record of `table` is asked too, as in `check_origin`.
    """
    cluster_of = clusters.set_index("image_id")["cluster"]
    known = table["image_id"].map(cluster_of)
    if (missing := known.isna()).any():
        raise ValueError(
            f"{int(missing.sum())} images of {what} are not in the clusters table (the first is "
            f"{table.loc[missing, 'image_id'].iloc[0]}): {what} {_verb(what)} made from other images. "
            "Make it again from these clusters, or give the clusters that it was made from."
        )
    if (moved := known.to_numpy() != table["cluster"].to_numpy()).any():
        first = table.loc[moved].iloc[0]
        raise ValueError(
            f"{int(moved.sum())} of {len(table)} rows of {what} name another cluster than the clusters table "
            f"(the first: image {first['image_id']} is in cluster {cluster_of[first['image_id']]} there, and "
            f"in {first['cluster']} here): {what} {_verb(what)} made from other clusters. Make it again from "
            "these clusters, or give the clusters that it was made from."
        )
    check_origin(table, clusters, what=what, made_from="the clusters")


def _verb(what: str) -> str:
    return "were" if what.endswith("s") else "was"


def _say_made(record: Mapping[str, Any]) -> str:
    made = [f"by {record['function']}"] if record.get("function") else []
    made += [f"on {record['made_at']}"] if record.get("made_at") else []
    return f" (made {' '.join(made)})" if made else ""


# Which file of a results folder holds what has a digest, as far as this process read or saved it; and the ids
# of the rows of a matrix.
_files: dict[tuple[Path, str], str] = {}
_row_ids: dict[str, list[str] | None] = {}


def find_root(path: str | os.PathLike) -> Path:
    """Find the results folder that a file belongs to: the folder it lies in, or the one above a subfolder."""
    folder = Path(path).absolute().parent
    return folder.parent if folder.name in SUBFOLDERS else folder


def register_file(path: str | os.PathLike, digests: Iterable[str]) -> None:
    """Note that a file holds what has these digests, for the records of what is made from it."""
    root = find_root(path)
    for digest in digests:
        _files[root, digest] = Path(path).absolute().relative_to(root).as_posix()


def register_sources(path: str | os.PathLike, record: Mapping[str, Any]) -> None:
    """Note which files a file was made from, by its record."""
    root = find_root(path)
    for file, digests in (record.get("sources") or {}).items():
        for digest in digests:
            _files.setdefault((root, digest), file)


def list_sources(path: str | os.PathLike, origins: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """List the files of the results folder that origins are, each with the digests that it had."""
    root, own = find_root(path), Path(path).absolute().relative_to(find_root(path)).as_posix()
    sources: dict[str, list[str]] = {}
    for digests in origins.values():
        for digest in digests:
            file = _files.get((root, digest))
            # A table that is filtered and saved in its own place is not made from what it replaces.
            if file is not None and file != own:
                sources.setdefault(file, []).append(digest)
    return {file: sources[file] for file in sorted(sources)}


def describe_answer_file(path: str | os.PathLike) -> str:
    """Give the size and the digest of a file that only grows, so that what was appended later can be told."""
    content = Path(path).read_bytes()
    return f"{len(content)}:{hashlib.sha256(content).hexdigest()[:32]}"


def register_rows(digest: str, image_ids: Iterable[str]) -> None:
    """Note the images of a matrix's rows, so that the bare array can be held against a table.

    A matrix that came with other images before tells nothing for certain any more.
    """
    ids = list(image_ids)
    _row_ids[digest] = ids if _row_ids.get(digest, ids) == ids else None


def find_row_ids(digest: str) -> list[str] | None:
    """Give the images of a matrix's rows, where this process made, saved or loaded it with them."""
    return _row_ids.get(digest)


def has_row_ids(n_rows: int) -> bool:
    """Tell whether any matrix with known images has so many rows: only then is a digest worth its time."""
    return n_rows > 0 and any(ids and len(ids) == n_rows for ids in _row_ids.values())


def find_file(digest: str) -> str | None:
    """Name the file that holds what has a digest, in any results folder that this process used."""
    return next((file for (_, known), file in _files.items() if known == digest), None)
