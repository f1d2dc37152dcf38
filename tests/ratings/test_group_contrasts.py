import numpy as np
import pandas as pd
import pytest
from rating_surveys import make_survey

import visclust as vc


def make_ratings(rows, *, item="proud"):
    table = pd.DataFrame(rows, columns=["respondent", "group", "image_id", "rating"])
    return table.assign(item=item, simulated=False, rating=table["rating"].astype(float))


@pytest.fixture
def sample():
    return pd.DataFrame(
        {
            "image_id": ["a", "b", "c"],
            "cluster": [0, 0, 1],
            "inclusion_probability": [0.5, 0.5, 0.1],
            "weight": [2.0, 2.0, 10.0],
        }
    )


@pytest.fixture
def by_hand():
    # D feels 2, 4, 9 about a, b, c, and R feels 1 about all of them.
    rows = [("d", "D", "a", 2), ("d", "D", "c", 9), ("e", "D", "b", 4)]
    rows += [("r", "R", "a", 1), ("r", "R", "c", 1), ("s", "R", "b", 1)]
    return make_ratings(rows)


def compare(ratings, sample, **options):
    found = vc.compare_groups(ratings, sample, dimensions={}, n_bootstrap=20, **options).differences
    return found.set_index("weighting")["estimate"]


def test_the_three_weightings_are_those_of_a_hand_calculation(by_hand, sample):
    found = compare(by_hand, sample)
    assert found["clusters"] == pytest.approx((3 + 9) / 2 - 1)  # cluster means 3 and 9
    assert found["images"] == pytest.approx((2 + 4 + 9) / 3 - 1)
    assert found["corpus"] == pytest.approx((2 * 2 + 2 * 4 + 10 * 9) / 14 - 1)


def test_a_second_rating_of_an_image_does_not_make_it_count_double(by_hand, sample):
    more = pd.concat([by_hand, make_ratings([("f", "D", "c", 9)])], ignore_index=True)
    assert compare(more, sample).to_dict() == pytest.approx(compare(by_hand, sample).to_dict())


def test_an_image_that_one_group_did_not_rate_is_left_out_and_its_cluster_keeps_its_weight(by_hand, sample):
    fewer = by_hand[~(by_hand["group"].eq("R") & by_hand["image_id"].eq("b"))]
    found = vc.compare_groups(fewer, sample, dimensions={}, n_bootstrap=5).differences.set_index("weighting")
    assert set(found["images"]) == {2}
    assert found.loc["corpus", "estimate"] == pytest.approx((4 * 2 + 10 * 9) / 14 - 1)


def test_a_missing_rating_leaves_the_other_items_alone(by_hand, sample):
    both = pd.concat([by_hand, by_hand.assign(item="calm")], ignore_index=True)
    both.loc[both["item"].eq("calm") & both["image_id"].eq("b"), "rating"] = np.nan
    found = vc.compare_groups(both, sample, dimensions={}, weightings=["images"], n_bootstrap=5).differences
    assert found.set_index("item")["images"].to_dict() == {"calm": 2, "proud": 3}


def test_the_reference_turns_the_sign(by_hand, sample):
    assert compare(by_hand, sample, reference="D").to_dict() == pytest.approx(
        (-compare(by_hand, sample, reference="R")).to_dict()
    )


def test_unassigned_images_do_not_count_where_clusters_weigh_alike(by_hand, sample):
    found = compare(by_hand, sample.assign(cluster=[0, 0, -1]))
    assert found["clusters"] == pytest.approx(3 - 1)
    assert found["images"] == pytest.approx(5 - 1)


def test_the_corpus_is_not_represented_without_weights(by_hand, sample):
    assert set(compare(by_hand, sample[["image_id", "cluster"]]).index) == {"clusters", "images"}
    with pytest.raises(ValueError, match="needs the sample table"):
        vc.compare_groups(by_hand, sample[["image_id", "cluster"]], weightings=["corpus"])


def test_a_single_weighting_needs_no_list(by_hand, sample):
    found = vc.compare_groups(by_hand, sample, weightings="images", dimensions={}, n_bootstrap=2)
    assert set(found.differences["weighting"]) == {"images"}


def test_a_group_that_misses_a_cluster_is_named_and_the_rows_say_for_how_much_they_speak(by_hand, sample):
    fewer = by_hand[~(by_hand["group"].eq("R") & by_hand["image_id"].eq("c"))]
    said = r"1 of 2 clusters \(1\), with 71% of the images, .*'proud' \(rated nothing: R in 1\)"
    with pytest.warns(UserWarning, match=said):
        found = vc.compare_groups(fewer, sample, dimensions={}, n_bootstrap=5)
    for table in found:
        assert table[["covered", "corpus"]].to_numpy().tolist() == [[4, 14]] * len(table)
    assert found.differences.set_index("weighting")["estimate"].to_dict() == dict.fromkeys(
        ("clusters", "images", "corpus"), 2.0
    )


def test_what_all_groups_rated_is_covered_without_a_word(by_hand, sample, recwarn):
    found = vc.compare_groups(by_hand, sample, dimensions={}, n_bootstrap=5).differences
    assert found["covered"].tolist() == found["corpus"].tolist() == [14, 14, 14]
    found = vc.compare_groups(by_hand, sample.assign(cluster=[0, 0, -1]), dimensions={}, n_bootstrap=5)
    assert found.differences.set_index("weighting")["covered"].to_dict() == {
        "clusters": 4,
        "images": 14,
        "corpus": 14,
    }
    assert not recwarn.list


def test_without_weights_the_images_of_the_table_are_counted(by_hand, sample):
    fewer = by_hand[by_hand["image_id"].ne("c")]
    with pytest.warns(UserWarning, match="33% of the images"):
        found = vc.compare_groups(fewer, sample[["image_id", "cluster"]], dimensions={}, n_bootstrap=5)
    assert found.means[["covered", "corpus"]].drop_duplicates().to_numpy().tolist() == [[2, 3]]


def test_clusters_on_which_all_images_were_rated_by_one_group_only_are_counted_out(by_hand, sample):
    split = by_hand[~(by_hand["respondent"].eq("e") | by_hand["respondent"].eq("r"))]
    more = make_ratings([("r", "R", "c", 1)])
    with pytest.warns(UserWarning, match="no image of them was rated by all"):
        vc.compare_groups(pd.concat([split, more]), sample, dimensions={}, n_bootstrap=5)


@pytest.mark.parametrize("method", ["crossed", "pigeonhole"])
def test_an_interval_leaves_out_zero_exactly_where_p_is_below_its_level(method):
    sample, assignment = make_survey(n_clusters=6, images=2, people=10, load=4)
    rng, rows = np.random.default_rng(0), []
    for seed in range(4):
        level = rng.choice([0.8, 0.9, 0.95])
        people = assignment["respondent"].unique()
        felt = pd.Series(rng.normal(size=len(people)), people)
        items = [f"item{number:02d}" for number in range(30)]
        shifts = dict(zip(items, rng.normal(size=30), strict=True))
        table = assignment.merge(pd.DataFrame({"item": items}), how="cross").assign(simulated=True)
        table["rating"] = rng.normal(size=len(table)) + table["respondent"].map(felt)
        table["rating"] += table["item"].map(shifts) * table["group"].eq("Democrat")
        options = {"dimensions": {}, "level": level}
        found = vc.compare_groups(table, sample, method=method, n_bootstrap=20, seed=seed, **options)
        rows.append(found.differences.assign(wanted=level))
        rows.append(vc.contrast_clusters(table, sample, **options).assign(wanted=level))
    for table in rows:
        pairs = [("low", "high", "p")]
        if "shrunk" in table.columns:
            pairs = [("raw_low", "raw_high", "p"), ("low", "high", "shrunk_p")]
        for low, high, p in pairs:
            outside = table[low].gt(0) | table[high].lt(0)
            # An end of a pulled interval is known to 1e-11, which a p at its level would feel.
            assert (outside == table[p].lt(1 - table["wanted"])).all()
            assert 0.05 < outside.mean() < 0.95


def test_groups_without_any_spread_that_differ_are_left_undecided(sample):
    rows = [(f"{g}{r}", g, i, 1 + (g == "D")) for g in "DR" for r in range(3) for i in "abc"]
    found = vc.compare_groups(make_ratings(rows), sample, dimensions={}, n_bootstrap=5).differences
    assert found["estimate"].tolist() == pytest.approx([1, 1, 1])
    unknown = ["standard_error", "degrees_of_freedom", "low", "high", "p", "p_adjusted"]
    assert found[unknown].isna().all(axis=None)


def draw_ratings(people, images):
    """Give ratings of every image by so many people of each group."""
    rng = np.random.default_rng(3)
    rows = [
        (f"{group}{number}", group, image, rng.normal(number))
        for group, count in people.items()
        for number in range(count)
        for image in images
    ]
    return make_ratings(rows)


UNKNOWN = ["standard_error", "degrees_of_freedom", "low", "high", "p", "p_adjusted"]


@pytest.mark.parametrize("method", ["crossed", "pigeonhole"])
def test_one_respondent_says_nothing_of_new_ones(sample, method):
    ratings = draw_ratings({"D": 3, "I": 1, "R": 3}, "abc")
    with pytest.warns(UserWarning, match="one respondent stands for I"):
        means, found = vc.compare_groups(ratings, sample, dimensions={}, n_bootstrap=9, method=method)
    lone = found["group"].eq("I")
    assert found.loc[lone, UNKNOWN].isna().all(axis=None)
    assert found.loc[~lone, UNKNOWN].notna().all(axis=None)
    assert means.loc[means["group"].eq("I"), "standard_error"].isna().all()
    assert found["estimate"].notna().all()
    with pytest.warns(UserWarning, match="one respondent stands for I"):
        model = vc.fit_mixed_contrast(ratings, dimensions={}).differences.set_index("group")
    assert model.loc["I", UNKNOWN].isna().all()
    assert model.loc["D", UNKNOWN].notna().all()
    with pytest.raises(ValueError, match="one respondent stands for I"):
        vc.contrast_clusters(ratings, sample, dimensions={})


def test_who_rated_only_images_that_do_not_count_is_no_second_respondent(sample):
    ratings = draw_ratings({"D": 3, "R": 2}, "abc")
    ratings = ratings[~ratings["respondent"].eq("R1") | ratings["image_id"].eq("c")]
    loose = sample.assign(cluster=[0, 0, -1])
    with pytest.warns(UserWarning, match="one respondent stands for R"):
        found = vc.compare_groups(ratings, loose, dimensions={}, n_bootstrap=9).differences
    assert found.set_index("weighting")["p"].isna().to_dict() == {
        "clusters": True,
        "images": False,
        "corpus": False,
    }


def test_one_image_says_nothing_of_new_ones(sample):
    ratings = draw_ratings({"D": 5, "R": 5}, "a")
    with pytest.warns(UserWarning, match="one image stands for all"):
        found = vc.compare_groups(ratings, sample.head(1), dimensions={}, n_bootstrap=9).differences
    assert found[UNKNOWN].isna().all(axis=None)
    assert set(vc.assess_equivalence(found, margin=5.0)["verdict"]) == {"undecided"}
    whole = sample.head(1).assign(inclusion_probability=1.0, weight=1.0)
    known = vc.compare_groups(ratings, whole, dimensions={}, n_bootstrap=9, finite_population=True)
    assert known.differences[UNKNOWN].notna().all(axis=None)


def test_one_group_alone_is_not_compared(by_hand, sample):
    with pytest.raises(ValueError, match="at least two groups, got D only"):
        vc.compare_groups(by_hand[by_hand["group"].eq("D")], sample, dimensions={})


def test_images_without_a_cluster_are_named(by_hand, sample):
    with pytest.raises(ValueError, match="the first is c"):
        vc.compare_groups(by_hand, sample[:2], dimensions={})


def test_results_say_that_ratings_were_simulated():
    sample, assignment = make_survey()
    compared = vc.compare_groups(vc.simulate_ratings(assignment).ratings, sample, n_bootstrap=10)
    assert compared.means["simulated"].all()
    assert compared.differences["simulated"].all()
    assert len(compared.means) == 3 * 13 * 2


def test_an_emotion_that_everybody_rates_alike_is_no_difference_anywhere():
    sample, assignment = make_survey()
    ratings = vc.simulate_ratings(assignment).ratings
    ratings.loc[ratings["item"].eq("hateful"), "rating"] = 1.0
    tables = [
        vc.compare_groups(ratings, sample, n_bootstrap=20).differences,
        vc.fit_mixed_contrast(ratings[ratings["item"].isin(["hateful", "proud"])], dimensions={}).differences,
        vc.contrast_clusters(ratings, sample),
    ]
    for table in tables:
        rows = table[table["item"].eq("hateful")]
        assert (rows["estimate"] == 0).all()
        assert (rows["p"] == 1).all()
        assert table["p_adjusted"].notna().all()


@pytest.mark.parametrize("analyse", [vc.compare_groups, vc.contrast_clusters, vc.summarize_emotions])
def test_a_level_in_percent_is_refused_before_any_work(by_hand, analyse):
    with pytest.raises(ValueError, match=r"level to be a number between 0 and 1, such as 0\.95, got 95"):
        analyse(by_hand, pd.DataFrame(), level=95)


def test_one_weighting_is_the_primary_and_the_others_are_robustness(by_hand, sample):
    def read(**options):
        found = vc.compare_groups(by_hand, sample, dimensions={}, n_bootstrap=5, **options)
        for table in found:
            marks = table.drop_duplicates("weighting").set_index("weighting")["specification"]
        return marks[marks.eq("primary")].index.tolist(), set(marks)

    assert read() == (["clusters"], {"primary", "robustness"})
    assert read(primary="corpus")[0] == ["corpus"]
    assert read(primary="mixed model") == ([], {"robustness"})
    assert read(weightings="images")[0] == ["images"]
    with pytest.raises(ValueError, match="primary to be one of images, or mixed model, got 'corpus'"):
        read(weightings="images", primary="corpus")


def test_a_group_s_mean_is_that_of_its_ratings_by_their_respondents_weights(by_hand, sample):
    weights = pd.DataFrame({"respondent": ["d", "e", "r", "s"], "weight": [2.0, 1, 1, 1]})
    found = compare(by_hand, sample, respondent_weights=weights)
    assert found["images"] == pytest.approx((2 * 2 + 2 * 9 + 1 * 4) / 5 - 1)
    # Images a and b are half of their cluster, c is all of its own.
    assert found["clusters"] == pytest.approx((2 * 2 / 2 + 1 * 4 / 2 + 2 * 9) / (2 / 2 + 1 / 2 + 2) - 1)
    assert found["corpus"] == pytest.approx((2 * 2 * 2 + 2 * 1 * 4 + 10 * 2 * 9) / (4 + 2 + 20) - 1)
    both = pd.concat([by_hand, by_hand.assign(respondent=by_hand["respondent"] + "2")], ignore_index=True)
    twice = pd.concat([weights, weights.assign(respondent=weights["respondent"] + "2")])
    owen = compare(both, sample, respondent_weights=twice, method="pigeonhole")
    assert owen.to_dict() == pytest.approx(found.to_dict())


def test_equal_weights_change_nothing():
    sample, assignment = make_survey(people=24)
    ratings = vc.simulate_ratings(assignment).ratings
    weights = pd.DataFrame({"respondent": ratings["respondent"].unique(), "weight": 3.0})
    for analyse in (
        lambda **more: vc.compare_groups(ratings, sample, n_bootstrap=10, **more).differences,
        lambda **more: vc.contrast_clusters(ratings, sample, **more),
        lambda **more: vc.summarize_emotions(ratings, sample, **more),
        lambda **more: vc.measure_reliability(ratings, n_bootstrap=5, **more),
    ):
        pd.testing.assert_frame_equal(analyse(respondent_weights=weights), analyse(), rtol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w[1:], "1 respondents of the ratings have no weight in respondent_weights .* is 'd'"),
        (lambda w: pd.concat([w, w]), "one weight per respondent in respondent_weights; 'd' has several"),
        (lambda w: w.assign(weight=0.0), "weights above 0 in respondent_weights, got 0"),
        (lambda w: w.assign(weight=np.inf), "weights in respondent_weights to be finite numbers"),
        (lambda w: w.rename(columns={"weight": "w"}), "rake_respondents makes such a table"),
    ],
)
def test_weights_that_are_none_are_refused(by_hand, sample, change, message):
    weights = pd.DataFrame({"respondent": ["d", "e", "r", "s"], "weight": 1.0})
    with pytest.raises(ValueError, match=message):
        vc.compare_groups(by_hand, sample, dimensions={}, respondent_weights=change(weights))


@pytest.fixture
def strangers():
    """Ratings of which each comes from a person of its own: 5 clusters, 3 images, 4 ratings by each group."""
    rng = np.random.default_rng(3)
    images = pd.DataFrame({"image_id": [f"i{n:02d}" for n in range(15)], "cluster": np.arange(15) % 5})
    images["weight"] = np.repeat([1.0, 2.0, 4.0], 5)
    rows = pd.concat([images.assign(group=group, turn=turn) for group in "DR" for turn in range(4)])
    rows = rows.reset_index(drop=True).assign(item="proud", simulated=False)
    rows["respondent"] = rows.index.astype(str)
    rows["rating"] = rng.normal(size=len(rows)) + rng.normal(size=5)[rows["cluster"]] * rows["group"].eq("D")
    return rows.drop(columns=["cluster", "weight", "turn"]), images.assign(
        inclusion_probability=1 / images["weight"]
    )


def spread_exactly(ratings, sample, **options):
    options = {"weightings": "clusters", "dimensions": {}, "n_bootstrap": 8000, **options}
    return vc.compare_groups(ratings, sample, **options).differences.iloc[0]


def test_where_clusters_are_random_the_error_is_that_of_a_mean_of_clusters(strangers):
    ratings, sample = strangers
    cells = ratings.merge(sample).groupby(["cluster", "image_id", "group"])["rating"].mean().unstack()
    by_cluster = (cells["D"] - cells["R"]).groupby("cluster").mean()
    found = spread_exactly(ratings, sample, random_clusters=True)
    # 8,000 resamples know a standard error to 0.8%; three of these.
    assert found["standard_error"] == pytest.approx(by_cluster.std() / np.sqrt(5), rel=0.024)
    assert found["degrees_of_freedom"] == pytest.approx(4)
    assert found["estimate"] == pytest.approx(by_cluster.mean())


def test_where_all_images_of_a_finite_corpus_were_rated_only_ratings_err(strangers):
    ratings, sample = strangers
    cells = ratings.merge(sample).groupby(["cluster", "image_id", "group"])["rating"]
    within = (cells.var() / cells.size()).groupby("group").sum().sum() / 15**2
    whole = sample.assign(weight=1.0, inclusion_probability=1.0)
    found = spread_exactly(ratings, whole, finite_population=True)
    assert found["standard_error"] == pytest.approx(np.sqrt(within), rel=0.024)
    # Half of the images: half of the variance between images, and half of that within.
    means = cells.mean().unstack()
    between = ((means["D"] - means["R"]).groupby("cluster").var() / 3).sum() / 25
    found = spread_exactly(
        ratings, sample.assign(weight=2.0, inclusion_probability=0.5), finite_population=True
    )
    assert found["standard_error"] == pytest.approx(np.sqrt(between / 2 + within / 2), rel=0.024)


def test_what_images_and_clusters_cannot_be_at_once_is_refused(strangers):
    ratings, sample = strangers
    for options, message in (
        (
            {"random_clusters": True, "finite_population": True},
            "finite_population, got both",
        ),
        ({"random_clusters": True, "method": "pigeonhole"}, 'got "pigeonhole"'),
    ):
        with pytest.raises(ValueError, match=message):
            spread_exactly(ratings, sample, **options)
    with pytest.raises(ValueError, match="sample table with its weights for finite_population"):
        spread_exactly(ratings, sample.drop(columns="weight"), finite_population=True)
    with pytest.raises(ValueError, match="two clusters or more where clusters are random"):
        spread_exactly(ratings, sample.assign(cluster=0), random_clusters=True)
    once = ratings.drop_duplicates(["image_id", "group"])
    with pytest.raises(ValueError, match="several respondents of each group rated"):
        spread_exactly(once, sample, finite_population=True)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([2.0, np.nan, 10.0], "nan of image 'b'"),
        ([2.0, -1.0, 10.0], "-1 of image 'b'"),
        ([0.0, 0.0, 0.0], "weights above 0"),
        ([2.0, np.inf, 10.0], "inf of image 'b'"),
        ([2.0, 7.0, 10.0], "one over its inclusion_probability"),
    ],
)
def test_weights_of_images_that_count_nothing_are_refused(by_hand, sample, weights, message):
    for analyse in (vc.compare_groups, vc.contrast_clusters):
        with pytest.raises(ValueError, match=message):
            analyse(by_hand, sample.assign(weight=weights), dimensions={})
