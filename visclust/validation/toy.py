"""A toy that shows what precision and recall of pairs mean: ten images, two letters, three clusterings."""

from itertools import combinations

import altair as alt
import pandas as pd

from visclust.base.charts import GRAY, ORANGE, colour_by, drawn
from visclust.base.provenance import recorded
from visclust.base.tables import check_columns
from visclust.validation.scores import score_pairs

_BLUE, _PALE = "#3b6fb6", "#f0f0f0"
_LETTERS = "AAAAABBBBB"
_CLUSTERINGS = {
    "Perfect": [0] * 5 + [1] * 5,
    "One cluster": [0] * 10,
    "Each letter split": [0, 0, 0, 1, 1, 2, 2, 2, 3, 3],
}


@recorded
def score_pair_toy() -> pd.DataFrame:
    """Score three clusterings of five images A and five images B over all 45 pairs, 20 of them the same.

    Returns
    -------
    DataFrame
        One row per clustering and image: ``clustering, image_id, letter, cluster``, ``place`` (in its
        cluster, from 1), ``size`` (of its cluster), and ``precision, recall, f1, mean_precision_recall`` of
        the clustering.

    Source
    ------
    Casas et al., "Automated Visual Clustering …", Figure 4.

    Examples
    --------
    >>> toy = score_pair_toy().drop_duplicates("clustering").set_index("clustering")
    >>> toy[["precision", "recall"]].round(3)
                       precision  recall
    clustering
    Perfect                1.000     1.0
    One cluster            0.444     1.0
    Each letter split      1.000     0.4
    """
    ids = [f"{letter}{number % 5 + 1}" for number, letter in enumerate(_LETTERS)]
    pairs = list(combinations(ids, 2))
    gold = pd.DataFrame(pairs, columns=["image_a", "image_b"])
    gold["pair_id"] = gold["image_a"] + "-" + gold["image_b"]
    gold["same"] = gold["image_a"].str[0] == gold["image_b"].str[0]
    parts = []
    for name, labels in _CLUSTERINGS.items():
        images = pd.DataFrame({"image_id": ids, "cluster": labels, "iteration": 0, "silhouette": 0.0})
        scores = score_pairs(images, gold, n_bootstrap=1).set_index("measure")["estimate"]
        by_cluster = images.groupby("cluster")["image_id"]
        parts.append(
            pd.DataFrame(
                {
                    "clustering": name,
                    "image_id": ids,
                    "letter": list(_LETTERS),
                    "cluster": labels,
                    "place": by_cluster.cumcount() + 1,
                    "size": by_cluster.transform("size"),
                    **scores.drop("coverage").to_dict(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


@drawn
def plot_pair_toy(toy: pd.DataFrame, *, width: int = 250, height: int = 150) -> alt.HConcatChart:
    """Draw the toy that shows what precision and recall of pairs mean.

    Parameters
    ----------
    toy : DataFrame
        What `score_pair_toy` returns.
    width, height : int, pixels
        Of each panel.

    Returns
    -------
    altair.HConcatChart
        One panel per clustering: a box per cluster, a disc per image, the scores above.

    Source
    ------
    Casas et al., "Automated Visual Clustering …", Figure 4.

    Examples
    --------
    >>> len(plot_pair_toy(score_pair_toy()).hconcat)
    3
    """
    check_columns(toy, ("clustering", "cluster", "letter", "place", "size", "precision", "recall"), "the toy")
    x = alt.X("place:Q", axis=None, scale=alt.Scale(domain=[0.3, int(toy["size"].max()) + 0.7], nice=False))
    rows = sorted(toy["cluster"].unique().tolist())
    y = alt.Y("cluster:N", axis=None, scale=alt.Scale(domain=rows, paddingInner=0.25, paddingOuter=0.1))
    colour = colour_by("letter", {"A": _BLUE, "B": ORANGE}, title="What people see")
    panels = []
    for name, part in toy.groupby("clustering", sort=False):
        first = part.iloc[0]
        boxes = (
            alt.Chart(part.drop_duplicates("cluster"))
            .mark_bar(color=_PALE, stroke=GRAY, cornerRadius=6)
            .transform_calculate(left="0.4", right="datum.size + 0.6")
            .encode(x=alt.X("left:Q", axis=None), x2="right:Q", y=y)
        )
        discs = alt.Chart(part).mark_circle(size=260, opacity=1).encode(x=x, y=y, color=colour)
        letters = (
            alt.Chart(part).mark_text(color="white", fontWeight="bold").encode(x=x, y=y, text="letter:N")
        )
        title = alt.TitleParams(
            str(name),
            subtitle=f"Precision {first['precision']:.3g}, recall {first['recall']:.3g}",
            anchor="start",
        )
        panels.append((boxes + discs + letters).properties(width=width, height=height, title=title))
    return alt.hconcat(*panels, spacing=25).configure_view(stroke=None)
