"""What functions ask of tables that other tools may have made: the columns that they use, and no others."""

from typing import Any

import numpy as np
import pandas as pd

from visclust.base.tables import UNASSIGNED, check_columns, check_table, check_used, has_type

_SHOWN = 3  # examples of each fault; the others are counted


def check_clusters(
    table: pd.DataFrame, what: str = "the clusters table", *, fill: bool = False
) -> pd.DataFrame:
    """Check ``image_id, cluster``, all that most functions ask of clusters, whoever made them; gives it back.

    Clusters are whole numbers from 0, and -1 where an image has none. Whole numbers that a CSV file made into
    3.0 or "3" come back as int64, in another table; nothing else is guessed. One ValueError lists all that is
    wrong: ids that are no text, missing or there twice; clusters that are missing, no whole number, or below
    -1. With `fill`, ``iteration`` and ``silhouette`` are made up as missing where another tool gave none.
    """
    check_columns(table, ("image_id", "cluster"), what)
    numbers, faults = _read_clusters(table["cluster"], table["image_id"])
    faults = [*_list_id_faults(table["image_id"]), *faults]
    if faults:
        raise ValueError(
            f"Expected image_id (text, each image once) and cluster (whole numbers from 0; -1 marks "
            f"unassigned images) in {what}; got {'; '.join(faults)}. Correct or remove these rows."
        )
    if table["cluster"].dtype != np.dtype("int64"):
        table = table.assign(cluster=numbers)
    if fill:
        for name, dtype in (("iteration", "Int64"), ("silhouette", "float64")):
            if name not in table.columns:
                table = table.assign(**{name: pd.Series(index=table.index, dtype=dtype)})
            elif len(table) and not has_type(table[name], "number"):
                raise ValueError(
                    f"Expected numbers in the column {name!r} of {what}, got {table[name].dtype}."
                )
    return table


def check_frames(frames: pd.DataFrame) -> pd.DataFrame:
    """Check ``cluster, frame``, a row per frame of a cluster, and give it with whole numbers as clusters."""
    check_columns(frames, ("cluster", "frame"), "the frames table")
    numbers, faults = _read_clusters(frames["cluster"], frames["frame"])
    if faults:
        raise ValueError(
            f"Expected cluster (whole numbers from 0) and frame (text) in the frames table; got "
            f"{'; '.join(faults)}. Correct or remove these rows."
        )
    return check_table(frames.assign(cluster=numbers), "frames")


def _list_id_faults(ids: pd.Series) -> list[str]:
    """Say which image ids are missing, no text, or there twice."""
    faults = []
    missing = np.flatnonzero(ids.isna())
    if len(missing):
        faults.append(f"{len(missing)} without an image_id ({_name_some('row', missing.tolist())})")
    if not has_type(ids, "text"):
        strange = [each for each in ids.dropna() if not isinstance(each, str)]
        some = _name_some("", strange)
        faults.append(f"{len(strange)} whose image_id is no text ({some}; read or turn them into text)")
    known = ids.dropna()
    twice = known[known.duplicated()].drop_duplicates().tolist()
    if twice:
        faults.append(f"{len(twice)} that come twice or more ({_name_some('', twice)})")
    return faults


def _read_clusters(column: pd.Series, ids: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Read clusters as int64, (n,), and say what is no cluster, with the ids of some of the images."""
    missing = column.isna().to_numpy(dtype=bool)
    if column.dtype.kind in "iu" and not missing.any():
        numbers = column.to_numpy(dtype="int64")
        whole = np.ones(len(column), dtype=bool)
    else:
        if column.dtype.kind in "iuf":
            values = column.to_numpy(dtype="float64", na_value=np.nan)
        else:  # text, or a mixture: a truth value or a time is no cluster, though it could be read as one
            plain = [each if isinstance(each, str | int | float) else None for each in column.astype(object)]
            plain = [None if isinstance(each, bool) else each for each in plain]
            values = pd.to_numeric(pd.Series(plain, dtype=object), errors="coerce").to_numpy("float64")
        whole = np.isfinite(values) & (np.floor(values) == values) & (np.abs(values) < 2**53)
        numbers = np.where(whole, values, 0).astype("int64")
    faults = []
    for wrong, said in (
        (missing, "without a cluster"),
        (~missing & ~whole, "whose cluster is no whole number"),
        (whole & (numbers < UNASSIGNED), "with a cluster below -1"),
    ):
        rows = np.flatnonzero(wrong)
        if len(rows):
            given = column.iloc[rows[:_SHOWN]].tolist()
            images = ids.iloc[rows[:_SHOWN]].tolist()
            shown = [
                repr(i) if missing[rows[0]] else f"{c!r} of {i!r}" for c, i in zip(given, images, strict=True)
            ]
            more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
            faults.append(f"{len(rows)} {said} ({', '.join(shown)}{more})")
    return numbers, faults


def _name_some(word: str, things: list[Any]) -> str:
    """Name the first few of some things."""
    more = f" and {len(things) - _SHOWN} more" if len(things) > _SHOWN else ""
    word = f"{word}s " if word and len(things) > 1 else f"{word} " if word else ""
    return word + ", ".join(repr(each) for each in things[:_SHOWN]) + more


def check_gold(gold: pd.DataFrame, *, named: bool = False) -> pd.DataFrame:
    """Check ``image_a, image_b, same`` of gold pairs, whoever judged them; gives it back, `same` as truth.

    0 and 1 are taken for False and True. Each pair stands once: by its ``pair_id`` where there is one, which
    `named` asks for, else by its two images in either order.
    """
    has_names = named or (isinstance(gold, pd.DataFrame) and "pair_id" in gold.columns)
    check_columns(gold, ["pair_id"] * has_names + ["image_a", "image_b", "same"], "the gold table")
    gaps = [name for name in ("image_a", "image_b", "same") if gold[name].isna().any()]
    if gaps:
        raise ValueError(
            f"Expected image_a, image_b and same in every row of the gold table; "
            f"{', '.join(gaps)} is missing "
            "in some. Leave out pairs that nobody decided."
        )
    values = gold["same"]
    if not pd.api.types.is_bool_dtype(values):
        known = [isinstance(each, bool | int | float | np.generic) and each in (0, 1) for each in values]
        if all(known):
            gold = gold.assign(same=values.astype(bool))
    check_used(gold, "gold", ["pair_id"] * has_names + ["image_a", "image_b", "same"])
    check_pairs_of(gold, "gold", by_wave=has_names)
    return gold


def check_pairs_of(pairs: pd.DataFrame, kind: str, *, by_wave: bool = True) -> None:
    """Check that a table pairs each two images once, in either order, and none with itself.

    `by_wave`: once in each draw, where the table has several.
    """
    a, b = (pairs[name].astype(str).to_numpy(dtype=object) for name in ("image_a", "image_b"))
    if (alone := a == b).any():
        raise ValueError(
            f"Expected two images in each pair of the {kind} table, got {int(alone.sum())} of an image with "
            f"itself, such as {a[alone][0]!r}. Leave these out."
        )
    waves = pairs["wave"] if by_wave and "wave" in pairs.columns else 0
    both = pd.DataFrame({"wave": waves, "a": np.minimum(a, b), "b": np.maximum(a, b)})
    if (twice := both.duplicated()).any():
        first = both[twice].iloc[0]
        raise ValueError(
            f"Expected each pair of images once in the {kind} table; {(first['a'], first['b'])} comes twice. "
            "Keep one answer per pair (resolve makes such a table from several people's)."
        )
