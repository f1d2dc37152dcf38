"""The state of a study: which of its files are there, which are stale and why, and what comes next."""

import os
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pandas as pd

from visclust.base.checks import checked
from visclust.base.freshness import (
    TEXTS,
    WRITERS,
    find_state,
    find_writer,
    list_files,
    list_notebooks,
    read_record,
)

_COLUMNS = ("name", "kind", "made_by", "made_at", "status", "why", "next")
_TEXT = "text"
_FOLDER_KINDS = {
    "embeddings": "embedding",
    "prepared": "prepared rows",
    "encoders": "encoder",
    "figures": "figure",
}
# Ratings are written only where there are none of people, and texts by whoever wants them: not missed.
_OPTIONAL = ("simulated_ratings.parquet", *TEXTS)
# What a notebook that has run may still lack for a file: what to do before it is run again.
NEEDS = {
    "labels.parquet": "name features in study.toml and label images",
    "encoders/*.safetensors": "label each feature present and absent in five images or more",
    "embeddings/finetuned*.npy": "label each feature present and absent in five images or more",
    "configuration_scores.parquet": "label pairs in 05_label_pairs",
    "frame_effects*.csv": "name posts, frames and ideology in study.toml, and tick frames",
    "post_sample.csv": "name posts, frames and ideology in study.toml, and tick frames",
    "assignment.parquet": "name who rates the images (respondents_file)",
    "group_contrasts.parquet": "name the ratings of two groups or more in study.toml",
    "cross_validation.parquet": "label more pairs in 05_label_pairs",
    "reliability.parquet": "name the ratings of several items in study.toml",
    "invariance.parquet": "name the ratings of two groups or more in study.toml",
    "exclusions.parquet": "name the ratings of two groups or more in study.toml",
}


@checked
def check_study(folder: str | os.PathLike) -> pd.DataFrame:
    """Check the files of a study against those that they were made from.

    Every table, matrix and encoder holds the digests of what it was made from; they are compared with the
    files that are there. Reading a stale file is refused, so this says beforehand what to run again.

    Parameters
    ----------
    folder : str or path
        The results folder, or the folder of a study with its ``results``. Nothing in it is changed.

    Returns
    -------
    DataFrame
        A row per file, in the order of the series, the texts of `write_methods` and `write_preregistration`
        among them: ``name`` (within the folder), ``kind``, ``made_by`` (the
        function), ``made_at`` (UTC, ISO 8601), ``status``, ``why``, and ``next``, the notebook to run. The
        status is "fresh"; "stale" (made from a file that has been made anew since, or from one that is stale
        itself); "update available" (answers were added, and none was changed); "no record" (of another tool,
        or of an older version: nothing can be compared); or "missing" (a notebook of the series writes it,
        and it is not there).

    Raises
    ------
    FileNotFoundError
        If there is no such folder.

    Examples
    --------
    >>> import tempfile
    >>> import visclust as vc
    >>> folder = Path(tempfile.mkdtemp())
    >>> clusters = pd.DataFrame({"image_id": list("abcd"), "cluster": 0, "iteration": 1, "silhouette": 0.1})
    >>> _ = vc.save_table(clusters, folder / "clusters.parquet", "clusters")
    >>> sample = vc.draw_stratified_sample(vc.read_table(folder / "clusters.parquet", "clusters"))
    >>> _ = vc.save_table(sample, folder / "sample.parquet", "sample")
    >>> _ = vc.save_table(clusters.assign(cluster=[0, 0, 1, 1]), folder / "clusters.parquet", "clusters")
    >>> check_study(folder).set_index("name").loc["sample.parquet", ["status", "next"]].tolist()
    ['stale', '08_sample_and_survey']
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f"Expected a results folder at {root}, but there is none. Check its name.")
    if (root / "study.toml").exists():
        root = root / "results"
    files = list(list_files(root))
    rows = [_describe_file(root, path) for path in files]
    rows = [_add_untold(row, rows, read_record(root / row["name"])) if row["name"] == "methods.md" else row
            for row in rows]  # fmt: skip
    names = [row["name"] for row in rows]
    for name, writer in WRITERS.items():
        # A figure that is missing is one that there was nothing to draw for.
        optional = name in _OPTIONAL or name.startswith("figures/")
        if not optional and not any(fnmatch(each, name) for each in names):
            rows.append(_describe_missing(name, writer))
    order = {name: place for place, name in enumerate(WRITERS)}
    rows.sort(
        key=lambda row: next((place for name, place in order.items() if fnmatch(row["name"], name)), 99)
    )
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype("str")


def _describe_file(root: Path, path: Path) -> dict[str, Any]:
    row = {"name": path.relative_to(root).as_posix(), "kind": _FOLDER_KINDS.get(path.parent.name, "")}
    if row["name"] in TEXTS:
        row["kind"] = _TEXT
    try:
        record = read_record(path)
        state = find_state(path, record)
    except (OSError, ValueError) as error:
        first = str(error).split("\n")[0]
        return {**row, **_empty("no record", f"it cannot be read ({first})", find_writer(path))}
    status, why, again = state.status, state.why, ""
    if status == "stale":
        again = next(iter(list_notebooks(path)), "")
    elif status == "update available":
        again = find_writer(path)
    elif status == "fresh" and not record.get("function") and not record.get("made_from"):
        status, why = "no record", record.get("note", "its record names no function that made it")
    return {
        **row,
        "kind": row["kind"] or record.get("kind") or "",
        "made_by": _name_makers(record),
        "made_at": record.get("made_at") or "",
        "status": status,
        "why": why,
        "next": again,
    }


def _add_untold(row: dict[str, Any], rows: list[dict[str, Any]], record: dict[str, Any]) -> dict[str, Any]:
    """Say of a text of methods which files it does not tell of, since they were not there or not usable."""
    told = record.get("sources", {})
    usable = [each["name"] for each in rows if each["status"] in ("fresh", "update available", "no record")]
    untold = [name for name in usable if name not in told and name not in TEXTS and "/" not in name]
    if row["status"] != "fresh" or not untold:
        return row
    why = f"it was written before {', '.join(untold)} could be told of"
    return {**row, "status": "update available", "why": why, "next": find_writer(row["name"])}


def _describe_missing(name: str, writer: str) -> dict[str, Any]:
    kind = _FOLDER_KINDS.get(Path(name).parent.name, "")
    why = f"it has not been made yet: first {NEEDS[name]}" if name in NEEDS else "it has not been made yet"
    return {"name": name, "kind": kind, **_empty("missing", why, writer)}


def _empty(status: str, why: str, again: str) -> dict[str, str]:
    return {"made_by": "", "made_at": "", "status": status, "why": why, "next": again}


def _name_makers(record: dict[str, Any]) -> str:
    """Name the function that made a file, or those that made what it was put together from."""
    if record.get("function"):
        return str(record["function"])
    makers = (each.get("function") for each in record.get("made_from", ()))
    return ", ".join(dict.fromkeys(str(maker) for maker in makers if maker))


def tell_study(state: pd.DataFrame) -> str:
    """Tell the state of a study, as `check_study` gives it, in lines for a terminal, and what comes next.

    Next are the notebooks of what is stale; where nothing is, that of the first file that is missing. Files
    that wait for something of the researcher, such as labels, are listed with that.
    """
    width = max((len(name) for name in state["name"]), default=0)
    lines = []
    for row in state.to_dict("records"):
        made = (
            f"{row['made_by'] or 'not known by what'}, {_spell_time(row['made_at'])}"
            if row["made_at"]
            else ""
        )
        lines.append(f"{row['status']:<17} {row['name']:<{width}}  {made}".rstrip())
        if row["why"] and row["status"] != "missing":
            lines.append(f"{'':<17} {row['why']}")
    missing = state[state["status"].eq("missing")]
    last_run = max((_find_notebook(name) for name in state["name"].drop(missing.index)), default="")
    # The last notebook writes nothing before there are ratings, so that nothing tells whether it has run.
    last_run = list(WRITERS.values())[-1] if last_run.startswith("08") else last_run
    waits = missing["name"].isin(NEEDS) & missing["next"].le(last_run)
    wanted = state[state["status"].eq("stale")]
    if wanted.empty:
        wanted = missing[~waits].head(1)
    if waits.any():
        lines += ["", "Notebooks that have run and will show more, once you"]
        rows = missing[waits].drop_duplicates("next").to_dict("records")
        lines += [f"  {NEEDS[row['name']]}: {row['next']}" for row in rows]
    notebooks = sorted(set(wanted["next"]) - {""})
    if notebooks:
        lines += ["", f"Next: {', '.join(notebooks)}."]
    elif waits.any():
        lines += ["", "Nothing is stale."]
    else:
        lines += ["", "Nothing is stale, and nothing is missing."]
    return "\n".join(lines)


def _find_notebook(name: str) -> str:
    return next((writer for pattern, writer in WRITERS.items() if fnmatch(name, pattern)), "")


def _spell_time(made_at: str) -> str:
    return made_at.replace("T", " ").replace("+00:00", " UTC")
