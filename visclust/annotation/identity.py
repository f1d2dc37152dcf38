"""Who answered: names that differ only in case, spaces or the way of typing accents are one person's."""

import json
import os
import re
import unicodedata
from pathlib import Path

from visclust.base.cells import clean_identity, fold_identity
from visclust.base.provenance import digest_text

# How the names of made-up annotators and of their files begin.
SIMULATED = "simulated"


def clean_name(annotator: str) -> str:
    """Bring a name to the form in which it is shown and stored, as `clean_identity`; an empty one is none."""
    if not isinstance(annotator, str) or not (name := clean_identity(annotator)):
        raise ValueError(
            f"Expected the annotator's name as text, got {annotator!r}. Give each person their own."
        )
    return name


def is_same_person(one: str, other: str) -> bool:
    """Tell whether two names are one person's."""
    return fold_identity(one) == fold_identity(other)


def name_answer_file(folder: str | os.PathLike, annotator: str, *, simulated: bool = False) -> Path:
    """Name the file that holds one annotator's answers: ``<slug>-<digest>.jsonl`` in the folder.

    The digest keeps names with the same slug apart, and no name leads out of the folder. Case, spaces and
    the way accents are typed do not count. Files of simulated answers are named so.
    """
    return _name_file(folder, fold_identity(clean_name(annotator)), simulated=simulated)


def find_answer_file(folder: str | os.PathLike, annotator: str, *, simulated: bool = False) -> Path:
    """Name the file in which a person's answers go on: that of an earlier version, where it is the only."""
    path = name_answer_file(folder, annotator, simulated=simulated)
    former = [] if path.exists() else list_former_files(folder, annotator, simulated=simulated)
    return former[0] if former else path


def list_former_files(folder: str | os.PathLike, annotator: str, *, simulated: bool = False) -> list[Path]:
    """List a person's files that an earlier version, to which Ana and ana were two, named by the spelling."""
    current = name_answer_file(folder, annotator, simulated=simulated)
    found = []
    for path in sorted(Path(folder).glob("*.jsonl")):
        spelt = _read_first_name(path)
        if path != current and spelt and is_same_person(spelt, annotator):
            found += [path] * (path == _name_file(folder, spelt, simulated=simulated))
    return found


def _name_file(folder: str | os.PathLike, name: str, *, simulated: bool) -> Path:
    """Name the file of a name as it is written."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40] or "annotator"
    if slug.startswith(SIMULATED):
        slug = f"person-{slug}"  # a name is no sign of a simulation
    stem = f"{f'{SIMULATED}-' if simulated else ''}{slug}-{digest_text(name, digits=8)}"
    return Path(folder) / f"{stem}.jsonl"


def _read_first_name(path: Path) -> str:
    """Read whose name the first answer of a file bears; empty where that cannot be said."""
    try:
        with path.open("rb") as file:
            name = json.loads(file.readline(1_000_000))["annotator"]
    except (OSError, ValueError, TypeError, KeyError):
        return ""
    return clean_identity(name) if isinstance(name, str) else ""
