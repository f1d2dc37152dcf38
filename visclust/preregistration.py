"""A preregistration sheet: what a study will ask and how, written down before its ratings are in."""

import hashlib
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd

from visclust.annotation.answer_files import read_rows
from visclust.base.checks import check_choice
from visclust.base.freshness import read_record
from visclust.base.provenance import digest_file, digest_files, list_versions, note_run, recorded
from visclust.base.simulated import MARK
from visclust.methods import (
    find_stem,
    list_software,
    list_text_sources,
    name_study,
    show_software,
    warn_of_simulated,
)
from visclust.methods_account import NOT_YET, Account, say_many
from visclust.methods_files import StudyFiles, count_rows, list_calls, spell, tell_simulated
from visclust.methods_images import describe_clusters, describe_corpus
from visclust.methods_page import Page
from visclust.methods_people import describe_sample, describe_survey
from visclust.ratings.power import power_for_contrast
from visclust.study import Study

_WEIGHTINGS = {
    "clusters": "each cluster counts alike, as in the paper",
    "images": "each rated image counts alike",
    "corpus": "images count by the weights of the sample, so that means speak for all images that it covers",
    "mixed model": "a mixed model with random effects of respondents and images",
}
_FILES = ("images.parquet", "clusters.parquet", "sample.parquet", "assignment.parquet")
# Kinds of tables that there are no sooner than ratings.
_OF_RATINGS = ("ratings", "group_contrasts", "reliability", "invariance", "exclusions")
_NOT_STATED = "NOT STATED. Write it here before you register."
_WRITTEN = re.compile(r"^Written on .*$", re.MULTILINE)


class Preregistration(NamedTuple):
    """The sheet as text, its tables, and the two files that hold it."""

    text: str
    design: pd.DataFrame
    counts: pd.DataFrame
    power: pd.DataFrame
    files: pd.DataFrame
    ratings: str
    markdown: Path
    page: Path


@recorded
def write_preregistration(
    workspace: str | os.PathLike | Study,
    *,
    hypotheses: Sequence[str] = (),
    exclusions: Sequence[str] = (),
    weighting: str = "clusters",
    level: float = 0.95,
    n_bootstrap: int = 2000,
    margin: float | None = None,
    components: pd.DataFrame | None = None,
    difference: float | None = None,
    rated: Literal["refuse", "say"] = "refuse",
    save_to: str | os.PathLike | None = None,
) -> Preregistration:
    """Write a preregistration sheet of a study's survey, before its ratings are in.

    The sample and the assignment stand in it with their seeds and digests, so that anybody can tell later
    that they are those that were announced. What you do not state is said to be not stated, with room for it.

    Parameters
    ----------
    workspace : str, path or Study
        The folder of a study, its results folder, or what `open_study` gives.
    hypotheses : sequence of str, optional
        Your hypotheses, a sentence each.
    exclusions : sequence of str, optional
        The rules by which ratings or respondents will be left out, a sentence each.
    weighting : str, default "clusters"
        Of the primary specification: "clusters", "images", "corpus" or "mixed model", as in
        `compare_groups` and `fit_mixed_contrast`. The others are then robustness checks.
    level : float, default 0.95
        Confidence level of the intervals.
    n_bootstrap : int, default 2000
        Resamples of respondents and images.
    margin : float, points of the scale, optional
        Groups will be called alike where the interval of their difference lies within this margin of 0.
    components : DataFrame, optional
        The ``components`` of `fit_mixed_contrast` from an earlier survey, a pilot, or simulated ratings, for
        the power; see `power_for_contrast`.
    difference : float, points of the scale, optional
        The difference that the survey should find.
    rated : {"refuse", "say"}, default "refuse"
        What to do where ratings of people are there already: refuse, or write a sheet that says so at its
        head.
    save_to : str or path, optional
        The file to write, such as ``plan.md``; the page is written beside it under the same name. By default
        ``preregistration.md`` and ``preregistration.html`` in the results.

    Returns
    -------
    Preregistration
        ``text`` (the sheet in Markdown), ``design`` and ``counts`` (as ``decisions`` and ``counts`` of
        `write_methods`), ``power`` (of `power_for_contrast`; empty where it cannot be computed), ``files``
        (``file, rows, seed, digest, sha256``), ``ratings`` (what was found of ratings, in words),
        ``markdown`` and ``page``.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If ratings of people are there already, an argument makes no sense, or the sheet that is there was
        changed by hand: it is never overwritten.

    Notes
    -----
    Register the sheet elsewhere, with a date that others vouch for: this one only says when it was written.
    A sheet that says the same as the one that is there leaves that one, with its earlier date; another is put
    aside under its date, and not lost.

    Examples
    --------
    >>> import tempfile
    >>> import visclust as vc
    >>> folder = Path(tempfile.mkdtemp())
    >>> clusters = pd.DataFrame({"image_id": list("abcd"), "cluster": 0, "iteration": 1, "silhouette": 0.1})
    >>> sample = vc.draw_stratified_sample(clusters, max_per_cluster=2, seed=3)
    >>> _ = vc.save_table(sample, folder / "sample.parquet", "sample")
    >>> sheet = write_preregistration(folder, hypotheses=["Flags make people proud."])
    >>> sheet.files.set_index("file").loc["sample.parquet", ["rows", "seed"]].tolist()
    ['2', '3']
    >>> "NOT STATED" in sheet.text  # the exclusions, among others
    True
    """
    check_choice("weighting", weighting, list(_WEIGHTINGS))
    if margin is not None and not margin > 0:
        raise ValueError(f"Expected a margin above 0, in points of the scale, got {margin!r}.")
    if difference == 0:
        raise ValueError(
            "Expected a difference other than 0 to be found, got 0. To show likeness use margin."
        )
    files = StudyFiles(workspace)
    found = find_ratings(files)
    if found.of_people and rated == "refuse":
        raise ValueError(
            f"Expected a study whose ratings are not in yet, got one with {found.words}. A sheet that is "
            'written now is no preregistration; with rated="say" it is written, and says so at its head.'
        )
    account = Account(files)
    for describe in (describe_corpus, describe_clusters, describe_sample, describe_survey):
        describe(account)
    account = _leave_out_ratings(account)
    power, said = _compute_power(files, components=components, difference=difference, level=level)
    tables = {
        "design": account.table("decisions"),
        "counts": account.table("counts"),
        "power": power,
        "files": _list_files(files),
    }
    page = Page(f"Preregistration of the study {name_study(files)}")
    _begin(page, account, found)
    _list(page, "Hypotheses", hypotheses)
    _show_design(page, account, tables)
    _list(page, "Exclusions", exclusions)
    _show_analysis(page, files, weighting=weighting, level=level, n_bootstrap=n_bootstrap, margin=margin)
    page.head("Power")
    page.say(said)
    if len(power):
        page.show(power.round(3).astype("str"))
    show_software(page, {"software": list_software(files)})
    stem = find_stem(save_to, files.root, "preregistration")
    present = [file for file in files.files.values() if file.path.is_file()]
    place = None if save_to is None else stem.name
    record = note_run(
        inputs={file.name: digest_files([file.path]) for file in present},
        parameters={"workspace": name_study(files), "save_to": place},
    )
    record["sources"] = list_text_sources(files, _FILES)
    markdown, html = _write_once(page, stem, record)
    text = markdown.read_text(encoding="utf-8")
    return Preregistration(text=text, ratings=found.words, markdown=markdown, page=html, **tables)


class FoundRatings(NamedTuple):
    """What was found of ratings: whether any are people's, and in words with the files."""

    of_people: bool
    words: str


def find_ratings(files: StudyFiles) -> FoundRatings:
    """Look for ratings where a study can have them: its own file, its tables, and answers on the server."""
    people, made_up = [], []
    study = files.study
    named = None if study is None else study.ratings
    if named is not None and named.exists():
        own = files.files.get(files.ratings_name)
        if own is not None and own.usable and _is_simulated(files, own.name):
            made_up.append(files.ratings_name)
        else:
            people.append(f"{files.ratings_name}, which study.toml names as its ratings")
    for name, file in files.files.items():
        kind = file.record.get("kind")
        if name != files.ratings_name and kind not in _OF_RATINGS:
            continue
        if named is not None and name == files.ratings_name:
            continue
        if file.status not in ("damaged", "another kind") and _is_simulated(files, name):
            made_up.append(name)
        else:
            people.append(name)
    answered = files.list_answers("rating_answers")
    rows = [row for path in answered for row in read_rows(path)]
    if real := [row for row in rows if not row[MARK]]:
        people.append(f"{say_many(len(real), 'answer')} in rating_answers/")
    elif rows:
        made_up.append("rating_answers/")
    if people:
        return FoundRatings(of_people=True, words=f"ratings: {', '.join(people)}")
    places = "rating_answers/ or the tables of the results"
    if study is not None:
        which = "which names no file of ratings" if named is None else f"which names {named.name}"
        places = f"{places}, or by {files.settings}, {which}"
    words = f"no rating of people was found in {places}"
    if made_up:
        words = f"{words}; SIMULATED ones are in {', '.join(made_up)}"
    return FoundRatings(of_people=False, words=words)


def _is_simulated(files: StudyFiles, name: str) -> bool:
    """Tell whether all of a table of ratings, also of a stale one, is a computer's."""
    file = files.get(name)
    try:
        table = pd.read_parquet(file.path, columns=[MARK])
    except (OSError, ValueError, KeyError):
        return tell_simulated(file)
    return bool(table[MARK].all()) and len(table) > 0


def _leave_out_ratings(account: Account) -> Account:
    """Leave out of an account what is about the ratings, which are not in yet."""
    kept = Account(account.files, simulated=[each for each in account.simulated if each != "the ratings"])
    kept.counts = [row for row in account.counts if row["step"] != "Ratings"]
    kept.decisions = [row for row in account.decisions if row["step"] != "Ratings"]
    kept.sentences = {step: said for step, said in account.sentences.items() if step != "Ratings"}
    return kept


def _begin(page: Page, account: Account, found: FoundRatings) -> None:
    now = datetime.now(UTC)
    page.say(f"Written on {now:%Y-%m-%d at %H:%M:%S} UTC by visclust {list_versions().get('visclust', '')}.")
    if found.of_people:
        page.warn(f"NO PREREGISTRATION: when this was written there were {found.words}.")
    else:
        page.say(f"When this was written, {found.words}. Ratings kept elsewhere would not have been found.")
    missing = [name for name in _FILES if not account.files.get(name).usable]
    if missing:
        page.warn(
            f"INCOMPLETE: {', '.join(f'{name} ({account.files.get(name).status})' for name in missing)}."
        )
    warn_of_simulated(page, account)


def _list(page: Page, what: str, said: Sequence[str]) -> None:
    page.head(what)
    for number, each in enumerate(said, start=1):
        page.say(each, lead=f"{what[:-1] if what != 'Hypotheses' else 'Hypothesis'} {number}")
    if not said:
        page.say(_NOT_STATED)


def _show_design(page: Page, account: Account, tables: dict[str, pd.DataFrame]) -> None:
    page.head("Design, sample and assignment")
    for step, said in account.sentences.items():
        if said:
            page.say(" ".join(said), lead=step)
    page.show(tables["design"], ["Step", "Decision", "Paper", "Here", "", "File", "Note"])
    page.say("By these digests the files that were announced can be told from any others:")
    page.show(tables["files"])


def _show_analysis(
    page: Page, files: StudyFiles, *, weighting: str, level: float, n_bootstrap: int, margin: float | None
) -> None:
    page.head("Primary specification")
    study = files.study
    outcomes = ", ".join(study.items) if study is not None else NOT_YET
    source = f" [{files.settings}]" if study is not None else ""
    mixed = weighting == "mixed model"
    how = "fit_mixed_contrast" if mixed else f"compare_groups, {spell(n_bootstrap)} resamples crossed"
    page.say(f"Outcomes: the means of the dimensions {outcomes}{source}.")
    page.say(f"Groups are compared by the weighting {weighting}: {_WEIGHTINGS[weighting]} ({how}).")
    page.say(
        f"Intervals are of {100 * level:g}%; p values are adjusted after Benjamini and Hochberg among the "
        "dimensions, and among the items."
    )
    page.say(
        f"A difference whose interval lies within {spell(margin)} points of 0 on both sides shows likeness."
        if margin is not None
        else f"Margin within which groups are called alike: {_NOT_STATED}"
    )
    others = [name for name in _WEIGHTINGS if name != weighting]
    page.say(f"Robustness, reported whatever comes of it: {', '.join(others)}.")


def _compute_power(
    files: StudyFiles, *, components: pd.DataFrame | None, difference: float | None, level: float
) -> tuple[pd.DataFrame, str]:
    """Compute the power that the assignment has, and say what it rests on, or why there is none."""
    file = files.get("assignment.parquet")
    lacking = [
        words
        for words, there in (
            ("components (the standard deviations of an earlier survey)", components is not None),
            ("difference (the one to be found)", difference is not None),
            (f"assignment.parquet ({file.status})", file.usable),
        )
        if not there
    ]
    if lacking or components is None or difference is None:
        return pd.DataFrame(), f"Not computed, since these are not given: {'; '.join(lacking)}."
    table = files.read(file, ["respondent", "group", "image_id"])
    groups = table.groupby("group")["respondent"].nunique()
    if len(groups) < 2:
        return pd.DataFrame(), f"Not computed: there is one group of respondents [{file.name}]."
    smallest = int(groups.min())
    loads = int(table.groupby("respondent")["image_id"].size().min())
    found = power_for_contrast(
        components,
        difference=difference,
        n_images=int(table["image_id"].nunique()),
        per_respondent=loads,
        respondents=[smallest],
        level=level,
    )
    made_up = MARK in components.columns and bool(components[MARK].any())
    word = "SIMULATED ratings" if made_up else "the components that were given"
    return found, (
        f"With {spell(smallest)} respondents in the smallest group, {spell(loads)} images each of "
        f"{spell(int(table['image_id'].nunique()))} [{file.name}], and standard deviations from {word}, a "
        f"difference of {spell(difference)} points is found with this power:"
    )


def _list_files(files: StudyFiles) -> pd.DataFrame:
    rows = []
    for name in _FILES:
        file = files.get(name)
        there = file.usable
        seeds = (str(call["seed"]) for call in list_calls(file.record) if call.get("seed") is not None)
        rows.append(
            {
                "file": name,
                "status": file.status,
                "rows": spell(count_rows(file.path)) if there else "",
                "seed": next(seeds, "") if there else "",
                "digest": file.digest if there else "",
                "sha256": digest_file(file.path) if there else "",
            }
        )
    return pd.DataFrame(rows).astype("str")


def _write_once(page: Page, stem: Path, record: dict[str, Any]) -> tuple[Path, Path]:
    """Write a sheet where none is; leave one that says the same, put another aside, refuse a changed one."""
    markdown, html = (stem.with_name(f"{stem.name}{end}") for end in (".md", ".html"))
    facts = _digest_facts(page.to_markdown())
    if markdown.exists():
        earlier = read_record(markdown)
        now = markdown.read_text(encoding="utf-8", errors="replace")
        if earlier.get("facts") != _digest_facts(now):
            raise ValueError(
                f"Expected {markdown.name} to be as it was written, but it was changed since, by hand or by "
                "another program, and is not overwritten. Move it away, or name another file by save_to."
            )
        if earlier["facts"] == facts and html.exists():
            return markdown, html
        mark = re.sub(r"\D", "", str(earlier.get("made_at")))[:14]
        for path in (markdown, html):
            for each in (path, path.with_name(f"{path.name}.json")):
                if each.exists():
                    each.replace(each.with_name(each.name.replace(stem.name, f"{stem.name}_{mark}", 1)))
    return page.write(stem, {**record, "facts": facts})


def _digest_facts(text: str) -> str:
    """Digest a sheet without the line that says when it was written."""
    return hashlib.sha256(_WRITTEN.sub("", text).encode("utf-8", "replace")).hexdigest()
