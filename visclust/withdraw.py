"""Take an image, or an author with their posts, out of every file of a study: a participant's right."""

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from visclust.annotation.answer_files import rewrite_rows
from visclust.base.cells import fold_identity
from visclust.base.damage import read_arrow, read_matrix, read_parquet, read_schema
from visclust.base.files import guard_cell, join_cells, restore_cell, write_atomically, write_json, write_text
from visclust.base.freshness import PROVENANCE_KEY
from visclust.base.origins import find_core
from visclust.base.pairs import settle_pair, write_pair
from visclust.base.places import find_places
from visclust.base.provenance import digest_file, digest_ids, digest_input
from visclust.base.withdrawals import find_withdrawn, note_withdrawn, read_withdrawn
from visclust.exploration.notes import key_clusters
from visclust.study import Study

# Columns that say what a row is about: the row goes with it. In any other column only the value goes.
_ABOUT = frozenset(
    {
        *("image_id", "post_id", "pair_id", "item_id", "author", "path"),
        *("image_a", "image_b", "left", "right", "source_id", "query", "neighbour"),
    }
)
_AUTHOR_COLUMNS = frozenset(["author", "account", "user", "username", "top_author"])
# Made again by the notebooks; what is in them names no image.
_CACHES = ("embedding_chunks", "grid_cache")
_LAST = ("posts_images.parquet", "pairs.parquet", "posts.parquet", "images.parquet")
_COPIES = (
    "Copies elsewhere are out of reach: with co-authors, in backups, in a survey that was sent out, with "
    "annotators who have a page of their own. Ask those who have one to delete it."
)
_REPLACED = "[withdrawn]"


@dataclass
class _Search:
    """What is looked for, and what was found: rows of (file, what was done)."""

    study: Study
    images: set[str]
    author: str = ""
    posts: set[str] = field(default_factory=set)
    pairs: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)
    keys: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    dry_run: bool = False
    found: list[tuple[str, str]] = field(default_factory=list)

    def note(self, path: Path, what: str) -> None:
        """Keep what was found in a file, or done to it."""
        self.found.append((path.relative_to(self.study.folder).as_posix(), what))

    def means(self, value: Any, column: str) -> bool:
        """Tell whether a value of a column (or of an entry of this name) is what is looked for."""
        if not isinstance(value, str):
            return False
        if value in self.images or value in self.paths:
            return True
        if column in ("pair_id", "item_id") and value in self.pairs:
            return True
        if column in ("post_id", "item_id") and value in self.posts:
            return True
        if column == "media":
            return any(_shows_file(value, path) for path in self.paths) and not self._is_another(value)
        return bool(self.author) and column in _AUTHOR_COLUMNS and _is_same_author(value, self.author)

    def _is_another(self, media: str) -> bool:
        """Tell whether a name in the posts is that of another file, whose path ends as one of these does."""
        start = self.study.media_folder or self.study.images
        named = os.path.normpath(start / media)
        return "://" not in media and named not in self.paths and Path(named).exists()

    def clear(self, value: Any, column: str) -> Any:
        """Give a value without what is looked for: None for it, a list without it, a text changed."""
        if self.means(value, column):
            return None
        if isinstance(value, list | np.ndarray):
            kept = [each for each in value if not self.means(each, column)]
            return value if len(kept) == len(value) else kept
        if isinstance(value, str):
            for image in self.images:
                value = value.replace(image, _REPLACED)
        return value


def withdraw(
    study: Study, *, images: list[str] | None = None, author: str = "", dry_run: bool = False
) -> pd.DataFrame:
    """Take images, or an author with their posts, out of every file of a study, and keep them out.

    An author's images are those that only their posts show. Returns ``file, done``, a row per place where
    something was found, and in its ``attrs["paths"]`` the image files that are still there. The digests are
    in ``withdrawn.csv`` before any file is changed, so that a run that was interrupted can be repeated.
    Results that were computed before keep what they learned from it.
    """
    search = _Search(study, set(images or ()), author.strip().removeprefix("@"), dry_run=dry_run)
    if search.author:
        _find_posts_of_author(search)
    _check_known(search)
    _find_pairs_and_paths(search)
    if not dry_run:
        names = [("image", each) for each in sorted(search.images)]
        names += [("media", each) for each in _list_media(search)]
        note_withdrawn(study.folder, [*names, *([("author", search.author)] if search.author else [])])
    _find_new_keys(search)
    for path in _list_files(study):
        _CHANGES[path.suffix.lower()](search, path)
    _remove_made_again(search)
    if not dry_run and search.digests:
        _renew_digests(search)
    done = pd.DataFrame(search.found, columns=["file", "done"])
    files = {study.folder / path for path in search.paths}
    if study.images.is_dir():  # where the folder of images was moved, its table names the old place
        named = {path.name for path in files}
        same = (path for path in study.images.rglob("*") if path.name in named and path.is_file())
        files |= {path for path in same if digest_file(path)[:32] in search.images}
    done.attrs["paths"] = sorted(str(path) for path in files if path.exists())
    return done


def _list_files(study: Study) -> list[Path]:
    """List the files of the results and the notebooks that can be changed, none of the sources."""
    folders = [study.results, study.notebooks]
    found = [
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and path.suffix.lower() in _CHANGES and not _is_source(study, path)
    ]
    # Last those by which the others are found: a run that was interrupted finds the rest when repeated.
    return sorted(found, key=lambda path: (_LAST.index(path.name) if path.name in _LAST else -1, path))


def _is_source(study: Study, path: Path) -> bool:
    sources = [study.images, study.posts, study.media_folder, study.accounts, study.ideology, study.ratings]
    return any(source is not None and path.is_relative_to(source) for source in sources)


def list_unreachable(study: Study, paths: list[str]) -> list[str]:
    """List in sentences what a withdrawal does not change."""
    said = [f"The image file {path} is still there: delete it." for path in paths]
    if study.posts is not None:
        said.append(
            f"The posts in {study.posts} are as they were: notebook 01 leaves out what was withdrawn."
        )
    if study.ratings is not None:
        said.append(f"The ratings in {study.ratings} are as they were: take the rows out there.")
    others = [
        path.relative_to(study.folder).as_posix()
        for path in sorted(study.results.rglob("*"))
        if path.is_file()
        and path.suffix.lower() not in _CHANGES
        and not {*_CACHES, "pictures", "figures"} & set(path.parts)
        and path.suffix != ".safetensors"
        and not (path.suffix == ".npy" and path.with_suffix(".json").exists())
    ]
    if others:
        some = ", ".join(others[:5]) + (f" and {len(others) - 5} more" if others[5:] else "")
        said.append(f"Files of other kinds were not looked into: {some}.")
    if any(study.results.rglob("*.safetensors")):
        said.append("Fine-tuned networks may have learned from it: train them again with notebook 03.")
    said += [
        "Clusters, scores and figures were computed with it: run the notebooks again for results without it.",
        "Other people's posts may quote or name the author; their texts are as they were.",
        _COPIES,
    ]
    return said


def _shows_file(media: str, path: str) -> bool:
    """Tell whether an entry of a post's media, a path or an address, is a file."""
    if "://" not in media:
        return f"/{path}".replace("\\", "/").endswith("/" + media.replace("\\", "/").lstrip("./"))
    last = media.partition("?")[0].rstrip("/").rpartition("/")[2]
    return bool(last) and Path(last).stem == Path(path).stem


def _is_same_author(one: str, other: str) -> bool:
    return fold_identity(one).removeprefix("@").strip() == fold_identity(other).removeprefix("@").strip()


def _find_posts_of_author(search: _Search) -> None:
    """Find an author's posts, and the images that only these show."""
    posts, links = (search.study.results / f"{kind}.parquet" for kind in ("posts", "posts_images"))
    if not posts.exists() or not links.exists():
        raise FileNotFoundError(
            f"Expected {posts.name} and {links.name} in {search.study.results}, by which an author's posts "
            "and images are found: run notebook 01 first."
        )
    table = read_parquet(posts, columns=["post_id", "author"])
    theirs = table["author"].map(lambda name: isinstance(name, str) and _is_same_author(name, search.author))
    search.posts = set(table.loc[theirs, "post_id"])
    shown = read_parquet(links, columns=["post_id", "image_id"])
    by_them = shown["post_id"].isin(search.posts)
    search.images |= set(shown.loc[by_them, "image_id"]) - set(shown.loc[~by_them, "image_id"])


def _check_known(search: _Search) -> None:
    """Refuse an author or an image that the study does not have: most likely it is misspelt.

    What was withdrawn before and is there again is looked for too.
    """
    known = read_withdrawn(search.study.folder)
    if search.author and not search.posts and not find_withdrawn("author", [search.author], known):
        raise ValueError(
            f"Expected the author of some post, got {search.author!r}, who has none in this study."
        )
    table = search.study.results / "images.parquet"
    there = set(read_parquet(table, columns=["image_id"])["image_id"]) if table.exists() else set()
    lost = sorted(search.images - there - find_withdrawn("image", search.images, known))
    if lost:
        raise ValueError(
            f"Expected the id of an image of {table}, 32 hexadecimal digits, or its file, got {lost[0]!r}: "
            "no image has it."
        )
    search.images |= find_withdrawn("image", there, known)


def _find_pairs_and_paths(search: _Search) -> None:
    """Find the pairs that an image is part of, and the files that hold it."""
    for path in sorted(search.study.results.rglob("*.parquet")):
        names = set(read_schema(path).names)
        if {"pair_id", "image_a", "image_b"} <= names:
            pairs = read_parquet(path, columns=["pair_id", "image_a", "image_b"])
            hit = pairs["image_a"].isin(search.images) | pairs["image_b"].isin(search.images)
            search.pairs |= set(pairs.loc[hit, "pair_id"])
        if {"image_id", "path"} <= names:
            stored = read_parquet(path, columns=["image_id", "path"])
            hit = stored["image_id"].isin(search.images)
            search.paths |= set(stored.loc[hit, "path"]) | set(find_places(stored, path).loc[hit, "path"])


def _list_media(search: _Search) -> list[str]:
    """List what the posts call the files of the images: the source of the posts keeps these names."""
    posts = search.study.results / "posts.parquet"
    if not posts.exists() or "media" not in pq.read_schema(posts).names:
        return []
    named = pd.read_parquet(posts, columns=["media"])["media"].dropna()
    return sorted({str(name) for media in named for name in media if search.means(str(name), "media")})


def _find_new_keys(search: _Search) -> None:
    """Find under which key the notes on a cluster stand once an image is no longer in it."""
    for path in sorted(search.study.results.rglob("*.parquet")):
        if {"image_id", "cluster", "iteration", "silhouette"} <= set(read_schema(path).names):
            clusters = read_parquet(path)
            before = key_clusters(clusters)
            after = key_clusters(clusters[~clusters["image_id"].isin(search.images)])
            search.keys |= {before[each]: after[each] for each in after if before[each] != after[each]}


def _change_parquet(search: _Search, path: Path) -> None:
    table = read_arrow(path)
    columns = {
        name: table.column(name).to_pylist()
        for name in table.column_names
        if _may_name(table.schema.field(name).type)
    }
    lost = np.zeros(len(table), dtype=bool)
    for name in columns.keys() & _ABOUT:
        lost |= np.array([search.means(value, name) for value in columns[name]], dtype=bool)
    cleared = 0
    for name, values in columns.items():
        if name in _ABOUT or name == "representative":
            continue
        new = [search.clear(value, name) for value in values]
        changed = sum(a != b for a, b, gone in zip(new, values, lost, strict=True) if not gone)
        if changed:
            cleared += changed
            at, kind = table.column_names.index(name), table.schema.field(name)
            table = table.set_column(at, kind, pa.array(new, type=kind.type))
    if not lost.any() and not cleared:
        return
    table = _choose_representatives(table.filter(pa.array(~lost)), search)
    search.note(path, _count(lost.sum(), cleared))
    if search.dry_run:
        return
    record = json.loads((table.schema.metadata or {}).get(PROVENANCE_KEY, b"{}"))
    if record:
        left = find_places(table.to_pandas(), path)
        core, whole = find_core(left), digest_input(left)
        now = {"result": whole, "result_before_saving": whole, "core": core.digest if core else None}
        for name, digest in now.items():
            if isinstance(record.get(name), str) and digest:
                search.digests[record[name]] = digest
                record[name] = digest
        record["withdrawn"] = [*record.get("withdrawn", []), _describe(lost.sum())]
        metadata = {**(table.schema.metadata or {}), PROVENANCE_KEY: json.dumps(record).encode()}
        table = table.replace_schema_metadata(metadata)
    _write_parquet(path, table)


def _write_parquet(path: Path, table: pa.Table) -> None:
    write_atomically(path, lambda file: pq.write_table(table, file, write_page_checksum=True))


def _may_name(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _choose_representatives(table: pa.Table, search: _Search) -> pa.Table:
    """Let the first file left of a group of copies stand for it, where the one that did was taken out."""
    if not {"representative", "is_representative", "group", "image_id"} <= set(table.column_names):
        return table
    groups, stands = table.column("group").to_pylist(), table.column("representative").to_pylist()
    ids, firsts = table.column("image_id").to_pylist(), table.column("is_representative").to_pylist()
    chosen: dict[int, str] = {}
    for place, (group, stood) in enumerate(zip(groups, stands, strict=True)):
        if stood in search.images:
            firsts[place] = group not in chosen
            stands[place] = chosen.setdefault(group, ids[place])
    for name, values in (("representative", stands), ("is_representative", firsts)):
        at = table.column_names.index(name)
        kind = table.schema.field(name)
        table = table.set_column(at, kind, pa.array(values, type=kind.type))
    return table


def _change_csv(search: _Search, path: Path) -> None:
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        search.note(path, "not looked into: it is not in UTF-8")
        return
    if not _mentions(search, text):
        return
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    header, kept, lost, cleared = rows[0], [], 0, 0
    for row in rows[1:]:
        cells = [
            (restore_cell(name), value, restore_cell(value)) for name, value in zip(header, row, strict=False)
        ]
        if any(search.means(plain, name) for name, _, plain in cells if name in _ABOUT):
            lost += 1
            continue
        cleared_cells = [(value, plain, search.clear(plain, name) or "") for name, value, plain in cells]
        new = [value if plain == left else guard_cell(left) for value, plain, left in cleared_cells]
        new += row[len(header) :]
        cleared += sum(a != b for a, b in zip(new, row, strict=False))
        kept.append(new)
    if not lost and not cleared:
        return
    search.note(path, _count(lost, cleared))
    if search.dry_run:
        return
    ending = "\r\n" if "\r\n" in text else "\n"
    out = "".join(f"{join_cells(row, delimiter=delimiter)}{ending}" for row in [header, *kept])
    write_text(path, out, encoding="utf-8-sig" if raw.startswith(b"\xef\xbb\xbf") else "utf-8")


def _change_answers(search: _Search, path: Path) -> None:
    """Take answers on an image out of a file, and undos of these; notes follow their cluster's new key."""
    taken_events: set[str] = set()

    def change(row: dict[str, Any]) -> dict[str, Any] | None:
        about = any(search.means(row.get(name), name) for name in _ABOUT)
        if about or row.get("retracts") in taken_events:
            taken_events.add(str(row.get("event_id")))
            return None
        parts = str(row.get("item_id")).split(":", 2)
        if parts[0] == "cluster" and len(parts) == 3 and parts[1] in search.keys:
            row["item_id"] = f"cluster:{search.keys[parts[1]]}:{parts[2]}"
        return row

    before = path.read_bytes()
    rows = []
    for line in before.split(b"\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    taken = [row for row in rows if change(dict(row)) is None]
    if not search.dry_run:
        taken_events.clear()
        taken = rewrite_rows(path, change)
        if taken:
            search.digests |= _map_beginnings(before, change)
    if taken:
        asked = pd.Series([str(row.get("item_id")) for row in taken]).nunique()
        search.note(path, f"{_number(len(taken), 'answer')} on {_number(asked, 'item')} taken out")


def _map_beginnings(
    before: bytes, change: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> dict[str, str]:
    """Map each beginning of a file of answers to what is left of it, both as records describe them.

    A record names the answers of its time by the number of bytes that the file had then, and their digest.
    """
    old, new, sizes, found = hashlib.sha256(), hashlib.sha256(), [0, 0], {}
    for line in before.splitlines(keepends=True):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        left = line
        if isinstance(row, dict):
            changed = change(dict(row))
            if changed is None:
                left = b""
            elif changed != row:
                left = json.dumps(changed, allow_nan=False).encode() + b"\n"
        old.update(line)
        new.update(left)
        sizes = [sizes[0] + len(line), sizes[1] + len(left)]
        described = [
            f"{size}:{state.hexdigest()[:32]}" for size, state in zip(sizes, (old, new), strict=True)
        ]
        found[described[0]] = described[1]
    return found


def _change_json(search: _Search, path: Path) -> None:
    """Change the sidecar of an embedding with its matrix, and any other JSON by its values."""
    matrix = path.with_suffix(".npy")
    if matrix.exists():
        settle_pair(matrix, path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return
    if isinstance(content, dict) and "image_ids" in content and matrix.exists():
        _change_embedding(search, path, matrix, content)
        return
    new, count = _clear_json(search, content, "")
    if not count:
        return
    search.note(path, f"{_number(count, 'value')} taken out")
    if not search.dry_run:
        write_json(path, new)


def _change_embedding(search: _Search, path: Path, matrix: Path, sidecar: dict[str, Any]) -> None:
    ids = sidecar["image_ids"]
    kept = [place for place, image in enumerate(ids) if image not in search.images]
    if len(kept) == len(ids):
        return
    search.note(matrix, _count(len(ids) - len(kept), 0))
    if search.dry_run:
        return
    x = read_matrix(matrix)
    if len(x) == len(ids):  # otherwise a run was interrupted between the two files
        x = np.ascontiguousarray(x[kept])
    ids = [ids[place] for place in kept]
    digest, ids_digest = digest_input(x), digest_ids(ids)
    search.digests |= {sidecar["digest"]: digest, sidecar["ids_digest"]: ids_digest}
    lost = len(sidecar["image_ids"]) - len(kept)
    record = sidecar.get("provenance", {})
    record["withdrawn"] = [*record.get("withdrawn", []), _describe(lost)]
    if record.get("result", {}).get("x"):
        search.digests[record["result"]["x"]] = digest
        record["result"]["x"] = digest
    sidecar |= {"shape": list(x.shape), "digest": digest, "ids_digest": ids_digest, "image_ids": ids}
    write_pair(
        matrix,
        lambda file: np.save(file, x, allow_pickle=False),
        path,
        lambda _: json.dumps(sidecar, indent=1),
    )


def _clear_json(search: _Search, value: Any, name: str) -> tuple[Any, int]:
    """Give JSON without what is looked for, and how many values went."""
    if isinstance(value, dict):
        parts = {
            key: _clear_json(search, each, key) for key, each in value.items() if not search.means(key, "")
        }
        count = len(value) - len(parts) + sum(count for _, count in parts.values())
        return {key: each for key, (each, _) in parts.items()}, count
    if isinstance(value, list):
        kept = [_clear_json(search, each, name) for each in value if not search.means(each, name)]
        return [each for each, _ in kept], len(value) - len(kept) + sum(count for _, count in kept)
    new = search.clear(value, name)
    return new, int(new is not value and new != value)


def _change_page(search: _Search, path: Path) -> None:
    if _mentions(search, path.read_text(encoding="utf-8", errors="replace")):
        search.note(path, "deleted, since it shows it; the notebook that wrote it makes it again")
        if not search.dry_run:
            path.unlink()


def _look_into_text(search: _Search, path: Path) -> None:
    if _mentions(search, path.read_text(encoding="utf-8", errors="replace")):
        search.note(path, "names it: take it out by hand")


def _change_notebook(search: _Search, path: Path) -> None:
    """Clear the outputs of a study's notebook: which of them show an image cannot be told."""
    if path.is_relative_to(search.study.results) or ".ipynb_checkpoints" in path.parts:
        search.note(path, "deleted, since its pictures may show it")
        if not search.dry_run:
            path.unlink()
        return
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        search.note(path, "not looked into: it cannot be read as a notebook")
        return
    shown = [cell for cell in notebook.get("cells", []) if cell.get("outputs")]
    if not shown:
        return
    search.note(path, f"outputs of {_number(len(shown), 'cell')} cleared, since they may show it")
    if not search.dry_run:
        for cell in shown:
            cell["outputs"], cell["execution_count"] = [], None
        notebook.get("metadata", {}).pop("widgets", None)
        write_text(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


def _remove_made_again(search: _Search) -> None:
    """Delete the pictures of a run, its page, the figures, and caches whose files name no image."""
    results = search.study.results
    page = results / "index.html"
    if page.exists():
        search.note(page, "deleted, since its pictures may show it")
        if not search.dry_run:
            page.unlink()
    for folder in ("pictures", "figures", *_CACHES):
        files = [path for path in (results / folder).rglob("*") if path.is_file()]
        if files:
            search.note(results / folder, f"{_number(len(files), 'file')} deleted, which a run makes again")
        for path in [] if search.dry_run else files:
            path.unlink()


def _mentions(search: _Search, text: str) -> bool:
    if any(name in text for name in search.images | search.paths | search.posts | search.pairs):
        return True
    return bool(search.author) and fold_identity(search.author) in fold_identity(text)


def _renew_digests(search: _Search) -> None:
    """Write into every record the digests that its inputs have now: they are the same but for what went."""

    def renew(text: str) -> str:
        for old, new in search.digests.items():
            text = text.replace(old, new)
        return text

    for path in sorted(search.study.results.rglob("*")):
        if path.suffix == ".parquet":
            table = read_arrow(path)
            text = (table.schema.metadata or {}).get(PROVENANCE_KEY, b"").decode()
            if renew(text) != text:
                metadata = {**(table.schema.metadata or {}), PROVENANCE_KEY: renew(text).encode()}
                _write_parquet(path, table.replace_schema_metadata(metadata))
        elif path.suffix == ".json" and path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            if renew(text) != text:
                write_text(path, renew(text))


def _describe(rows: int) -> dict[str, Any]:
    return {"rows": int(rows), "at": datetime.now(UTC).isoformat(timespec="seconds")}


def _count(rows: int, values: int) -> str:
    parts = [
        _number(rows, "row") if rows else "",
        f"{_number(values, 'value')} in other rows" if values else "",
    ]
    return f"{' and '.join(filter(None, parts))} taken out"


def _number(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


_CHANGES: dict[str, Callable[[_Search, Path], None]] = {
    ".parquet": _change_parquet,
    ".csv": _change_csv,
    ".tsv": _change_csv,
    ".jsonl": _change_answers,
    ".json": _change_json,
    ".html": _change_page,
    ".txt": _look_into_text,
    ".md": _look_into_text,
    ".ipynb": _change_notebook,
}
