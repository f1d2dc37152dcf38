import numpy as np
from hypothesis import given, settings, strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from visclust.finetuning.scores import _measure_all, average_precisions, score_features


@given(seed=st.integers(0, 500), levels=st.sampled_from([3, 1000]))
@settings(deadline=None, max_examples=40)
def test_scores_are_those_of_scikit_learn_ties_and_weights_included(seed, levels):
    rng = np.random.default_rng(seed)
    truth = rng.random(25) < 0.4
    truth[:2] = True, False
    score = rng.integers(0, levels, 25) / levels
    weights = np.stack([np.ones(25), np.append([1, 1], rng.integers(0, 4, 23))])
    found = _measure_all(score, truth, weights=weights, cutoff=0.5)
    for row, weight in zip(found.T, weights, strict=True):
        expected = [
            average_precision_score(truth, score, sample_weight=weight),
            roc_auc_score(truth, score, sample_weight=weight),
            f1_score(truth, score >= 0.5, sample_weight=weight, zero_division=0),
        ]
        # Sums of at most 100 small whole numbers and their ratios, in float64.
        np.testing.assert_allclose(row, expected, rtol=1e-12, atol=1e-12)


def test_missing_labels_are_left_out_of_the_scores():
    probabilities = np.array([[0.9], [0.8], [0.1], [0.95]])
    scores = score_features(probabilities, np.array([[1.0], [0.0], [0.0], [np.nan]]), features=["a"])
    assert scores["n"].tolist() == [3, 3, 3]
    assert scores["estimate"].tolist()[:2] == [1.0, 1.0]
    assert average_precisions(probabilities, np.array([[0.0], [1.0], [np.nan], [np.nan]])).tolist() == [0.5]


def test_what_guessing_gives_stands_beside_each_score():
    targets = np.array([[1.0], [0.0], [0.0], [0.0]])
    scores = score_features(np.full((4, 1), 0.7), targets, features=["a"]).set_index("measure")
    # All alike: the score of guessing is reached exactly.
    assert scores["by_guessing"].to_dict() == {"average_precision": 0.25, "roc_auc": 0.5, "f1": 0.4}
    assert scores["estimate"].to_dict() == scores["by_guessing"].to_dict()


def test_intervals_are_wider_where_images_are_copies_of_one_another():
    rng = np.random.default_rng(0)
    truth = np.repeat(rng.random(30) < 0.5, 6).astype(float)[:, None]
    score = np.repeat(np.clip(truth[::6, 0] * 0.3 + rng.random(30) * 0.7, 0, 1), 6)[:, None]
    copies = np.repeat(np.arange(30), 6)
    widths = []
    for groups in (None, copies):
        scores = score_features(score, truth, features=["a"], groups=groups).set_index("measure")
        widths.append((scores["high"] - scores["low"])["roc_auc"])
    # Six copies of each: about the square root of six wider.
    assert widths[1] > 1.8 * widths[0]


def test_a_score_that_cannot_be_or_says_little_has_a_reason():
    targets = np.array([[0.0, 1.0, np.nan], [0.0, 0.0, np.nan]])
    scores = score_features(np.full((2, 3), 0.5), targets, features=["none", "few", "unknown"])
    reasons = scores.drop_duplicates("feature").set_index("feature")["reason"]
    assert reasons["none"] == "no positive label"
    assert reasons["few"].startswith("fewer than 5 labels of one kind")
    assert reasons["unknown"] == "no image with a label"
    assert scores.set_index("feature").loc["none", "estimate"].isna().all()
