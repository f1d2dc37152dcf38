import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit

import visclust as vc
from visclust.exploration.frame_corrections import PostLabels, correct_outcomes, fit_corrected
from visclust.exploration.frame_models import fit_frame


def simulate_clusters_that_lean(*, slope=0.0, users=150, seed=0):
    """Give posts, whether each uses a frame, and a cluster that takes in other images one side posts more."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=users)
    user = np.repeat(np.arange(users), 1 + rng.poisson(9, users))
    chance = expit(-1.5 + slope * score)
    habit = (rng.random(users) < chance)[user]
    uses = np.where(rng.random(len(user)) < 0.3, habit, rng.random(len(user)) < chance[user])
    others = rng.random(len(user)) < expit(-2.5 + 1.2 * score[user])
    names = np.array([f"user {i}" for i in range(users)])
    posts = pd.DataFrame(
        {
            "post_id": np.arange(len(user)).astype(str),
            "author": names[user],
            "protest": (uses & (rng.random(len(user)) < 0.9)) | others,
        }
    )
    return posts, uses.astype(bool), pd.DataFrame({"author": names, "ideology": score})


def label_sample(posts, uses, *, size=200, seed=0):
    sample = vc.draw_post_sample.__wrapped__(posts, size=size, seed=seed)
    return sample.assign(protest=uses[sample["post_id"].astype(int)])


def test_labels_of_all_posts_give_the_regression_of_the_labels_whatever_was_guessed():
    posts, uses, ideology = simulate_clusters_that_lean(users=80)
    labels = posts[["post_id"]].assign(inclusion_probability=1.0, protest=uses)
    found = vc.model_frame_use(posts, ideology, labels=labels).effects.iloc[0]
    truth = vc.model_frame_use(posts.assign(protest=uses), ideology).effects.iloc[0]
    same = ["odds_ratio", "odds_ratio_low", "effect", "effect_high", "log_odds", "standard_error", "p_value"]
    # Both stop at steps of about 1e-8.
    assert found[same].astype(float).tolist() == pytest.approx(truth[same].astype(float).tolist(), rel=1e-5)
    assert found["uses"] == uses.sum()
    assert found["labelled"] == found["posts"] == len(posts)


def test_a_cluster_that_leans_is_corrected_by_labels_of_a_sample():
    posts, uses, ideology = simulate_clusters_that_lean(users=400)
    guessed = vc.model_frame_use(posts, ideology).effects.iloc[0]
    use = vc.model_frame_use(posts, ideology, labels=label_sample(posts, uses, size=500))
    row = use.effects.iloc[0]
    assert guessed["odds_ratio_low"] > 1.1  # where the truth is 1
    assert row["odds_ratio_guessed"] == pytest.approx(guessed["odds_ratio"], rel=1e-5)
    assert row["odds_ratio_low"] < 1 < row["odds_ratio_high"]
    assert row["labelled"] == 500
    assert use.curves["frame"].unique().tolist() == ["protest"]
    assert (guessed["rests_on"], row["rests_on"]) == (
        "frames as given, not corrected by labels",
        "frames corrected by labels of 500 posts",
    )
    assert "Frames corrected by labels of 500 posts" in vc.plot_frame_effects(use.effects).to_json()
    assert row["standard_error"] > guessed["standard_error"]  # few labels say less, but what they say is true


def test_corrected_outcomes_are_right_on_average_whatever_the_guesses_are():
    posts, uses, ideology = simulate_clusters_that_lean(users=60)
    users, scores = pd.factorize(posts["author"])[0], ideology.set_index("author")["ideology"]
    matrix = np.column_stack([np.ones(len(posts)), scores[posts["author"]]])
    sums = []
    for seed in range(120):
        drawn = label_sample(posts, uses, size=60, seed=seed).set_index("post_id").reindex(posts["post_id"])
        chances = drawn["inclusion_probability"].to_numpy()
        sampled = ~np.isnan(chances)
        labels = PostLabels(sampled, np.where(sampled, chances, 1.0), drawn)
        wrong = 1.0 - posts["protest"].to_numpy(dtype=float)
        options = {"matrix": matrix, "users": users, "folds": 5, "seed": 0}
        sums.append(matrix.T @ correct_outcomes(wrong, labels, "protest", **options))
    error = np.mean(sums, axis=0) - matrix.T @ uses
    # Four standard errors of the mean of 120.
    assert (np.abs(error) < 4 * np.std(sums, axis=0) / np.sqrt(120)).all()


@pytest.mark.slow
def test_corrected_intervals_hold_the_truth_where_those_of_the_guesses_never_do():
    held, wrongly, estimates = [], [], []
    for seed in range(80):
        posts, uses, ideology = simulate_clusters_that_lean(seed=seed)
        users, scores = pd.factorize(posts["author"])[0], ideology.set_index("author")["ideology"]
        matrix = np.column_stack([np.ones(len(posts)), scores[posts["author"]]])
        drawn = label_sample(posts, uses, size=250, seed=seed).set_index("post_id").reindex(posts["post_id"])
        chances = drawn["inclusion_probability"].to_numpy()
        sampled = ~np.isnan(chances)
        labels = PostLabels(sampled, np.where(sampled, chances, 1.0), drawn)
        guess = posts["protest"].to_numpy()
        options = {"matrix": matrix, "users": users, "folds": 5, "seed": 0}
        outcomes = correct_outcomes(guess.astype(float), labels, "protest", **options)
        fit = fit_corrected(matrix, outcomes, users, sampled)
        naive = fit_frame(matrix, guess, users)
        reach = stats.t.ppf(0.975, fit.degrees_of_freedom) * np.sqrt(fit.covariance[1, 1])
        held.append(abs(fit.parameters[1]) < reach)
        estimates.append(fit.parameters[1])
        wrongly.append(abs(naive.parameters[1]) > 1.96 * np.sqrt(naive.covariance[1, 1]))
    # Of 80 intervals that cover with 95%, 69 or fewer do so in 0.3% of draws (binomial).
    assert np.sum(held) > 69
    assert np.mean(wrongly) > 0.9
    assert abs(np.mean(estimates)) < 4 * np.std(estimates) / np.sqrt(80)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda t: t.assign(inclusion_probability=0.0), {}, "above 0 and up to 1"),
        (lambda t: t.head(60), {}, "some posts could not be drawn"),
        (lambda t: t.assign(post_id=[*t["post_id"].iloc[1:], "no"]), {}, "'no' for one"),
        (lambda t: pd.concat([t, t]), {}, "each post once in the labels"),
        (lambda t: t.head(0), {}, "at least one labelled post"),
        (lambda t: t.assign(protest=t["protest"].astype(object).where(t.index > 0)), {}, "without gaps"),
        (lambda t: t.assign(family=True), {}, "guess of 'family' for every post"),
        (lambda t: t, {"frames": ["family"]}, "got family, which is not such a column"),
        (lambda t: t, {"folds": 1}, "folds of 2 or more"),
        (lambda t: t.drop(columns="inclusion_probability"), {}, "inclusion_probability"),
    ],
)
def test_labels_that_do_not_fit_are_refused(change, options, message):
    posts, uses, ideology = simulate_clusters_that_lean(users=60)
    labels = change(label_sample(posts, uses))
    with pytest.raises(ValueError, match=message):
        vc.model_frame_use(posts, ideology, labels=labels, **options)


def test_a_frame_that_hardly_any_labelled_user_uses_has_a_row_with_the_reason():
    posts, uses, ideology = simulate_clusters_that_lean(users=60)
    labels = label_sample(posts, uses)
    found = vc.model_frame_use(posts, ideology, labels=labels.assign(protest=labels.index < 3)).effects.iloc[
        0
    ]
    assert found["reason"].startswith("of the labelled posts: ")
    assert np.isnan(found["odds_ratio"])


def test_simulated_labels_mark_every_table():
    posts, uses, ideology = simulate_clusters_that_lean(users=100)
    labels = label_sample(posts, uses).assign(simulated=True)
    use = vc.model_frame_use(posts, ideology, labels=labels)
    assert all(table["simulated"].all() for table in use)


def test_probabilities_are_taken_as_guesses_and_controls_and_the_jackknife_with_them():
    posts, uses, ideology = simulate_clusters_that_lean(users=150)
    rng = np.random.default_rng(0)
    sharp = posts.assign(
        protest=np.where(uses, 0.9, 0.1) + rng.normal(0, 0.1, len(posts)), loud=rng.random(len(posts))
    )
    labels = label_sample(posts, uses)
    found = {
        kind: vc.model_frame_use(sharp, ideology, labels=labels, errors=kind, controls=["loud"]).effects
        for kind in ("clustered", "jackknife")
    }
    errors = {kind: table["standard_error"].item() for kind, table in found.items()}
    rough = vc.model_frame_use(posts, ideology, labels=labels).effects.iloc[0]
    assert errors["clustered"] < errors["jackknife"] < 0.9 * rough["standard_error"]


def test_the_order_of_posts_and_labels_changes_nothing():
    posts, uses, ideology = simulate_clusters_that_lean(users=60)
    labels = label_sample(posts, uses, size=200)
    numbers = ["odds_ratio", "standard_error", "p_value", "odds_ratio_guessed"]

    def model(*orders):
        tables = (table.sample(frac=1, random_state=order) for table, order in orders)
        posts, ideology, labels = tables
        found = vc.model_frame_use(posts, ideology, labels=labels, min_users=2).effects
        return found[numbers].to_numpy(dtype=float)

    first = model((posts, 1), (ideology, 1), (labels, 1))
    assert np.isfinite(first).all()
    # Sums in another order differ by rounding.
    assert model((posts, 2), (ideology, 3), (labels, 4)) == pytest.approx(first, rel=1e-6)


def test_labels_that_cannot_be_what_they_say_are_refused_in_words():
    posts, uses, ideology = simulate_clusters_that_lean(users=60)
    labels = label_sample(posts, uses, size=200)
    gaps = labels.assign(protest=labels["protest"].astype("boolean").where(labels.index != 3))
    with pytest.raises(ValueError, match="True or False of 'protest' in every row of the labels; 1 have"):
        vc.model_frame_use(posts, ideology, labels=gaps)
    tiny = labels.assign(inclusion_probability=labels["inclusion_probability"].where(labels.index != 3, 1e-9))
    with pytest.raises(ValueError, match=r"1e-09 of .* which would stand for 1,000,000,000"):
        vc.model_frame_use(posts, ideology, labels=tiny)
    unknown = posts.assign(protest=posts["protest"].astype("boolean").where(posts.index != 3))
    with pytest.raises(ValueError, match="in every row of the posts; 1 have neither"):
        vc.model_frame_use(unknown, ideology)
