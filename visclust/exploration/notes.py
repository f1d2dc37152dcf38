"""What a researcher said of clusters: names, frames, noise, notes, tied to the images of each cluster."""

import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from visclust.annotation.answer_files import name_answer_file
from visclust.annotation.answers import current_answers, read_answers
from visclust.annotation.identity import is_same_person
from visclust.base.columns import check_clusters
from visclust.base.origins import ANSWERS, describe_answer_file, join_origins, register_file
from visclust.base.provenance import (
    add_inputs,
    carry_record,
    describe_run,
    digest_ids,
    note_run,
    recorded,
)
from visclust.base.tables import UNASSIGNED, check_table

_PREFIX = "cluster:"
_YES_NO = ("yes", "no")
_TEXT = ("written", "cleared")  # the text itself is in the column `note`, so that any text can be told apart
_ANSWERS = {"name": _TEXT, "note": _TEXT, "noise": _YES_NO, "frame": _YES_NO}


@dataclass(frozen=True)
class ClusterNote:
    """What stands for one cluster."""

    name: str = ""
    frames: tuple[str, ...] = ()
    noise: bool = False
    note: str = ""


class ClusterNotes(NamedTuple):
    """The tables of what was said: ``names`` (cluster, name, noise, note) and ``frames`` (cluster, frame)."""

    names: pd.DataFrame
    frames: pd.DataFrame


@recorded
def read_cluster_notes(
    save_to: str | os.PathLike, clusters: pd.DataFrame, *, researcher: str | None = None
) -> ClusterNotes:
    """Read the names, frames and notes that `browse_clusters` keeps, without a widget.

    Parameters
    ----------
    save_to : str or path
        The folder given to `browse_clusters`.
    clusters : DataFrame
        The clusters table that was browsed. A note belongs to the images of a cluster and not to its number:
        it comes back for a cluster with exactly those images, and for no other.
    researcher : str, optional
        Whose notes; needed only where several people have notes on these clusters.

    Returns
    -------
    ClusterNotes
        ``names`` (``cluster, name, noise, note``; a row per cluster, empty text where nothing was said) and
        ``frames`` (``cluster, frame``; a row per frame ticked, a table of the kind "frames").

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If several people have notes on these clusters and `researcher` does not say whose to read, or if
        that person has none.

    Warns
    -----
    UserWarning
        If there are notes on clusters with other images: this is another clustering than the one browsed.

    Examples
    --------
    >>> import tempfile
    >>> from visclust.annotation.answer_files import append_answer, name_answer_file
    >>> clusters = pd.DataFrame({"image_id": ["a"], "cluster": [0], "iteration": [1], "silhouette": [0.1]})
    >>> path = name_answer_file(tempfile.mkdtemp(), "ana")
    >>> row = {"event_id": "e1", "item_id": "cluster:ca978112ca1bbdca:name", "annotator": "ana",
    ...        "answer": "written", "note": "marches", "answered_at": "2026-01-05T10:00:00.000Z"}
    >>> _ = append_answer(path, row)
    >>> read_cluster_notes(path.parent, clusters).names["name"].tolist()
    ['marches']
    """
    keys = key_clusters(clusters)
    answers = read_answers(save_to, simulated=False)
    note_run(inputs={"save_to": answers})
    rows = current_answers(answers[answers["item_id"].str.startswith(_PREFIX) | answers["retracts"].notna()])
    rows = rows[rows["item_id"].str.startswith(_PREFIX)]
    known = rows["item_id"].str.split(":").str[1].isin(keys.values())
    people = sorted(rows["annotator"].unique() if researcher else rows["annotator"][known].unique())
    if researcher is not None:
        researcher = next((name for name in people if is_same_person(name, researcher)), researcher)
    if researcher is not None and researcher not in people:
        raise ValueError(
            f"Expected one of {', '.join(people) or 'nobody'} as researcher, got {researcher!r}: "
            f"only they have notes in {save_to}."
        )
    if researcher is None and len(people) > 1:
        raise ValueError(
            f"Expected notes of one person, got those of {', '.join(people)}: say whose with researcher=."
        )
    if people:
        mine = rows["annotator"].eq(researcher or people[0])
        rows, known = rows[mine], known[mine]
        file = name_answer_file(save_to, researcher or people[0])
        note_run(answer_files=[file] if file.exists() else [])
    others = rows.loc[~known, "item_id"].str.split(":").str[1].nunique()
    if others:
        warnings.warn(
            f"{others} clusters with notes in {save_to} have other images than those of this clustering; "
            "what was said of them is not used. It stays in the file.",
            stacklevel=2,
        )
    return tabulate_notes(fold_notes(rows[known].to_dict("records"), keys), keys)


def record_notes(notes: ClusterNotes, clusters: pd.DataFrame, file: Path) -> ClusterNotes:
    """Give tables of notes with a record that names the clusters, and the person's file with what stands."""
    record = add_inputs({**describe_run("browse_clusters"), "origins": {}, "direct": []}, clusters=clusters)
    if file.exists():
        read = describe_answer_file(file)
        register_file(file, [read])
        record["origins"] = join_origins(record["origins"], {ANSWERS: [read]})
        record["direct"] = [*record["direct"], read]
    return ClusterNotes(*(carry_record(table, record) for table in notes))


def key_clusters(clusters: pd.DataFrame) -> dict[int, str]:
    """Give each cluster a key made of its images, under which notes on it are kept.

    The key is 16 hexadecimal digits; the unassigned are no cluster and have none. A cluster of another
    clustering with the same images, under whatever number, has the same key; one image more or less makes
    another key, so that no note is carried to images that the researcher did not see.
    """
    clusters = check_clusters(clusters)
    members: dict[int, list[str]] = {}
    for cluster, image_id in zip(clusters["cluster"].tolist(), clusters["image_id"].tolist(), strict=True):
        if cluster != UNASSIGNED:
            members.setdefault(cluster, []).append(image_id)
    return {cluster: digest_ids(sorted(members[cluster]))[:16] for cluster in sorted(members)}


def check_note(item_id: Any, answer: Any) -> bool:
    """Tell whether a text is an item that a note can be on, and another one what can be said of it.

    Items are ``cluster:<key>:name``, ``:note``, ``:noise`` and ``:frame:<frame>``. A name and a note are
    "written" or "cleared", and their text is in the answer's column ``note``; the others are "yes" or "no".
    """
    parts = item_id.split(":", 3) if isinstance(item_id, str) else []
    if len(parts) < 3 or parts[0] != _PREFIX.rstrip(":") or not parts[1]:
        return False
    named = len(parts) == 4 and bool(parts[3])
    return answer in _ANSWERS.get(parts[2], ()) and named == (parts[2] == "frame")


def fold_notes(rows: Iterable[Mapping[Any, Any]], keys: Mapping[int, str]) -> dict[int, ClusterNote]:
    """Put together what stands for each cluster of which something was said.

    `rows` are the answers (``item_id, answer, note``) of one researcher that were not taken back, the oldest
    first; those on clusters that `keys` does not know are left alone.
    """
    clusters = {key: cluster for cluster, key in keys.items()}
    notes: dict[int, ClusterNote] = {}
    for row in rows:
        parts = str(row["item_id"]).split(":", 3)
        if not check_note(row["item_id"], row["answer"]) or parts[1] not in clusters:
            continue
        cluster, field = clusters[parts[1]], parts[2]
        note = notes.get(cluster, ClusterNote())
        if field == "frame":
            others = tuple(frame for frame in note.frames if frame != parts[3])
            notes[cluster] = replace(note, frames=(*others, parts[3]) if row["answer"] == "yes" else others)
        elif field == "noise":
            notes[cluster] = replace(note, noise=row["answer"] == "yes")
        else:
            text = str(row["note"] or "") if row["answer"] == "written" else ""
            notes[cluster] = replace(note, name=text) if field == "name" else replace(note, note=text)
    return notes


def tabulate_notes(notes: Mapping[int, ClusterNote], keys: Mapping[int, str]) -> ClusterNotes:
    """Make tables of what stands: a name for each cluster of `keys`, empty where nothing was said."""
    rows = [
        (cluster, note.name, note.noise, note.note)
        for cluster in sorted(keys)
        for note in [notes.get(cluster, ClusterNote())]
    ]
    ticked = [
        (cluster, frame)
        for cluster in sorted(keys)
        for frame in sorted(notes.get(cluster, ClusterNote()).frames)
    ]
    names = pd.DataFrame(rows, columns=["cluster", "name", "noise", "note"])
    frames = pd.DataFrame(ticked, columns=["cluster", "frame"])
    return ClusterNotes(
        names.astype({"cluster": "int64", "noise": bool}),
        check_table(frames.astype({"cluster": "int64", "frame": "str"}), "frames"),
    )
