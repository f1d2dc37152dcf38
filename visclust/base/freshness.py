"""Whether what a file was made from is still what lies beside it, and which notebook makes it anew."""

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

from visclust.base.damage import explain_damage, read_json, read_parquet, read_schema
from visclust.base.origins import NOTES, find_core, find_root, register_file, register_sources
from visclust.base.pairs import settle_pair
from visclust.base.provenance import digest_files, digest_input

PROVENANCE_KEY = b"visclust"
# Endings of the files that `save_figure` writes, with the record beside them.
FIGURES = (".png", ".svg", ".pdf", ".html")

# What is told of the tables, with the record beside it.
TEXTS = ("preregistration.md", "methods.md")

# Which notebook writes which file of a results folder, in the order in which they are run. A test holds it to
# what the notebooks say of themselves.
WRITERS = {
    "images.parquet": "01_build_corpus",
    "posts.parquet": "01_build_corpus",
    "posts_images.parquet": "01_build_corpus",
    "duplicates.parquet": "01_build_corpus",
    "figures/01_*": "01_build_corpus",
    "embeddings/pretrained.npy": "02_embed_images",
    "figures/02_*": "02_embed_images",
    "feature_images.parquet": "03_fine_tune",
    "labels.parquet": "03_fine_tune",
    "encoders/*.safetensors": "03_fine_tune",
    "embeddings/finetuned*.npy": "03_fine_tune",
    "figures/03_*": "03_fine_tune",
    "prepared/*.npy": "04_cluster_images",
    "clusters.parquet": "04_cluster_images",
    "clustering_log.parquet": "04_cluster_images",
    "figures/04_*": "04_cluster_images",
    "pairs.parquet": "05_label_pairs",
    "pair_design.parquet": "05_label_pairs",
    "reviews.parquet": "05_label_pairs",
    "gold.parquet": "05_label_pairs",
    "figures/05_*": "05_label_pairs",
    "grid.parquet": "06_grid_search",
    "configuration_scores.parquet": "06_grid_search",
    "cross_validation.parquet": "06_grid_search",
    "figures/06_*": "06_grid_search",
    "cluster_descriptions.csv": "07_explore_clusters",
    "frames.parquet": "07_explore_clusters",
    "clusters_consensus.parquet": "07_explore_clusters",
    "frame_effects*.csv": "07_explore_clusters",
    "post_sample.csv": "07_explore_clusters",
    "figures/07_*": "07_explore_clusters",
    "sample.parquet": "08_sample_and_survey",
    "assignment.parquet": "08_sample_and_survey",
    "preregistration.md": "08_sample_and_survey",
    "figures/08_*": "08_sample_and_survey",
    "simulated_ratings.parquet": "09_emotions_and_partisanship",
    "group_contrasts.parquet": "09_emotions_and_partisanship",
    "reliability.parquet": "09_emotions_and_partisanship",
    "invariance.parquet": "09_emotions_and_partisanship",
    "exclusions.parquet": "09_emotions_and_partisanship",
    "methods.md": "09_emotions_and_partisanship",
    "figures/09_*": "09_emotions_and_partisanship",
}


class StaleError(ValueError):
    """A file was made from another file that has been made anew since; a `ValueError`.

    `read_table`, `load_embedding` and `load_encoder` raise it; it names both files and the notebooks to run.

    Examples
    --------
    >>> issubclass(StaleError, ValueError)
    True
    """


class FileState(NamedTuple):
    """How a file stands to those it was made from: its status, why, and the files that have changed."""

    status: str
    why: str
    changed: tuple[str, ...]


def read_record(path: Path) -> dict[str, Any]:
    """Read the record of a saved file; nothing where it has none. A file is read once until it changes."""
    if path.suffix in (".npy", ".safetensors", ".csv", ".md", *FIGURES):
        beside = path.suffix in (".csv", ".md", *FIGURES)
        side = path.with_name(f"{path.name}.json") if beside else path.with_suffix(".json")
        side = settle_pair(path, side)
        content = _once("sidecar", side, _read_sidecar) if side.exists() else {}
        return dict(content)
    return dict(_once("record", path, _read_metadata))


def _read_metadata(path: Path) -> dict[str, Any]:
    metadata = read_schema(path, advice=advise_again(path)).metadata or {}
    with explain_damage(path, "a record of how it was made in the file", advise_again(path)):
        record = json.loads(metadata.get(PROVENANCE_KEY, b"{}"))
        return dict(record)


def _read_sidecar(path: Path) -> dict[str, Any]:
    # A sidecar is made anew with the file that it stands beside.
    content = read_json(path, "the sidecar of a file", "Make the file beside it again.")
    if not isinstance(content, dict):
        return {}
    if (
        path.name.endswith((".csv.json", ".md.json", *(f"{each}.json" for each in FIGURES)))
        or "provenance" not in content
    ):
        return content
    record = content["provenance"]
    if not isinstance(record, dict):
        return {}
    # The digest of the matrix itself, whatever the record says.
    return {**record, "digest": content["digest"]} if "digest" in content and record else record


_known: dict[tuple[str, str], tuple[tuple[int, int], Any]] = {}


def _once(what: str, path: Path, find: Any) -> Any:
    """Give what was found in a file before, unless its time or size are others."""
    state = path.stat()
    mark = (state.st_mtime_ns, state.st_size)
    key = (what, str(path.absolute()))
    if key not in _known or _known[key][0] != mark:
        _known[key] = (mark, find(path))
    return _known[key][1]


def list_digests(path: Path) -> set[str]:
    """List the digests under which records may name what a file holds."""
    record = read_record(path) if _is_result(path) else {}
    result = record.get("result")
    found = list(result.values()) if isinstance(result, dict) else [result]
    found += [record.get(name) for name in ("result_before_saving", "core", "digest")]
    if not any(found) and path.suffix == ".parquet":
        found = _once("digests", path, _digest_table)
    if path.suffix in (".csv", ".safetensors", *FIGURES) or not any(found):
        found.append(_once("bytes", path, lambda file: digest_files([file])))
    return {each for each in found if each}


def _holds(path: Path, digests: set[str]) -> bool:
    """Tell whether a file is still the one that digests name: of its table, or of its bytes, by a path."""
    return digests <= list_digests(path) or digests == {
        _once("bytes", path, lambda file: digest_files([file]))
    }


def _digest_table(path: Path) -> list[str | None]:
    table = read_parquet(path, advice=advise_again(path))
    core = find_core(table)
    return [core.digest if core else digest_input(table)]


def advise_again(path: str | os.PathLike) -> str:
    """Say what makes a file of the series again."""
    writer = find_writer(path)
    return f"Run the notebook {writer} again, which writes it." if writer else "Make the file again."


def find_writer(path: str | os.PathLike) -> str:
    """Find the notebook that writes a file, or nothing where none of the series does."""
    name = Path(path).absolute().relative_to(find_root(path)).as_posix()
    return next((writer for pattern, writer in WRITERS.items() if fnmatch(name, pattern)), "")


def find_state(
    path: str | os.PathLike, record: Mapping[str, Any] | None = None, *, above: frozenset[Path] = frozenset()
) -> FileState:
    """Compare the files that a file was made from with those that are there now.

    The status is "fresh", "stale", "update available" (answers were only added), or "no record". `above` are
    the files that are being asked about, which two that were made from each other would ask for in turn.
    """
    path = Path(path)
    record = read_record(path) if record is None else record
    if "sources" not in record:
        why = (
            "its record does not say what it was made from: an older version wrote it"
            if record
            else "it carries no record: another tool or an older version wrote it"
        )
        return FileState("no record", why, ())
    root = find_root(path)
    changed, grown, gone = [], [], []
    folders: dict[Path, set[str]] = {}
    for name, digests in record["sources"].items():
        source = root / name
        grows = source.suffix == ".jsonl" and all(":" in digest for digest in digests)  # not of posts
        if grows:
            folders.setdefault(source.parent, set()).add(source.name)
        if not source.exists():
            gone.append(name)
        elif grows:
            ways = {_compare_answers(source, digest) for digest in digests}
            changed += [name] if "changed" in ways else []
            grown += [name] if "grown" in ways else []
        elif not _holds(source, set(digests)):
            changed.append(name)
    for folder, names in folders.items():
        if folder.name == NOTES:  # a table holds one person's notes: another's are no update of it
            continue
        new = (each for each in sorted(folder.glob("*.jsonl")) if each.name not in names)
        grown += [f"{folder.name}/{each.name}" for each in new]
    changed = [name for name in changed if not _is_made_up_for(root, name, record, changed)]
    if changed:
        why = "; ".join(_say_changed(root, name, record) for name in changed)
        return FileState("stale", why, tuple(changed))
    for name in record["sources"]:
        # What a path named, such as an encoder, comes without the origins that tables carry on.
        source = root / name
        asked = _is_result(source) and source.exists() and source not in above
        before = find_state(source, above=above | {path.absolute()}) if asked else None
        if before is not None and before.status == "stale":
            return FileState("stale", f"it was made from {name}, which is stale: {before.why}", (name,))
    if grown:
        return FileState("update available", f"there are more answers than then in {', '.join(grown)}", ())
    return FileState("fresh", f"{', '.join(gone)} is not there to compare with" if gone else "", ())


def _is_made_up_for(root: Path, name: str, record: Mapping[str, Any], changed: Collection[str]) -> bool:
    """Tell whether a file between is as it was though made from the changed one: the same clusters again."""
    if set(record["sources"][name]) & set(record.get("direct", ())):
        return False
    for other in set(record["sources"]) - set(changed):
        between = read_record(root / other) if _is_result(root / other) and (root / other).exists() else {}
        known = between.get("sources", {}).get(name)
        if known and set(known) <= list_digests(root / name):
            return True
    return False


def _is_result(path: Path) -> bool:
    return path.suffix in (".parquet", ".csv", ".npy", ".safetensors", *FIGURES)


def _compare_answers(path: Path, described: str) -> str:
    """Tell whether a file of answers is as it was, has only grown, or was changed before its end.

    Answers are appended and never rewritten, so the first bytes stand for the answers of that time.
    """
    size, _, digest = described.partition(":")
    if path.stat().st_size < int(size):
        return "changed"
    start = _once(f"first {size} bytes", path, lambda file: _digest_start(file, int(size)))
    if start != digest:
        return "changed"
    return "grown" if path.stat().st_size > int(size) else "same"


def _digest_start(path: Path, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.sha256(file.read(size)).hexdigest()[:32]


def _say_changed(root: Path, name: str, record: Mapping[str, Any]) -> str:
    """Say of one source what it was then and what it is now."""
    digests = [each.partition(":")[2] or each for each in record["sources"][name]]
    source = root / name
    if source.suffix == ".jsonl":
        return f"answers in {name} that it rests on were changed or taken out"
    now = read_record(source) if _is_result(source) else {}
    today = now.get("core") or now.get("digest") or next(iter(sorted(list_digests(source))), "")
    made = f", made {_say_time(now['made_at'])}" if now.get("made_at") else ""
    return (
        f"it was made {_say_time(record.get('made_at'))} from {name} with the digest {digests[0][:8]}; "
        f"the {name} that is there now has the digest {today[:8]}{made}"
    )


def _say_time(text: Any) -> str:
    try:
        return f"on {datetime.fromisoformat(str(text)):%Y-%m-%d at %H:%M:%S} UTC"
    except ValueError:
        return "at an unknown time"


def list_notebooks(path: str | os.PathLike) -> list[str]:
    """List the notebooks to run, in order, until a stale file is fresh again."""
    path = Path(path)
    root, record = find_root(path), read_record(path)
    sources = [root / name for name in record.get("sources", {})]
    stale = [each for each in sources if _is_result(each) and each.exists() and find_state(each).changed]
    return sorted({find_writer(each) for each in (*stale, path)} - {""})


_said: set[str] = set()


def require_fresh(path: str | os.PathLike, *, stale: str = "refuse") -> FileState:
    """Refuse a file that was made from what is no longer there, and say once where nothing can be compared.

    With ``stale="warn"`` a stale file is said to be so, and taken.
    """
    if stale not in ("refuse", "warn"):
        raise ValueError(f'Expected stale="refuse" or stale="warn", got {stale!r}.')
    path = Path(path)
    record = read_record(path)
    state = find_state(path, record)
    if state.status == "stale":
        notebooks = list_notebooks(path)
        again = " and then ".join(notebooks)
        what = f"Run {again} again" if again else _say_call(record)
        said = f"{path.name} is stale: {state.why}. {what}"
        if stale == "refuse":
            option = (
                ', or look at it as it is with stale="warn"' if path.suffix in (".parquet", ".npy") else ""
            )
            raise StaleError(f"{said}{option}.")
        say_once(f"{said}. It is taken as it is, as asked.")
    elif state.status == "no record":
        say_once(f"{path.name} is taken as it is: {state.why}, so it is not compared with the other files.")
    elif state.status == "update available":
        say_once(
            f"{path.name} can be brought up to date: {state.why}. Run {find_writer(path)} again for that."
        )
    register_file(path, list_digests(path))
    register_sources(path, record)
    return state


def _say_call(record: Mapping[str, Any]) -> str:
    function = record.get("function")
    return f"Call {function} again and save what it gives" if function else "Make it again"


def say_once(line: str) -> None:
    """Print a line, unless this process has said it before."""
    if line not in _said:
        _said.add(line)
        print(line)


_CACHES = ("hashes.parquet", "hashes_thumbnails.parquet")


def list_files(folder: str | os.PathLike) -> Iterable[Path]:
    """List the tables, matrices, encoders and texts of a results folder, in the order in which they are made.

    The caches of hashes and thumbnails are none of them: they may be deleted at any time, and each of their
    rows stands for itself.
    """
    folder = Path(folder)
    found = [
        *(file for file in folder.glob("*.parquet") if file.name not in _CACHES),
        *folder.glob("*.csv"),
        *folder.glob("embeddings/*.npy"),
        *folder.glob("prepared/*.npy"),
        *folder.glob("encoders/*.safetensors"),
        *(folder / name for name in TEXTS if (folder / name).is_file()),
        *(file for file in folder.glob("figures/*") if file.suffix in FIGURES),
    ]
    order = {path: place for place, path in enumerate(WRITERS)}

    def place(path: Path) -> tuple[str, int, str]:
        name = path.relative_to(folder).as_posix()
        pattern = next((each for each in WRITERS if fnmatch(name, each)), "")
        return (find_writer(path) or "~", order.get(pattern, len(order)), name)

    return sorted(found, key=place)
