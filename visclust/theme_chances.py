"""Chances that a simple random sample of images holds at least one of every theme."""

from collections.abc import Callable

import numpy as np
from scipy.stats import binom, hypergeom

__all__ = ["chance_all_seen", "count_expected", "draw_waits", "find_smallest"]


def chance_all_seen(sizes: np.ndarray, n_images: int, n: int) -> float:
    """Compute the probability that a simple random sample holds an image of every theme.

    If each image were drawn by itself with probability n / n_images, the number drawn of each theme would be
    binomial and independent of the others. Given that n are drawn in all, these are the numbers of a simple
    random sample. The joint probability of "n in all and every theme seen" is a coefficient of the product
    of the themes' generating functions, each without its constant term, and is read off by a discrete
    Fourier transform. The result is exact up to rounding, some 1e-12.

    Parameters
    ----------
    sizes : ndarray of int, shape (t,)
        Images of each theme.
    n_images : int
        Images in the corpus; those of no theme included.
    n : int
        Images drawn.

    Returns
    -------
    float
        The probability.

    Source
    ------
    The occupancy problem without replacement: Johnson and Kotz (1977), Urn Models and Their Application,
    chapter 3; conditioning independent counts on their sum: Holst (1979), Annals of Probability 7.

    Examples
    --------
    >>> round(chance_all_seen(np.array([1, 1]), 4, 2), 6)
    0.166667
    """
    if n >= n_images:
        return 1.0
    if n < len(sizes):
        return 0.0
    p = n / n_images
    # Long enough that sums which differ by it have a probability below exp(-60), after Bernstein.
    length = min(n_images + 1, int(np.ceil(20 + np.sqrt(400 + 120 * n_images * p * (1 - p)))))
    angle = np.exp(2j * np.pi * np.arange(length) / length)
    base = (1 - p) + p * angle
    product = base ** (n_images - int(sizes.sum()))
    for size, count in zip(*np.unique(sizes, return_counts=True), strict=True):
        product *= (base**size - (1 - p) ** size) ** count
    joint = float((product * angle ** (-n % length)).real.mean())
    return float(np.clip(joint / binom.pmf(n, n_images, p), 0, 1))


def count_expected(sizes: np.ndarray, n_images: int, n: np.ndarray) -> np.ndarray:
    """Count the themes that random samples of these sizes hold on average; exact.

    Parameters
    ----------
    sizes : ndarray of int, shape (t,)
        Images of each theme.
    n_images : int
        Images in the corpus.
    n : ndarray of int, shape (m,)
        Images drawn.

    Returns
    -------
    ndarray of float, shape (m,)
        Themes seen.

    Examples
    --------
    >>> count_expected(np.array([1, 1]), 4, np.array([2, 4])).tolist()
    [1.0, 2.0]
    """
    distinct, counts = np.unique(sizes, return_counts=True)
    missed = hypergeom.pmf(0, n_images, distinct[None, :], np.asarray(n)[:, None])
    return (1 - missed) @ counts


def draw_waits(sizes: np.ndarray, n_images: int, *, themes: int, draws: int, seed: int) -> np.ndarray:
    """Simulate how many images must be looked at, in random order, until so many themes are seen.

    Parameters
    ----------
    sizes : ndarray of int, shape (t,)
        Images of each theme.
    n_images : int
        Images in the corpus.
    themes : int
        Themes to see.
    draws, seed : int
        Random orders, and their seed.

    Returns
    -------
    ndarray of int, shape (draws,)
        Images looked at, sorted.

    Examples
    --------
    >>> draw_waits(np.array([2, 2]), 4, themes=1, draws=3, seed=0).tolist()
    [1, 1, 1]
    """
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    waits = np.empty(draws, dtype=np.int64)
    for draw in range(draws):
        places = rng.permutation(n_images)[: len(labels)] + 1
        first = np.full(len(sizes), n_images)
        np.minimum.at(first, labels, places)
        waits[draw] = np.partition(first, themes - 1)[themes - 1]
    return np.sort(waits)


def find_smallest(is_enough: Callable[[int], bool], low: int, high: int) -> int:
    """Find the smallest whole number that is enough, where all larger ones are enough too.

    Parameters
    ----------
    is_enough : callable
        From int to bool.
    low, high : int
        Where to look; `high` is taken to be enough.

    Returns
    -------
    int
        The number.

    Examples
    --------
    >>> find_smallest(lambda n: n * n >= 50, 0, 100)
    8
    """
    while low < high:
        middle = (low + high) // 2
        if is_enough(middle):
            high = middle
        else:
            low = middle + 1
    return low
