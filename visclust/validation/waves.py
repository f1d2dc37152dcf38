"""Several draws of pairs: what was judged of earlier ones stays beside a new one, each with its own design.

A second wave of images, another embedding or another number of pairs makes a new draw. Its pairs were drawn
from all pairs of today, those of an earlier draw from the pairs of then: their probabilities belong to two
designs and cannot stand in one sum. So each pair keeps the number of its draw, its wave.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from visclust.base.provenance import recorded
from visclust.base.tables import check_columns, check_table

WAVE = "wave"


@recorded
def keep_answered_pairs(
    pairs: pd.DataFrame,
    earlier: pd.DataFrame,
    answers: pd.DataFrame,
    *,
    images: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Keep the answered pairs of earlier draws beside those drawn now, so that no answer is lost.

    Parameters
    ----------
    pairs : DataFrame
        The pairs drawn now, as `sample_pairs` gives them.
    earlier : DataFrame
        The pairs table of before, with a column ``wave`` where it holds several draws itself.
    answers : DataFrame
        What people have answered: a pair with an ``item_id`` in it counts as answered.
    images : DataFrame, optional
        ``image_id`` of the images that there are: pairs of others cannot be shown, and are left out.

    Returns
    -------
    DataFrame
        A pairs table. Where the draw is that of before, it is `earlier`; where nobody has answered another
        pair, it is `pairs`. Otherwise the answered pairs of earlier draws come first, and all have a column
        ``wave``: the number of the draw whose ``inclusion_probability`` the pair has. A pair that is drawn
        again belongs to the last wave; its answers stand.

    Raises
    ------
    ValueError
        If a column is missing.

    Notes
    -----
    Raw scores rest on the pairs of all waves. Design-weighted ones rest on the last judged wave alone, which
    speaks for all images of its time (`score_pairs` says so in its ``reason``). Judge all pairs of the last
    wave before reading those: the ones answered before, if it holds any, show images of the first wave only.

    Examples
    --------
    >>> earlier = pd.DataFrame({"pair_id": ["p", "q"], "image_a": ["a", "a"], "image_b": ["b", "c"],
    ...                         "stratum": "random", "inclusion_probability": 0.5})
    >>> drawn = earlier.tail(1).assign(pair_id="r", image_b="d", inclusion_probability=0.25)
    >>> answers = pd.DataFrame({"item_id": ["p"]})
    >>> keep_answered_pairs(drawn, earlier, answers)[["pair_id", "inclusion_probability", "wave"]]
      pair_id  inclusion_probability  wave
    0       p                   0.50     1
    1       r                   0.25     2
    """
    for table, what in ((pairs, "the pairs drawn now"), (earlier, "the earlier pairs")):
        check_columns(table, ("pair_id", "image_a", "image_b", "inclusion_probability"), what)
    check_columns(answers, ("item_id",), "the answers")
    if images is not None:
        check_columns(images, ("image_id",), "the images")
        there = set(images["image_id"])
        earlier = earlier[earlier["image_a"].isin(there) & earlier["image_b"].isin(there)]
    if earlier.empty:
        return pairs
    waves = earlier[WAVE] if WAVE in earlier.columns else pd.Series(1, index=earlier.index)
    if _is_same_draw(pairs, earlier[waves.eq(waves.max())]):
        return check_table(earlier.reset_index(drop=True), "pairs")
    answered = earlier["pair_id"].isin(answers["item_id"]) & ~earlier["pair_id"].isin(pairs["pair_id"])
    if not answered.any():
        return pairs
    kept = earlier[answered].assign(**{WAVE: waves[answered].astype("int64")})
    drawn = pairs.assign(**{WAVE: int(waves.max()) + 1})
    return check_table(pd.concat([kept, drawn], ignore_index=True), "pairs")


def _is_same_draw(pairs: pd.DataFrame, earlier: pd.DataFrame) -> bool:
    """Tell whether two draws hold the same pairs with the same probabilities, in whatever order."""
    if len(pairs) != len(earlier) or set(pairs["pair_id"]) != set(earlier["pair_id"]):
        return False
    before = earlier.set_index("pair_id")["inclusion_probability"].reindex(pairs["pair_id"])
    return bool(np.allclose(before, pairs["inclusion_probability"], rtol=1e-9))


def find_waves(gold: pd.DataFrame, weights: object = None) -> np.ndarray | None:
    """Find the wave of each gold pair, if gold or the pairs table given as weights says so, (n,)."""
    if WAVE in gold.columns:
        return gold[WAVE].to_numpy(dtype=np.int64)
    if isinstance(weights, pd.DataFrame) and WAVE in weights.columns:
        waves = weights.drop_duplicates("pair_id").set_index("pair_id")[WAVE].reindex(gold["pair_id"])
        return waves.fillna(0).to_numpy(dtype=np.int64)
    return None


def explain_waves(gold: pd.DataFrame, weights: object) -> str:
    """Say on which wave design-weighted scores rest; nothing for one draw, or where none are asked for."""
    waves = find_waves(gold, weights) if isinstance(weights, str | pd.DataFrame) else None
    if waves is None or not len(waves):
        return ""
    last = int(waves.max())
    n_last = int((waves == last).sum())
    others = f", not on the {len(waves) - n_last} of other waves" if n_last < len(waves) else ""
    said = f"rests on the {n_last} pairs of wave {last}{others}: each wave has probabilities of its own"
    judged = gold.loc[waves == last, "wave_judged"].min() if "wave_judged" in gold.columns else 1.0
    if judged < 1:
        lean = "those answered in earlier draws before the others, so that it leans to images of then"
        said += f"; {judged:.0%} of wave {last} is judged, {lean}: judge all of it first"
    return said


def join_reasons(reasons: Iterable[str]) -> str:
    """Join reasons, leaving out those that say nothing."""
    return "; ".join(reason for reason in reasons if reason)
