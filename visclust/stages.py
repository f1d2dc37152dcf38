"""What a study has at its stage: a sentence where something is missing, people's data before simulated ones.

Notebooks run at every stage of every study. Here is what decides, in one place, what they go on with: what
people gave, or what a computer makes up where the study lets it (``simulate``), marked so, or an empty table.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.annotation.answers import current_answers, read_answers
from visclust.annotation.features import check_features
from visclust.annotation.simulated import simulate_answers, simulate_features
from visclust.base.checks import checked
from visclust.base.provenance import carry_record, describe_run, recorded
from visclust.base.simulated import MARK
from visclust.base.tables import TABLES, UNASSIGNED, check_columns, read_table
from visclust.example import load_example
from visclust.images.index import select_usable
from visclust.study import Study
from visclust.validation.pair_design import list_strata
from visclust.validation.second_look import select_for_review
from visclust.validation.waves import WAVE, keep_answered_pairs

if TYPE_CHECKING:
    from visclust.ratings.simulation import RatingModel

# Of each thing that a cell can need: what is missing without it, and what to do.
_MISSING = {
    "accounts": (
        "this study names no accounts",
        "name a CSV with account and kind in study.toml (accounts = …) and run this notebook again",
    ),
    "answers": ("nobody has answered yet", "answer some in the cell above and run the cells from here again"),
    "assignment": (
        "no image is assigned to anybody",
        "in 08_sample_and_survey name who rates (respondents_file), or change the numbers as it says",
    ),
    "clusters": (
        "no cluster has two images",
        "lower similarity_threshold or stop_size in 04_cluster_images, or add images, and run it again",
    ),
    "comparable": (
        "no configuration puts a judged pair into one cluster, or people call none the same",
        "label more pairs in 05_label_pairs and run this notebook again",
    ),
    "copies": ("no file is a near copy of another", "nothing needs to be done"),
    "disagreements": (
        "there is no pair on which annotators disagree",
        "nothing needs to be done, or let a second person answer and run this notebook again",
    ),
    "drawn": (
        "no sample of posts could be drawn, for the reason above",
        "set n_posts to a number that does and run this notebook again",
    ),
    "embedding": (
        "there is no embedding of this name",
        "run 02_embed_images, or name another one above (embedding_name), and run this notebook again",
    ),
    "example": ("it is known of the example corpus only", "nothing needs to be done"),
    "features": (
        "this study names no features",
        "name them in study.toml (features = …) and run this notebook again",
    ),
    "frames": (
        "no cluster has a frame yet",
        "name frames in study.toml (frames = …) and tick them in the browser above",
    ),
    "gold": ("no pair is judged yet", "label pairs in 05_label_pairs and run this notebook again"),
    "groups": (
        "the ratings are not of two groups or more",
        "name the column of groups in study.toml (group_column = …) before the survey goes out",
    ),
    "hashtags": (
        "no hashtag met the rules",
        "loosen the rules above, or name other accounts, and run the cell again",
    ),
    "ideology": (
        "this study has no scores of authors",
        "name a CSV with author and ideology in study.toml (ideology = …) and run this notebook again",
    ),
    "labels": (
        "no feature is labelled both present and absent in five images or more",
        "label more images above and run this notebook again",
    ),
    "links": (
        "no post shows an image of this study",
        "name posts in study.toml (posts = …) and run 01_build_corpus, which lists what could not be linked",
    ),
    "many_pairs": (
        "too few judged pairs are in one cluster",
        "label more pairs in 05_label_pairs and run this notebook again",
    ),
    "matched": (
        "fewer than two authors of posts with a frame have different scores",
        "write the names of authors in the file of scores as in the posts, or collect more posts",
    ),
    "missed": ("the random sample missed no cluster", "nothing needs to be done"),
    "post_labels": (
        "nobody has labelled the drawn posts, and the effects above are of guesses, which can be quite wrong",
        "label the images of the drawn posts above and run the cells from there again",
    ),
    "posts": (
        "this study has no posts",
        "name their file in study.toml (posts = …) and run 01_build_corpus and this notebook again",
    ),
    "ratings": (
        "there are no ratings yet",
        "read the answers to the survey with read_ratings, and name the saved table in study.toml (ratings)",
    ),
    "respondents": (
        "nobody is named who could rate the images",
        "name a CSV with respondent and their group above (respondents_file) and run this notebook again",
    ),
    "reviews": (
        "no pair waits for another look now",
        "where pairs above still lack answers, give these and run this notebook again; else nothing is left",
    ),
    "runs": ("this notebook made no second run", "set n_runs to 2 or more and run it again"),
    "sample": (
        "no image could be sampled, since no cluster has two images",
        "lower similarity_threshold in 04_cluster_images and run the notebooks from there again",
    ),
    "several_images": (
        "there are too few images",
        "add images to the study's folder and run 01_build_corpus again",
    ),
    "simulation": (
        "nothing is simulated here, so that no truth is known",
        "nothing needs to be done, or set simulate = true in the study.toml of a copy of this study",
    ),
    "tested": (
        "no frame is used by enough authors, as the column reason says",
        "collect more posts, or tick the frames of more clusters, and run the cells from there again",
    ),
    "themes": ("no theme has five images or more", "nothing needs to be done"),
    "two_annotators": (
        "agreement needs two people, and one has answered",
        "let a second person answer the same ones and run this notebook again",
    ),
    "unassigned": ("every image is in a cluster", "nothing needs to be done"),
    "varied": (
        "all images are alike in this, posted three times or more, or none of them",
        "nothing needs to be done",
    ),
    "words": ("no word stands out in any cluster", "nothing needs to be done, or lower min_uses"),
}


@checked
def check_needs(shows: str, **things: Any) -> bool:
    """Check that what a cell needs is there; otherwise say in a sentence what is missing and what to do.

    Parameters
    ----------
    shows : str
        What the cell shows once everything is there, such as "the images posted on each day".
    **things
        What it needs, by name: a table, a list or an array that must have a row, or a truth value or number
        that must not be zero. The names are those below; None counts as missing.

    Returns
    -------
    bool
        Whether everything is there. Where not, one sentence is printed for the first that is missing.

    Raises
    ------
    TypeError
        If a name is none of those that there is a sentence for: accounts, answers, clusters, posts and so on.

    Examples
    --------
    >>> posts = pd.DataFrame({"post_id": []})
    >>> if check_needs("the images posted on each day", posts=posts):
    ...     print(len(posts))
    This study has no posts: name their file in study.toml (posts = …) and run 01_build_corpus and this
    notebook again, to see here the images posted on each day.
    """
    if unknown := [name for name in things if name not in _MISSING]:
        raise TypeError(f"Expected one of {', '.join(_MISSING)} as what is needed, got {unknown[0]!r}.")
    for name, thing in things.items():
        if not _is_there(thing):
            missing, to_do = _MISSING[name]
            end = "" if to_do == "nothing needs to be done" else f", to see here {shows}"
            start = f"Here would stand {shows}; " if not end else ""
            sentence = f"{start}{missing}: {to_do}{end}."
            print(_wrap(sentence[0].upper() + sentence[1:]))
            return False
    return True


@checked
def try_analysis(what: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Try an analysis that refuses data which are too few or too alike, and print its reason where it does.

    Parameters
    ----------
    what : str
        What it would give, to stand before the reason.
    function : callable
        The function.
    *arguments, **options
        What to call it with.

    Returns
    -------
    object
        What the function gives; None where it raised a ValueError, whose text is printed.

    Examples
    --------
    >>> try_analysis("The root", float, "nothing") is None
    The root: could not convert string to float: 'nothing'
    True
    """
    try:
        return function(*arguments, **options)
    except ValueError as reason:
        print(_wrap(f"{what}: {reason}"))
        return None


def _is_there(thing: Any) -> bool:
    return bool(len(thing)) if hasattr(thing, "__len__") else bool(thing)


def _wrap(text: str, width: int = 105) -> str:
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return "\n".join([*lines, line])


@checked
def read_results(study: Study, kind: str) -> pd.DataFrame:
    """Read a table of a study's results, or give an empty one of its kind where it is not made yet.

    Parameters
    ----------
    study : Study
        From `open_study`.
    kind : str
        One of the kinds of `read_table`; the file is ``<kind>.parquet`` in the study's results. Of ratings it
        is the file that the study names.

    Returns
    -------
    DataFrame
        The table; with all columns of its kind and no row where there is no such file, and then with a record
        that says so.

    Raises
    ------
    ValueError
        If the file's table is not of its kind, or there is no such kind.

    Examples
    --------
    >>> import tempfile
    >>> from visclust.study import Study
    >>> folder = Path(tempfile.mkdtemp())
    >>> study = Study(folder=folder, results=folder, name="mine", images=folder)
    >>> read_results(study, "posts_images")
    Empty DataFrame
    Columns: [post_id, image_id]
    Index: []
    """
    path = study.ratings if kind == "ratings" else study.results / f"{kind}.parquet"
    if path is not None and path.exists():
        return read_table(path, kind)
    return make_empty_table(kind)


@checked
@checked
def make_empty_table(kind: str) -> pd.DataFrame:
    """Make a table of a kind without a row, for what a study does not have, with a record that says so.

    Parameters
    ----------
    kind : str
        One of the kinds of `read_table`.

    Returns
    -------
    DataFrame
        All columns of the kind, and no row.

    Raises
    ------
    ValueError
        If there is no such kind.

    Examples
    --------
    >>> make_empty_table("posts_images").columns.tolist()
    ['post_id', 'image_id']
    """
    record = describe_run("make_empty_table", parameters={"kind": kind}) | {"note": "There is nothing yet."}
    return carry_record(_make_empty(kind), {**record, "origins": {}, "direct": []})


def _make_empty(kind: str) -> pd.DataFrame:
    if kind not in TABLES:
        raise ValueError(f"Expected one of {', '.join(TABLES)} as the kind of table, got {kind!r}.")
    types = {
        "text": "str",
        "whole": "int64",
        "number": "float64",
        "truth": "bool",
        "time": "datetime64[ns, UTC]",
        "list": "object",
    }
    columns = TABLES[kind].columns
    return pd.DataFrame({name: pd.Series(dtype=types[wanted]) for name, wanted in columns.items()})


@checked
def list_known_groups(study: Study, clusters: pd.DataFrame) -> pd.DataFrame:
    """List what each image is known to show, or its cluster where nothing is known: for simulated annotators.

    Parameters
    ----------
    study : Study
        From `open_study`.
    clusters : DataFrame
        A clusters table, for a study that is not the example.

    Returns
    -------
    DataFrame
        ``image_id, group``.

    Examples
    --------
    >>> from visclust.study import open_study
    >>> list_known_groups(open_study(), pd.DataFrame()).columns.tolist()
    ['image_id', 'group']
    """
    if study.is_example:
        return load_example().groups
    return clusters[["image_id", "cluster"]].rename(columns={"cluster": "group"})


@checked
def gather_pairs(study: Study, drawn: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """Gather the pairs to judge: those drawn now, and of earlier draws those that people have answered.

    Parameters
    ----------
    study : Study
        From `open_study`; its pairs table and its ``answers`` are read.
    drawn : DataFrame
        The pairs drawn now, as `sample_pairs` gives them.
    images : DataFrame
        The images table.

    Returns
    -------
    DataFrame
        A pairs table, see `keep_answered_pairs`; a line says where it holds several draws.

    Examples
    --------
    >>> import tempfile
    >>> from visclust.study import Study
    >>> folder = Path(tempfile.mkdtemp())
    >>> study = Study(folder=folder, results=folder, name="mine", images=folder)
    >>> drawn = pd.DataFrame({"pair_id": ["p"], "image_a": ["a"], "image_b": ["b"], "stratum": ["random"],
    ...                       "inclusion_probability": [0.5]})
    >>> gather_pairs(study, drawn, pd.DataFrame({"image_id": ["a", "b"]}))["pair_id"].tolist()
    ['p']
    """
    earlier, answers = read_results(study, "pairs"), current_answers(_read_people(study, "answers"))
    usable = images[images["status"].ne("unreadable")] if "status" in images.columns else images
    pairs = keep_answered_pairs(drawn, earlier, answers, images=usable)
    there = set(usable["image_id"])
    gone = earlier["pair_id"].isin(answers["item_id"]) & ~(
        earlier["image_a"].isin(there) & earlier["image_b"].isin(there)
    )
    if gone.any():
        print(_wrap(f"{gone.sum():,} answered pairs show an image that is not there any more; not used."))
    if WAVE in pairs.columns:
        last = pairs[WAVE].max()
        again = int(pairs.loc[pairs[WAVE].eq(last), "pair_id"].isin(answers["item_id"]).sum())
        n_before, n_last = int(pairs[WAVE].lt(last).sum()), int(pairs[WAVE].eq(last).sum())
        said = (
            f"{n_before:,} pairs answered in earlier draws stay; wave {last}, the last draw, has {n_last:,}"
        )
        rest = (
            f"Raw scores use all pairs; weighted ones rest on wave {last} alone, once all of it is answered."
        )
        print(_wrap(f"{said}, of which {again:,} are answered. {rest}"))
    return pairs


@checked
def gather_pair_design(study: Study, gold: pd.DataFrame) -> pd.DataFrame | None:
    """Gather the design that the judged pairs were drawn with, or say why scores are raw without one.

    Parameters
    ----------
    study : Study
        From `open_study`; the ``pair_design`` of its results is read.
    gold : DataFrame
        A gold table; it may be empty.

    Returns
    -------
    DataFrame or None
        See `design_pairs`. None, and a line that says so, where there is none, or where the pairs of the last
        draw that are judged are of another one.

    Examples
    --------
    >>> import tempfile
    >>> from visclust.study import Study
    >>> folder = Path(tempfile.mkdtemp())
    >>> study = Study(folder=folder, results=folder, name="mine", images=folder)
    >>> gold = pd.DataFrame({"pair_id": ["p"], "image_a": ["a"], "image_b": ["b"], "same": [True]})
    >>> gather_pair_design(study, gold)
    Scores are raw, of the pairs as drawn: there is no pair design. 05_label_pairs makes it.
    """
    design = read_results(study, "pair_design")
    if not len(gold):
        return design if len(design) else None
    if not len(design):
        print(
            _wrap("Scores are raw, of the pairs as drawn: there is no pair design. 05_label_pairs makes it.")
        )
        return None
    last = gold[gold[WAVE].eq(gold[WAVE].max())] if WAVE in gold.columns else gold
    known = set(list_strata(design))
    if "stratum" not in last.columns or not set(last["stratum"]) <= known:
        said = "Scores are raw, of the pairs as drawn: the judged pairs were drawn with another design"
        print(_wrap(f"{said}. Judge those of the last draw, which 05_label_pairs shows."))
        return None
    return design


@checked
def gather_answers(
    study: Study, pairs: pd.DataFrame, clusters: pd.DataFrame, *, error_rate: float = 0.1, seed: int = 0
) -> pd.DataFrame:
    """Gather the answers to pairs: people's, or simulated ones where the study lets them be, or none.

    Parameters
    ----------
    study : Study
        From `open_study`; people's answers are in ``answers`` of its results.
    pairs : DataFrame
        The pairs table.
    clusters : DataFrame
        What simulated annotators go by in a study that is not the example, see `list_known_groups`.
    error_rate : float, default 0.1
        How often simulated annotators are wrong.
    seed : int, default 0
        Seed of their errors.

    Returns
    -------
    DataFrame
        An answers table, of these pairs alone; ``simulated`` is True throughout or nowhere. Where the study
        simulates, people's answers count once they judged half of the pairs.

    Examples
    --------
    >>> import tempfile
    >>> from visclust.study import Study
    >>> folder = Path(tempfile.mkdtemp())
    >>> study = Study(folder=folder, results=folder, name="mine", images=folder)
    >>> len(gather_answers(study, pd.DataFrame(), pd.DataFrame()))
    Nobody has answered yet.
    0
    """
    people = _read_people(study, "answers")
    if len(people):
        drawn = people["item_id"].isin(pairs["pair_id"])
        again = people["item_id"].isin(_read_reviews(study, pairs)["pair_id"])
        if n_others := people.loc[~drawn & ~again, "item_id"].nunique():
            others = f"{n_others:,} pairs answered before are not among these, which were drawn anew: their"
            print(_wrap(f"{others} answers stay in the files, and do not count here."))
        people = people[drawn]
    if _counts(study, people, len(pairs)):
        return people
    groups = list_known_groups(study, clusters).set_index("image_id")["group"]
    print(f"SIMULATED answers, with an error rate of {error_rate:.0%}: nobody gave them.")
    return simulate_answers(pairs, groups, error_rate=error_rate, seed=seed)


class PairLooks(NamedTuple):
    """Pairs to look at again, of all looks; those that wait for answers; and the answers of all looks.

    ``parts`` are the tables that the reviews of several looks were put together from, whose records tell how.
    """

    reviews: pd.DataFrame
    waiting: pd.DataFrame
    answers: pd.DataFrame
    parts: tuple[pd.DataFrame, ...] = ()


@checked
def gather_looks(
    study: Study,
    pairs: pd.DataFrame,
    answers: pd.DataFrame,
    clusters: pd.DataFrame,
    *,
    rule: str = "unanimous",
    third: str | None = None,
    max_looks: int = 4,
    error_rate: float = 0.1,
    seed: int = 0,
) -> PairLooks:
    """Gather the pairs that are looked at again, and the answers: by people, or simulated like the rest.

    Parameters
    ----------
    study : Study
        From `open_study`; people's answers are in ``answers`` of its results, and the looks so far in
        ``reviews.parquet``.
    pairs : DataFrame
        The pairs table.
    answers : DataFrame
        The first answers, as `gather_answers` gives them.
    clusters : DataFrame
        What simulated annotators go by, see `gather_answers`.
    rule, third : optional
        How the first look is resolved, see `resolve`.
    max_looks : int, default 4
        Looks in all, the first included. What stays open then are pairs on which people do not agree.
    error_rate : float, default 0.1
        How often simulated annotators are wrong.
    seed : int, default 0
        Seed of the draws of pairs, and of simulated errors.

    Returns
    -------
    PairLooks
        ``reviews`` as `select_for_review` gives them, ``waiting`` (the rows of the last look while people
        have not answered all of it), ``answers`` (those given, and those to the reviews) and ``parts``, for
        `save_table` to take the records from. A look follows
        once the one before is answered by all; a line says what is waited for.

    Examples
    --------
    >>> import tempfile
    >>> from visclust.study import Study
    >>> folder = Path(tempfile.mkdtemp())
    >>> study = Study(folder=folder, results=folder, name="mine", images=folder)
    >>> looks = gather_looks(study, make_empty_table("pairs"), make_empty_table("answers"), pd.DataFrame())
    >>> len(looks.reviews)
    0
    """
    check_columns(pairs, TABLES["pairs"].columns, "the pairs")
    check_columns(answers, TABLES["answers"].columns, "the answers")
    nothing = make_empty_table("reviews")
    if answers.empty or pairs.empty:
        return PairLooks(nothing, nothing, answers)
    options: dict[str, Any] = {"rule": rule, "third": third, "seed": seed}
    if MARK in answers.columns and bool(answers[MARK].all()):
        groups = list_known_groups(study, clusters).set_index("image_id")["group"]
        reviews, said, parts = nothing, answers, []
        for look in range(2, max_looks + 1):
            found = select_for_review(said, pairs, reviews=reviews, **options)
            if found.empty:
                break
            again = simulate_answers(found, groups, error_rate=error_rate, seed=(seed + look) % 2**32)
            said = pd.concat([said, again], ignore_index=True)
            parts.append(found)
            reviews = found if reviews.empty else pd.concat([reviews, found], ignore_index=True)
        return PairLooks(reviews, nothing, said, tuple(parts))
    reviews, people = _read_reviews(study, pairs), _read_people(study, "answers")
    said = pd.concat([answers, people[people["item_id"].isin(reviews["pair_id"])]], ignore_index=True)
    last = pairs[pairs[WAVE].eq(pairs[WAVE].max())] if WAVE in pairs.columns else pairs
    names = current_answers(answers).groupby("item_id")["annotator"].nunique()
    open_pairs = int((~last["pair_id"].map(names).ge(names.mode().max())).sum())
    if reviews.empty and open_pairs:
        print(f"A second look follows once all pairs are answered; {open_pairs:,} wait for answers.")
        return PairLooks(reviews, nothing, said)
    try:
        if reviews.empty or reviews["look"].max() < max_looks:
            found = select_for_review(said, pairs, reviews=reviews, **options)
        else:
            found = nothing
    except ValueError as reason:  # the last look is not answered by all
        print(_wrap(str(reason)))
        waiting = reviews[reviews["look"].eq(reviews["look"].max())]
        return PairLooks(reviews, waiting, said)
    if len(found):
        print(
            f"{len(found):,} pairs are to be looked at again, {int(found['decoy'].sum()):,} of them decoys."
        )
        parts = [each for each in (reviews, found) if len(each)]
        reviews = found if reviews.empty else pd.concat([reviews, found], ignore_index=True)
        return PairLooks(reviews, found, said, tuple(parts))
    return PairLooks(reviews, found, said)


def _read_reviews(study: Study, pairs: pd.DataFrame) -> pd.DataFrame:
    """Read the pairs that were to be looked at again, of those that there are; none where nothing was."""
    path = study.results / "reviews.parquet"
    reviews = read_table(path, "reviews", stale="warn") if path.exists() else make_empty_table("reviews")
    if "pair_id" not in pairs.columns:
        return reviews.iloc[:0]
    return reviews[reviews["judged_pair"].isin(pairs["pair_id"])].reset_index(drop=True)


@checked
def gather_feature_answers(
    study: Study, images: pd.DataFrame, *, error_rate: float = 0.05, seed: int = 0
) -> pd.DataFrame:
    """Gather the answers about features: people's, or simulated ones where the study lets them be, or none.

    Parameters
    ----------
    study : Study
        From `open_study`; people's answers are in ``feature_answers`` of its results.
    images : DataFrame
        The images to label.
    error_rate : float, default 0.05
        How often simulated annotators are wrong. In a study that is not the example they label by lot, since
        nobody knows what its images show.
    seed : int, default 0
        Seed of their errors.

    Returns
    -------
    DataFrame
        An answers table, see `gather_answers`.

    Examples
    --------
    >>> import tempfile
    >>> from visclust.study import Study
    >>> folder = Path(tempfile.mkdtemp())
    >>> study = Study(folder=folder, results=folder, name="mine", images=folder)
    >>> len(gather_feature_answers(study, pd.DataFrame()))
    Nobody has answered yet.
    0
    """
    people = _read_people(study, "feature_answers")
    if _counts(study, people, len(images)) or not study.features:
        return people
    features = list(check_features(study.features))
    truth = pd.DataFrame({"image_id": images["image_id"].drop_duplicates().to_numpy()})
    if study.is_example:
        kinds = load_example().groups.set_index("image_id")["group"].str.split("/").str[0]
        shown = truth["image_id"].map(kinds)
        truth = truth.assign(**{name: shown.eq(name).astype(int) for name in features})
    else:
        by_lot = np.random.default_rng(seed).random((len(truth), len(features))) < 0.3
        truth = pd.concat([truth, pd.DataFrame(by_lot.astype(int), columns=features)], axis=1)
    print(f"SIMULATED answers, with an error rate of {error_rate:.0%}: nobody gave them.")
    return simulate_features(images, truth, features, error_rate=error_rate, seed=seed)


@checked
def gather_frame_answers(
    study: Study,
    images: pd.DataFrame,
    clusters: pd.DataFrame,
    frames: pd.DataFrame,
    *,
    error_rate: float = 0.05,
    seed: int = 0,
) -> pd.DataFrame:
    """Gather which frames people see in images of sampled posts: theirs, or simulated answers, or none.

    Parameters
    ----------
    study : Study
        From `open_study`; people's answers are in ``frame_answers`` of its results, given in
        `label_features` with the frames as the features.
    images : DataFrame
        The images to label: those of the posts that `draw_post_sample` drew.
    clusters : DataFrame
        The clusters table.
    frames : DataFrame
        The frames table.
    error_rate : float, default 0.05
        How often simulated annotators are wrong. In the example they know the theme of each image; in another
        study an image shows the frames of its cluster, but one image in ten shows one by lot.
    seed : int, default 0
        Seed of their errors.

    Returns
    -------
    DataFrame
        An answers table, for `aggregate_labels` and `join_post_labels`.

    Examples
    --------
    >>> import tempfile
    >>> from visclust.study import Study
    >>> folder = Path(tempfile.mkdtemp())
    >>> study = Study(folder=folder, results=folder, name="mine", images=folder)
    >>> images, frames = pd.DataFrame({"image_id": ["a"]}), pd.DataFrame({"cluster": [3], "frame": ["march"]})
    >>> len(gather_frame_answers(study, images, pd.DataFrame(), frames))
    Nobody has answered yet.
    0
    """
    people = _read_people(study, "frame_answers")
    if _counts(study, people, len(images)) or frames.empty or images.empty:
        return people
    names = list(check_features(list(dict.fromkeys(frames["frame"]))))
    ids = images["image_id"].drop_duplicates().to_numpy()
    if study.is_example:
        theme = load_example().groups.set_index("image_id")["group"].str.split("/").str[0].reindex(ids)
        shows = [theme.eq(name).to_numpy() for name in names]
    else:
        cluster_of = clusters.set_index("image_id")["cluster"].reindex(ids)
        shows = [cluster_of.isin(frames.loc[frames["frame"].eq(n), "cluster"]).to_numpy() for n in names]
        rng = np.random.default_rng(seed)
        by_lot, which = rng.random(len(ids)) < 0.1, rng.integers(len(names), size=len(ids))
        shows = [np.where(by_lot, which == place, each) for place, each in enumerate(shows)]
    truth = pd.DataFrame({"image_id": ids, **dict(zip(names, np.array(shows, dtype=int), strict=True))})
    print(f"SIMULATED labels of posts, with an error rate of {error_rate:.0%}: nobody gave them.")
    return simulate_features(images, truth, names, error_rate=error_rate, seed=seed)


def _read_people(study: Study, folder: str) -> pd.DataFrame:
    """Read people's answers in a folder of the results; an empty table where there are none."""
    place = study.results / folder
    if not any(place.glob("*.jsonl")):
        return _make_empty("answers").assign(
            event_id=pd.Series(dtype="str"), simulated=pd.Series(dtype="bool")
        )
    return read_answers(place)


def _counts(study: Study, people: pd.DataFrame, n_items: int) -> bool:
    """Say whether people's answers are what to go on with, and print a line on whose answers those are."""
    standing = current_answers(people)
    n, names = standing["item_id"].nunique(), standing["annotator"].unique()
    if study.simulate and 2 * n < n_items:
        if n:
            print(
                f"{n} of {n_items} are answered by people; below half of them, this study simulates answers."
            )
        return False
    if not n:
        print("Nobody has answered yet.")
    else:
        print(f"Answers of {', '.join(map(str, names))}, to {n} of {n_items}.")
    return True


@recorded
def gather_accounts(study: Study, posts: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Gather the accounts that the collection followed: the study's, or simulated ones if it lets them be.

    Parameters
    ----------
    study : Study
        From `open_study`; ``accounts`` is a CSV with account and kind.
    posts : DataFrame
        The posts table: where accounts are simulated, its thirty most active authors stand for them, and
        their kinds are drawn at random.
    seed : int, default 0
        Seed of that draw.

    Returns
    -------
    DataFrame
        ``account, kind``, and ``simulated`` where they are; no row where the study names none.

    Examples
    --------
    >>> import tempfile
    >>> from visclust.study import Study
    >>> folder = Path(tempfile.mkdtemp())
    >>> study = Study(folder=folder, results=folder, name="mine", images=folder)
    >>> len(gather_accounts(study, pd.DataFrame()))
    0
    """
    if study.accounts is not None:
        return check_columns(pd.read_csv(study.accounts, dtype=str), ["account", "kind"], str(study.accounts))
    if not study.simulate or posts.empty:
        return pd.DataFrame({"account": pd.Series(dtype="str"), "kind": pd.Series(dtype="str")})
    counts = posts["author"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    names = counts.index[:30]
    kinds = np.random.default_rng(seed).choice(["organization", "politician", "media"], len(names))
    kinds[0] = "organization"  # one at least, since organizations renew
    print(f"SIMULATED accounts: the {len(names)} authors with the most posts, their kinds drawn at random.")
    return pd.DataFrame({"account": names, "kind": kinds, MARK: True})


@recorded
def gather_frames(
    study: Study, clusters: pd.DataFrame, ticked: pd.DataFrame, *, seed: int = 0
) -> pd.DataFrame:
    """Gather the frames of clusters: those ticked, or simulated ones where the study lets them be, or none.

    Parameters
    ----------
    study : Study
        From `open_study`.
    clusters : DataFrame
        The clusters table.
    ticked : DataFrame
        A frames table: what people ticked in the browser.
    seed : int, default 0
        Seed of frames drawn by lot, in a study that simulates and is not the example. In the example each
        cluster gets the theme that most of its images are known to show.

    Returns
    -------
    DataFrame
        A frames table, with ``simulated`` where nobody ticked them.

    Examples
    --------
    >>> import tempfile
    >>> from visclust.study import Study
    >>> folder = Path(tempfile.mkdtemp())
    >>> study = Study(folder=folder, results=folder, name="mine", images=folder)
    >>> gather_frames(study, pd.DataFrame(), pd.DataFrame({"cluster": [3], "frame": ["march"]}))
       cluster  frame
    0        3  march
    """
    if len(ticked) or not study.simulate:
        return ticked
    inside = clusters.loc[clusters["cluster"].ne(UNASSIGNED)]
    if study.is_example:
        known = inside.merge(load_example().groups, on="image_id")
        known["frame"] = known["group"].str.split("/").str[0]
        frames = known.groupby("cluster")["frame"].agg(lambda theme: theme.mode()[0]).reset_index()
    else:
        numbers = np.sort(inside["cluster"].unique())
        by_lot = np.random.default_rng(seed).choice(list(study.frames) or ["a frame"], len(numbers))
        frames = pd.DataFrame({"cluster": numbers, "frame": by_lot.astype(object)})
    print("SIMULATED frames: nobody ticked them.")
    return frames.assign(**{MARK: True})


@recorded
def gather_ideology(study: Study, users: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Gather the ideology of authors: the study's scores, or simulated ones where it lets them be, or none.

    Parameters
    ----------
    study : Study
        From `open_study`; ``ideology`` is a CSV with author and ideology.
    users : DataFrame
        The ``users`` of `label_posts`. Simulated scores are a draw from a normal distribution with standard
        deviation 1, and mean 0.8 times an author's share of posts with the frame that is used most, minus 0.6
        times the share with the second; one author in ten gets none.
    seed : int, default 0
        Seed of the draw.

    Returns
    -------
    DataFrame
        ``author, ideology``, and ``simulated`` where it is; no row where the study names no scores.

    Examples
    --------
    >>> import tempfile
    >>> from visclust.study import Study
    >>> folder = Path(tempfile.mkdtemp())
    >>> study = Study(folder=folder, results=folder, name="mine", images=folder)
    >>> len(gather_ideology(study, pd.DataFrame()))
    0
    """
    if study.ideology is not None:
        scores = pd.read_csv(study.ideology, dtype={"author": str})
        return check_columns(scores, ["author", "ideology"], str(study.ideology))
    if not study.simulate or users.empty:
        return pd.DataFrame({"author": pd.Series(dtype="str"), "ideology": pd.Series(dtype="float64")})
    share = users.pivot(index="author", columns="frame", values="share")
    most_used = users.groupby("frame")["share"].mean().nlargest(2).index
    pull = sum(weight * share[frame] for weight, frame in zip((0.8, -0.6), most_used, strict=False))
    scores = (pull + np.random.default_rng(seed).normal(size=len(share))).rename("ideology").reset_index()
    print(f"SIMULATED ideology: it rises with the use of {' and falls with that of '.join(most_used)}.")
    return scores.sample(frac=0.9, random_state=seed).reset_index(drop=True).assign(**{MARK: True})


@recorded
def gather_copies(study: Study, images: pd.DataFrame) -> pd.DataFrame:
    """Gather which image stands for each one: a picture for its near copies, unless they stand apart.

    Parameters
    ----------
    study : Study
        From `open_study`; its entry ``near_copies`` is "follow" or "apart".
    images : DataFrame
        The images table.

    Returns
    -------
    DataFrame
        ``image_id, representative``, a row per usable image, for `leave_out_copies` and `add_copies`; from
        the ``duplicates.parquet`` of the study. Where there is none, or near copies stand apart, each image
        stands for itself.

    Examples
    --------
    >>> import tempfile
    >>> from visclust.study import Study
    >>> folder = Path(tempfile.mkdtemp())
    >>> study = Study(folder=folder, results=folder, name="mine", images=folder)
    >>> images = pd.DataFrame({"image_id": ["a"], "path": ["a.png"], "status": "ok"})
    >>> gather_copies(study, images)["representative"].tolist()
    ['a']
    """
    ids = select_usable(images)["image_id"]
    duplicates = read_results(study, "duplicates")
    stands_for = duplicates.drop_duplicates("image_id").set_index("image_id")["representative"]
    own = ids.isin(stands_for.index[stands_for.isin(ids)])
    picture = ids.map(stands_for).astype("object").where(own, ids)
    if n_copies := int(picture.ne(ids).sum()):
        if study.near_copies == "apart":
            print(f"{n_copies:,} near copies count as images of their own, as study.toml says.")
        else:
            print(f"{n_copies:,} near copies follow their pictures (near_copies in study.toml).")
    if study.near_copies == "apart":
        picture = ids
    return pd.DataFrame({"image_id": ids.to_numpy(), "representative": picture.to_numpy()}).astype(ids.dtype)


@recorded
def gather_respondents(study: Study, file: str | Path | None = None, *, per_group: int = 48) -> pd.DataFrame:
    """Gather who rates the images: the people in a file, or simulated ones where the study lets them be.

    Parameters
    ----------
    study : Study
        From `open_study`.
    file : str or path, optional
        A CSV with ``respondent`` and the study's column of groups; without that column, all are one group.
    per_group : int, default 48
        Simulated respondents of each group that the study names.

    Returns
    -------
    DataFrame
        ``respondent, group``, and ``simulated`` where they are; no row where there is no file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> from visclust.study import open_study
    >>> gather_respondents(open_study(), per_group=1)["respondent"].tolist()
    SIMULATED respondents: nobody has these names.
    ['simulated-001', 'simulated-002']
    """
    if file:
        if not Path(file).is_file():
            raise FileNotFoundError(f"Expected a CSV file at file, got {str(file)!r}, where there is none.")
        people = check_columns(pd.read_csv(file, dtype=str), ["respondent"], str(file))
        group = people[study.group_column] if study.group_column in people.columns else "all"
        return pd.DataFrame({"respondent": people["respondent"], "group": group})
    if not study.simulate:
        return pd.DataFrame({"respondent": pd.Series(dtype="str"), "group": pd.Series(dtype="str")})
    groups = list(study.groups) or ["all"]
    names = [f"simulated-{number:03d}" for number in range(1, per_group * len(groups) + 1)]
    print("SIMULATED respondents: nobody has these names.")
    return pd.DataFrame({"respondent": names, "group": groups * per_group, MARK: True})


@checked
def gather_ratings(
    study: Study, assignment: pd.DataFrame, *, model: "RatingModel | None" = None, seed: int = 0
) -> pd.DataFrame:
    """Gather the ratings: those of the study's file, or simulated ones where it lets them be, or none.

    Parameters
    ----------
    study : Study
        From `open_study`; ``ratings`` is a table that `read_ratings` gave, saved by `save_table`.
    assignment : DataFrame
        The assignment table.
    model : RatingModel, optional
        How simulated ratings come about; by default as `choose_rating_model` says.
    seed : int, default 0
        Seed of simulated ratings.

    Returns
    -------
    DataFrame
        A ratings table, whose column ``simulated`` says what they are; no row where there are none.

    Examples
    --------
    >>> import tempfile
    >>> from visclust.study import Study
    >>> folder = Path(tempfile.mkdtemp())
    >>> study = Study(folder=folder, results=folder, name="mine", images=folder)
    >>> len(gather_ratings(study, pd.DataFrame()))
    0
    """
    ratings = read_results(study, "ratings")
    if len(ratings) or not study.simulate or assignment.empty:
        return ratings
    from visclust.ratings.simulation import (
        simulate_ratings,
    )  # only here, since SciPy's part of it takes a second

    print("SIMULATED ratings, made by a computer: nobody felt this.")
    return simulate_ratings(
        assignment, model=model or choose_rating_model(study, assignment), seed=seed
    ).ratings


@checked
def choose_rating_model(study: Study, assignment: pd.DataFrame) -> "RatingModel":
    """Choose how simulated ratings come about: the study's items and scale, the assignment's groups.

    Parameters
    ----------
    study : Study
        From `open_study`.
    assignment : DataFrame
        The assignment table.

    Returns
    -------
    RatingModel
        See `make_rating_model`.

    Examples
    --------
    >>> from visclust.study import open_study
    >>> choose_rating_model(open_study(), pd.DataFrame({"group": ["a", "b"]})).scale
    (1, 10)
    """
    check_columns(assignment, ("group",), "the assignment")
    from visclust.ratings.simulation import make_rating_model

    named = [group for group in study.groups if group in set(assignment["group"])]
    groups: Sequence[str] = [*named, *sorted(set(assignment["group"]) - set(named))]
    return make_rating_model(groups, dimensions=study.items, scale=study.scale)
