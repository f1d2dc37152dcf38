"""What was withdrawn from a study, kept as digests, so that it is left out when the corpus is read anew."""

import csv
import hashlib
import hmac
import io
import os
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from visclust.base.cells import fold_identity
from visclust.base.checks import checked
from visclust.base.damage import explain_damage
from visclust.base.files import write_cells
from visclust.base.places import find_study_folder
from visclust.base.provenance import carry_record

WITHDRAWN_FILE = "withdrawn.csv"

_COLUMNS = ("kind", "digest", "salt", "withdrawn_at_utc")
# The columns of a table that name what a row is about, by the kind of what can be withdrawn.
_NAMES = {"image": "image_id", "author": "author"}
# What posts call the file of a withdrawn image: the source keeps naming it.
_MEDIA = "media"


@checked
def leave_out_withdrawn(table: pd.DataFrame, folder: str | os.PathLike) -> pd.DataFrame:
    """Leave out what participants have withdrawn from a study: their images, and posts of theirs.

    ``visclust withdraw`` takes them out of the files that there are, and writes their digests down; this
    takes them out of what is read anew.

    Parameters
    ----------
    table : DataFrame
        A table with the column ``image_id`` or ``author``, such as `index_images` and `read_posts` give.
    folder : str or path
        The study's folder, which may hold ``withdrawn.csv``.

    Returns
    -------
    DataFrame
        Its other rows, numbered from 0, and of posts without the names of withdrawn image files in ``media``;
        the table itself where nothing was withdrawn. A line is printed
        where rows were left out, and the record of the table, which stays the one that it came with, says
        how many.

    Raises
    ------
    ValueError
        If the table has neither column, or ``withdrawn.csv`` was changed by hand.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> _ = note_withdrawn(folder, [("author", "ana")])
    >>> posts = pd.DataFrame({"post_id": ["1", "2"], "author": ["ana", "ben"]})
    >>> leave_out_withdrawn(posts, folder)["author"].tolist()
    1 of 2 rows left out: their author has withdrawn.
    ['ben']
    """
    if not set(_NAMES.values()) & set(table.columns):
        raise ValueError(
            f"Expected the column {' or '.join(_NAMES.values())} in the table, got "
            f"{', '.join(map(str, table.columns)) or 'none'}. Give the images or the posts."
        )
    withdrawn = read_withdrawn(folder)
    kept = table
    for kind, column in _NAMES.items():
        if column not in kept.columns or not any(each[0] == kind for each in withdrawn):
            continue
        lost = find_withdrawn(kind, kept[column].dropna().unique(), withdrawn)
        if lost:
            rows = kept[column].isin(lost)
            who = "their author has" if kind == "author" else "they were"
            print(f"{rows.sum()} of {len(kept)} rows left out: {who} withdrawn.")
            kept = kept[~rows]
    lost = set()
    if _MEDIA in kept.columns and any(each[0] == _MEDIA for each in withdrawn):
        names = {str(name) for media in kept[_MEDIA] for name in media}
        lost = find_withdrawn(_MEDIA, names, withdrawn)
    if lost:
        print(f"{len(lost)} names of files left out of the posts: these images were withdrawn.")
        left = [[name for name in media if name not in lost] for media in kept[_MEDIA]]
        kept = kept.assign(media=pd.Series(left, index=kept.index, dtype="object"))
    if kept is table:
        return table
    kept = kept.reset_index(drop=True)
    record = table.attrs.get("provenance")
    return carry_record(kept, {**record, "withdrawn_rows": len(table) - len(kept)}) if record else kept


def refuse_withdrawn(
    path: str | os.PathLike, *, images: Iterable[str] = (), authors: Iterable[str] = ()
) -> None:
    """Refuse to write into a study what was withdrawn from it."""
    study = find_study_folder(Path(path).parent)
    withdrawn = read_withdrawn(study) if study else []
    if not withdrawn:
        return
    for kind, names in (("image", images), ("author", authors)):
        lost = find_withdrawn(kind, names, withdrawn)
        if lost:
            # Without their names, which would stand in the notebook.
            raise ValueError(
                f"{Path(path).name} would hold {len(lost)} {kind}{'s' if len(lost) > 1 else ''} withdrawn "
                "from the study. Leave them out when images and posts are read, with "
                "leave_out_withdrawn(table, study.folder), and run what follows again."
            )


def read_withdrawn(folder: str | os.PathLike) -> list[tuple[str, str, str]]:
    """Read what was withdrawn from a study: kind ("image", "author" or "media"), digest and salt of each."""
    path = Path(folder) / WITHDRAWN_FILE
    if not path.exists():
        return []
    advice = "Put the file back as it was: it keeps what was withdrawn out of the study."
    with explain_damage(path, "the list of what was withdrawn", advice):
        text = path.read_bytes().decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""))
        rows = list(reader)
        if not set(_COLUMNS[:3]) <= set(reader.fieldnames or ()) or not text.endswith("\n"):
            raise ValueError(f"the columns {', '.join(_COLUMNS[:3])} or the end of the last line are missing")
    for number, row in enumerate(rows, start=2):
        if (
            row.get("kind") not in (*_NAMES, _MEDIA)
            or len(row.get("digest") or "") != 64
            or not row.get("salt")
        ):
            raise ValueError(
                f"Expected {', '.join(_COLUMNS)} in line {number} of {path}, as `visclust withdraw` wrote "
                f"them, got {row}. Put the file back as it was: it keeps what was withdrawn out of the study."
            )
    return [(row["kind"], row["digest"], row["salt"]) for row in rows]


def note_withdrawn(folder: str | os.PathLike, names: Iterable[tuple[str, str]]) -> Path:
    """Add images and authors to those withdrawn from a study, as digests and in one step.

    The salt keeps the digests of two studies from being compared. It does not keep a person who has the
    study and a list of names from trying them.
    """
    path = Path(folder) / WITHDRAWN_FILE
    known = read_withdrawn(folder)
    rows = []
    if path.exists():
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [[row[name] or "" for name in _COLUMNS] for row in csv.DictReader(file)]
    salt = known[0][2] if known else secrets.token_hex(16)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    for kind, name in dict.fromkeys(names):
        if not find_withdrawn(kind, [name], known):
            rows.append([kind, _digest(kind, name, salt), salt, now])
    return write_cells(path, _COLUMNS, rows)


def find_withdrawn(kind: str, names: Iterable[str], withdrawn: Iterable[tuple[str, str, str]]) -> set[str]:
    """Find which of some images or authors are among those withdrawn."""
    digests: dict[str, set[str]] = {}
    for each, digest, salt in withdrawn:
        if each == kind:
            digests.setdefault(salt, set()).add(digest)
    return {
        name
        for name in names
        if any(_digest(kind, str(name), salt) in known for salt, known in digests.items())
    }


def _digest(kind: str, name: str, salt: str) -> str:
    # Authors are written with and without their @.
    plain = fold_identity(name).removeprefix("@").strip() if kind == "author" else name
    text = f"{kind}:{plain}".encode("utf-8", "surrogatepass")
    return hmac.new(bytes.fromhex(salt), text, hashlib.sha256).hexdigest()
