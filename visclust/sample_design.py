"""Read from a sample how it was drawn: its strata, their sizes, and the images that it speaks for."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from visclust.base.tables import check_table

__all__ = ["SampleDesign", "check_sample", "find_design"]

# Probabilities are quotients of whole numbers, so that only rounding in float64 separates equal ones.
_SAME = 1e-9


class SampleDesign(NamedTuple):
    """Strata of a sample by row, images in each, and which images of the corpus lie in them."""

    strata: np.ndarray
    sizes: np.ndarray
    stratum_of_corpus: np.ndarray
    corpus: int

    @property
    def weights(self) -> np.ndarray:
        """Images that each row stands for: images of its stratum over rows of it."""
        return (self.sizes / np.bincount(self.strata, minlength=len(self.sizes)))[self.strata]

    @property
    def covers(self) -> np.ndarray:
        """Say of each image of the corpus whether it lies in a stratum with sampled images."""
        return self.stratum_of_corpus >= 0

    @property
    def covered(self) -> int:
        """Images in all strata."""
        return int(self.sizes.sum())

    def narrow(self, seen: np.ndarray) -> "SampleDesign":
        """Keep some rows, as a random part of their strata; strata without any are no longer covered."""
        left, strata = np.unique(self.strata[seen], return_inverse=True)
        if not len(left):
            raise ValueError("Expected at least one sampled image with a value, got none.")
        renamed = np.full(len(self.sizes) + 1, -1)
        renamed[left] = np.arange(len(left))
        return SampleDesign(strata, self.sizes[left], renamed[self.stratum_of_corpus], self.corpus)


def check_sample(sample: pd.DataFrame) -> None:
    """Check that a table is a sample, and that an image is in it.

    Parameters
    ----------
    sample : DataFrame
        The sample table.

    Raises
    ------
    ValueError
        If it is none, or empty.

    Examples
    --------
    >>> columns = ["image_id", "cluster", "inclusion_probability", "weight"]
    >>> check_sample(pd.DataFrame([["a", 0, 0.5, 2.0]], columns=columns))
    """
    check_table(sample, "sample")
    if sample.empty:
        raise ValueError("Expected a sample with at least one image, got an empty table. Draw it again.")


def find_design(sample: pd.DataFrame, clusters: pd.DataFrame, *, design: str = "auto") -> SampleDesign:
    """Find out whether a sample is stratified by cluster or simply random, from its probabilities.

    Parameters
    ----------
    sample : DataFrame
        From `draw_stratified_sample` or `draw_random_sample`, whole.
    clusters : DataFrame
        The clusters table that it was drawn from.
    design : {"auto", "stratified", "random"}, default "auto"
        The design that the probabilities should fit; "auto" takes stratified where they fit both.

    Returns
    -------
    SampleDesign
        A simple random sample is one stratum.

    Raises
    ------
    ValueError
        If an image or its cluster is not that of the clusters table, or the probabilities fit no design.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": list("abcd"), "cluster": [0, 0, 0, 1], "iteration": 1,
    ...                          "silhouette": 0.1})
    >>> sample = pd.DataFrame({"image_id": ["a", "c"], "cluster": 0, "inclusion_probability": 2 / 3,
    ...                        "weight": 1.5})
    >>> find_design(sample, clusters).covered
    3
    """
    check_sample(sample)
    check_table(clusters, "clusters")
    cluster_of = clusters.set_index("image_id")["cluster"]
    known = sample["image_id"].map(cluster_of)
    if known.isna().any() or (known.to_numpy() != sample["cluster"].to_numpy()).any():
        raise ValueError(
            f"{int((known.to_numpy() != sample['cluster'].to_numpy()).sum())} sampled images are not in the "
            "clusters table, or in another cluster there. Give the clusters that the sample was drawn from."
        )
    probability = sample["inclusion_probability"].to_numpy(float)
    labels, strata = np.unique(sample["cluster"], return_inverse=True)
    sizes = clusters["cluster"].value_counts().reindex(labels).to_numpy()
    places = pd.Index(labels).get_indexer(clusters["cluster"])
    if design != "random" and np.allclose(
        probability, (np.bincount(strata) / sizes)[strata], rtol=_SAME, atol=0
    ):
        return SampleDesign(strata, sizes, places, len(clusters))
    if design != "stratified" and np.allclose(probability, len(sample) / len(clusters), rtol=_SAME, atol=0):
        one = np.zeros(len(sample), dtype=np.int64)
        return SampleDesign(
            one, np.array([len(clusters)]), np.zeros(len(clusters), dtype=np.int64), len(clusters)
        )
    raise ValueError(
        "Expected the inclusion probabilities of a "
        f"{design if design != 'auto' else 'stratified or a simple random'} sample of these clusters; they "
        "are others. If rows of the sample were removed, give it whole and leave their values missing "
        "(missing='adjust')."
    )
