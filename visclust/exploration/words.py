"""Words that the posts of a cluster use more than the other posts do, by log-odds with a prior.

Texts are split into words and hashtags in any script that puts spaces between its words.
"""

import html
import re
import unicodedata
import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import regex
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from visclust.base.checks import check_numbers, checked
from visclust.base.columns import check_clusters
from visclust.base.provenance import recorded
from visclust.base.tables import UNASSIGNED, check_posts, check_table

_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|\b(?:t\.co|pic\.twitter\.com)/\S+", re.IGNORECASE)
_RETWEET = re.compile(r"^\s*RT(?=\s+@)")
_MENTION = re.compile(r"\S+@\S+\.\w+|@\w+")

# Inside a word stand combining marks too, which `re` takes for its end, and the two joiners, which are
# letters' neighbours in Persian and in Indic scripts.
_START, _INSIDE = r"[\p{L}\p{N}_]", r"[\p{L}\p{N}\p{M}_\u200c\u200d]"
_WORD = regex.compile(rf"#{_START}{_INSIDE}*|{_START}{_INSIDE}*(?:['-]{_START}{_INSIDE}*)*")
_LETTER = regex.compile(r"[\p{L}\p{N}]")

_COLUMNS = {
    "cluster": "int64",
    "rank": "int64",
    "word": "str",
    "uses": "int64",
    "share": "float64",
    "uses_elsewhere": "int64",
    "share_elsewhere": "float64",
    "log_odds": "float64",
    "z": "float64",
}


class LogOdds(NamedTuple):
    """The weighted log-odds ratio of each word, and the same divided by its standard error."""

    log_odds: np.ndarray
    z: np.ndarray


@recorded
def list_overrepresented_words(
    clusters: pd.DataFrame,
    posts: pd.DataFrame,
    *,
    links: pd.DataFrame,
    n_words: int = 8,
    count_by: str = "posts",
    prior_size: float | None = None,
    min_uses: int = 3,
    min_z: float = 1.96,
    stop_words: str | Iterable[str] = (),
) -> pd.DataFrame:
    """List the words that the posts of each cluster use more than the other posts do.

    A post belongs to every cluster of which it shows an image, and counts once in each, however many images
    it shows and however often it repeats a word. A cluster is compared with the posts that show none of its
    images but some other image of the table, unassigned ones included.

    Parameters
    ----------
    clusters : DataFrame
        The clusters table (``image_id, cluster`` are enough).
    posts : DataFrame
        The posts table; ``post_id, author, text`` are needed.
    links : DataFrame
        The posts_images table. Links to posts or images that the other tables lack are left out.
    n_words : int, default 8
        Words per cluster at most.
    count_by : {"posts", "authors"}, default "posts"
        What a use is: a post, or an author. With "authors" each author counts once per word and cluster, so
        that one loud account does not name a cluster. Posts without an author then do not count.
    prior_size : float, optional
        Uses that the prior is worth, all words together, shared out as the whole corpus uses them. By
        default as many as the corpus has, so that the prior of a word is its count in the corpus (empirical
        Bayes): differences are drawn towards none, rare words the most. A small prior lets chance name
        clusters, and ranks a word that is used nowhere else low, since its odds there are then unknown.
    min_uses : int, default 3
        Uses in the cluster that a word needs.
    min_z : float, default 1.96
        The z that a word needs; a cluster without such a word has no row. It is a cut-off for reading and
        not a test: very many words are compared, and posts repeat each other.
    stop_words : iterable of str, optional
        Words to leave out, such as the hashtag by which the corpus was collected; upper and lower case are
        the same. One text is one word. A warning lists those that are no single word and leave nothing out.

    Returns
    -------
    DataFrame
        ``cluster, rank`` (1 has the highest z), ``word, uses`` (in the cluster), ``share`` (of its posts or
        authors), ``uses_elsewhere, share_elsewhere, log_odds, z``, by cluster and rank.

    Raises
    ------
    ValueError
        If a table or a setting is not as described.

    Source
    ------
    Monroe, Colaresi and Quinn (2008), see `weigh_log_odds`; words are split by `split_words`.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": ["a", "b"], "cluster": [0, 1], "iteration": 1,
    ...                          "silhouette": 0.1})
    >>> posts = pd.DataFrame({"post_id": [str(i) for i in range(40)], "author": [str(i) for i in range(40)],
    ...                       "text": ["The march!"] * 20 + ["The senator"] * 20})
    >>> links = pd.DataFrame({"post_id": posts["post_id"], "image_id": ["a"] * 20 + ["b"] * 20})
    >>> list_overrepresented_words(clusters, posts, links=links)["word"].tolist()
    ['march', 'senator']
    """
    clusters = check_clusters(clusters)
    check_table(links, "posts_images")
    check_posts(posts, ["author", "text"])
    if count_by not in ("posts", "authors"):
        raise ValueError(f'Expected count_by "posts" or "authors", got {count_by!r}.')
    if prior_size is not None and prior_size <= 0:
        raise ValueError(f"Expected a prior_size above 0, got {prior_size!r}.")
    if min_uses < 1:
        raise ValueError(f"Expected min_uses of 1 or more, got {min_uses!r}.")
    shown = links.merge(clusters[["image_id", "cluster"]], on="image_id")
    used = posts.loc[posts["post_id"].isin(shown["post_id"])]
    if count_by == "authors":
        used = used.dropna(subset="author")
    words, matrix = _mark_words(used["text"], stop_words)
    shown = shown.loc[shown["cluster"].ne(UNASSIGNED), ["cluster", "post_id"]].drop_duplicates()
    rows = pd.Index(used["post_id"]).get_indexer(shown["post_id"])
    cluster_ids, codes = np.unique(shown["cluster"].to_numpy()[rows >= 0], return_inverse=True)
    if not len(cluster_ids) or len(words) < 2:  # a single word has no odds
        return pd.DataFrame({name: [] for name in _COLUMNS}).astype(_COLUMNS)
    owner = np.arange(len(used)) if count_by == "posts" else pd.factorize(used["author"])[0]
    here, both, everywhere = _count_uses(matrix, owner, codes, rows[rows >= 0])

    at, column = here[:, :-1].nonzero()
    uses, shared = (np.asarray(each[at, column]).ravel() for each in (here, both))
    apart = everywhere[column] - uses + shared
    total, total_shared = (np.asarray(each[:, :-1].sum(axis=1)).ravel() for each in (here, both))
    total_apart = everywhere[:-1].sum() - total + total_shared
    # The column of ones holds the posts or authors of each cluster.
    size, size_shared = (each[:, [-1]].toarray().ravel() for each in (here, both))
    size_apart = everywhere[-1] - size + size_shared
    prior_total = float(everywhere[:-1].sum() if prior_size is None else prior_size)
    found = weigh_log_odds(
        uses,
        apart,
        total=total[at],
        total_elsewhere=total_apart[at],
        prior=prior_total * everywhere[column] / everywhere[:-1].sum(),
        prior_total=prior_total,
    )
    table = pd.DataFrame(
        {
            "cluster": cluster_ids[at],
            "word": words[column],
            "uses": uses,
            "share": uses / size[at],
            "uses_elsewhere": apart,
            "share_elsewhere": apart / np.maximum(size_apart[at], 1),
            "log_odds": found.log_odds,
            "z": found.z,
        }
    )
    table = table.loc[table["uses"].ge(min_uses) & table["z"].ge(min_z)]
    table = table.sort_values(["cluster", "z", "word"], ascending=[True, False, True])
    table = table.groupby("cluster").head(n_words)
    table.insert(1, "rank", table.groupby("cluster").cumcount() + 1)
    return table.reset_index(drop=True).astype(_COLUMNS)


@checked
def weigh_log_odds(
    uses: Any, uses_elsewhere: Any, *, total: Any, total_elsewhere: Any, prior: Any, prior_total: float
) -> LogOdds:
    """Weigh how much more a word is used in one part of a corpus than in the other.

    Parameters
    ----------
    uses, uses_elsewhere : array_like, shape (n,)
        Uses of each word in the one part, and in the other.
    total, total_elsewhere : float or array_like, shape (n,)
        Uses of all words in each part.
    prior : array_like, shape (n,)
        Parameters of the Dirichlet prior, above 0: how many uses of the word each part is given beforehand.
    prior_total : float
        Their sum over all words of the corpus, those not asked about among them.

    Returns
    -------
    LogOdds
        ``log_odds`` (natural logarithm; above 0 where the one part uses the word more) and ``z``, shape (n,).

    Raises
    ------
    ValueError
        If a word has a prior of 0 or less.

    Source
    ------
    Monroe, Colaresi and Quinn (2008), Fightin' Words: Lexical Feature Selection and Evaluation for
    Identifying the Content of Political Conflict, Political Analysis 16(4), 372-403, section 3: the log-odds
    ratio under a Dirichlet prior, and the approximation of its variance by the two inverse counts.

    Examples
    --------
    A word with 8 of 40 uses against 2 of 60, and a prior of 1 in 10: ln(9 / 41) - ln(3 / 67), divided by the
    root of 1 / 9 + 1 / 3.

    >>> found = weigh_log_odds([8], [2], total=40, total_elsewhere=60, prior=[1], prior_total=10)
    >>> found.log_odds.round(3).tolist(), found.z.round(3).tolist()
    ([1.59], [2.385])
    """
    prior, uses = check_numbers("prior", prior), check_numbers("uses", uses)
    uses_elsewhere = check_numbers("uses_elsewhere", uses_elsewhere)
    total, total_elsewhere = check_numbers("total", total), check_numbers("total_elsewhere", total_elsewhere)
    if not (prior > 0).all():
        raise ValueError("Expected a prior above 0 for every word: without it an unused word has no odds.")
    here = uses + prior
    there = uses_elsewhere + prior
    odds_here = here / (total + prior_total - here)
    odds_there = there / (total_elsewhere + prior_total - there)
    log_odds = np.log(odds_here) - np.log(odds_there)
    return LogOdds(log_odds, log_odds / np.sqrt(1 / here + 1 / there))


@checked
def split_words(text: str, *, min_length: int = 2) -> list[str]:
    """Split a text into its words and hashtags, lower-cased; addresses and mentions are left out.

    HTML entities are read as what they stand for, and compatible forms of a character are taken for one
    (Unicode NFKC). A hashtag keeps its '#', so that it is told from the same word in a sentence. A word holds
    letters, digits and combining marks, and apostrophes and hyphens inside. Emoji are not words. Scripts
    without spaces (Chinese, Thai) are not segmented: each run of letters is one word.

    Parameters
    ----------
    text : str
        What a post says.
    min_length : int, default 2
        Characters that a word must have, without the '#'.

    Returns
    -------
    list of str
        Words in their order, repeated as often as they occur.

    Examples
    --------
    >>> split_words("RT @ann: Don’t miss FAMILIES &amp; friends! #KeepTogether https://t.co/x1")
    ["don't", 'miss', 'families', 'friends', '#keeptogether']
    """
    text = unicodedata.normalize("NFKC", html.unescape(text)).replace("’", "'")
    for pattern in (_ADDRESS, _RETWEET, _MENTION):
        text = pattern.sub(" ", text)
    found = []
    for word in _WORD.findall(text.lower()):
        if not word.startswith("#"):
            word = word.strip("_")
        letters = word.lstrip("#")
        if len(letters) >= min_length and _LETTER.search(letters):
            found.append(word)
    return found


def _mark_words(texts: pd.Series, stop_words: Iterable[str]) -> tuple[np.ndarray, sparse.csr_matrix]:
    """Give the words, and a 0/1 matrix of posts by words with a last column of ones."""
    left_out = _fold_stop_words(stop_words)
    counter = CountVectorizer(
        analyzer=lambda text: [word for word in split_words(text) if word not in left_out],
        binary=True,
        dtype=np.int64,
    )
    ones = np.ones((len(texts), 1), dtype=np.int64)
    try:
        matrix = counter.fit_transform(texts.fillna(""))
    except ValueError:  # scikit-learn's word for a corpus without words
        return np.array([], dtype=object), sparse.csr_matrix(ones)
    return counter.get_feature_names_out(), sparse.csr_matrix(sparse.hstack([matrix, ones]))


def _fold_stop_words(stop_words: Iterable[str]) -> set[str]:
    """Bring stop words to the form of words; a warning names one of those that have none."""
    given = [stop_words] if isinstance(stop_words, str) else list(stop_words)
    left_out, idle = set(), []
    for word in given:
        parts = split_words(str(word), min_length=1)
        if len(parts) == 1:
            left_out.add(parts[0])
        elif parts:
            idle.append(word)
    if idle:
        warnings.warn(
            f"{len(idle)} stop words are more than one word and leave nothing out, such as {idle[0]!r}: give "
            "their words one by one.",
            stacklevel=4,
        )
    return left_out


def _count_uses(
    matrix: sparse.csr_matrix, owner: np.ndarray, codes: np.ndarray, rows: np.ndarray
) -> tuple[sparse.csr_matrix, sparse.csr_matrix, np.ndarray]:
    """Count the owners (posts themselves, or authors) that use each word.

    Gives clusters by words: owners that use it in the cluster, and those of them that use it elsewhere too;
    and per word all owners that use it.
    """
    by_owner = _mark(owner, np.arange(len(owner)), matrix.shape[0]) @ matrix
    everywhere = np.asarray(by_owner.sign().sum(axis=0)).ravel()
    pairs, pair = np.unique(np.column_stack([codes, owner[rows]]), axis=0, return_inverse=True)
    inside = sparse.coo_matrix(_mark(pair.ravel(), rows, matrix.shape[0]) @ matrix)
    # Looked up word by word: the rows of busy authors, repeated for each of their clusters, could be huge.
    everything = np.asarray(by_owner[pairs[inside.row, 1], inside.col]).ravel()
    shape, place = (int(codes.max()) + 1, matrix.shape[1]), (pairs[inside.row, 0], inside.col)
    here = sparse.csr_matrix((np.ones(inside.nnz, dtype=np.int64), place), shape=shape)
    both = sparse.csr_matrix(((everything > inside.data).astype(np.int64), place), shape=shape)
    return here, both, everywhere


def _mark(rows: np.ndarray, columns: np.ndarray, width: int) -> sparse.csr_matrix:
    """Make a 0/1 matrix with a one in each of these places, as high as the largest row."""
    ones = np.ones(len(rows), dtype=np.int64)
    return sparse.csr_matrix((ones, (rows, columns)), shape=(int(rows.max()) + 1, width))
