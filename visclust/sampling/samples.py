"""Draw images, stratified by cluster or simply at random, and read from a sample how it was drawn."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import hypergeom

from visclust.base.checks import check_whole_number
from visclust.base.columns import check_clusters
from visclust.base.copies import count_copies, take_pictures
from visclust.base.origins import check_origin, check_same_clusters
from visclust.base.provenance import recorded
from visclust.base.tables import UNASSIGNED, check_table, check_used

# Probabilities are quotients of whole numbers, so that only rounding in float64 separates equal ones.
_SAME = 1e-9
_WRITTEN = 0.01  # of a weight, which a table of two decimals may have lost


class SampleDesign(NamedTuple):
    """Strata of a sample by row (n,), pictures in each (s,), the stratum of each picture of the corpus or -1.

    ``copies`` counts the images of each picture of the corpus, and ``multiples`` (n,) those of each sampled
    one: 1 where copies are not known.
    """

    strata: np.ndarray
    sizes: np.ndarray
    stratum_of_corpus: np.ndarray
    copies: np.ndarray
    multiples: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """Pictures that each row stands for: those of its stratum over rows of it."""
        return (self.sizes / np.bincount(self.strata, minlength=len(self.sizes)))[self.strata]

    @property
    def covers(self) -> np.ndarray:
        """Say of each picture of the corpus whether it lies in a stratum with sampled ones."""
        return self.stratum_of_corpus >= 0

    @property
    def covered(self) -> int:
        """Images in all strata, copies among them."""
        return int(self.copies[self.covers].sum())

    @property
    def corpus(self) -> int:
        """Images of the corpus, copies among them."""
        return int(self.copies.sum())

    def narrow(self, seen: np.ndarray) -> "SampleDesign":
        """Keep some rows, as a random part of their strata; strata without any are no longer covered."""
        left, strata = np.unique(self.strata[seen], return_inverse=True)
        if not len(left):
            raise ValueError("Expected at least one sampled image with a value, got none.")
        renamed = np.full(len(self.sizes) + 1, -1)
        renamed[left] = np.arange(len(left))
        return SampleDesign(
            strata, self.sizes[left], renamed[self.stratum_of_corpus], self.copies, self.multiples[seen]
        )


@recorded
def draw_stratified_sample(
    clusters: pd.DataFrame,
    *,
    max_per_cluster: int = 5,
    keep_singletons: bool = False,
    n_unassigned: int = 0,
    n_rest: int = 0,
    seed: int = 0,
) -> pd.DataFrame:
    """Draw min(max_per_cluster, N - 1) images at random from every cluster of N images.

    Parameters
    ----------
    clusters : DataFrame
        The clusters table (``image_id, cluster`` are enough). Where it names representatives (see
        `add_copies`), the sample is one of pictures, and N counts pictures: no near copy is drawn.
    max_per_cluster : int, default 5
        Images from a cluster at most. Smaller clusters give all but one, so clusters of one give none.
    keep_singletons : bool, default False
        Take the only image of a cluster of one.
    n_unassigned : int, default 0
        Images from the unassigned, as a stratum of their own (cluster -1), or all where they are fewer.
    n_rest : int, default 0
        Images from all that the rule leaves out, the unassigned and those alone in their cluster together, as
        one stratum; all where they are fewer. Without this, or both options above, estimates do not speak
        for them, since what had no chance to be drawn cannot be estimated. At least two show their variance.
    seed : int, default 0
        Seed of the draw.

    Returns
    -------
    DataFrame
        The sample table, by cluster: ``image_id, cluster, inclusion_probability`` (drawn / N) and
        ``weight`` (its inverse: how many images of the cluster, or pictures, each stands for).

    Raises
    ------
    ValueError
        If it is no clusters table, a number is out of range, options overlap, or nothing can be drawn.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson, sampling section: five images per cluster, N - 1 from
    smaller ones.

    Notes
    -----
    As it is printed, the paper's rule leaves a cluster of exactly N = 6 images undefined. Here it gives five,
    which is what both of its cases would give: the most from any cluster, and all but one.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": list("abcdefgh"), "cluster": [0] * 7 + [1], "iteration": 1,
    ...                          "silhouette": 0.1})
    >>> draw_stratified_sample(clusters)["inclusion_probability"].round(3).tolist()
    [0.714, 0.714, 0.714, 0.714, 0.714]
    """
    clusters = take_pictures(check_clusters(clusters))
    check_whole_number("max_per_cluster", max_per_cluster, least=1)
    check_whole_number("n_unassigned", n_unassigned, least=0)
    check_whole_number("n_rest", n_rest, least=0)
    check_whole_number("seed", seed, least=0)
    if n_rest and (keep_singletons or n_unassigned):
        raise ValueError(
            "n_rest draws from the unassigned and from clusters of one together: leave out keep_singletons "
            "and n_unassigned, or n_rest."
        )
    rng = np.random.default_rng(seed)
    # By cluster, within one in the order of the table; lists of rows cost less than tables.
    order = np.argsort(clusters["cluster"].to_numpy(), kind="stable")
    labels, starts, sizes = np.unique(
        clusters["cluster"].to_numpy()[order], return_index=True, return_counts=True
    )
    rows, probabilities = [], []
    for label, start, size in zip(labels.tolist(), starts.tolist(), sizes.tolist(), strict=True):
        if label == UNASSIGNED:
            take = min(n_unassigned, size)
        elif size == 1:
            take = int(keep_singletons)
        else:
            take = min(max_per_cluster, size - 1)
        rows.append(order[start + np.sort(rng.choice(size, take, replace=False))])
        probabilities += [take / size] * take
    if n_rest and len(rest := np.flatnonzero(_is_rest(clusters))):
        take = min(n_rest, len(rest))
        rows.append(rest[np.sort(rng.choice(len(rest), take, replace=False))])
        probabilities += [take / len(rest)] * take
    sample = clusters.iloc[np.concatenate([*rows, []]).astype(np.int64)][["image_id", "cluster"]]
    sample = sample.reset_index(drop=True).assign(inclusion_probability=probabilities)
    if sample.empty:
        raise ValueError(
            "Nothing can be drawn: every cluster has one image, or none is assigned. "
            "Use keep_singletons=True, n_unassigned=… or n_rest=…, or cluster with a lower threshold."
        )
    return check_table(sample.assign(weight=1 / sample["inclusion_probability"]), "sample")


@recorded
def draw_random_sample(clusters: pd.DataFrame, *, size: int, seed: int = 0) -> pd.DataFrame:
    """Draw a simple random sample of all images, the unassigned among them.

    Parameters
    ----------
    clusters : DataFrame
        The clusters table (``image_id, cluster`` are enough); of pictures where it names representatives.
    size : int
        Images to draw.
    seed : int, default 0
        Seed of the draw.

    Returns
    -------
    DataFrame
        The sample table; every image has the inclusion probability size / n.

    Raises
    ------
    ValueError
        If there are not that many images.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": list("abcd"), "cluster": [0, 0, 1, -1], "iteration": 1,
    ...                          "silhouette": 0.1})
    >>> draw_random_sample(clusters, size=2)["weight"].tolist()
    [2.0, 2.0]
    """
    clusters = take_pictures(check_clusters(clusters))
    check_whole_number("size", size, least=0)
    if not 1 <= size <= len(clusters):
        raise ValueError(f"Expected a sample of 1 to {len(clusters)} images, got size={size}.")
    rows = np.sort(np.random.default_rng(seed).choice(len(clusters), size, replace=False))
    sample = clusters.iloc[rows][["image_id", "cluster"]].reset_index(drop=True)
    probability = size / len(clusters)
    return check_table(sample.assign(inclusion_probability=probability, weight=1 / probability), "sample")


@recorded
def compare_samples(clusters: pd.DataFrame, sample: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Set a stratified sample beside one simple random sample of the same size, cluster by cluster.

    Parameters
    ----------
    clusters : DataFrame
        The clusters table that the sample was drawn from.
    sample : DataFrame
        From `draw_stratified_sample`.
    seed : int, default 0
        Seed of the random sample.

    Returns
    -------
    DataFrame
        A row per cluster (the unassigned left out), the largest first: ``cluster``, ``size`` (images),
        ``stratified`` and ``random`` (images drawn), and ``chance_missed``: the exact probability that a
        simple random sample of this size holds no image of the cluster.

    Raises
    ------
    ValueError
        If a sampled image is not in the clusters table, or in another cluster there, or the record of the
        sample says that it was drawn from other clusters.

    Source
    ------
    The chance is hypergeometric; the comparison is that of Casas et al. on stratified sampling.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": list("abcdef"), "cluster": [0, 0, 0, 0, 1, 1],
    ...                          "iteration": 1, "silhouette": 0.1})
    >>> compare_samples(clusters, draw_stratified_sample(clusters))[["size", "stratified", "chance_missed"]]
       size  stratified  chance_missed
    0     4           3       0.000000
    1     2           1       0.066667
    """
    sample, clusters = _check_drawn_from(sample, clusters)
    random = draw_random_sample(clusters, size=len(sample), seed=seed)
    assigned = clusters.loc[clusters["cluster"].ne(UNASSIGNED), "cluster"]
    sizes = assigned.value_counts().rename_axis("cluster").rename("size").reset_index()
    drawn = {
        name: sizes["cluster"].map(table["cluster"].value_counts()).fillna(0).astype("int64")
        for name, table in (("stratified", sample), ("random", random))
    }
    missed = hypergeom.pmf(0, len(clusters), sizes["size"], len(sample))
    return sizes.assign(**drawn, chance_missed=missed).sort_values(
        ["size", "cluster"], ascending=[False, True], ignore_index=True
    )


@recorded
def summarize_samples(
    clusters: pd.DataFrame, sample: pd.DataFrame, *, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Summarize a stratified sample and random ones of the same size: clusters reached, smallest found.

    Parameters
    ----------
    clusters : DataFrame
        The clusters table that the sample was drawn from.
    sample : DataFrame
        From `draw_stratified_sample`.
    draws : int, default 1,000
        Random samples to draw.
    seed : int, default 0
        Seed of these draws.

    Returns
    -------
    DataFrame
        Rows "stratified" and "random, on average" (over the draws), with ``images``; ``clusters_reached`` of
        ``clusters``; ``smallest_reached``, images of the smallest cluster in the sample;
        ``largest_missed``, images of the largest that is not in it (0 where none is missed); and
        ``effective_size`` after Kish, (sum of weights)² / sum of squared weights: the size of an unweighted
        sample with the same standard error for a value that has nothing to do with the clusters. For a
        value that differs between clusters see ``n_effective`` of `estimate_corpus`.

    Raises
    ------
    ValueError
        If the sample was drawn from other images or clusters.

    Source
    ------
    Kish (1965), Survey Sampling, section 11.7; the comparison is that of Casas et al.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": list("abcdefgh"), "cluster": [0] * 5 + [1] * 3,
    ...                          "iteration": 1, "silhouette": 0.1})
    >>> summarize_samples(clusters, draw_stratified_sample(clusters))[["images", "clusters_reached"]]
       images  clusters_reached
    0       6               2.0
    1       6               2.0
    """
    sample, clusters = _check_drawn_from(sample, clusters)
    check_whole_number("draws", draws, least=1)
    assigned = clusters.loc[clusters["cluster"].ne(UNASSIGNED), "cluster"]
    sizes = assigned.value_counts(sort=False)
    loose = len(clusters) - len(assigned)
    drawn = np.random.default_rng(seed).multivariate_hypergeometric(
        [*sizes, loose], len(sample), size=draws, method="marginals"
    )
    rows = []
    for name, counts, weights in (
        ("stratified", sizes.index.isin(sample["cluster"])[None, :], sample["weight"].to_numpy()),
        ("random, on average", drawn[:, :-1] > 0, np.ones(len(sample))),
    ):
        smallest = np.where(counts, sizes.to_numpy(), len(clusters)).min(axis=1)
        largest = np.where(counts, 0, sizes.to_numpy()).max(axis=1)
        rows.append(
            {
                "sample": name,
                "images": len(sample),
                "clusters_reached": float(counts.sum(axis=1).mean()),
                "clusters": len(sizes),
                "smallest_reached": float(smallest.mean()),
                "largest_missed": float(largest.mean()),
                "effective_size": float(weights.sum() ** 2 / (weights**2).sum()),
            }
        )
    return pd.DataFrame(rows)


def find_design(sample: pd.DataFrame, clusters: pd.DataFrame, *, design: str = "auto") -> SampleDesign:
    """Find out whether a sample is stratified by cluster or simply random, from its probabilities.

    Where they fit both, "auto" takes stratified. A simple random sample is one stratum.
    """
    sample, clusters = check_sample(sample), check_clusters(clusters)
    pictures, counted = take_pictures(clusters), count_copies(clusters)
    cluster_of = clusters.set_index("image_id")["cluster"]
    known = sample["image_id"].map(cluster_of)
    standing = pd.Index(pictures["image_id"]).get_indexer(sample["image_id"]) >= 0
    if (copied := ~standing & known.notna()).any():
        raise ValueError(
            f"{int(copied.sum())} sampled images are near copies, which follow the picture that stands for "
            f"them (the first is {sample.loc[copied, 'image_id'].iloc[0]!r}). Draw the sample from these "
            "clusters again, or give them without the column representative."
        )
    if known.isna().any() or (known.to_numpy() != sample["cluster"].to_numpy()).any():
        raise ValueError(
            f"{int((known.to_numpy() != sample['cluster'].to_numpy()).sum())} sampled images are not in the "
            "clusters table, or in another cluster there. Give the clusters that the sample was drawn from."
        )
    check_origin(sample, clusters, what="the sample", made_from="the clusters")
    clusters, copies = pictures, counted.to_numpy()
    multiples = counted.reindex(sample["image_id"]).to_numpy()
    probability = sample["inclusion_probability"].to_numpy(float)
    # The strata are the clusters, or those of two or more and the rest together (n_rest).
    together = clusters["cluster"].where(~_is_rest(clusters), UNASSIGNED)
    for stratum in (clusters["cluster"], together) if design != "random" else ():
        mine = stratum.set_axis(clusters["image_id"])[sample["image_id"]].to_numpy()
        labels, strata = np.unique(mine, return_inverse=True)
        sizes = stratum.value_counts().reindex(labels).to_numpy()
        places = pd.Index(labels).get_indexer(stratum)
        if np.allclose(probability, (np.bincount(strata) / sizes)[strata], rtol=_SAME, atol=0):
            return SampleDesign(strata, sizes, places, copies, multiples)
    if design != "stratified" and np.allclose(probability, len(sample) / len(clusters), rtol=_SAME, atol=0):
        one = np.zeros(len(sample), dtype=np.int64)
        return SampleDesign(
            one, np.array([len(clusters)]), np.zeros(len(clusters), dtype=np.int64), copies, multiples
        )
    raise ValueError(
        "Expected the inclusion probabilities of a "
        f"{design if design != 'auto' else 'stratified or a simple random'} sample of these clusters; they "
        "are others. If rows of the sample were removed, give it whole and leave their values missing "
        "(missing='adjust')."
    )


def name_left_out(clusters: pd.DataFrame, covers: np.ndarray) -> str:
    """Say in words which images an estimate does not speak for; empty where it speaks for all.

    `covers` (n,) says of each picture of the clusters whether it lies in a stratum with sampled ones.
    """
    pictures, counted = take_pictures(clusters), count_copies(clusters).to_numpy()
    loose = pictures["cluster"].eq(UNASSIGNED).to_numpy()
    alone = _is_rest(pictures).to_numpy() & ~loose
    parts = {"unassigned": loose, "alone in a cluster": alone, "in clusters without a value": ~loose & ~alone}
    numbers = {name: int(counted[part & ~covers].sum()) for name, part in parts.items()}
    return ", ".join(f"{number:,} {name}" for name, number in numbers.items() if number)


def _is_rest(clusters: pd.DataFrame) -> pd.Series:
    """Say of each picture whether it is unassigned or alone in its cluster."""
    sizes = clusters["cluster"].map(clusters["cluster"].value_counts())
    return clusters["cluster"].eq(UNASSIGNED) | sizes.eq(1)


def check_sample(sample: pd.DataFrame, *, weighted: bool = True) -> pd.DataFrame:
    """Check that a table is a sample with at least one image, and give it with its weights.

    ``image_id, cluster`` are enough where nothing is weighed; otherwise ``inclusion_probability`` is needed
    too, whose inverse is the ``weight`` where there is none.
    """
    sample = check_clusters(sample, "the sample table")
    if sample.empty:
        raise ValueError("Expected a sample with at least one image, got an empty table. Draw it again.")
    if not weighted:
        return sample
    check_used(sample, "sample", ["inclusion_probability"])
    chances = sample["inclusion_probability"].to_numpy(dtype=float, na_value=np.nan)
    if not ((chances > 0) & (chances <= 1)).all():
        wrong = sample.loc[~((chances > 0) & (chances <= 1))].iloc[0]
        raise ValueError(
            f"Expected inclusion probabilities above 0 and up to 1 in the sample table, got "
            f"{wrong['inclusion_probability']!r} of image {wrong['image_id']!r}. "
            "Give the sample as it was drawn."
        )
    if "weight" in sample.columns:
        check_weights(sample, chances)
        return check_used(sample, "sample", ["weight"])
    return sample.assign(weight=1 / chances)


def check_weights(sample: pd.DataFrame, chances: np.ndarray) -> None:
    """Check that weights are what the probabilities of inclusion say, up to rounding of what was written."""
    weights = pd.to_numeric(sample["weight"], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    apart = ~(np.abs(weights * chances - 1) <= _WRITTEN)
    if apart.any():
        first = int(np.flatnonzero(apart)[0])
        raise ValueError(
            f"Expected each weight of the sample table to be one over its inclusion_probability, as drawn; "
            f"{int(apart.sum())} are not, such as {weights[first]:g} of image "
            f"{sample['image_id'].iloc[first]!r} with the probability {chances[first]:g}. Give the sample as "
            "it was drawn."
        )


def _check_drawn_from(sample: pd.DataFrame, clusters: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Check a sample and the clusters that it was drawn from, and give both."""
    sample, clusters = check_sample(sample), check_clusters(clusters)
    check_same_clusters(sample, clusters, what="the sample")
    return sample, take_pictures(clusters)
