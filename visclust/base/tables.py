"""The tables that pass between notebooks: their columns, checked on reading and on saving."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from visclust.base.checks import check_choice, checked
from visclust.base.damage import read_parquet
from visclust.base.files import format_csv, write_atomically
from visclust.base.freshness import PROVENANCE_KEY, advise_again, read_record, require_fresh
from visclust.base.origins import list_sources, register_file
from visclust.base.pairs import write_pair
from visclust.base.places import find_places, keep_places
from visclust.base.provenance import Record, describe_saved, digest_input
from visclust.base.withdrawals import refuse_withdrawn

UNASSIGNED = -1


class TableKind(NamedTuple):
    """Columns of one kind of table, and the columns that name its rows (unique together, never missing)."""

    columns: dict[str, str]
    key: tuple[str, ...]


TABLES: dict[str, TableKind] = {
    "images": TableKind(
        {
            "image_id": "text",
            "path": "text",
            "status": "text",
            "reason": "text",
            "width": "whole",
            "height": "whole",
        },
        ("path",),
    ),
    "posts": TableKind(
        {
            "post_id": "text",
            "author": "text",
            "posted_at": "time",
            "text": "text",
            "hashtags": "list",
            "retweets": "whole",
            "favourites": "whole",
            "followers": "whole",
            "friends": "whole",
            "media": "list",
        },
        ("post_id",),
    ),
    "posts_images": TableKind({"post_id": "text", "image_id": "text"}, ("post_id", "image_id")),
    "duplicates": TableKind(
        {
            "image_id": "text",
            "path": "text",
            "group": "whole",
            "representative": "text",
            "is_representative": "truth",
            "distance": "number",
            "size": "whole",
            "radius": "number",
            "status": "text",
        },
        ("path",),
    ),
    "clusters": TableKind(
        {"image_id": "text", "cluster": "whole", "iteration": "whole", "silhouette": "number"}, ("image_id",)
    ),
    "pairs": TableKind(
        {
            "pair_id": "text",
            "image_a": "text",
            "image_b": "text",
            "stratum": "text",
            "inclusion_probability": "number",
        },
        ("pair_id",),
    ),
    "pair_design": TableKind({"image_id": "text"}, ("image_id",)),
    "answers": TableKind(
        {
            "item_id": "text",
            "annotator": "text",
            "answer": "text",
            "answered_at": "text",
            "seconds": "number",
            "retracts": "text",
        },
        (),
    ),
    "gold": TableKind(
        {"pair_id": "text", "image_a": "text", "image_b": "text", "same": "truth"}, ("pair_id",)
    ),
    "reviews": TableKind(
        {
            "pair_id": "text",
            "image_a": "text",
            "image_b": "text",
            "judged_pair": "text",
            "look": "whole",
            "decoy": "truth",
            "review_probability": "number",
        },
        ("pair_id",),
    ),
    "labels": TableKind({"image_id": "text"}, ("image_id",)),
    "frames": TableKind({"cluster": "whole", "frame": "text"}, ("cluster", "frame")),
    "sample": TableKind(
        {"image_id": "text", "cluster": "whole", "inclusion_probability": "number", "weight": "number"},
        ("image_id",),
    ),
    "assignment": TableKind(
        {"respondent": "text", "group": "text", "position": "whole", "image_id": "text", "cluster": "whole"},
        ("respondent", "image_id"),
    ),
    "ratings": TableKind(
        {
            "respondent": "text",
            "group": "text",
            "image_id": "text",
            "item": "text",
            "rating": "number",
            "simulated": "truth",
        },
        ("respondent", "image_id", "item"),
    ),
    "respondent_weights": TableKind({"respondent": "text", "weight": "number"}, ("respondent",)),
    "group_contrasts": TableKind(
        {
            "weighting": "text",
            "level": "text",
            "item": "text",
            "group": "text",
            "reference": "text",
            "estimate": "number",
            "standard_error": "number",
            "low": "number",
            "high": "number",
            "p": "number",
            "p_adjusted": "number",
            "simulated": "truth",
        },
        ("weighting", "level", "item", "group"),
    ),
    "cross_validation": TableKind(
        {
            "configuration": "text",
            "measure": "text",
            "weighting": "text",
            "mean": "number",
            "sd": "number",
            "honest_mean": "number",
            "honest_sd": "number",
            "honest_pooled": "number",
            "optimism": "number",
            "times_selected": "whole",
        },
        ("configuration",),
    ),
    "reliability": TableKind(
        {
            "dimension": "text",
            "differences": "text",
            "alpha": "number",
            "alpha_low": "number",
            "alpha_high": "number",
            "omega": "number",
            "omega_low": "number",
            "omega_high": "number",
            "undefined": "number",
            "items": "whole",
            "ratings": "whole",
            "respondents": "whole",
            "simulated": "truth",
        },
        ("dimension", "differences"),
    ),
    "invariance": TableKind(
        {
            "model": "text",
            "freed": "text",
            "cfi": "number",
            "rmsea": "number",
            "srmr": "number",
            "against": "text",
            "cfi_change": "number",
            "holds": "truth",
            "simulated": "truth",
        },
        ("model",),
    ),
    "exclusions": TableKind(
        {
            "excluded": "text",
            "dropped": "whole",
            "left": "whole",
            "weighting": "text",
            "level": "text",
            "item": "text",
            "group": "text",
            "reference": "text",
            "estimate": "number",
            "low": "number",
            "high": "number",
            "p": "number",
            "shift": "number",
            "changed": "truth",
            "note": "text",
            "simulated": "truth",
        },
        ("excluded", "weighting", "level", "item", "group"),
    ),
}

_TYPE_CHECKS = {
    "text": pd.api.types.is_string_dtype,
    "whole": pd.api.types.is_integer_dtype,
    "number": pd.api.types.is_numeric_dtype,
    "truth": pd.api.types.is_bool_dtype,
    "time": pd.api.types.is_datetime64_any_dtype,
    "list": lambda column: column.map(pd.api.types.is_list_like).all(),
}
_TYPE_WORDS = {
    "text": "text",
    "whole": "whole numbers",
    "number": "numbers",
    "truth": "True or False",
    "time": "times",
    "list": "lists",
}


class Aside(list):
    """Rows, as dictionaries of plain values, kept in the ``attrs`` of a table: shared instead of copied.

    pandas writes the attrs of a table into its files as JSON, which a table in them stops with an error; and
    it copies them with every column that is taken, which many rows make slow.
    """

    def __deepcopy__(self, memo: Any = None) -> "Aside":
        return self


@checked
def check_table(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Check that a table has the columns and types of its kind, and return it unchanged.

    Parameters
    ----------
    table : DataFrame
        The table. Columns beyond those of the kind are allowed.
    kind : str
        One of the keys of `TABLES`: images, posts, posts_images, clusters, pairs, answers, gold, labels,
        frames, sample, assignment, ratings, and so on; `TABLES.md` describes them.

    Returns
    -------
    DataFrame
        The same object.

    Raises
    ------
    TypeError
        If `table` is not a DataFrame.
    ValueError
        If a column is missing or of another type, or if the rows' key is missing or repeated.

    Examples
    --------
    >>> links = pd.DataFrame({"post_id": ["p1"], "image_id": ["a"]})
    >>> check_table(links, "posts_images") is links
    True
    """
    if kind not in TABLES:
        raise ValueError(f"Expected one of {', '.join(TABLES)} as the kind of table, got {kind!r}.")
    return check_used(table, kind, TABLES[kind].columns)


def check_used(table: pd.DataFrame, kind: str, names: Iterable[str]) -> pd.DataFrame:
    """Check the columns of a kind of table that a function uses, as `check_table` checks all; gives it back.

    Tables come from other tools too, and need not hold what a function does not look at. The rows' key is
    checked where it is among the columns used.
    """
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"Expected the {kind} table as a pandas DataFrame, got {type(table).__name__}.")
    columns = {name: TABLES[kind].columns[name] for name in names}
    key = TABLES[kind].key if set(TABLES[kind].key) <= set(columns) else ()
    check_columns(table, columns, f"the {kind} table")
    for name, wanted in columns.items():
        if len(table) and not has_type(table[name], wanted):
            raise ValueError(
                f"Column {name!r} of the {kind} table should hold {_TYPE_WORDS[wanted]}, "
                f"got dtype {table[name].dtype} (first value {table[name].iloc[0]!r})."
            )
    for name in key:
        if table[name].isna().any():
            raise ValueError(
                f"Column {name!r} of the {kind} table names its rows but is missing in some of them."
            )
    if key and table.duplicated(list(key)).any():
        repeated = table.loc[table.duplicated(list(key)), list(key)].iloc[0].tolist()
        raise ValueError(
            f"The {kind} table should have one row per {' and '.join(key)}; {repeated} comes twice."
        )
    return table


def check_columns(
    table: pd.DataFrame, names: Iterable[str], what: str, *, hint: str = "Rename or add it, and try again."
) -> pd.DataFrame:
    """Check that a table has some columns, where it need not be of one of the kinds; gives it back.

    `what` names the table in the error ("the accounts"), `hint` says what to do.
    """
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"Expected {what} as a pandas DataFrame, got {type(table).__name__}.")
    names = list(names)
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise ValueError(
            f"Expected the columns {', '.join(names)} in {what}; {', '.join(missing)} is missing "
            f"(it has {', '.join(map(str, table.columns)) or 'none'}). {hint}"
        )
    return table


def has_type(column: pd.Series, wanted: str) -> bool:
    """Tell whether a column is of a type of `TableKind`."""
    if wanted != "list" and column.isna().all():
        return True  # a column with no value yet has whatever dtype the reader gave it
    if wanted == "text":  # an object column of text with gaps is text too
        return bool(_TYPE_CHECKS["text"](column.dropna()))
    if wanted in ("number", "whole") and pd.api.types.is_bool_dtype(column):
        return False
    return bool(_TYPE_CHECKS[wanted](column))


@checked
def save_table(
    table: pd.DataFrame,
    path: str | os.PathLike,
    kind: str | None = None,
    *,
    provenance: Mapping[str, Any] | None = None,
    made_from: Iterable[Any] = (),
) -> Path:
    """Check a table and save it as Parquet, with the record of how it was made inside the file.

    The functions of visclust put the record on the tables that they return. A table that was changed after
    that (filtered, given another column) is saved with ``changed_after`` in its record.

    Parameters
    ----------
    table : DataFrame
        The table.
    path : str or path
        Where to; conventionally ``<kind>.parquet``.
    kind : str, optional
        One of the keys of `TABLES`. Tables of no kind, such as a log, are saved as they are.
    provenance : mapping, optional
        What to add to the record, such as ``{"note": "without the posts of bots"}``; one with the key
        ``function``, as `describe_run` gives it, takes the place of the record that the table carries.
    made_from : iterable of DataFrame or result, optional
        What you put the table together from by code of your own: the record then lists their records.

    Returns
    -------
    pathlib.Path
        The file, written in one step: after a crash it is the old or the new one, never a part.

    Raises
    ------
    ValueError
        If the table is not of its kind, or holds what was withdrawn from the study that the file lies in.

    Examples
    --------
    >>> import tempfile
    >>> links = pd.DataFrame({"post_id": ["p1"], "image_id": ["a"]})
    >>> path = save_table(links, Path(tempfile.mkdtemp()) / "posts_images.parquet", "posts_images")
    >>> read_table(path, "posts_images")
      post_id image_id
    0      p1        a
    """
    if kind is not None:
        check_table(table, kind)
    _refuse_withdrawn(table, path)
    record = describe_saved(table, provenance=provenance, made_from=made_from)
    bare = keep_places(table, path).copy(deep=False)
    bare.attrs = {}  # pandas would write it into the file as well, and cannot write every value
    arrow = pa.Table.from_pandas(bare, preserve_index=False)
    if any(table[name].dtype == object for name in table.columns):
        # Lists come back as arrays, None as a missing value: the digest is that of the table as it is read.
        record["result_before_saving"] = record["result"]
        record["result"] = digest_input(arrow.to_pandas())
    record["sources"] = list_sources(path, record["origins"])
    text = json.dumps({"kind": kind, **record}).encode()
    arrow = arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), PROVENANCE_KEY: text})
    saved = write_atomically(path, lambda file: pq.write_table(arrow, file, write_page_checksum=True))
    names = ("result", "result_before_saving", "core")
    register_file(saved, [record[name] for name in names if record.get(name)])
    return saved


@checked
def save_csv(
    table: pd.DataFrame,
    path: str | os.PathLike,
    *,
    provenance: Mapping[str, Any] | None = None,
    made_from: Iterable[Any] = (),
) -> Path:
    """Save a table as CSV for people with spreadsheets, and the record of how it was made beside it.

    Text that a spreadsheet would run as a formula gets an apostrophe before it.

    Parameters
    ----------
    table : DataFrame
        The table; its index is left out.
    path : str or path
        Where to. The record goes into ``<path>.json``.
    provenance, made_from : optional
        As in `save_table`.

    Returns
    -------
    pathlib.Path
        The file, in UTF-8 with the mark by which spreadsheets know it. File and record are replaced as one.

    Examples
    --------
    >>> import tempfile
    >>> words = pd.DataFrame({"word": ["=1+1", "wall"], "z": [2.5, None]})
    >>> path = save_csv(words, Path(tempfile.mkdtemp()) / "words.csv")
    >>> path.read_text(encoding="utf-8-sig").split()
    ['word,z', "'=1+1,2.5", 'wall,']
    >>> read_provenance(path)["note"]
    'How the table was made is not known: it came without a record.'
    """
    path = Path(path)
    _refuse_withdrawn(table, path)
    record = describe_saved(table, provenance=provenance, made_from=made_from)
    record["sources"] = list_sources(path, record["origins"])
    columns = [_list_cells(table.iloc[:, place]) for place in range(table.shape[1])]
    text = format_csv(list(table.columns), zip(*columns, strict=True), ending="\n")
    return write_pair(
        path,
        lambda file: file.write(text.encode("utf-8-sig", "replace")),
        _name_sidecar(path),
        lambda _: json.dumps(record, indent=1, ensure_ascii=False),
    )


def _list_cells(column: pd.Series) -> list[Any]:
    """List the values of a column; days without a time stay days, and what is missing is None."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        column = column.astype(str).astype(object).where(column.notna(), None)
    return [None if pd.api.types.is_scalar(value) and pd.isna(value) else value for value in column]


def _refuse_withdrawn(table: pd.DataFrame, path: str | os.PathLike) -> None:
    images, authors = (
        table[name].dropna() if name in table.columns else () for name in ("image_id", "author")
    )
    refuse_withdrawn(path, images=images, authors=authors)


def _name_sidecar(path: Path) -> Path:
    # The whole name and ".json": a file of the user's own may be called tweets.json beside tweets.csv.
    return path.with_name(f"{path.name}.json")


@checked
def read_table(path: str | os.PathLike, kind: str, *, stale: str = "refuse") -> pd.DataFrame:
    """Read a table saved by `save_table`, check that it is of its kind, and that it is not stale.

    The record in the file says which files of its folder the table was made from. If one of them has been
    made anew since, the table is stale: it does not belong to what lies beside it. More answers in files of
    answers make it no worse, and are said. A file without such a record, from another tool or an older
    version, is taken with a line that says so.

    Parameters
    ----------
    path : str or path
        A Parquet file.
    kind : str
        One of the keys of `TABLES`.
    stale : {"refuse", "warn"}, default "refuse"
        What to do with a stale table; "warn" says that it is and gives it, to look at old results.

    Returns
    -------
    DataFrame
        The table; ``attrs["provenance"]`` holds the record of how it was made. Paths of image files that lie
        in the folder of a study are those of today: the folder may have been moved or copied.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    StaleError
        If it was made from a file that has been made anew since; names both, and the notebooks to run.
    ValueError
        If the table is not of its kind, or the file is damaged.

    Examples
    --------
    >>> read_table("nowhere.parquet", "images")
    Traceback (most recent call last):
    FileNotFoundError: No images table at nowhere.parquet: run the notebook that writes it first.
    """
    check_choice("kind", kind, TABLES)
    check_choice("stale", stale, ("refuse", "warn"))
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"No {kind} table at {path}: run the notebook that writes it first.")
    table = check_table(find_places(read_parquet(path, advice=advise_again(path)), path), kind)
    require_fresh(path, stale=stale)
    record = read_provenance(path)
    record.pop("kind", None)
    if record:
        table.attrs["provenance"] = Record(record)
    return table


@checked
def read_provenance(path: str | os.PathLike) -> dict[str, Any]:
    """Read how a saved file was made.

    Parameters
    ----------
    path : str or path
        A Parquet file of `save_table`, a CSV file of `save_csv`, the matrix of `save_embedding`, or the
        encoder of `finetune`.

    Returns
    -------
    dict
        The record: ``function, parameters, seed, inputs`` (digests by name), ``device, versions, made_at``,
        ``result`` (the digest of the table), of a table its ``kind``; ``inputs_made_by`` tells which
        functions made the inputs, where that is known. Instead of a function there is ``made_from``, a list
        of records, in tables put together outside visclust's functions. ``changed_after`` is true where the
        table was changed after the function had returned it, and null where that is not known. Empty for a
        file from elsewhere.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> import tempfile
    >>> links = pd.DataFrame({"post_id": ["p1"], "image_id": ["a"]})
    >>> path = Path(tempfile.mkdtemp()) / "posts_images.parquet"
    >>> read_provenance(save_table(links, path, "posts_images", provenance={"seed": 3}))["seed"]
    3
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"Expected a saved file at path, got {str(path)!r}, where there is none.")
    record = read_record(Path(path))
    record.pop("digest", None)  # of a matrix, from its sidecar
    return record


def check_posts(posts: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Check that a table of posts has some of the columns of its kind, and one row per post."""
    wanted = ["post_id", *names]
    check_columns(posts, wanted, "the posts", hint="read_posts makes such a table.")
    for name in wanted:
        kind = TABLES["posts"].columns[name]
        known = posts[name].dropna()
        if len(known) and not _TYPE_CHECKS[kind](known):
            raise ValueError(
                f"Column {name!r} of the posts should hold {_TYPE_WORDS[kind]}, got dtype {known.dtype} "
                f"(first value {known.iloc[0]!r})."
            )
    if posts["post_id"].isna().any() or posts["post_id"].duplicated().any():
        raise ValueError("Expected one row per post, each with its post_id; some are missing or come twice.")
    return posts
