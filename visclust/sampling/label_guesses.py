"""Guess for every image what people would say of it, learned from the labels of a sample: cross-fitted.

Folds are drawn by lot within strata. Then the labelled images of a fold are, given all others, a random
draw from what no other fold took of their stratum, and to the model that guesses them they are as new as
any unlabelled image. An unlabelled one gets the mean of the folds' models, each weighed by the share of the
labels of its stratum that lie in its fold: so the estimate that rests on such guesses is exactly right on
average, as if the guesses had been there before anybody labelled.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

from visclust.base.arrays import take_matrix
from visclust.base.backend import to_host
from visclust.base.columns import check_clusters
from visclust.base.copies import take_picture_rows, take_pictures
from visclust.base.provenance import recorded
from visclust.base.rows import match_rows
from visclust.base.simulated import MARK, mark_simulated
from visclust.sampling.estimates import join_values
from visclust.sampling.samples import find_design

_LEAST = 5  # labels of either answer that a model needs, and twice as many ratings
_STRENGTHS = (0.001, 0.01, 0.1, 1.0)  # of which the inner folds choose; larger ones shrink less
_LEARNED_ON = 20_000  # rows from which principal components are found
_CHUNK = 65_536  # rows that are projected at a time


class LabelGuesses(NamedTuple):
    """A guess of each value for every picture, and how good those of the labelled ones were."""

    guesses: pd.DataFrame
    quality: pd.DataFrame


class Splits(NamedTuple):
    """The fold of each labelled row (n,), and how much each fold's model counts for a picture (m, folds)."""

    fold_of: np.ndarray
    shares: np.ndarray


@recorded
def guess_labels(
    sample: pd.DataFrame,
    value: str | pd.Series | pd.DataFrame,
    embedding: Any,
    *,
    clusters: pd.DataFrame,
    together: pd.Series | None = None,
    n_components: int = 50,
    folds: int = 5,
    strength: float | None = None,
    seed: int = 0,
) -> LabelGuesses:
    """Guess for every image what people would say of it, from their labels of a sample and the embedding.

    For `estimate_corpus` and `plan_labels`, which need guesses that differ within clusters and that have not
    learned from the labels that they stand beside. A regularised regression (logistic for yes or no and for
    categories, ridge for ratings) on principal components of the embedding is learned once for each fold of
    the labelled images, from the other folds: a labelled image is guessed by the model that has not seen it
    (cross-fitting), any other image by the mean of the models. In simulations, intervals that rest on such
    guesses held the truth as often as promised (``benchmarks/coverage_guesses.md``).

    Guesses of your own, such as a fine-tuned network's, go straight to `estimate_corpus`. Whether that
    network was trained on images that are labelled in the sample cannot be seen from its guesses: that is for
    you to know, and to say.

    Parameters
    ----------
    sample : DataFrame
        From `draw_stratified_sample` or `draw_random_sample`, whole.
    value : str, Series or DataFrame
        What people saw, as in `estimate_corpus`; sampled images without a value are taken as not labelled.
    embedding : Embedding or ndarray, shape (n, d), float32 or float64
        Of all images: its rows are those of `clusters`, in their order.
    clusters : DataFrame
        The clusters table that the sample was drawn from.
    together : Series, optional
        What must not be parted by the folds, indexed by image id: the representative of near copies, or the
        posts that show an image (an image id may come several times; what shares one is kept together).
    n_components : int, default 50
        Principal components to learn from; all where there are fewer columns or images.
    folds : int, default 5
        Folds, 2 or more.
    strength : float, optional
        How freely the regression follows the labels, above 0 (the C of scikit-learn, labels weighing 1 on
        average, components scaled to a mean variance of 1). Without it, of 0.001, 0.01, 0.1 and 1 what does
        best in folds within the other folds.
    seed : int, default 0
        Seed of the folds, and of the rows from which components are found where there are very many.

    Returns
    -------
    guesses : DataFrame
        ``image_id`` (of every picture of `clusters`, in their order) and a column of guesses per value, named
        as it is: the guessed share of True, or the rating; of categories a column per category. The models
        of all folds are brought to one level, the labels' weighted mean, so that shares can lie a little
        outside of 0 to 1.
    quality : DataFrame
        A row per column of guesses: ``value``; ``guess``, that column; ``kind`` ("share", "rating");
        ``labels``, and ``labels_of_it`` (those that say yes); ``correlation`` of the guesses of the labelled
        images with their labels, and ``correlation_within`` clusters (its square is about the share of the
        labels that a stratified sample saves); ``strength``, the median of the folds; ``how`` in words;
        ``reason``, why nothing could be learned (then the guess is the same for all, and saves nothing). Both
        tables have a column ``simulated`` where the sample or the values are marked so.

    Raises
    ------
    ValueError
        If the sample was not drawn from these clusters, the embedding is one of other images, no value has
        labels enough (five of either answer, or ten different ratings' labels), or two values have guesses of
        one name.

    Source
    ------
    Cross-fitted guesses beside labels: Zrnic and Candès (2024), Cross-prediction-powered inference, PNAS 121,
    for independent labels; Breidt and Opsomer (2017), Model-assisted survey estimation with modern prediction
    techniques, Statistical Science 32, for samples with known probabilities. Folds within strata and the
    weights of their models are such that the estimate of a stratified sample is exactly right on average.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> clusters = pd.DataFrame({"image_id": [str(i) for i in range(600)], "cluster": np.arange(600) % 4})
    >>> x = rng.normal(size=(600, 8))
    >>> import visclust as vc
    >>> sample = vc.draw_random_sample(clusters, size=120)
    >>> crowd = pd.Series(x[:, 0] + x[:, 1] > 0, index=clusters["image_id"], name="crowd")
    >>> found = guess_labels(sample, crowd[sample["image_id"]], x, clusters=clusters)
    >>> bool(found.quality["correlation"].item() > 0.7)
    True
    """
    if folds < 2:
        raise ValueError(f"Expected folds of 2 or more, got folds={folds!r}.")
    if strength is not None and strength <= 0:
        raise ValueError(f"Expected strength above 0, got {strength!r}.")
    if n_components < 1:
        raise ValueError(f"Expected n_components of 1 or more, got {n_components!r}.")
    design = find_design(sample, clusters)
    values = join_values(sample, value, numeric=False)
    values = {name: column for name, column in values.items() if name != MARK}
    clusters = check_clusters(clusters)
    features = _find_features(embedding, clusters, n_components, seed)
    pictures = take_pictures(clusters).reset_index(drop=True)
    place_of = pd.Index(pictures["image_id"]).get_indexer(sample["image_id"])
    groups = _join_groups(pictures["image_id"], together)
    columns: dict[str, np.ndarray] = {}
    rows = []
    for name, column in values.items():
        seen = column.notna().to_numpy()
        part = design.narrow(seen)
        places = place_of[seen]
        rng = np.random.default_rng(seed)
        splits = _split(part.strata, part.stratum_of_corpus, places, groups, folds, rng)
        for guess, kind, y in _list_targets(name, column[seen]):
            if guess in columns or guess == "image_id":
                raise ValueError(f"Two guesses would be called {guess!r}: rename the value or its category.")
            reason = _explain_shortage(y, kind)
            row = {"value": name, "guess": guess, "kind": kind, "labels": len(y)}
            row["labels_of_it"] = int(y.sum()) if kind == "share" else pd.NA
            if reason:
                columns[guess] = np.full(len(pictures), np.average(y, weights=part.weights))
                rows.append(row | {"how": "the weighted mean of the labels", "reason": reason})
                continue
            made, chosen = _cross_fit(features, y, part.weights, places, splits, kind, strength)
            columns[guess] = made
            themes = np.unique(sample["cluster"].to_numpy()[seen], return_inverse=True)[1]
            own, within = _correlate(y, made[places], part.weights, themes)
            quality = {"correlation": own, "correlation_within": within, "strength": chosen}
            model = "logistic regression" if kind == "share" else "ridge regression"
            kept = "" if together is None else ", what belongs together in one"
            how = (
                f"{model} on {features.shape[1]} principal components of the embedding, cross-fitted in "
                f"{len(np.unique(splits.fold_of))} folds within strata{kept}"
            )
            rows.append(row | quality | {"how": how, "reason": ""})
    if all(row["reason"] for row in rows):
        raise ValueError(
            f"Nothing can be guessed: of {rows[0]['guess']!r} there are {rows[0]['reason']}. Label more "
            "images, or those of clusters where both answers are likely."
        )
    names = ["value", "guess", "kind", "labels", "labels_of_it", "correlation", "correlation_within"]
    quality_table = pd.DataFrame(rows).reindex(columns=[*names, "strength", "how", "reason"])
    quality_table["labels_of_it"] = quality_table["labels_of_it"].astype("Int64")
    guesses = pd.DataFrame({"image_id": pictures["image_id"], **columns})
    sources = [sample, value]
    return LabelGuesses(mark_simulated(guesses, *sources), mark_simulated(quality_table, *sources))


def _find_features(embedding: Any, clusters: pd.DataFrame, n_components: int, seed: int) -> np.ndarray:
    """Give the pictures' principal components (m, k), scaled to a mean variance of 1."""
    x = to_host(take_matrix(match_rows(embedding, clusters), name="embedding"))
    if len(x) != len(clusters):
        raise ValueError(
            f"Expected a row of the embedding for each of the {len(clusters)} images of the clusters table, "
            f"got {len(x)}: load theirs, load_embedding(folder, name=…, image_ids=clusters['image_id'])."
        )
    _, x = take_picture_rows(clusters, x)
    some = x
    if len(x) > _LEARNED_ON:
        some = x[np.sort(np.random.default_rng(seed).choice(len(x), _LEARNED_ON, replace=False))]
    from sklearn.decomposition import PCA  # takes a second

    with np.errstate(invalid="ignore"):  # shares of no variance
        found = PCA(min(n_components, *some.shape), random_state=seed).fit(some)
    kept = found.explained_variance_ > 1e-9 * found.explained_variance_[0]
    if not kept.any():
        raise ValueError("All rows of the embedding are the same: nothing can be learned from it.")
    axes = found.components_[kept].T / np.sqrt(found.explained_variance_[kept].mean())
    starts = range(0, len(x), _CHUNK)
    return np.concatenate([(x[start : start + _CHUNK] - found.mean_) @ axes for start in starts]).astype(
        np.float64, copy=False
    )


def _join_groups(image_ids: pd.Series, together: pd.Series | None) -> np.ndarray:
    """Give each picture the number of its group (m,): those that share any value of `together`."""
    alone = np.arange(len(image_ids))
    if together is None:
        return alone
    known = together.dropna()
    places = pd.Index(image_ids).get_indexer(known.index)
    if not (places >= 0).any():
        raise ValueError(
            "None of the images is named in together: index the Series by image_id, and check the ids."
        )
    codes, names = pd.factorize(known[places >= 0])
    size = len(image_ids) + len(names)
    links = coo_matrix((np.ones(len(codes)), (places[places >= 0], len(image_ids) + codes)), (size, size))
    return connected_components(links, directed=False)[1][: len(image_ids)]


def _split(
    strata: np.ndarray,
    stratum_of_corpus: np.ndarray,
    places: np.ndarray,
    groups: np.ndarray,
    folds: int,
    rng: np.random.Generator,
) -> Splits:
    """Deal the labelled rows out to folds, stratum by stratum, groups whole; and weigh the folds' models."""
    mine, first, member = np.unique(groups[places], return_index=True, return_inverse=True)
    order = np.lexsort((rng.random(len(mine)), strata[first]))
    fold_of_group = np.empty(len(mine), dtype=np.int64)
    fold_of_group[order] = np.arange(len(mine)) % min(folds, len(mine))
    fold_of = fold_of_group[member]
    n_strata, n_folds = int(strata.max()) + 1, int(fold_of.max()) + 1
    counts = np.zeros((n_strata + 1, n_folds))
    np.add.at(counts, (strata, fold_of), 1)
    counts[n_strata] = counts[:n_strata].sum(axis=0)  # images of no stratum: as the labels are, all in all
    shares = (counts / counts.sum(axis=1, keepdims=True))[stratum_of_corpus]
    touched = np.full(int(groups.max()) + 1, -1)
    touched[mine] = fold_of_group
    fixed = np.flatnonzero(touched[groups] >= 0)  # the labelled, and what belongs together with them
    shares[fixed] = np.eye(n_folds)[touched[groups[fixed]]]
    return Splits(fold_of, shares)


def _list_targets(name: str, column: pd.Series) -> Iterator[tuple[str, str, np.ndarray]]:
    """Give the name, kind and numbers (n,) of each guess that a value needs."""
    answers = set(column.unique())
    truth = column.map(lambda each: isinstance(each, bool | np.bool_)).all()
    if truth or (pd.api.types.is_numeric_dtype(column) and answers <= {0, 1}):
        yield name, "share", column.to_numpy(dtype=float)
    elif pd.api.types.is_numeric_dtype(column):
        numbers = column.to_numpy(dtype=float)
        if np.isinf(numbers).any():
            raise ValueError(f"Expected finite numbers in {name!r}, got an infinite one. Correct it.")
        yield name, "rating", numbers
    else:
        for category in sorted(answers, key=str):
            yield str(category), "share", column.eq(category).to_numpy(dtype=float)


def _explain_shortage(y: np.ndarray, kind: str) -> str:
    """Say why nothing can be learned from labels; empty where something can."""
    if kind == "share":
        yes, no = int(y.sum()), int(len(y) - y.sum())
        if min(yes, no) < _LEAST:
            return f"{yes} labels that say yes and {no} that say no, and {_LEAST} of either are needed"
    elif len(y) < 2 * _LEAST or np.ptp(y) == 0:
        return (
            f"{len(y)} labels with {len(np.unique(y))} values, and {2 * _LEAST} labels that differ are needed"
        )
    return ""


def _cross_fit(
    features: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray,
    places: np.ndarray,
    splits: Splits,
    kind: str,
    strength: float | None,
) -> tuple[np.ndarray, float]:
    """Guess every picture (m,) by the models of the folds, and give the strength that most of them chose."""
    seen, fold_of = features[places], splits.fold_of
    guesses, chosen = np.zeros(len(features)), []
    for fold in range(splits.shares.shape[1]):
        others = fold_of != fold
        own = (seen[others], y[others], weights[others])
        chosen.append(strength or _choose_strength(*own, fold_of[others], kind))
        made = _guess(features, _fit(*own, kind, chosen[-1]), kind)
        # Models of other folds differ in their level by what the fold itself holds, which would tell of it.
        guesses += splits.shares[:, fold] * (made - made.mean())
    return guesses + np.average(y, weights=weights), float(np.median(chosen))


def _choose_strength(
    seen: np.ndarray, y: np.ndarray, weights: np.ndarray, fold_of: np.ndarray, kind: str
) -> float:
    """Choose the strength with the least squared error on inner folds; the weakest where there is one."""
    losses = np.zeros(len(_STRENGTHS))
    folds = np.unique(fold_of)
    for fold in folds if len(folds) > 1 else []:
        held = fold_of == fold
        for number, strength in enumerate(_STRENGTHS):
            model = _fit(seen[~held], y[~held], weights[~held], kind, strength)
            losses[number] += weights[held] @ (y[held] - _guess(seen[held], model, kind)) ** 2
    return _STRENGTHS[int(np.argmin(losses))]


def _fit(
    seen: np.ndarray, y: np.ndarray, weights: np.ndarray, kind: str, strength: float
) -> tuple[np.ndarray, float]:
    """Learn a regression, and give its slopes (k,) and intercept; no slope where all labels are the same."""
    from sklearn.linear_model import LogisticRegression, Ridge  # takes a second

    weights = weights / weights.mean()
    if np.ptp(y) == 0:
        share = float(np.clip(y[0], 0.5 / (len(y) + 1), 1 - 0.5 / (len(y) + 1)))
        return np.zeros(seen.shape[1]), np.log(share / (1 - share)) if kind == "share" else float(y[0])
    if kind == "rating":
        ridge = Ridge(alpha=1 / strength).fit(seen, y, sample_weight=weights)
        return ridge.coef_, float(ridge.intercept_)
    logistic = LogisticRegression(C=strength, solver="newton-cholesky").fit(seen, y, sample_weight=weights)
    return logistic.coef_[0], float(logistic.intercept_[0])


def _guess(features: np.ndarray, model: tuple[np.ndarray, float], kind: str) -> np.ndarray:
    slopes, intercept = model
    linear = features @ slopes + intercept
    return expit(linear) if kind == "share" else linear


def _correlate(
    y: np.ndarray, guess: np.ndarray, weights: np.ndarray, themes: np.ndarray
) -> tuple[float, float]:
    """Correlate labels and guesses, over all and within clusters."""
    found = []
    for codes in (np.zeros_like(themes), themes):
        sums = np.bincount(codes, weights=weights)
        a, b = (each - (np.bincount(codes, weights=weights * each) / sums)[codes] for each in (y, guess))
        scale = np.sqrt((weights * a**2).sum() * (weights * b**2).sum())
        found.append(float((weights * a * b).sum() / scale) if scale > 0 else np.nan)
    return found[0], found[1]
