"""Draw at random which respondent sees which cluster, each cluster a given number of times."""

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

__all__ = ["assign_strata"]

# Every respondent trades once a round; Carstens et al. see mixing after some tens of rounds.
_ROUNDS = 100


def assign_strata(
    totals: np.ndarray, *, n_respondents: int, load: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw a table of respondents by clusters from all that have the given sums.

    Parameters
    ----------
    totals : ndarray of int, shape (s,)
        How many respondents see each cluster: `n_respondents` at most, ``n_respondents * load`` together.
    n_respondents : int
        Respondents.
    load : int
        Clusters for each.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    ndarray of bool, shape (n_respondents, s)
        Who sees what; rows sum to `load`, columns to `totals`.

    Raises
    ------
    RuntimeError
        If the sums contradict each other.

    Source
    ------
    Carstens, Berger and Strona (2018), MethodsX 5: trades of all rows in pairs drawn at random have the
    uniform distribution over all such tables as their limit.

    Examples
    --------
    >>> seen = assign_strata(np.array([2, 1, 1]), n_respondents=2, load=2, rng=np.random.default_rng(0))
    >>> seen.sum(axis=0).tolist(), seen.sum(axis=1).tolist()
    ([2, 1, 1], [2, 2])
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
