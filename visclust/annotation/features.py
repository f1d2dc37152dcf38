"""Answers about features, and one table of labels made of what several annotators said about each image."""

import json
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import krippendorff
import numpy as np
import pandas as pd

from visclust.annotation.agreement_measures import (
    compute_alpha,
    compute_percent_agreement,
    count_coincidences,
)
from visclust.annotation.answer_files import SKIP
from visclust.annotation.answers import current_answers, refuse_mixture
from visclust.annotation.constructs import check_names
from visclust.base.bootstrap import find_interval, resample_sums
from visclust.base.cells import fold_identity
from visclust.base.checks import check_whole_number
from visclust.base.provenance import note_run, recorded
from visclust.base.tables import check_table

_RESERVED = ("image_id", "simulated")  # the other columns of a labels table

_RULES = ("majority", "any", "all", "share")

_AGREEMENT_COLUMNS = [
    "feature", "n_images", "n_annotators", "n_votes", "share_yes", "percent_agreement", "alpha", "alpha_low",
    "alpha_high", "n_shared", "n_positive", "n_ties", "n_missing", "note", "simulated",
]  # fmt: skip


class AggregatedLabels(NamedTuple):
    """Labels by image, the votes they rest on, and the agreement between annotators by feature."""

    labels: pd.DataFrame
    votes: pd.DataFrame
    agreement: pd.DataFrame


@recorded
def aggregate_labels(
    answers: pd.DataFrame,
    *,
    rule: str = "majority",
    threshold: float | None = None,
    n_bootstrap: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> AggregatedLabels:
    """Aggregate annotators' votes on features to one label per image and feature.

    Parameters
    ----------
    answers : DataFrame
        Answers given in `label_features` or its page, from `read_answers`: of each annotator's answers to
        an image, the latest one not taken back counts. A skip is no vote.
    rule : {"majority", "any", "all", "share"}, default "majority"
        When a feature counts as present: more votes for it than against; one vote for it; all votes for it;
        a share of votes for it of at least `threshold`. With "majority" a tie is a missing label.
    threshold : float, optional
        For rule "share": above 0, at most 1.
    n_bootstrap : int, default 2000
        Resamples of the images for the interval of alpha.
    level : float, default 0.95
        Confidence level of that percentile interval.
    seed : int, default 0
        Seed of the bootstrap.

    Returns
    -------
    AggregatedLabels
        ``labels``: a labels table, ``image_id`` and a column per feature: 1.0, 0.0, or missing where nobody
        voted or the votes tie; of simulated answers, with a column ``simulated`` (True) besides. ``votes``:
        a row per vote, ``image_id, annotator, feature, value`` (1 or 0) and ``simulated``.
        ``agreement``: per ``feature``, ``n_images`` with a vote, ``n_annotators``,
        ``n_votes``, ``share_yes`` (of the votes), ``percent_agreement`` (0 to 100, over every two votes on
        one image), ``alpha`` (Krippendorff's, nominal) with ``alpha_low, alpha_high``, ``n_shared`` (images
        with two votes or more, on which these rest), ``n_positive`` (images labelled 1), ``n_ties``,
        ``n_missing`` (ties included), ``note`` and ``simulated``.

    Raises
    ------
    ValueError
        If an answer is not about features, one annotator was asked different lists about one image,
        simulated answers stand among people's, or the rule or threshold is not usable.

    Source
    ------
    Krippendorff (2011), Computing Krippendorff's Alpha-Reliability. Estimates are those of the package
    krippendorff; the bootstrap over images uses the same formula on resampled counts.

    Notes
    -----
    Alpha corrects for chance by how common a feature is: where nearly every vote is "no", a few
    disagreements make it low although percent agreement is high. Read the two together with ``share_yes``.

    Examples
    --------
    >>> answers = pd.DataFrame({"item_id": ["x", "x", "y", "y"], "annotator": ["ana", "ben"] * 2,
    ...     "answer": ['{"asked":["men"],"present":["men"]}'] * 3 + ['{"asked":["men"],"present":[]}'],
    ...     "answered_at": "2026-01-05T10:00:00Z", "seconds": 1.0, "retracts": None})
    >>> found = aggregate_labels(answers)
    >>> found.labels
      image_id  men
    0        x  1.0
    1        y  NaN
    >>> found.agreement[["n_votes", "share_yes", "percent_agreement", "n_ties"]].iloc[0].tolist()
    [4.0, 0.75, 50.0, 1.0]
    """
    least = _check_rule(rule, threshold)
    check_whole_number("n_bootstrap", n_bootstrap, least=1)
    check_whole_number("seed", seed, least=0)
    check_table(answers, "answers")
    standing = current_answers(answers)
    if standing.empty:
        raise ValueError("Expected at least one answer that was not taken back, got none.")
    simulated = refuse_mixture(standing)
    note_run(parameters={"simulated": simulated})
    votes = _list_votes(standing)
    _refuse_lost_votes(answers, standing)
    votes["simulated"] = simulated
    images = standing["item_id"].drop_duplicates()
    features = votes["feature"].drop_duplicates().tolist()
    grouped = votes.groupby(["image_id", "feature"])["value"]
    wide_yes, wide_n = (
        counts.unstack("feature").reindex(index=images, columns=features).fillna(0.0).astype(float)
        for counts in (grouped.sum(), grouped.count())
    )
    share = wide_yes / wide_n.where(wide_n > 0)
    ties = share == 0.5 if rule == "majority" else share.isna() & False
    labels = (share > 0.5 if rule == "majority" else share >= least).astype(float)
    labels = labels.where(share.notna() & ~ties)
    rows = []
    for at, feature in enumerate(features):
        pairs = np.column_stack([wide_n[feature] - wide_yes[feature], wide_yes[feature]]).astype(np.int64)
        rows.append(
            {
                "feature": feature,
                **_measure(pairs, n_bootstrap=n_bootstrap, level=level, seed=seed + at),
                "n_annotators": votes.loc[votes["feature"] == feature, "annotator"].nunique(),
                "n_positive": int((labels[feature] == 1).sum()),
                "n_ties": int(ties[feature].sum()),
                "n_missing": int(labels[feature].isna().sum()),
                "simulated": simulated,
            }
        )
    agreement = pd.DataFrame(rows, columns=_AGREEMENT_COLUMNS)
    labels = labels.rename_axis(index="image_id", columns=None).reset_index()
    if simulated:  # a mark that stays with the table, wherever it is saved and used
        labels["simulated"] = True
    return AggregatedLabels(check_table(labels, "labels"), votes, agreement)


def _check_rule(rule: str, threshold: float | None) -> float:
    """Return the least share of votes that makes a label 1, for the rules that have one."""
    if rule not in _RULES:
        raise ValueError(f"Expected a rule out of {', '.join(_RULES)}, got {rule!r}.")
    if rule != "share":
        if threshold is not None:
            raise ValueError(f'Expected a threshold with rule="share" only, got {threshold!r} with {rule!r}.')
        return 1.0 if rule == "all" else np.nextafter(0.0, 1.0)
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 < threshold <= 1:
        raise ValueError(
            f'Expected a threshold above 0 and at most 1 with rule="share", such as 0.5, got {threshold!r}.'
        )
    return float(threshold)


def _list_votes(standing: pd.DataFrame) -> pd.DataFrame:
    """List every vote of the standing answers, one row per image, annotator and feature asked about."""
    rows = [
        (image, annotator, feature, int(value))
        for image, annotator, answer in zip(
            standing["item_id"], standing["annotator"], standing["answer"], strict=True
        )
        if answer != SKIP
        for feature, value in read_feature_answer(answer).items()
    ]
    votes = pd.DataFrame(rows, columns=["image_id", "annotator", "feature", "value"])
    return votes.assign(feature=_unite_features(votes["feature"]))


def _unite_features(features: pd.Series) -> pd.Series:
    """Write features that differ in case, spaces or the way of typing accents as the first is written."""
    first: dict[str, str] = {}
    written = {name: first.setdefault(fold_identity(name), name) for name in features.unique()}
    if others := [f"{name!r} for {kept!r}" for name, kept in written.items() if name != kept]:
        warnings.warn(
            "Features that differ only in the way of writing are taken for one: "
            + ", ".join(others[:5])
            + ".",
            stacklevel=4,
        )
    return features.map(written).astype(features.dtype)


def _refuse_lost_votes(answers: pd.DataFrame, standing: pd.DataFrame) -> None:
    """Refuse an earlier answer about features that the later, standing one does not speak of."""
    retracted = set(answers["retracts"].dropna())
    latest = {
        (annotator, image): answer
        for annotator, image, answer in zip(
            standing["annotator"], standing["item_id"], standing["answer"], strict=True
        )
        if answer != SKIP
    }
    events = answers["event_id"] if "event_id" in answers.columns else [None] * len(answers)
    written = {fold_identity(name): name for name in standing["annotator"].unique()}
    annotators = [written.get(fold_identity(name), name) for name in answers["annotator"]]
    names = zip(annotators, answers["item_id"], answers["answer"], events, strict=True)
    for annotator, image, answer, event in names:
        last = latest.get((annotator, image))
        if last is None or not isinstance(answer, str) or answer in (last, SKIP) or event in retracted:
            continue
        kept = {fold_identity(name) for name in read_feature_answer(last)}
        lost = [name for name in read_feature_answer(answer) if fold_identity(name) not in kept]
        if lost:
            raise ValueError(
                f"Expected one list of features per annotator and image, got an earlier answer of "
                f"{annotator!r} to image {image!r} about {lost[0]!r}, which the later one does not speak of. "
                "Aggregate each list's answers by themselves, and join the labels on image_id."
            )


def _measure(counts: np.ndarray, *, n_bootstrap: int, level: float, seed: int) -> dict[str, object]:
    """Measure one feature's agreement from the votes against and for it, images by two."""
    sizes = counts.sum(axis=1)
    n_votes = int(sizes.sum())
    shared = counts[sizes >= 2]
    found: dict[str, object] = {
        "n_images": int((sizes > 0).sum()),
        "n_votes": n_votes,
        "share_yes": counts[:, 1].sum() / n_votes if n_votes else np.nan,
        "n_shared": len(shared),
        "percent_agreement": np.nan,
        "alpha": np.nan,
        "alpha_low": np.nan,
        "alpha_high": np.nan,
        "note": "",
    }
    if not len(shared):
        return found | {"note": "no image has two votes, so that agreement cannot be measured"}
    m = shared.sum(axis=1)
    agreeing = np.array([(shared * (shared - 1)).sum(), (m * (m - 1)).sum()], dtype=float)
    found["percent_agreement"] = float(compute_percent_agreement(agreeing))
    if not shared.sum(axis=0).all():
        return found | {"note": "all votes are the same one, so that alpha is undefined"}
    found["alpha"] = float(krippendorff.alpha(value_counts=shared, level_of_measurement="nominal"))
    coincidences = count_coincidences(shared).reshape(len(shared), 4)
    sums = resample_sums(coincidences, n_bootstrap=n_bootstrap, seed=seed).reshape(n_bootstrap, 2, 2)
    replicates = compute_alpha(sums)
    low, high = find_interval(replicates, level=level)
    if n_undefined := int(np.isnan(replicates).sum()):
        found["note"] = (
            f"undefined in {n_undefined} of {n_bootstrap} resamples, which the interval leaves out"
        )
    return found | {"alpha_low": float(low), "alpha_high": float(high)}


def check_features(features: Sequence[str]) -> tuple[str, ...]:
    """Check a list of features, before anybody is asked about them."""
    if isinstance(features, str) or not (names := list(features)):
        raise ValueError(f"Expected a list of features' names, such as ['anger', 'men'], got {features!r}.")
    for name in _RESERVED:
        if name in names:
            raise ValueError(
                f"Expected a name other than {name!r}, which has another meaning in labels tables. Rename it."
            )
    return check_names(names, "feature")


def write_feature_answer(asked: Sequence[str], present: Sequence[str]) -> str:
    """Write the answer to one image as text: all features asked about, in the order shown, and those there.

    A feature that was asked about and is not among those present was seen to be absent; one that was not
    asked about is unknown. The same answer is always the same text, JSON without spaces.
    """
    unknown = [name for name in present if name not in asked]
    if unknown:
        raise ValueError(f"Expected only features that were asked about, got {unknown[0]!r} too.")
    answer = {"asked": list(asked), "present": [name for name in asked if name in present]}
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def read_feature_answer(answer: str) -> dict[str, bool]:
    """Read the answer to one image: for each feature asked about, in the order shown, whether it is there."""
    try:
        said = json.loads(answer)
        asked, present = said["asked"], said["present"]
        right = isinstance(asked, list) and isinstance(present, list) and set(present) <= set(asked)
        check_features(asked)
    except (ValueError, TypeError, KeyError):
        right = False
    if not right:
        raise ValueError(
            f'Expected an answer about features, such as {{"asked":["anger","men"],"present":["men"]}}, '
            f"got {answer!r}. Read the files of feature labelling only."
        )
    return {name: name in present for name in asked}
