import numpy as np
import pandas as pd
import pytest
from post_tables import make_links, make_posts

import visclust as vc


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Families BELONG together!", ["families", "belong", "together"]),
        ("#KeepFamiliesTogether, keep!", ["#keepfamiliestogether", "keep"]),
        ("see https://t.co/AbC1 www.x.org/a?b=c t.co/xyz now", ["see", "now"]),
        ("RT @who_1: hello @you mail me@home.org", ["hello", "mail"]),
        ("Q&amp;A &lt;b&gt;bold&lt;/b&gt;", ["bold"]),
        ("don’t don't well-known", ["don't", "don't", "well-known"]),
        ("ÑANDÚ naïve Straße", ["ñandú", "naïve", "straße"]),
        ("हिन्दी #हिन्दी", ["हिन्दी", "#हिन्दी"]),
        ("ｆｕｌｌ", ["full"]),
        ("_emphasis_ ___ #1 a 😀☀️ 2018", ["emphasis", "2018"]),
        ("ภาษาไทย กับผู้คน #ประเทศไทย", ["ภาษาไทย", "กับผู้คน", "#ประเทศไทย"]),
        ("اَلْعَرَبِيَّةُ #الحرية", ["اَلْعَرَبِيَّةُ", "#الحرية"]),
        # Joined by zero-width non-joiners.
        ("می\u200cخواهم نیم\u200cفاصله", ["می\u200cخواهم", "نیم\u200cفاصله"]),
        ("क्षत्रिय क्\u200dष में #भारत", ["क्षत्रिय", "क्\u200dष", "में", "#भारत"]),
        ("👩\u200d👩\u200d👧 #love❤️ 🇺🇸 1️⃣", ["#love", "1️⃣"]),  # the sign of a keycap is a combining mark
        ("cafe\u0301 #e\u0301te\u0301 \u0301start", ["café", "#été", "start"]),
        ("中文 #香港 ½ Ⅷ x²", ["中文", "#香港", "viii", "x2"]),
        ("#a ##double rock'n'roll -x- ''", ["#double", "rock'n'roll"]),
    ],
)
def test_a_text_is_split_into_words_and_hashtags(text, words):
    assert vc.split_words(text) == words


def test_log_odds_are_those_computed_by_hand():
    found = vc.weigh_log_odds([8, 0], [2, 5], total=40, total_elsewhere=60, prior=[1, 0.5], prior_total=10)
    # (8 + 1) / (40 + 10 - 9) = 9 / 41 against (2 + 1) / (60 + 10 - 3) = 3 / 67; variance 1/9 + 1/3.
    # (0 + 0.5) / (50 - 0.5) = 0.5 / 49.5 against 5.5 / 64.5; variance 2 + 1/5.5.
    by_hand = np.array([np.log(9 / 41) - np.log(3 / 67), np.log(0.5 / 49.5) - np.log(5.5 / 64.5)])
    # The same arithmetic in float64: only rounding differs.
    np.testing.assert_allclose(found.log_odds, by_hand, rtol=1e-12)
    np.testing.assert_allclose(found.z, by_hand / np.sqrt([1 / 9 + 1 / 3, 2 + 1 / 5.5]), rtol=1e-12)


def test_a_prior_of_zero_is_refused():
    with pytest.raises(ValueError, match="prior above 0"):
        vc.weigh_log_odds([1], [1], total=2, total_elsewhere=2, prior=[0], prior_total=1)


def test_words_of_a_cluster_are_counted_against_all_other_posts_with_images(make_clusters):
    # Cluster 0 is image "0", cluster 1 is "1", image "2" is unassigned; the last post has no image.
    posts = make_posts(["wall wall", "wall child", "child", "child", "other", "wall"])
    links = make_links(["0", "0", "1", "1", "2"])
    found = vc.list_overrepresented_words(
        make_clusters([0, 1, -1]), posts, links=links, min_uses=1, min_z=-9
    ).set_index(["cluster", "word"])
    assert found.loc[(0, "wall"), ["uses", "uses_elsewhere"]].tolist() == [2, 0]
    assert found.loc[(0, "child"), ["uses", "uses_elsewhere"]].tolist() == [1, 2]
    assert found.loc[(1, "child"), "share_elsewhere"] == 1 / 3
    # By hand: 6 uses in all, 2 of them "wall", so its prior is 2; 3 uses in cluster 0 and 3 elsewhere.
    z = (np.log(4 / 5) - np.log(2 / 7)) / np.sqrt(1 / 4 + 1 / 2)
    assert found.loc[(0, "wall"), "z"] == pytest.approx(z, rel=1e-12)  # rounding only


def test_a_post_with_two_images_of_a_cluster_counts_once(make_clusters):
    posts = make_posts(["wall", "child"])
    links = pd.DataFrame({"post_id": ["p0", "p0", "p1"], "image_id": ["0", "1", "2"]})
    found = vc.list_overrepresented_words(
        make_clusters([0, 0, 1]), posts, links=links, min_uses=1, min_z=-9
    ).set_index(["cluster", "word"])
    assert found.loc[(0, "wall"), "uses"] == 1


def test_counted_by_authors_one_loud_account_does_not_name_a_cluster(make_clusters):
    loud = make_posts(
        ["buy now"] * 30 + ["march"] * 10 + ["march buy", "river"] + ["river"] * 30,
        ["loud"] * 30 + [f"a{i}" for i in range(10)] + ["loud", "loud"] + [f"b{i}" for i in range(30)],
    )
    links = make_links(["0"] * 40 + ["1"] * 32)
    clusters = make_clusters([0, 1])
    options = {"links": links, "min_uses": 1, "min_z": -9}
    by_posts = vc.list_overrepresented_words(clusters, loud, **options)
    assert by_posts.loc[by_posts["cluster"] == 0, "word"].iloc[0] in ("buy", "now")
    by_authors = vc.list_overrepresented_words(clusters, loud, count_by="authors", **options)
    assert by_authors.loc[by_authors["cluster"] == 0, "word"].iloc[0] == "march"
    counts = by_authors.set_index(["cluster", "word"])
    assert counts.loc[(0, "buy"), ["uses", "uses_elsewhere"]].tolist() == [1, 1]  # the loud one, in both
    assert counts.loc[(0, "now"), ["uses", "uses_elsewhere"]].tolist() == [1, 0]
    assert counts.loc[(0, "march"), "share"] == 10 / 11


def draw_posts(n_posts, n_clusters, seed=0):
    """Posts of words drawn by Zipf's law, whatever their cluster, and the cluster of each."""
    rng = np.random.default_rng(seed)
    frequency = 1 / np.arange(1, 3001)
    words = rng.choice(3000, size=(n_posts, 12), p=frequency / frequency.sum())
    return [" ".join(f"word{word}" for word in row) for row in words], rng.integers(n_clusters, size=n_posts)


def test_chance_names_no_cluster(make_clusters):
    texts, cluster = draw_posts(3000, 20)
    options = {"links": make_links(cluster.astype(str))}
    clusters, posts = make_clusters(range(20)), make_posts(texts)
    assert vc.list_overrepresented_words(clusters, posts, **options).empty
    # A prior of few uses does what the docstring warns of.
    assert len(vc.list_overrepresented_words(clusters, posts, prior_size=500, **options)) > 50


def test_a_hashtag_used_in_one_cluster_only_is_found(make_clusters):
    texts, cluster = draw_posts(3000, 20)
    ours = np.flatnonzero(cluster == 7)[:10]
    texts = [text + " #ourmarch" * (place in ours) for place, text in enumerate(texts)]
    found = vc.list_overrepresented_words(
        make_clusters(range(20)), make_posts(texts), links=make_links(cluster.astype(str))
    )
    assert found[["cluster", "word", "uses", "uses_elsewhere"]].to_numpy().tolist() == [
        [7, "#ourmarch", 10, 0]
    ]


def test_stop_words_and_thresholds_leave_words_out(make_clusters):
    posts = make_posts(["march thing"] * 30 + ["river"] * 30)
    links = make_links(["0"] * 30 + ["1"] * 30)
    found = vc.list_overrepresented_words(make_clusters([0, 1]), posts, links=links, stop_words=["thing"])
    assert found["word"].tolist() == ["march", "river"]
    assert vc.list_overrepresented_words(make_clusters([0, 1]), posts, links=links, min_uses=31).empty


@pytest.mark.parametrize("texts", [["", None], ["march", "march"]])
def test_posts_without_two_different_words_give_an_empty_table(texts, make_clusters):
    found = vc.list_overrepresented_words(
        make_clusters([0, 1]), make_posts(texts), links=make_links(["0", "1"])
    )
    assert found.empty
    assert "z" in found.columns


@pytest.mark.parametrize("words", [["March"], "march", ["MARCH "], ("ＭＡＲＣＨ",), iter(["March"])])
def test_stop_words_leave_out_words_whatever_their_case(words):
    posts = pd.DataFrame({"post_id": [str(i) for i in range(40)], "author": [str(i) for i in range(40)],
                          "text": ["March now"] * 20 + ["rain"] * 20})  # fmt: skip
    links = pd.DataFrame({"post_id": posts["post_id"], "image_id": ["a"] * 20 + ["b"] * 20})
    clusters = pd.DataFrame({"image_id": ["a", "b"], "cluster": [0, 1], "iteration": 1, "silhouette": 0.1})
    found = vc.list_overrepresented_words(clusters, posts, links=links, stop_words=words)
    assert found["word"].tolist() == ["now", "rain"]


def test_a_stop_word_that_is_more_than_one_word_is_said_to_have_no_effect():
    posts = pd.DataFrame({"post_id": ["1"], "author": ["a"], "text": ["x y"]})
    links = pd.DataFrame({"post_id": ["1"], "image_id": ["a"]})
    clusters = pd.DataFrame({"image_id": ["a"], "cluster": [0], "iteration": 1, "silhouette": 0.1})
    with pytest.warns(UserWarning, match="more than one word and leave nothing out, such as 'white house'"):
        vc.list_overrepresented_words(clusters, posts, links=links, stop_words=["white house", ":)"])
