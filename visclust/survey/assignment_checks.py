"""Show that an assignment keeps its promises, and describe it in numbers."""

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, triu

from visclust.base.provenance import recorded
from visclust.base.tables import check_table
from visclust.sampling.samples import check_sample
from visclust.survey.assignment import even_out_ratings, number_strata

_EVENNESS = "most less fewest ratings of an image, at most"


@recorded
def check_assignment(assignment: pd.DataFrame, sample: pd.DataFrame) -> pd.DataFrame:
    """Check an assignment against the sample, promise by promise and group by group.

    Parameters
    ----------
    assignment : DataFrame
        From `assign_respondents`, or made elsewhere.
    sample : DataFrame
        The sample table that it should cover.

    Returns
    -------
    DataFrame
        A row per group and promise: ``group, promise, expected, found, holds``. Ratings per image may differ
        by one, or by as much as a cluster with more images than the respondents can see makes unavoidable.

    Raises
    ------
    ValueError
        If a table is not of its kind.

    Examples
    --------
    >>> sample = pd.DataFrame({"image_id": ["a", "b"], "cluster": [0, 1], "inclusion_probability": 0.5,
    ...                        "weight": 2.0})
    >>> assigned = pd.DataFrame({"respondent": ["r", "r"], "group": "D", "position": [1, 2],
    ...                          "image_id": ["a", "b"], "cluster": [0, 1]})
    >>> bool(check_assignment(assigned, sample)["holds"].all())
    True
    """
    check_table(assignment, "assignment")
    sample = check_sample(sample, weighted=False)
    rows = []
    cluster_of = sample.set_index("image_id")["cluster"]
    for group, part in assignment.groupby("group", sort=False):
        per_image = part["image_id"].value_counts().reindex(sample["image_id"], fill_value=0)
        loads = part.groupby("respondent").size()
        strata = part.assign(stratum=number_strata(part)).groupby("respondent")["stratum"]
        orders = part.groupby("respondent")["position"].agg(_run_from_one)
        foreign = ~part["image_id"].isin(sample["image_id"])
        moved = part.loc[~foreign, "image_id"].map(cluster_of).ne(part.loc[~foreign, "cluster"])
        promises = {
            "images without a rating": per_image.eq(0).sum(),
            "ratings of images that are not in the sample": foreign.sum(),
            "ratings under another cluster than in the sample": moved.sum(),
            "respondents who see two images of one cluster": (strata.nunique() < loads).sum(),
            "respondents whose positions do not run from 1": (~orders).sum(),
            "largest less smallest load": loads.max() - loads.min(),
        }
        rows += [(group, promise, 0, int(found)) for promise, found in promises.items()]
        rows.append((group, _EVENNESS, _find_best_spread(sample, loads), int(np.ptp(per_image))))
    table = pd.DataFrame(rows, columns=["group", "promise", "expected", "found"])
    return table.assign(holds=table["found"] <= table["expected"])


@recorded
def describe_assignment(assignment: pd.DataFrame) -> pd.DataFrame:
    """Describe an assignment in numbers, for each group and for all.

    Parameters
    ----------
    assignment : DataFrame
        The assignment table.

    Returns
    -------
    DataFrame
        A row per group and one for "all": ``respondents, images, clusters, ratings``;
        ``images_per_respondent``; ``fewest_per_image``, ``mean_per_image`` and ``most_per_image``;
        ``pairs_shared``, how many pairs of images two or more respondents see both, and ``most_shared``,
        how many respondents see the most frequent pair.

    Raises
    ------
    ValueError
        If it is no assignment table.

    Examples
    --------
    >>> assigned = pd.DataFrame({"respondent": ["r", "r"], "group": "D", "position": [1, 2],
    ...                          "image_id": ["a", "b"], "cluster": [0, 1]})
    >>> describe_assignment(assigned)[["group", "ratings", "most_per_image"]]
      group  ratings  most_per_image
    0     D        2               1
    1   all        2               1
    """
    check_table(assignment, "assignment")
    parts = [*assignment.groupby("group", sort=False), ("all", assignment)]
    return pd.DataFrame([{"group": group, **_describe(part)} for group, part in parts])


def _find_best_spread(sample: pd.DataFrame, loads: pd.Series) -> int:
    """Find the smallest difference in ratings per image that these numbers allow, 1 at least."""
    strata = number_strata(sample)
    best = even_out_ratings(
        strata,
        rated=np.zeros(len(strata)),
        n_respondents=len(loads),
        load=min(int(loads.min()), len(np.unique(strata))),
        rng=np.random.default_rng(0),
    )
    return max(1, int(np.ptp(best)))


def _run_from_one(places: pd.Series) -> bool:
    return sorted(places) == list(range(1, len(places) + 1))


def _describe(part: pd.DataFrame) -> dict[str, float]:
    per_image = part["image_id"].value_counts()
    people, images = (pd.factorize(part[name])[0] for name in ("respondent", "image_id"))
    seen = csr_array((np.ones(len(part), dtype=np.int64), (people, images)))
    together = triu(seen.T @ seen, k=1).data
    loads = part.groupby("respondent").size()
    return {
        "respondents": part["respondent"].nunique(),
        "images": len(per_image),
        "clusters": part["cluster"].nunique(),
        "ratings": len(part),
        "images_per_respondent": float(loads.mean()),
        "fewest_per_image": int(per_image.min()),
        "mean_per_image": float(per_image.mean()),
        "most_per_image": int(per_image.max()),
        "pairs_shared": int((together > 1).sum()),
        "most_shared": int(together.max(initial=0)),
    }
