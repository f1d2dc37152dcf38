import itertools

import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.sampling import label_guesses


def make_corpus(*, n=900, clusters=12, dims=6, seed=0):
    """Make clusters, an embedding, and who shows a crowd: by cluster, and by the place within the cluster."""
    rng = np.random.default_rng(seed)
    cluster = np.arange(n) % clusters
    x = rng.normal(size=(clusters, dims))[cluster] + rng.normal(size=(n, dims))
    ids = pd.Index([f"i{i}" for i in range(n)], name="image_id")
    likely = 1 / (1 + np.exp(-(2.5 * x[:, 0] + x[:, 1])))
    crowd = pd.Series(rng.random(n) < likely, index=ids, name="crowd")
    return pd.DataFrame({"image_id": ids, "cluster": cluster}), x, crowd


def guess(sample, crowd, x, clusters, **options):
    options = {"strength": 0.1, **options}
    return vc.guess_labels.__wrapped__(sample, crowd[sample["image_id"]], x, clusters=clusters, **options)


def test_guesses_of_an_embedding_save_labels_in_random_and_in_stratified_samples():
    clusters, x, crowd = make_corpus()
    for sample in (
        vc.draw_random_sample(clusters, size=150),
        vc.draw_stratified_sample(clusters, max_per_cluster=12),
    ):
        seen = crowd[sample["image_id"]]
        found = vc.guess_labels(sample, seen, x, clusters=clusters)
        assert list(found.guesses) == ["image_id", "crowd"]
        assert found.guesses["image_id"].tolist() == clusters["image_id"].tolist()
        assert found.guesses["crowd"].between(-0.1, 1.1).all()
        row = found.quality.iloc[0]
        assert (row["kind"], row["labels"], row["labels_of_it"]) == ("share", len(sample), seen.sum())
        assert 0.3 < row["correlation_within"] < row["correlation"] < 1
        assert row["strength"] in (0.001, 0.01, 0.1, 1.0, *np.convolve([0.001, 0.01, 0.1, 1], [0.5, 0.5]))
        estimate = vc.estimate_corpus(sample, seen, clusters=clusters, guesses=found.guesses).iloc[0]
        assert estimate["labels_saved"] > 0.15
        assert estimate["cross_fitted"] == "yes"
        own = found.guesses.set_index("image_id")["crowd"].to_numpy()
        own = pd.Series(own, index=clusters["image_id"])
        alike = vc.estimate_corpus(sample, seen, clusters=clusters, guesses=own).iloc[0]
        assert alike["cross_fitted"] == "not known"
        assert alike["low"] == estimate["low"]
        assert (
            vc.plan_labels(sample, seen, clusters=clusters, guesses=found.guesses).plan["saved"].max() > 0.15
        )


def test_over_all_samples_and_folds_the_estimate_is_exactly_right_on_average(monkeypatch):
    monkeypatch.setattr(label_guesses, "_LEAST", 1)
    clusters = pd.DataFrame({"image_id": list("abcdef"), "cluster": [0] * 4 + [1] * 2})
    y = pd.Series([1.0, 4, 2, 9, 5, 7], index=clusters["image_id"], name="y")
    x = np.array([[0.0, 1], [2, 0], [1, 1], [5, 2], [2, 2], [3, 4]])
    # A seed for each of the three images drawn of the first cluster to be alone in its fold there.
    orders = {np.argsort(np.random.default_rng(seed).random(4)[:3])[1]: seed for seed in range(20)}
    found, by_model = [], []
    for left_out, other in itertools.product(range(4), (4, 5)):
        rows = [*(row for row in range(4) if row != left_out), other]
        sample = clusters.iloc[rows].assign(inclusion_probability=[3 / 4] * 3 + [1 / 2])
        for seed in orders.values():
            made = guess(sample, y, x, clusters, folds=2, strength=10.0, seed=seed).guesses
            options = {"clusters": clusters, "guesses": made, "tuning": 1.0}
            found.append(vc.estimate_corpus.__wrapped__(sample, y[sample["image_id"]], **options)["estimate"])
            by_model.append(made["y"].mean())
    assert len(found) == 4 * 2 * 3
    assert np.mean(found) == pytest.approx(y.mean())  # up to rounding in float64
    assert np.mean(by_model) != pytest.approx(y.mean(), abs=0.01)  # which the model alone is not


def test_no_image_is_guessed_by_a_model_that_has_seen_it_or_what_belongs_together_with_it():
    clusters, x, crowd = make_corpus(n=300)
    sample = vc.draw_random_sample(clusters, size=100)
    before = guess(sample, crowd, x, clusters).guesses.set_index("image_id")["crowd"]
    ids = clusters["image_id"]
    drawn = sample["image_id"].tolist()
    # Three labelled images and one that is not, tied by two values, as posts tie images that they share.
    loose = next(each for each in ids if each not in drawn)
    tied = [drawn[0], drawn[1], drawn[2], loose]
    together = pd.Series(["p", "p", "q", "q", "r"], index=[tied[0], tied[1], tied[1], tied[2], tied[0]])
    together = pd.concat([together, pd.Series(["r"], index=[loose])])
    options = {"together": together}
    apart = guess(sample, crowd, x, clusters, **options)
    assert "what belongs together in one" in apart.quality["how"].item()
    other = crowd.copy()
    other[drawn[0]] = not other[drawn[0]]
    alone = guess(sample, other, x, clusters).guesses.set_index("image_id")["crowd"]
    # But for the level of all, which the mean of the labels gives.
    moved = (alone - before).round(9)
    assert (moved[drawn] == moved[drawn[0]]).sum() == 20  # the labelled images of its own fold
    changed = guess(sample, other, x, clusters, **options).guesses.set_index("image_id")["crowd"]
    moved = (changed - apart.guesses.set_index("image_id")["crowd"]).round(9)
    assert moved[tied].nunique() == 1
    assert not (moved[[each for each in ids if each not in drawn and each != loose]] == moved[loose]).any()


def test_where_the_embedding_tells_nothing_the_guesses_do_not_seem_to_save_labels():
    clusters, x, crowd = make_corpus(n=300)
    lot = pd.Series(np.random.default_rng(3).random(300) < 0.3, index=crowd.index, name="crowd")
    saved = []
    for seed in range(20):
        sample = vc.draw_random_sample.__wrapped__(clusters, size=60, seed=seed)
        made = guess(sample, lot, x, clusters, strength=0.001, seed=seed).guesses
        found = vc.estimate_corpus.__wrapped__(
            sample, lot[sample["image_id"]], clusters=clusters, guesses=made
        )
        saved.append(found["labels_saved"].item())
    # One number fitted to 60 labels explains 1.7% of them by chance, and its degree of freedom is taken off.
    assert abs(np.mean(saved)) < 0.03


def test_few_labels_of_each_cluster_that_contradict_their_guesses_do_not_seem_to_save_any():
    clusters, x, crowd = make_corpus(n=300)
    x = np.column_stack(
        [20 * np.eye(12)[clusters["cluster"]], x]
    )  # it tells the clusters and hardly anything else
    lot = pd.Series(np.random.default_rng(3).random(300) < 0.3, index=crowd.index, name="crowd")
    sample = vc.draw_stratified_sample(clusters, max_per_cluster=5)
    seen = lot[sample["image_id"]]
    found = vc.guess_labels(sample, seen, x, clusters=clusters, strength=0.1)
    assert found.quality["correlation_within"].item() < -0.2
    free = found.guesses.copy()
    free.attrs = {}
    options = {"clusters": clusters}
    assert vc.estimate_corpus(sample, seen, guesses=free, **options)["tuning"].item() < 0
    assert vc.estimate_corpus(sample, seen, guesses=found.guesses, **options)["labels_saved"].item() == 0
    plan = vc.plan_labels(sample, seen, guesses=found.guesses, **options).plan.set_index("design")["images"]
    assert plan["stratified with guesses"] == plan["stratified"]


def test_ratings_and_categories_are_guessed_in_columns_that_estimates_take():
    clusters, x, crowd = make_corpus()
    ids = clusters["image_id"]
    mood = pd.Series(x[:, 0] + np.random.default_rng(1).normal(size=len(x)), index=ids, name="mood")
    kind = pd.Series(np.select([x[:, 1] > 1, crowd], ["march", "people"], "none"), index=ids, name="kind")
    kind[clusters["image_id"].iloc[:3]] = "rare"
    sample = vc.draw_stratified_sample(clusters, max_per_cluster=15)
    drawn = sample["image_id"]
    kind[drawn.iloc[:2]] = "rare"
    values = pd.DataFrame({"image_id": drawn, "mood": mood[drawn].to_numpy(), "kind": kind[drawn].to_numpy()})
    found = vc.guess_labels.__wrapped__(sample, values, x, clusters=clusters, strength=0.1)
    quality = found.quality.set_index("guess")
    assert list(found.guesses) == ["image_id", "mood", "march", "none", "people", "rare"]
    assert quality["kind"].to_dict() == dict.fromkeys(["march", "none", "people", "rare"], "share") | {
        "mood": "rating"
    }
    rare = quality.loc["rare"]
    assert rare["reason"].startswith(f"{int(rare['labels_of_it'])} labels that say yes")
    assert np.isnan(rare["correlation"])
    assert found.guesses["rare"].nunique() == 1
    assert quality["reason"].drop("rare").eq("").all()
    options = {"clusters": clusters, "guesses": found.guesses}
    rated = vc.estimate_corpus(sample, values[["image_id", "mood"]], **options).iloc[0]
    shares = vc.estimate_corpus(sample, values[["image_id", "kind"]], statistic="proportion", **options)
    assert rated["labels_saved"] > 0.1
    assert shares.set_index("category")["labels_saved"].drop("rare").min() > 0
    assert shares.set_index("category").loc["rare", "labels_saved"] == 0


def test_images_without_a_label_are_as_if_they_had_not_been_drawn():
    clusters, x, crowd = make_corpus(n=240)
    sample = vc.draw_random_sample(clusters, size=100)
    some = crowd.astype(object)
    some[sample["image_id"].iloc[::2]] = None
    found = guess(sample, some, x, clusters)
    assert found.quality["labels"].item() == 50
    assert found.guesses["crowd"].notna().all()


def test_of_each_picture_one_row_of_the_embedding_is_learned_from_and_guessed():
    clusters, x, crowd = make_corpus(n=240)
    copies = clusters.assign(representative=clusters["image_id"])
    extra = copies.iloc[:20].assign(image_id=[f"copy {i}" for i in range(20)])
    copies = pd.concat([copies, extra], ignore_index=True)
    sample = vc.draw_random_sample.__wrapped__(clusters, size=100)
    plain = guess(sample, crowd, x, clusters).guesses
    found = guess(sample, crowd, np.concatenate([x, x[:20] + 99]), copies).guesses
    pd.testing.assert_frame_equal(found, plain)


def test_guesses_of_a_simulated_sample_are_marked_and_all_say_how_they_were_made():
    clusters, x, crowd = make_corpus(n=240)
    sample = vc.draw_random_sample(clusters, size=100).assign(simulated=True)
    found = vc.guess_labels(sample, crowd[sample["image_id"]], x, clusters=clusters, strength=0.1)
    assert found.guesses["simulated"].all()
    assert found.quality["simulated"].all()
    assert "logistic regression on 6 principal components" in found.quality["how"].item()
    assert found.guesses.attrs["provenance"]["function"] == "guess_labels"


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda y: y, {"folds": 1}, "folds of 2 or more"),
        (lambda y: y, {"strength": 0.0}, "strength above 0"),
        (
            lambda y: y & False,
            {},
            "Nothing can be guessed: of 'crowd' there are 0 labels that say yes and 60",
        ),
        (lambda y: y.map({True: 3.0, False: 3.0}), {}, "60 labels with 1 values"),
        (lambda y: y.map({True: np.inf, False: 3.0}), {}, "finite numbers in 'crowd'"),
        (lambda y: y.map({True: "image_id", False: "no"}), {}, "Two guesses would be called 'image_id'"),
        (
            lambda y: y,
            {"together": pd.Series(["p"], index=["no"])},
            "None of the images is named in together",
        ),
    ],
)
def test_what_nothing_can_be_learned_from_is_refused(change, options, message):
    clusters, x, crowd = make_corpus(n=240)
    sample = vc.draw_random_sample(clusters, size=60)
    with pytest.raises(ValueError, match=message):
        guess(sample, change(crowd), x, clusters, **options)


def test_an_embedding_of_other_images_or_without_any_difference_is_refused():
    clusters, x, crowd = make_corpus(n=240)
    sample = vc.draw_random_sample(clusters, size=60)
    with pytest.raises(ValueError, match="for each of the 240 images"):
        guess(sample, crowd, x[:-1], clusters)
    with pytest.raises(ValueError, match="All rows of the embedding are the same"):
        guess(sample, crowd, np.ones_like(x), clusters)


@pytest.mark.slow
@pytest.mark.parametrize("design", ["random", "stratified"])
def test_intervals_that_rest_on_cross_fitted_guesses_hold_the_truth_and_are_narrower(design):
    clusters, x, crowd = make_corpus(n=1000, clusters=10)
    truth, estimate = crowd.mean(), vc.estimate_corpus.__wrapped__
    held, widths = [], []
    for seed in range(60):
        if design == "random":
            sample = vc.draw_random_sample.__wrapped__(clusters, size=150, seed=seed)
        else:
            sample = vc.draw_stratified_sample.__wrapped__(clusters, max_per_cluster=10, seed=seed)
        seen = crowd[sample["image_id"]]
        guesses = guess(sample, crowd, x, clusters, seed=seed).guesses
        rows = [estimate(sample, seen, clusters=clusters, guesses=each).iloc[0] for each in (None, guesses)]
        held.append(rows[1]["low"] <= truth <= rows[1]["high"])
        widths.append([row["high"] - row["low"] for row in rows])
    # Of 60 intervals that cover with 95%, 50 or fewer do so in 0.07% of draws (binomial).
    assert np.sum(held) > 50
    assert np.mean(widths, axis=0)[1] < 0.95 * np.mean(widths, axis=0)[0]
