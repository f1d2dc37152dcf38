"""The methods part of a paper, from the records of a study's files: text, decisions, counts, software."""

import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from visclust.base.freshness import list_digests
from visclust.base.provenance import digest_files, list_versions, note_run, recorded
from visclust.methods_account import Account
from visclust.methods_files import StudyFile, StudyFiles, find_call, list_calls, spell
from visclust.methods_images import describe_clusters, describe_corpus, describe_embeddings
from visclust.methods_measures import describe_exclusions, describe_measurement
from visclust.methods_page import Page
from visclust.methods_pairs import (
    describe_cross_validation,
    describe_feature_answers,
    describe_pairs,
    describe_scores,
)
from visclust.methods_people import describe_contrasts, describe_frames, describe_sample, describe_survey
from visclust.study import Study

STEPS: tuple[Callable[[Account], None], ...] = (
    describe_corpus,
    describe_embeddings,
    describe_feature_answers,
    describe_clusters,
    describe_pairs,
    describe_scores,
    describe_cross_validation,
    describe_frames,
    describe_sample,
    describe_survey,
    describe_measurement,
    describe_contrasts,
    describe_exclusions,
)
PAPER_NAME = "Casas, Webb Williams, Aslett and Wilkerson"


class MethodsReport(NamedTuple):
    """The methods of a study: the text, the tables beside it, and the two files that hold them all."""

    text: str
    decisions: pd.DataFrame
    counts: pd.DataFrame
    agreement: pd.DataFrame
    software: pd.DataFrame
    weights: pd.DataFrame
    files: pd.DataFrame
    markdown: Path
    page: Path


@recorded
def write_methods(
    workspace: str | os.PathLike | Study, *, save_to: str | os.PathLike | None = None
) -> MethodsReport:
    """Write the methods part of a paper from the records of a study's files, for authors and reviewers.

    Every number is one that a file of the results holds, and stands beside the name of that file; every
    decision is one that a record tells. What is not there yet is said to be not done yet, what no record
    tells is said to be in none, and nothing is taken from a file that is stale. What rests on what a computer
    made up says SIMULATED.

    Parameters
    ----------
    workspace : str, path or Study
        The folder of a study, its results folder, or what `open_study` gives. Where there is a
        ``study.toml``, the items, the scale and the adjudicator are taken from it.
    save_to : str or path, optional
        The file to write, such as ``methods.md``; the page is written beside it under the same name. By
        default ``methods.md`` and ``methods.html`` in the results.

    Returns
    -------
    MethodsReport
        ``text``: the paragraphs. ``decisions``: ``step, decision, paper`` (the choice of Casas, Webb
        Williams, Aslett and Wilkerson, as far as it is known here), ``ours, like_paper`` ("as in the paper",
        "differs", or empty where the two cannot be compared), ``file`` (whose record says so) and ``note``.
        ``counts``: ``step, what, count, file, note``. ``agreement``: of annotators, measured now from their
        answers. ``software``: ``package, version, files`` (how many were made with it). ``weights``: the
        digests of networks' weights. ``files``: every file with its ``status``, what made it, when, with
        which seed, and its digest. ``markdown`` and ``page``: the files that were written.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If its ``study.toml`` cannot be read.

    Notes
    -----
    The two files say when they were written, and are not made anew by themselves: `check_study` says when a
    file that they quote has changed since, or one was added; write them again before they go into a
    paper. Names of annotators and respondents, texts and images of posts are not in them.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson, "Automated Visual Clustering for Image Corpus Exploration,
    Stratified Random Sampling, and Annotation Cost Reduction", for the column ``paper``.

    Examples
    --------
    >>> import tempfile
    >>> import visclust as vc
    >>> folder = Path(tempfile.mkdtemp())
    >>> clusters = pd.DataFrame({"image_id": list("abcd"), "cluster": 0, "iteration": 1, "silhouette": 0.1})
    >>> _ = vc.save_table(clusters, folder / "clusters.parquet", "clusters")
    >>> sample = vc.draw_stratified_sample(vc.read_table(folder / "clusters.parquet", "clusters"), seed=3)
    >>> _ = vc.save_table(sample, folder / "sample.parquet", "sample")
    >>> report = write_methods(folder)
    >>> ours = report.decisions.set_index("decision")
    >>> ours.loc["Images per cluster", ["ours", "like_paper", "file"]].tolist()
    ['min(5, N - 1)', 'as in the paper', 'sample.parquet']
    >>> report.markdown.name, report.page.name
    ('methods.md', 'methods.html')
    """
    files = StudyFiles(workspace)
    account = Account(files)
    for describe in STEPS:
        describe(account)
    inputs = {file.name: digest_files([file.path]) for file in files.files.values() if file.path.is_file()}
    if answers := files.list_answers("answers"):
        inputs["answers/"] = digest_files(answers)
    stem = find_stem(save_to, files.root, "methods")
    # Who sends the record on need not tell where files are on this computer, or who annotates.
    place = None if save_to is None else stem.name
    record = note_run(inputs=inputs, parameters={"workspace": name_study(files), "save_to": place})
    tables = {
        "decisions": account.table("decisions"),
        "counts": account.table("counts"),
        "agreement": pd.DataFrame(account.agreement, columns=_AGREEMENT).astype("str"),
        "software": list_software(files),
        "weights": list_weights(files),
        "files": list_states(files),
    }
    page = _fill_page(account, tables)
    markdown, html = page.write(stem, {**record, "sources": list_text_sources(files)})
    text = "\n\n".join(f"{step}. {' '.join(said)}" for step, said in account.sentences.items() if said)
    return MethodsReport(text=text, markdown=markdown, page=html, **tables)


_AGREEMENT = ["what", "measure", "estimate", "low", "high", "items", "annotators", "paper", "file", "note"]


def find_stem(save_to: str | os.PathLike | None, root: Path, name: str) -> Path:
    """Find the place of the two files, without their endings."""
    if save_to is None:
        return root / name
    path = Path(save_to)
    if path.suffix.lower() not in ("", ".md", ".html"):
        raise ValueError(
            f"Expected save_to to end in .md or .html, of which both are written, got {str(save_to)!r}."
        )
    return path.with_suffix("") if path.suffix else path


def _fill_page(account: Account, tables: dict[str, pd.DataFrame]) -> Page:
    """Put the text and all tables of the methods together."""
    files = account.files
    page = Page(f"Methods of the study {name_study(files)}")
    now = datetime.now(UTC)
    page.say(
        f"Written on {now:%Y-%m-%d at %H:%M} UTC by visclust {list_versions().get('visclust', '')} from the "
        "records of the files in the study's results. Every number stands with the file that it is from. "
        f"The paper is that of {PAPER_NAME}; where its choice is not known here, look it up there."
    )
    warn_of_simulated(page, account)
    stale = [file.name for file in files.files.values() if file.status == "stale"]
    if stale:
        names = ", ".join(stale)
        page.warn(f"STALE, so nothing is taken from: {names}. The table of files says what to run again.")
    page.head("Text")
    for step, said in account.sentences.items():
        if said:
            page.say(" ".join(said), lead=step)
    page.head("Decisions")
    heads = ["Step", "Decision", "Paper", "Here", "", "File", "Note"]
    page.show(tables["decisions"], heads)
    page.head("Counts at each step")
    page.show(tables["counts"], ["Step", "What", "Number", "File", "Note"])
    page.head("Agreement of annotators")
    if len(tables["agreement"]):
        page.show(tables["agreement"])
    else:
        page.say("Not done yet: there are no answers in answers/ or feature_answers/ to measure it from.")
    show_software(page, tables)
    page.head("Weights of networks")
    if len(tables["weights"]):
        page.show(tables["weights"])
    else:
        page.say("Not done yet: there is no embedding.")
    page.head("Files")
    page.show(tables["files"])
    return page


def warn_of_simulated(page: Page, account: Account) -> None:
    """Say at the head what is simulated."""
    if account.simulated:
        page.warn(
            f"SIMULATED, made up by a computer, and no result about people: {', '.join(account.simulated)}."
        )


def show_software(page: Page, tables: dict[str, pd.DataFrame]) -> None:
    """Add the software to a page."""
    page.head("Software")
    if len(tables["software"]):
        page.show(tables["software"])
        twice = tables["software"]["package"].duplicated(keep=False)
        if twice.any():
            names = ", ".join(tables["software"].loc[twice, "package"].unique())
            page.say(f"Files were made with several versions of {names}.")
    else:
        page.say("No record names any.")


def name_study(files: StudyFiles) -> str:
    """Name the study, by its file or else by its folder."""
    if files.study is not None:
        return files.study.name
    root = files.root.absolute()
    return root.parent.name if root.name == "results" else root.name


def list_software(files: StudyFiles) -> pd.DataFrame:
    """List packages and machines, with how many of the files were made with each."""
    found: dict[tuple[str, str], int] = {}
    for file in files.files.values():
        own = {("device", str(call["device"])) for call in list_calls(file.record) if call.get("device")}
        records = [file.record, *(file.record.get("made_from") or ())]
        own |= {pair for record in records for pair in (record.get("versions") or {}).items()}
        for pair in own:
            found[pair] = found.get(pair, 0) + 1
    rows = [(package, version, spell(number)) for (package, version), number in found.items()]
    order = {name: place for place, name in enumerate(["visclust", "python", "device"])}
    rows.sort(key=lambda row: (order.get(row[0], len(order)), row))
    return pd.DataFrame(rows, columns=["package", "version", "files"]).astype("str")


def list_weights(files: StudyFiles) -> pd.DataFrame:
    """List the networks by the digests of their weights, and what they were trained from."""
    rows = []
    for file in files.find("embeddings/*.npy"):
        settings = find_call(file.record, "embed_images").get("parameters", {})
        training = settings.get("training") or {}
        rows.append(
            {
                "file": file.name,
                "encoder": settings.get("encoder", ""),
                "weights": settings.get("weights", ""),
                "sha256": settings.get("weights_digest", ""),
                "trained_from": training.get("trained_from", ""),
                "trained_from_sha256": training.get("trained_from_digest", ""),
                "note": file.trouble,
            }
        )
    names = ["file", "encoder", "weights", "sha256", "trained_from", "trained_from_sha256", "note"]
    return pd.DataFrame(rows, columns=names).fillna("").astype("str")


def list_states(files: StudyFiles) -> pd.DataFrame:
    """List every file with its state, what made it, when, with which seed, and its digest."""
    rows = [_describe_state(file) for file in files.files.values()]
    return pd.DataFrame(
        rows, columns=["file", "status", "made_by", "made_at", "seed", "digest", "note"]
    ).astype("str")


def _describe_state(file: StudyFile) -> dict[str, Any]:
    own = [file.record, *(file.record.get("made_from") or ())]
    calls = list(dict.fromkeys(str(call["function"]) for call in own if call.get("function")))
    seeds = list(
        dict.fromkeys(str(call["seed"]) for call in list_calls(file.record) if call.get("seed") is not None)
    )
    return {
        "file": file.name,
        "status": file.status,
        "made_by": ", ".join(calls),
        "made_at": str(file.record.get("made_at") or "").replace("T", " ").replace("+00:00", " UTC"),
        "seed": ", ".join(seeds),
        "digest": file.digest or (digest_files([file.path]) if file.usable else ""),
        "note": file.trouble if file.status != "fresh" else "",
    }


def list_text_sources(files: StudyFiles, names: Iterable[str] | None = None) -> dict[str, list[str]]:
    """List the files that were used, or those named, each with its digests, to know it again by."""
    wanted = files.files if names is None else [name for name in names if name in files.files]
    usable = [files.files[name] for name in wanted]
    usable = [file for file in usable if file.usable and file.path.is_relative_to(files.root)]
    return {file.name: sorted(list_digests(file.path)) for file in usable}
