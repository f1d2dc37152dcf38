import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.embedding.embed import Embedding
from visclust.images import duplicates


@pytest.fixture(scope="module")
def example():
    return vc.load_example()


def by_name(groups):
    return groups.assign(name=groups["path"].str.rsplit("/", n=1).str[-1]).set_index("name")


def find_named(folder, **options):
    images = vc.index_images(folder, progress=False)
    return by_name(vc.find_duplicates(images, progress=False, **options).groups)


def test_the_same_bytes_are_one_group_and_nothing_else_is(folder):
    groups = find_named(folder, method="exact")
    assert groups.loc["a.png", "group"] == groups.loc["b_copy.png", "group"]
    assert groups["group"].nunique() == len(groups) - 1
    assert groups.loc["b_copy.png", ["is_representative", "distance", "size"]].tolist() == [False, 0, 2]


def test_a_smaller_copy_is_stood_for_by_the_largest(folder):
    groups = find_named(folder, method="perceptual")
    group = groups[groups["group"] == groups.loc["0_small.jpg", "group"]]
    assert sorted(group.index) == ["0_small.jpg", "a.png", "b_copy.png"]
    assert (group["representative"] == groups.loc["a.png", "image_id"]).all()
    assert group.index[group["is_representative"]].tolist() == ["a.png"]
    assert (group["size"] == 3).all()


def test_each_group_has_one_representative_row(folder):
    for method in ("exact", "perceptual"):
        groups = find_named(folder, method=method)
        assert (groups.groupby("group")["is_representative"].sum() == 1).all()


def test_plain_images_are_not_called_copies_of_one_another(folder):
    groups = find_named(folder, method="perceptual")
    plain = groups.loc[["plain_black.png", "plain_white.png"]]
    assert plain["status"].tolist() == ["flat", "flat"]
    assert plain["group"].nunique() == 2
    assert plain["distance"].isna().all()


def test_an_unreadable_file_keeps_a_row(folder):
    for method in ("exact", "perceptual"):
        assert find_named(folder, method=method).loc["broken.png", "status"] == "unreadable"


@pytest.mark.parametrize("method", ["exact", "perceptual"])
def test_a_table_without_a_readable_image_is_all_groups_of_one(make_images, method):
    images = make_images("ab").assign(status="unreadable")
    groups = vc.find_duplicates(images, method=method, progress=False).groups
    assert groups["status"].tolist() == ["unreadable"] * 2
    assert groups["group"].tolist() == [0, 1]
    assert groups["is_representative"].all()


def test_a_file_that_changed_or_went_since_keeps_a_row_that_says_so(folder):
    images = vc.index_images(folder, progress=False)
    (folder / "other.png").write_bytes((folder / "a.png").read_bytes())
    (folder / "0_small.jpg").unlink()
    with pytest.warns(UserWarning, match="1 of them are not there"):
        hashes = vc.hash_images(images, progress=False)
    reasons = by_name(images.merge(hashes, on="image_id"))["reason_y"]
    assert reasons["other.png"] == "changed since the images table was made"
    assert reasons["0_small.jpg"].startswith("cannot be opened")
    with pytest.warns(UserWarning, match="1 of them are not there"):
        groups = by_name(vc.find_duplicates(images, method="perceptual", progress=False).groups)
    assert groups.loc[["other.png", "0_small.jpg"], "status"].tolist() == ["unreadable"] * 2


def line_up(make_images, positions, **options):
    x = np.array(positions, dtype="float32")[:, None]
    images = make_images("abcdefgh"[: len(x)])
    options |= {"method": "embedding", "x": x, "metric": "euclidean", "threshold": 1}
    return vc.find_duplicates(images, **options).groups


def test_a_chain_is_one_connected_group_and_its_radius_shows_it(make_images):
    with pytest.warns(UserWarning, match="1 of 2 groups are chains"):
        groups = line_up(make_images, [0, 1, 2, 3, 9], grouping="connected")
    assert groups["group"].tolist() == [0, 0, 0, 0, 1]
    assert groups["radius"].tolist() == [3, 3, 3, 3, 0]


def test_centred_groups_reach_no_further_than_the_threshold(make_images):
    groups = line_up(make_images, [0, 1, 2, 3, 9])
    assert groups["representative"].tolist() == ["a", "a", "c", "c", "e"]
    assert groups["distance"].tolist() == [0, 1, 0, 1, 0]


def test_a_distance_that_equals_the_threshold_is_within_it(make_images):
    for last in (9, 10, 11):  # centring in float32 moves the others by different roundings
        for grouping in ("connected", "centred"):
            assert line_up(make_images, [0, 1, last], grouping=grouping)["group"].tolist() == [0, 0, 1]


def test_the_largest_image_stands_for_a_group_and_of_equals_the_first_by_path(make_images):
    images = make_images("abc").assign(width=[4, 9, 9], path=["1.jpg", "3.jpg", "2.jpg"])
    x = np.ones((3, 2), dtype="float32")
    found = vc.find_duplicates(images, method="embedding", x=x).groups
    assert found["representative"].tolist() == ["c", "c", "c"]


def test_without_a_threshold_the_embedding_takes_a_cosine_distance_of_a_tenth(make_images):
    found = vc.find_duplicates(make_images("abc"), method="embedding", x=np.eye(3))
    assert found.provenance["parameters"]["threshold"] == 0.1


def test_cosine_distance_does_not_see_length(make_images):
    x = np.array([[1.0, 0.0], [50.0, 0.0], [0.0, 1.0]])
    images, options = make_images("abc"), {"method": "embedding", "x": x}
    assert vc.find_duplicates(images, threshold=0, **options).groups["group"].tolist() == [0, 0, 1]
    assert vc.find_duplicates(images, threshold=1, **options).groups["size"].max() == 3


def test_the_embedding_follows_the_array(make_images, xp, blobs):
    x, groups = blobs([3, 1, 5], spread=0.001)
    found = vc.find_duplicates(make_images("abcdefghi"), method="embedding", x=xp(x), threshold=0.01)
    assert found.groups["group"].tolist() == groups.tolist()


def test_an_embedding_of_other_images_is_refused(make_images):
    embedding = Embedding(np.eye(3, dtype="float32"), ["a", "b", "z"], {})
    with pytest.raises(ValueError, match="image ids"):
        vc.find_duplicates(make_images("abc"), method="embedding", x=embedding)
    with pytest.raises(ValueError, match="row for each of the 3 images"):
        vc.find_duplicates(make_images("abc"), method="embedding", x=np.eye(2))


def test_methods_together_join_what_any_of_them_joins(folder):
    images = vc.index_images(folder, progress=False)
    looks = vc.find_duplicates(images, method="perceptual", progress=False)
    usable = images.loc[images["status"].eq("ok"), "path"].str.contains("other|plain_black")
    x = np.where(usable, 1.0, np.arange(2, 2 + len(usable)))[:, None]
    near = vc.find_duplicates(images, method="embedding", x=x, metric="euclidean", threshold=0)
    groups = by_name(vc.combine_duplicates(images, looks, near).groups)
    joined = groups.groupby("group").groups.values()
    assert sorted(map(len, joined)) == [1, 1, 2, 3]
    assert groups.loc["plain_black.png", "group"] == groups.loc["other.png", "group"]
    assert groups.loc["0_small.jpg", "representative"] == groups.loc["a.png", "image_id"]
    assert groups["distance"].isna().all()
    assert (groups.groupby("group")["is_representative"].sum() == 1).all()


def test_duplicates_of_other_images_cannot_be_combined(make_images):
    found = vc.find_duplicates(make_images("ab"))
    with pytest.raises(ValueError, match="found in other images"):
        vc.combine_duplicates(make_images("abc"), found)
    with pytest.raises(ValueError, match="at least one"):
        vc.combine_duplicates(make_images("abc"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "looks"}, "exact, perceptual, embedding"),
        ({"method": "exact", "threshold": 3}, "no threshold"),
        ({"method": "perceptual", "threshold": 6.5}, "whole number of bits"),
        ({"method": "perceptual", "threshold": 64}, "whole number of bits"),
        ({"method": "perceptual", "threshold": True}, "to be a number or None, got True"),
        ({"method": "embedding", "x": np.eye(3), "threshold": "0.1"}, "to be a number"),
        ({"method": "perceptual", "x": np.eye(3)}, 'method="embedding"'),
        ({"method": "embedding"}, "needs the embedding"),
        ({"method": "embedding", "x": np.eye(3), "threshold": -1}, "0 or more"),
        ({"method": "embedding", "x": np.eye(3), "metric": "euclidean"}, "Expected a threshold"),
        ({"method": "embedding", "x": np.eye(3), "metric": "manhattan", "threshold": 1}, "metric"),
        ({"method": "embedding", "x": np.diag([1.0, 1, 0])}, "all zeros"),
        ({"method": "perceptual", "grouping": "loose"}, "connected, centred"),
    ],
)
def test_a_wrong_setting_is_an_error(make_images, options, message):
    with pytest.raises(ValueError, match=message):
        vc.find_duplicates(make_images("abc"), progress=False, **options)


def test_a_post_that_shows_two_of_a_group_counts_once():
    links = pd.DataFrame({"post_id": ["p", "q", "q", "r"], "image_id": ["a", "a", "b", "c"]})
    groups = pd.DataFrame({"image_id": ["a", "b", "c", "a"], "representative": ["b", "b", "c", "b"]})
    mapped = vc.map_to_representatives(links, groups)
    assert mapped.values.tolist() == [["p", "b"], ["q", "b"], ["r", "c"]]
    assert links["image_id"].tolist() == ["a", "a", "b", "c"]


def test_a_link_to_an_image_in_no_group_is_an_error():
    links = pd.DataFrame({"post_id": ["p"], "image_id": ["z"]})
    with pytest.raises(ValueError, match="in no group"):
        vc.map_to_representatives(links, pd.DataFrame({"image_id": ["a"], "representative": ["a"]}))


def test_precision_and_recall_over_pairs_by_hand():
    # True groups: {a, b, c} and {d, e}; found: {a, b}, {c, d}, {e, f}.
    groups = pd.DataFrame({"image_id": list("abcdef"), "group": [0, 0, 1, 1, 2, 2]})
    known = pd.DataFrame(
        {"image_id": list("bce"), "source_id": list("aad"), "kind": ["crop", "crop", "caption"]}
    )
    scores = vc.score_duplicates(groups, known).set_index("kind")
    assert scores.loc["all", ["known", "found", "correct"]].tolist() == [4, 3, 1]
    assert scores.loc["all", "precision"] == pytest.approx(1 / 3)
    assert scores.loc["all", "recall"] == pytest.approx(1 / 4)
    assert scores["recall"][["crop", "caption"]].tolist() == [0.5, 0.0]


def test_nothing_found_has_no_precision():
    groups = pd.DataFrame({"image_id": list("ab"), "group": [0, 1]})
    known = pd.DataFrame({"image_id": ["b"], "source_id": ["a"], "kind": ["crop"]})
    scores = vc.score_duplicates(groups, known).iloc[0]
    assert np.isnan(scores["precision"])
    assert scores["recall"] == 0


def test_the_default_for_hashes_finds_recompressed_images_of_the_example_and_nothing_wrong(example):
    found = vc.find_duplicates(example.images, method="perceptual", progress=False)
    scores = vc.score_duplicates(found, example.near_duplicates).set_index("kind")
    assert scores.loc["all", "precision"] == 1
    assert scores.loc["recompression", "recall"] == 1
    parameters = found.provenance["parameters"]
    assert parameters["hash"]["hash"] == "phash"
    shown = {name: parameters[name] for name in ("method", "threshold", "grouping")}
    assert shown == {"method": "perceptual", "threshold": 10, "grouping": "centred"}


@pytest.mark.parametrize("grouping", ["centred", "connected"])
@pytest.mark.parametrize("confirm", [False, True])
def test_groups_are_the_same_whether_near_pairs_are_kept_or_distances_measured(
    monkeypatch, grouping, confirm
):
    rng = np.random.default_rng(0)
    own = rng.integers(0, 2**64, 40, dtype=np.uint64)
    # Near copies of near copies, and the very same hash again, so that there are chains.
    packed = own
    for _ in range(3):
        flips = [sum(1 << int(bit) for bit in rng.choice(64, 3, replace=False)) for _ in range(40)]
        packed = np.concatenate([packed, rng.choice(packed, 40) ^ np.array(flips, np.uint64), packed[:10]])
    n = len(packed)
    hashes = pd.Series([f"{value:016x}" for value in packed.tolist()])
    hashes[::17] = None
    nodes = pd.DataFrame({"image_id": [f"i{row}" for row in range(n)], "rank": rng.permutation(n)})
    agree = rng.random((n, n)) < 0.6
    monkeypatch.setattr(duplicates, "read_looks", lambda ids, **_: [int(each[1:]) for each in ids])
    monkeypatch.setattr(
        duplicates,
        "make_comparison",
        lambda rows: (
            lambda one, others: np.where(agree[rows[one], np.take(rows, others)], rows[one] / n, np.inf)
        ),
    )
    found = []
    for most in (10_000, 0):
        monkeypatch.setattr(duplicates, "_MOST_PAIRS", most)
        candidates = duplicates._find_close_hashes(hashes, threshold=4)
        assert (candidates.near is None) is (most == 0)
        found.append(
            duplicates._group(nodes, candidates, grouping=grouping, confirm=confirm, look={"progress": False})
        )
    pd.testing.assert_frame_equal(*found)
    assert 20 < found[0]["representative"].nunique() < 0.9 * n
