"""Near copies count once, from the images to the estimate."""

import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.embedding.embed import Embedding

# Sixty images: thirty pictures, of which every third has a copy, and the first one thirty copies more.
N_PICTURES = 30


@pytest.fixture
def corpus():
    ids = [f"p{i:02d}" for i in range(N_PICTURES)]
    stands_for = {name: name for name in ids}
    stands_for |= {f"c{i:02d}": ids[i] for i in range(0, N_PICTURES, 3)}
    stands_for |= {f"d{i:02d}": ids[0] for i in range(20)}
    names = sorted(stands_for)
    images = pd.DataFrame(
        {"image_id": names, "path": names, "status": "ok", "reason": "", "width": 4, "height": 4}
    )
    groups = pd.DataFrame({"image_id": names, "representative": [stands_for[name] for name in names]})
    rng = np.random.default_rng(0)
    places = {name: rng.normal(size=4) + 9 * (int(name[1:]) % 3) for name in ids}
    x = np.array([places[stands_for[name]] for name in names], dtype="float32")
    return images, groups, Embedding(x, names, {})


@pytest.fixture
def clusters(corpus):
    images, groups, embedding = corpus
    rows, pictures = (vc.leave_out_copies(each, groups) for each in (embedding, images))
    result = vc.cluster_once(rows, n_clusters=3, seed=0)
    return vc.add_copies(vc.assign_clusters(pictures, result), images, groups)


def test_what_is_clustered_are_pictures_and_each_copy_follows_its_own(corpus, clusters):
    images, groups, embedding = corpus
    assert len(vc.leave_out_copies(embedding, groups).image_ids) == N_PICTURES
    assert clusters["image_id"].tolist() == images["image_id"].tolist()
    cluster_of = clusters.set_index("image_id")["cluster"]
    assert cluster_of.tolist() == cluster_of[clusters["representative"]].tolist()
    assert clusters["cluster"].value_counts().max() > N_PICTURES / 3 + 20  # the copies are counted there


def test_no_pair_sample_or_survey_shows_two_copies(corpus, clusters):
    _, groups, embedding = corpus
    picture_of = groups.set_index("image_id")["representative"]
    pairs = vc.sample_pairs(clusters, embedding, n_pairs=N_PICTURES * (N_PICTURES - 1) // 2)
    assert set(pairs["image_a"]) | set(pairs["image_b"]) == set(picture_of)
    sample = vc.draw_stratified_sample(clusters, n_unassigned=5)
    assert (sample["image_id"] == picture_of[sample["image_id"]].to_numpy()).all()
    assert sample["weight"].sum() == pytest.approx(N_PICTURES)
    people = pd.DataFrame({"respondent": [f"r{i}" for i in range(10)], "group": "all"})
    assigned = vc.assign_respondents(sample, people, per_respondent=3)
    seen = assigned.assign(picture=picture_of[assigned["image_id"]].to_numpy())
    assert not seen.duplicated(["respondent", "picture"]).any()


def test_typical_images_rows_and_plans_take_each_picture_once(corpus, clusters):
    embedding = corpus[2]
    assert len(vc.list_typical_images(clusters, embedding, n_images=99)) == N_PICTURES
    rows = vc.pick_cluster_rows(clusters, n_clusters=3, n_images=99)
    assert len(rows) == N_PICTURES
    assert rows["size"].max() == clusters["cluster"].value_counts().max()
    plan = vc.plan_annotation(clusters).plan
    apart = vc.plan_annotation(clusters.drop(columns="representative")).plan
    assert plan.loc[0, "images"] != apart.loc[0, "images"]
    assert plan.loc[2, "share_of_corpus"] == plan.loc[2, "images"] / N_PICTURES


def test_an_estimate_speaks_for_all_images_copies_among_them(clusters):
    sample = vc.draw_stratified_sample(clusters, max_per_cluster=N_PICTURES, keep_singletons=True)
    seen = sample["image_id"].map({"p00": 1.0}).fillna(0.0).rename("shown")
    seen.index = sample["image_id"]
    found = vc.estimate_corpus(sample, seen, clusters=clusters)
    assert found["corpus"].iloc[0] == len(clusters)
    whole = vc.draw_random_sample(clusters, size=N_PICTURES)
    seen = pd.Series(whole["image_id"].eq("p00").to_numpy(float), index=whole["image_id"], name="shown")
    for estimator in ("hajek", "horvitz-thompson"):
        found = vc.estimate_corpus(whole, seen, clusters=clusters, design="random", estimator=estimator)
        # Every picture was seen, so the share of the images that show the first one is known.
        assert found["estimate"].iloc[0] == pytest.approx(22 / len(clusters))
        assert found["standard_error"].iloc[0] == 0
    total = vc.estimate_corpus(whole, seen, clusters=clusters, design="random", statistic="total")
    assert total["estimate"].iloc[0] == pytest.approx(22)


def test_a_sample_with_copies_in_it_is_refused(clusters):
    apart = clusters.drop(columns="representative")
    sample = vc.draw_random_sample(apart, size=len(apart))
    with pytest.raises(ValueError, match="sampled images are near copies"):
        vc.estimate_corpus(sample, "weight", clusters=clusters)


def test_without_copies_clusters_stay_as_they_are(corpus):
    images, groups, embedding = corpus
    own = groups.assign(representative=groups["image_id"])
    assert vc.leave_out_copies(embedding, own).image_ids == embedding.image_ids
    clusters = pd.DataFrame({"image_id": images["image_id"], "cluster": 0})
    assert vc.add_copies(clusters, images, own).equals(clusters)


def test_what_is_no_table_of_groups_or_has_two_for_one_image_is_refused(corpus):
    images, groups, embedding = corpus
    with pytest.raises(TypeError, match="as duplicates, got list"):
        vc.leave_out_copies(images, [("a", "b")])
    with pytest.raises(ValueError, match="one representative for each image"):
        vc.leave_out_copies(images, pd.concat([groups, groups.assign(representative="p00")]))
    with pytest.raises(TypeError, match="a table with image_id or an embedding"):
        vc.leave_out_copies(embedding.x, groups)
    with pytest.raises(ValueError, match="leave_out_copies"):
        vc.add_copies(pd.DataFrame({"image_id": ["p00"], "cluster": [0]}), images, groups)


def test_copies_of_copies_follow_to_the_last_and_a_circle_is_refused(corpus):
    images = corpus[0].head(3)
    a, b, c = images["image_id"]
    chain = pd.DataFrame({"image_id": [a, b, c], "representative": [b, c, c]})
    assert vc.leave_out_copies(images, chain)["image_id"].tolist() == [c]
    clusters = pd.DataFrame({"image_id": [c], "cluster": [4]})
    assert vc.add_copies(clusters, images, chain)["cluster"].tolist() == [4, 4, 4]
    with pytest.raises(ValueError, match="stands for itself by way of others"):
        vc.leave_out_copies(images, chain.assign(representative=[b, c, a]))


@pytest.mark.slow
def test_the_intervals_of_a_share_of_images_hold_the_truth_where_copies_are_unequal():
    # 600 pictures in 12 clusters, one to some ten copies each (geometric); the share differs by cluster. Of
    # 1,000 samples 95% intervals should hold the truth in 93 to 97%: two Monte Carlo errors are 1.4 points.
    rng = np.random.default_rng(5)
    cluster = np.repeat(np.arange(12), 50)
    copies = rng.geometric(0.35, size=600)
    shown = rng.random(600) < np.linspace(0.1, 0.9, 12)[cluster]
    names = np.array([f"p{i}" for i in range(600)])
    stands = np.repeat(names, copies)
    ids = [f"{name}_{i}" if i else name for name, n in zip(names, copies, strict=True) for i in range(n)]
    clusters = pd.DataFrame(
        {"image_id": ids, "cluster": np.repeat(cluster, copies), "representative": stands}
    )
    truth = np.repeat(shown, copies).mean()
    values = pd.Series(shown.astype(float), index=names, name="shown")
    held = []
    for seed in range(1_000):
        sample = vc.draw_stratified_sample(clusters, max_per_cluster=10, seed=seed)
        found = vc.estimate_corpus(sample, values, clusters=clusters).iloc[0]
        held.append(found["low"] <= truth <= found["high"])
    assert 0.93 <= np.mean(held) <= 0.97
