"""Assign sampled images to respondents: equal loads, even ratings, one image of a cluster per person.

Where that cannot be, it says which smallest change would let it.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from visclust.base.cells import fold_identity
from visclust.base.checks import check_whole_number
from visclust.base.provenance import recorded
from visclust.base.simulated import mark_simulated
from visclust.base.tables import UNASSIGNED, check_columns, check_table
from visclust.sampling.samples import check_sample

# Every respondent trades once a round; Carstens et al. see mixing after some tens of rounds.
_ROUNDS = 100


@recorded
def assign_respondents(
    sample: pd.DataFrame,
    respondents: pd.DataFrame,
    *,
    per_respondent: int = 8,
    groups: str | None = "group",
    seed: int = 0,
) -> pd.DataFrame:
    """Assign images to respondents so that every group of respondents rates every image.

    Each respondent rates the same number of images, each from another cluster, in an order drawn at random.
    Within a group, ratings per image are as even as the numbers allow: they differ by one at most, unless
    a cluster holds more images than that leaves respondents for. Images that one group rates once more
    than others are, as far as possible, those that earlier groups rated once less.

    Among all ways to give clusters to respondents with these numbers, one is drawn at random: SciPy's
    maximum flow finds a first, and trades between respondents drawn at random make it forget its origin.

    Parameters
    ----------
    sample : DataFrame
        The sample table. Unassigned images (cluster -1) share no theme: each counts as its own cluster.
    respondents : DataFrame
        ``respondent``, a row each, and the column that `groups` names.
    per_respondent : int, default 8
        Images for each respondent.
    groups : str or None, default "group"
        Column that holds each respondent's group; with None all are one group, "all".
    seed : int, default 0
        Seed of everything that is drawn.

    Returns
    -------
    DataFrame
        The assignment table, by respondent (in the order given) and position:
        ``respondent, group, position`` (from 1), ``image_id, cluster``; ``simulated`` where a column of the
        respondents marks them so.

    Raises
    ------
    ValueError
        If a table is not usable, or no such assignment exists. The message then says why, and which
        numbers would do.

    Notes
    -----
    One rating of every image by each group is what a design must hold at least: of two groups 1 + 1. With the
    paper's numbers there are more: 360 respondents of a party rate eight images each, 2,880 ratings of 1,087
    images, which is 2.65 an image and party. Since nobody rates a part of an image, some images get 2 and
    the others 3 from a party. With 1 + 1 alone 136 respondents of each party would do (1,087 / 8), but a
    single rating leaves nothing to tell a respondent's own way of rating from the image.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson, section on the survey: 720 respondents rate eight images
    each. Uniform draws by trades: Carstens, Berger and Strona (2018), "A unifying framework for fast
    randomization of ecological networks with fixed (node) degrees", MethodsX 5.

    Examples
    --------
    >>> sample = pd.DataFrame({"image_id": list("abcd"), "cluster": [0, 0, 1, 2],
    ...                        "inclusion_probability": 0.5, "weight": 2.0})
    >>> respondents = pd.DataFrame({"respondent": ["r1", "r2"], "group": "D"})
    >>> assigned = assign_respondents(sample, respondents, per_respondent=2)
    >>> sorted(assigned["image_id"])
    ['a', 'b', 'c', 'd']
    >>> assigned["position"].tolist()
    [1, 2, 1, 2]
    """
    sample = check_sample(sample, weighted=False)
    check_whole_number("per_respondent", per_respondent, least=1)
    by_group = _list_groups(respondents, groups)
    strata = number_strata(sample)
    sizes = np.bincount(strata)
    _refuse_impossible(
        sizes,
        {group: len(names) for group, names in by_group.items()},
        per_respondent=per_respondent,
        n_loose=int(sample["cluster"].eq(UNASSIGNED).sum()),
    )
    rng = np.random.default_rng(seed)
    rated = np.zeros(len(sample), dtype=np.int64)
    parts = []
    for group, names in by_group.items():
        counts = even_out_ratings(strata, rated=rated, n_respondents=len(names), load=per_respondent, rng=rng)
        totals = np.bincount(strata, weights=counts).astype(np.int64)
        given = _assign_strata(totals, n_respondents=len(names), load=per_respondent, rng=rng)
        rows = _pick_images(given, strata, counts, rng=rng)
        parts.append(
            pd.DataFrame(
                {
                    "respondent": np.repeat(names, per_respondent),
                    "group": group,
                    "position": np.tile(np.arange(1, per_respondent + 1), len(names)),
                    "image_id": sample["image_id"].to_numpy()[rows],
                    "cluster": sample["cluster"].to_numpy()[rows],
                }
            )
        )
        rated += counts
    table = pd.concat(parts, ignore_index=True)
    order = pd.Series(np.arange(len(respondents)), index=respondents["respondent"].astype(str))
    table = table.iloc[np.lexsort((table["position"], table["respondent"].map(order)))]
    return mark_simulated(check_table(table.reset_index(drop=True), "assignment"), respondents)


def _list_groups(respondents: pd.DataFrame, groups: str | None) -> dict[str, np.ndarray]:
    """List the respondents of each group, in the order given."""
    needed = ["respondent"] + ([groups] if groups is not None else [])
    hint = "Name the column of groups with groups=…, or use groups=None for one group."
    check_columns(respondents, needed, "the respondents", hint=hint)
    if not len(respondents):
        raise ValueError("Expected at least one respondent, got an empty table.")
    if respondents[needed].isna().any(axis=None):
        raise ValueError(f"Expected a value in {needed} of every respondent; some are missing. Fill them in.")
    names = respondents["respondent"].astype(str)
    if names.duplicated().any():
        raise ValueError(
            f"Expected a row per respondent; {names[names.duplicated()].iloc[0]!r} comes twice. Remove one."
        )
    if (alike := names.map(fold_identity)).duplicated().any():
        one, other, *_ = names[alike.eq(alike[alike.duplicated()].iloc[0])]
        raise ValueError(
            "Expected respondents whose names differ by more than case, spaces and accents typed in two "
            f"ways, got {one!r} and {other!r}, who would be one person everywhere. Rename one."
        )
    labels = respondents[groups].astype(str) if groups is not None else pd.Series("all", respondents.index)
    return {
        str(label): names[labels.eq(label)].to_numpy(dtype=object) for label in dict.fromkeys(labels.tolist())
    }


def _refuse_impossible(
    sizes: np.ndarray, n_respondents: Mapping[str, int], *, per_respondent: int, n_loose: int = 0
) -> None:
    """Raise an error if no assignment exists.

    With loads equal and one image of a cluster per respondent, one exists exactly if there are as many
    clusters as a respondent rates images, the ratings of each group reach all images, and no cluster has
    more images than a group has respondents: where all row sums are equal, these three imply the conditions
    of Gale and Ryser for a table of 0 and 1. `sizes` counts the images of each cluster; every unassigned
    image is a cluster of its own, and `n_loose` says how many those are.
    """
    n, s, largest = int(sizes.sum()), len(sizes), int(sizes.max())
    reasons = []
    if per_respondent > s:
        reasons.append(
            f"each respondent should rate {per_respondent} images of different clusters, but the sample has "
            f"{s} cluster{'s' * (s > 1)}"
        )
    for group, people in n_respondents.items():
        if people * per_respondent < n:
            reasons.append(
                f"group {group!r} gives {people} x {per_respondent} = {people * per_respondent} ratings, "
                f"fewer than the {n} images"
            )
        if people < largest:
            reasons.append(
                f"group {group!r} has {people} respondents, but one cluster has {largest} images and nobody "
                "may see two of them"
            )
    if not reasons:
        return
    changes = _list_changes(sizes, n_respondents, per_respondent, n_loose)
    raise ValueError(
        f"No such assignment exists: {'; '.join(reasons)}. Each of these changes alone would do: "
        f"{'; or '.join(changes)}."
    )


def _list_changes(sizes: np.ndarray, n_respondents: Mapping[str, int], load: int, n_loose: int) -> list[str]:
    """List the smallest change of each kind that makes the design possible."""
    n, s, largest = int(sizes.sum()), len(sizes), int(sizes.max())
    fewest = min(n_respondents.values())
    usual = min(load, s)
    changes = []
    if fewest >= largest and -(-n // fewest) <= s:
        wanted = -(-n // fewest) if usual * fewest < n else usual
        if wanted != load:
            changes.append(f"per_respondent={wanted}")
    needed = max(-(-n // usual), largest)
    short = {group: needed - people for group, people in n_respondents.items() if people < needed}
    if short:
        more = ", ".join(f"{missing} more in group {group!r}" for group, missing in short.items())
        also = "" if usual == load else f" with per_respondent={usual}"
        changes.append(f"{needed} respondents in every group ({more}){also}")
    if usual == load:
        in_clusters = np.sort(sizes)[n_loose:] if n_loose else sizes  # loose images have size 1: the smallest
        for most in range(min(largest - 1, fewest), 0, -1):
            left = int(np.minimum(in_clusters, most).sum()) + n_loose
            if left <= fewest * load:
                changes.append(
                    f"{most} image{'s' * (most > 1)} of a cluster at most (draw the sample with "
                    f"max_per_cluster={most}: {left} images)"
                )
                break
    return changes


def number_strata(sample: pd.DataFrame) -> np.ndarray:
    """Give numbers to what a respondent may see once: the clusters, and each unassigned image by itself."""
    cluster = sample["cluster"].to_numpy()
    loose = cluster == UNASSIGNED
    numbers = np.empty(len(sample), dtype=np.int64)
    codes = np.unique(cluster[~loose], return_inverse=True)[1]
    numbers[~loose] = codes
    numbers[loose] = np.arange(loose.sum()) + (codes.max() + 1 if len(codes) else 0)
    return numbers


def even_out_ratings(
    strata: np.ndarray, *, rated: np.ndarray, n_respondents: int, load: int, rng: np.random.Generator
) -> np.ndarray:
    """Say how often each image is rated in a group: as evenly as the room in the clusters allows.

    `strata` is the cluster of each image, from `number_strata`, and `rated` how often earlier groups rate it:
    those rated less come first where not all can have one more. The ratings of a cluster sum to
    `n_respondents` at most.
    """
    counts = np.zeros(len(strata), dtype=np.int64)
    room = np.full(strata.max() + 1, n_respondents)
    left = n_respondents * load
    while left:
        # One more for every image that can have one, or for as many as ratings are left.
        open_images = np.flatnonzero(room[strata] > 0)
        # Images rated less by earlier groups come first; chance decides among equals.
        order = open_images[np.lexsort((rng.random(len(open_images)), rated[open_images]))]
        place = pd.Series(strata[order]).groupby(strata[order]).cumcount().to_numpy()
        order = order[place < room[strata[order]]][:left]
        counts[order] += 1
        np.subtract.at(room, strata[order], 1)
        left -= len(order)
    return counts


def _assign_strata(
    totals: np.ndarray, *, n_respondents: int, load: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw who sees which cluster, a table of respondents by clusters, from all that have the given sums.

    `totals` says how many respondents see each cluster. Trades of all rows in pairs drawn at random have the
    uniform distribution over all such tables as their limit (Carstens, Berger and Strona 2018).
    """
    given = _find_first(totals, n_respondents, load)
    for _ in range(_ROUNDS if n_respondents > 1 else 0):
        _trade(given, rng)
    return given


def _find_first(totals: np.ndarray, n_respondents: int, load: int) -> np.ndarray:
    """Find one table by maximum flow: source, respondents, clusters, sink."""
    s = len(totals)
    source, sink = n_respondents + s, n_respondents + s + 1
    people, strata = np.arange(n_respondents), n_respondents + np.arange(s)
    start = np.concatenate([np.full(n_respondents, source), np.repeat(people, s), strata])
    end = np.concatenate([people, np.tile(strata, n_respondents), np.full(s, sink)])
    room = np.concatenate([np.full(n_respondents, load), np.ones(n_respondents * s, dtype=int), totals])
    # Older SciPy's maximum_flow takes nothing but 32-bit numbers, for places as well as for capacities.
    places = (start.astype(np.int32), end.astype(np.int32))
    network = csr_array((room.astype(np.int32), places), shape=(sink + 1, sink + 1))
    found = maximum_flow(network, source, sink)
    if not found.flow_value == n_respondents * load == totals.sum():
        raise RuntimeError(
            f"Expected {n_respondents * load} ratings to fit, got room for {found.flow_value}: the design "
            "should have been refused before. Please report this."
        )
    return found.flow[:n_respondents, n_respondents : n_respondents + s].toarray() > 0


def _trade(given: np.ndarray, rng: np.random.Generator) -> None:
    """Let respondents in random pairs pool the clusters that only one of the two sees, and deal them anew."""
    order = rng.permutation(len(given))
    half = len(order) // 2
    one, other = order[:half], order[half : 2 * half]
    first, second = given[one], given[other]
    single = first ^ second
    keys = np.where(single, rng.random(single.shape), 2.0)
    rank = np.empty(single.shape, dtype=np.int64)
    np.put_along_axis(rank, np.argsort(keys, axis=1), np.arange(single.shape[1])[None, :], axis=1)
    dealt = single & (rank < (first & ~second).sum(axis=1)[:, None])
    both = first & second
    given[one], given[other] = both | dealt, both | (single & ~dealt)


def _pick_images(
    given: np.ndarray, strata: np.ndarray, counts: np.ndarray, *, rng: np.random.Generator
) -> np.ndarray:
    """Give each respondent one image of each of the clusters given, in an order drawn at random."""
    who, stratum = np.nonzero(given)
    # Both lists in the order of the clusters, each shuffled within a cluster, and matched by place.
    people = np.lexsort((rng.random(len(who)), stratum))
    images = np.repeat(np.arange(len(strata)), counts)
    images = images[np.lexsort((rng.random(len(images)), strata[images]))]
    rows = np.empty(len(who), dtype=np.int64)
    rows[people] = images
    return rows[np.lexsort((rng.random(len(who)), who))]
