"""How many images must be annotated to see every theme: at random, and with the clusters as strata."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binom, hypergeom

from visclust.base.checks import check_whole_number
from visclust.base.columns import check_clusters
from visclust.base.copies import take_pictures
from visclust.base.provenance import recorded
from visclust.base.tables import UNASSIGNED

_POINTS = 60


class AnnotationPlan(NamedTuple):
    """What each design costs and sees, and the curve of what each further image brings."""

    plan: pd.DataFrame
    curve: pd.DataFrame


@recorded
def plan_annotation(
    clusters: pd.DataFrame,
    *,
    budget: int | None = None,
    coverage: float | None = None,
    theme_size: int = 2,
    probability: float = 0.95,
    max_per_cluster: int = 5,
    n_simulations: int = 2000,
    seed: int = 0,
) -> AnnotationPlan:
    """Compute how many images must be annotated to see every theme, or what a budget lets one see.

    A theme is a cluster, and it is seen when one of its images is annotated. Three designs are compared:
    a simple random sample of all images; one image from each theme, the largest themes first; and the
    stratified sample, which goes on to a second image of each and so forth. The second and third need the
    clusters, whose own cost (computing, and the labelled pairs that validate them) is not counted here.

    Parameters
    ----------
    clusters : DataFrame
        The clusters table (``image_id, cluster`` are enough). Where it names representatives (see
        `add_copies`), pictures are counted instead of images: nobody need annotate a near copy.
    budget : int, optional
        Images that can be annotated. Without it, the images needed are computed.
    coverage : float, default 1.0 where there is no budget
        Share of the themes to see, above 0 and up to 1.
    theme_size : int, default 2
        Clusters with fewer images are no themes.
    probability : float, default 0.95
        Chance, between 0 and 1, with which a random sample should see them.
    max_per_cluster : int, default 5
        Images from a theme at most in the stratified sample, and all but one from smaller ones.
    n_simulations : int, default 2,000
        Random orders simulated where `coverage` is below 1. With 1 the chance is computed exactly.
    seed : int, default 0
        Seed of the simulation.

    Returns
    -------
    plan : DataFrame
        A row per design ("random", "one per cluster", "stratified"): ``images`` to annotate,
        ``share_of_corpus``, ``themes_seen`` (expected) of ``themes``, ``chance`` that the wanted share of
        them is seen, ``chance_error`` (its standard error; 0 where exact), ``sure_size`` (themes of this
        size or more are all seen with the probability asked for; missing where not even the largest is),
        and ``saved``: how many images less than random, as a share. With a budget, ``saved`` compares with
        the random sample that would see as many themes on average.
    curve : DataFrame
        ``design`` ("random", "stratified"), ``images, share_seen`` (expected share of the themes),
        ``chance``, and ``reached``: True in the first row of a design where the goal is met.

    Raises
    ------
    ValueError
        If both or impossible numbers are given, or no cluster is a theme.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson, on stratified sampling and annotation cost. The chance to see
    all themes is that of the occupancy problem without replacement: Johnson and Kotz (1977), Urn Models and
    Their Application, chapter 3; by conditioning independent counts on their sum: Holst (1979), Annals of
    Probability 7.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": [str(i) for i in range(100)], "cluster": [0] * 95 + [1] * 5,
    ...                          "iteration": 1, "silhouette": 0.1})
    >>> plan_annotation(clusters).plan[["design", "images", "saved"]].round(2)
                design  images  saved
    0           random      45   0.00
    1  one per cluster       2   0.96
    2       stratified       9   0.80
    """
    sizes, n_images = _find_themes(clusters, theme_size)
    if budget is not None and coverage is not None:
        raise ValueError("Expected either a budget or a coverage, got both. Leave one out.")
    coverage = 1.0 if coverage is None else coverage
    if not (0 < coverage <= 1 and 0 < probability < 1):
        raise ValueError(
            "Expected coverage above 0 and up to 1, and a probability between 0 and 1; "
            f"got {coverage} and {probability}."
        )
    check_whole_number("max_per_cluster", max_per_cluster, least=1)
    check_whole_number("n_simulations", n_simulations, least=1)
    if budget is not None:
        check_whole_number("budget", budget, least=0)
    if budget is not None and not 1 <= budget <= n_images:
        raise ValueError(f"Expected a budget of 1 to {n_images} images, got {budget}.")
    wanted = math.ceil(coverage * len(sizes) - 1e-9)  # 0.7 * 10 is a little above 7 in float64
    waits = None
    if wanted < len(sizes):
        waits = _draw_waits(sizes, n_images, themes=wanted, draws=n_simulations, seed=seed)

    def find_chance(n: int) -> float:
        """Find the chance that a random sample of n sees the wanted themes."""
        if waits is None:
            return _chance_all_seen(sizes, n_images, n)
        return float(np.searchsorted(waits, n, side="right")) / len(waits)

    goal = _find_smallest(lambda n: find_chance(n) >= probability, wanted, n_images)
    full = int(np.minimum(max_per_cluster, np.maximum(sizes - 1, 1)).sum())
    costs = {
        "random": goal if budget is None else budget,
        "one per cluster": wanted if budget is None else min(budget, len(sizes)),
        "stratified": full if budget is None else min(budget, full),
    }
    rows = []
    for design, images in costs.items():
        is_random = design == "random"
        seen = float(min(images, len(sizes)))
        if is_random:
            seen = float(_count_expected(sizes, n_images, np.array([images]))[0])
        rival = goal if budget is None else _match_random(sizes, n_images, seen)
        chance = find_chance(images) if is_random else float(images >= wanted)
        error = math.sqrt(chance * (1 - chance) / len(waits)) if is_random and waits is not None else 0.0
        rows.append(
            {
                "design": design,
                "images": images,
                "share_of_corpus": images / n_images,
                "themes_seen": seen,
                "themes": len(sizes),
                "chance": chance,
                "chance_error": error,
                "sure_size": _find_sure_size(sizes, n_images, images, probability if is_random else None),
                "saved": 0.0 if is_random else 1 - images / rival,
            }
        )
    plan = pd.DataFrame(rows).astype({"sure_size": "Int64"})
    end = max(goal, full, budget or 0)
    # Even on the logarithmic axis, where the stratified sample shows, and on the plain one, where the random.
    spaced = [*np.geomspace(1, end, _POINTS), *np.linspace(1, end, _POINTS)]
    grid = np.unique(np.array([*spaced, goal]).round().astype(np.int64))
    shares = _count_expected(sizes, n_images, grid) / len(sizes)
    at_random = pd.DataFrame(
        {"design": "random", "images": grid, "share_seen": shares, "chance": [find_chance(n) for n in grid]}
    )
    steps = np.unique([*grid[grid < full], max(1, wanted - 1), wanted, len(sizes), full])
    stratified = pd.DataFrame(
        {
            "design": "stratified",
            "images": steps,
            "share_seen": np.minimum(steps / len(sizes), 1),
            "chance": (steps >= wanted).astype(float),
        }
    )
    curve = pd.concat([at_random, stratified], ignore_index=True)
    met = curve["chance"] >= probability
    first = curve[met].groupby("design")["images"].idxmin()
    return AnnotationPlan(plan, curve.assign(reached=curve.index.isin(first)))


def _find_themes(clusters: pd.DataFrame, theme_size: int) -> tuple[np.ndarray, int]:
    """List the sizes of the themes, the largest first, and count all images."""
    clusters = take_pictures(check_clusters(clusters))
    check_whole_number("theme_size", theme_size, least=1)
    counts = clusters.loc[clusters["cluster"].ne(UNASSIGNED), "cluster"].value_counts().to_numpy()
    sizes = np.sort(counts[counts >= theme_size])[::-1]
    if not len(sizes):
        largest = int(counts.max()) if len(counts) else 0
        raise ValueError(
            f"No cluster has {theme_size} images or more (the largest has {largest}). Lower theme_size, or "
            "cluster with a lower threshold."
        )
    return sizes.astype(np.int64), len(clusters)


def _match_random(sizes: np.ndarray, n_images: int, seen: float) -> int:
    """Find the random sample that sees as many themes on average; all of them, up to half a theme."""
    target = min(seen, len(sizes) - 0.5)
    return _find_smallest(
        lambda n: bool(_count_expected(sizes, n_images, np.array([n]))[0] >= target), 1, n_images
    )


def _find_sure_size(sizes: np.ndarray, n_images: int, n: int, probability: float | None) -> int | None:
    """Find the smallest size from which all themes are seen: surely, or with a probability if at random."""
    distinct = np.unique(sizes)
    if probability is None:
        missed = sizes[min(n, len(sizes)) :]
        sure = distinct[distinct > missed.max(initial=0)]
        return int(sure[0]) if len(sure) else None
    place = _find_smallest(
        lambda i: _chance_all_seen(sizes[sizes >= distinct[i]], n_images, n) >= probability, 0, len(distinct)
    )
    return int(distinct[place]) if place < len(distinct) else None


def _chance_all_seen(sizes: np.ndarray, n_images: int, n: int) -> float:
    """Compute the probability that a simple random sample holds an image of every theme.

    If each image were drawn by itself with probability n / n_images, the number drawn of each theme would be
    binomial and independent of the others. Given that n are drawn in all, these are the numbers of a simple
    random sample. The joint probability of "n in all and every theme seen" is a coefficient of the product
    of the themes' generating functions, each without its constant term, and is read off by a discrete
    Fourier transform. The result is exact up to rounding, some 1e-12.
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


def _count_expected(sizes: np.ndarray, n_images: int, n: np.ndarray) -> np.ndarray:
    """Count the themes that random samples of `n` (m,) images hold on average, shape (m,); exact."""
    distinct, counts = np.unique(sizes, return_counts=True)
    missed = hypergeom.pmf(0, n_images, distinct[None, :], np.asarray(n)[:, None])
    return (1 - missed) @ counts


def _draw_waits(sizes: np.ndarray, n_images: int, *, themes: int, draws: int, seed: int) -> np.ndarray:
    """Simulate how many images must be looked at, in random order, until so many themes are seen; sorted."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    waits = np.empty(draws, dtype=np.int64)
    for draw in range(draws):
        places = rng.permutation(n_images)[: len(labels)] + 1
        first = np.full(len(sizes), n_images)
        np.minimum.at(first, labels, places)
        waits[draw] = np.partition(first, themes - 1)[themes - 1]
    return np.sort(waits)


def _find_smallest(is_enough: Callable[[int], bool], low: int, high: int) -> int:
    """Find the smallest whole number that is enough, where all larger ones are too; `high` is taken to be."""
    while low < high:
        middle = (low + high) // 2
        if is_enough(middle):
            high = middle
        else:
            low = middle + 1
    return low
