"""The files of a study for its methods text: their states, records and tables; nothing stale is opened."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from visclust.base.freshness import TEXTS, find_state, find_writer, list_files, list_notebooks, read_record
from visclust.base.places import STUDY_FILE
from visclust.base.simulated import MARK, is_simulated
from visclust.check import NEEDS
from visclust.study import Study, read_study

# Files of answers and notes bear the names of those who gave them, who are not to be named in a paper.
_PERSON = re.compile(r"((?:\w+_)?answers|cluster_notes)/[^,;]*?\.jsonl")
_PEOPLES_NEEDS = {"ratings.parquet": "read people's ratings (read_ratings), and name them in study.toml"}
_USABLE = ("fresh", "update available", "no record")


@dataclass(frozen=True)
class StudyFile:
    """One file: its name in the results, its state and why, what makes it again, and its record."""

    name: str
    path: Path
    status: str
    why: str = ""
    again: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """Whether numbers may be taken from it: it is there, can be read, and is not stale."""
        return self.status in _USABLE

    @property
    def trouble(self) -> str:
        """Say in words why nothing is taken from it, or what to know where something is."""
        again = f" Run {self.again} again." if self.again else ""
        if self.status == "missing":
            needs = NEEDS | _PEOPLES_NEEDS
            first = f": first {needs[self.name]}" if self.name in needs else ""
            return f"not done yet{first}" + (f" ({self.again} writes it)" if self.again else "")
        if self.status == "stale":
            return f"STALE, so nothing is taken from it: {self.why}.{again}"
        if self.status == "update available":
            return f"can be brought up to date: {self.why}.{again}"
        if self.status == "no record":
            return f"not compared with the other files: {self.why}"
        return self.why if self.status == "fresh" else f"cannot be used: {self.why}.{again}"

    @property
    def digest(self) -> str:
        """The digest by which the records of later files name it, or none where its record has none."""
        result = self.record.get("result")
        named = self.record.get("core") or self.record.get("digest") or result
        named = next(iter(named.values()), "") if isinstance(named, Mapping) else named
        return str(named or "")


class StudyFiles:
    """All files of a study's results, and what its ``study.toml`` says, where there is one."""

    def __init__(self, workspace: str | os.PathLike | Study) -> None:
        self.root, self.study = _find_study(workspace)
        self.files = {}
        for path in list_files(self.root):
            name = path.relative_to(self.root).as_posix()
            if not name.startswith("figures/") and name not in TEXTS:
                self.files[name] = _describe(name, path)
        ratings = None if self.study is None else self.study.ratings
        self.ratings_name = "simulated_ratings.parquet"
        if self.study is not None and not self.study.simulate and self.ratings_name not in self.files:
            self.ratings_name = "ratings.parquet"  # of people, and not there yet
        if ratings is not None:
            self.ratings_name = _name_within(ratings, self.root)
            if ratings.is_file() and ratings.suffix == ".parquet":
                self.files[self.ratings_name] = _describe(self.ratings_name, ratings)
            elif ratings.exists():
                why = "it is no table saved by save_table; read_ratings makes one of it"
                self.files[self.ratings_name] = StudyFile(self.ratings_name, ratings, "another kind", why)

    @property
    def settings(self) -> str:
        """Name what the settings of the study are from: its file, or the example's own where it has none."""
        return STUDY_FILE if self.study is None or self.study.file.is_file() else "the example's settings"

    def get(self, name: str) -> StudyFile:
        """Give a file of the results by its name, also one that is not there."""
        if name in self.files:
            return self.files[name]
        path = self.root / name
        return StudyFile(name, path, "missing", again=find_writer(path))

    def find(self, pattern: str) -> list[StudyFile]:
        """Give the files whose names fit a pattern, in the order in which they are made."""
        return [file for name, file in self.files.items() if fnmatch(name, pattern)]

    def read(self, file: StudyFile, columns: Iterable[str] | None = None) -> pd.DataFrame:
        """Read a table that is usable, or some of its columns, those that it has."""
        if not file.usable:
            raise ValueError(f"Expected a file that is up to date, got {file.name}, which is {file.status}.")
        if file.path.suffix == ".csv":
            return pd.read_csv(file.path)
        known = pq.read_schema(file.path).names
        wanted = None if columns is None else [name for name in (*columns, MARK) if name in known]
        return pd.read_parquet(file.path, columns=wanted)

    def list_answers(self, folder: str) -> list[Path]:
        """List the files of annotators' answers in a folder of the results."""
        return sorted((self.root / folder).glob("*.jsonl"))


def _find_study(workspace: str | os.PathLike | Study) -> tuple[Path, Study | None]:
    """Find the results of a study, and the study itself where its file is beside them."""
    if isinstance(workspace, Study):
        workspace.results.mkdir(parents=True, exist_ok=True)
        return workspace.results, workspace
    root = Path(workspace)
    if not root.is_dir():
        raise FileNotFoundError(
            f"Expected the folder of a study, or its results, as workspace, got {str(workspace)!r}, where "
            "there is none. Check its name, or start one: visclust start my_study --images FOLDER."
        )
    if (root / STUDY_FILE).is_file():
        study = read_study(root)
        study.results.mkdir(parents=True, exist_ok=True)
        return study.results, study
    above = root.absolute().parent
    return root, read_study(above) if (above / STUDY_FILE).is_file() else None


def _name_within(path: Path, root: Path) -> str:
    """Name a file from the results, or from the study's folder, and by its bare name elsewhere."""
    for folder in (root, root.parent):
        if path.is_relative_to(folder):
            return path.relative_to(folder).as_posix()
    return path.name


def _describe(name: str, path: Path) -> StudyFile:
    try:
        record = read_record(path)
        state = find_state(path, record)
        again = ", ".join(list_notebooks(path)) if state.status == "stale" else find_writer(path)
        if path.suffix == ".parquet":
            pq.read_metadata(path)
    except (OSError, ValueError) as error:
        why = str(error).split("\n")[0].rstrip(".")
        return StudyFile(name, path, "damaged", f"it cannot be read ({why})", find_writer(path))
    status, why = state.status, _PERSON.sub(r"\1/", state.why)
    if status == "fresh" and not record.get("function") and not record.get("made_from"):
        status, why = "no record", record.get("note", "its record names no function that made it")
    return StudyFile(name, path, status, str(why).rstrip("."), again, record)


def list_calls(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """List the calls that a record tells of: its own, those put together, and those that made the inputs."""
    if record.get("function"):
        yield record
    for part in record.get("made_from") or ():
        yield from list_calls(part)
    for part in (record.get("inputs_made_by") or {}).values():
        if isinstance(part, Mapping):
            yield from list_calls(part)


def find_call(record: Mapping[str, Any], *functions: str) -> Mapping[str, Any]:
    """Find the first call of one of some functions that a record tells of, or an empty one."""
    return next((call for call in list_calls(record) if call["function"] in functions), {})


def tell_simulated(file: StudyFile, table: pd.DataFrame | None = None) -> bool:
    """Tell whether a file rests on what a computer made up, by its rows or by its record."""
    if table is not None and is_simulated(table):
        return True
    record = file.record
    calls = [str(call["function"]) for call in list_calls(record)]
    return (
        record.get(MARK) is True
        or (record.get("parameters") or {}).get(MARK) is True
        or (table is None and any(call.startswith("simulate_") for call in calls))
    )


def count_rows(path: Path) -> int:
    """Count the rows of a table or a matrix without reading them."""
    if path.suffix == ".npy":
        return int(np.load(path, mmap_mode="r", allow_pickle=False).shape[0])
    return int(pq.read_metadata(path).num_rows)


def spell(value: Any) -> str:
    """Spell a setting or a number for a reader: 1,087, 0.03, yes, none, a list by commas."""
    if value is None:
        return "none"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{int(value):,}"
    if isinstance(value, float | np.floating):
        if not np.isfinite(value):
            return "not defined"
        return f"{int(value):,}" if float(value).is_integer() else f"{float(value):.3g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {spell(each)}" for name, each in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(spell(each) for each in value)
    if isinstance(value, str):
        return value
    return json.dumps(value, default=str)
