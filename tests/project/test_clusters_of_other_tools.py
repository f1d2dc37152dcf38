"""Every public function that takes clusters takes those of any tool: image_id, cluster, no more."""

import inspect

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import visclust as vc

IDS = list("abcdefgh")
LABELS = [0, 0, 0, 1, 1, 1, 2, -1]
CLUSTERS = pd.DataFrame({"image_id": IDS, "cluster": LABELS})
X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
GOLD = pd.DataFrame({"image_a": list("adcf"), "image_b": list("begh"), "same": [True, True, False, False]})
SAMPLE = pd.DataFrame({"image_id": list("abde"), "cluster": [0, 0, 1, 1], "inclusion_probability": 2 / 3})
POSTS = pd.DataFrame(
    {
        "post_id": list("pqr"),
        "author": ["ann", "bob", "cem"],
        "posted_at": pd.to_datetime(["2018-06-30", "2018-07-01", "2018-07-01"], utc=True),
        "text": ["the march", "the march", "a senator"],
    }
)
LINKS = pd.DataFrame({"post_id": list("pqr"), "image_id": list("abd")})
FRAMES = pd.DataFrame({"cluster": [0, 1], "frame": ["protest", "politics"]})
SUMMARY = pd.DataFrame(
    {
        "level": "emotion", "dimension": "enthusiasm", "item": "proud", "cluster": [0, 1, 2], "estimate": 2.0,
        "low": 1.0, "high": 3.0, "images": 1, "ratings": 4, "simulated": True,
    }
)  # fmt: skip
SETTINGS = pd.DataFrame(
    {"configuration": ["ours", "theirs"], "method": ["iterative", "single"], "embedding": "one"}
)
PLACES = pd.DataFrame({"image_id": IDS, "x": X[:, 0], "y": X[:, 1]})
GROUPS = pd.DataFrame({"image_id": IDS, "group": LABELS})
OWN = pd.DataFrame({"image_id": IDS, "representative": IDS})


def guess_from_few(clusters):
    """Guess from four labels: too few, which is said once all else is in order."""
    seen = pd.Series([True, False, True, False], index=list("abde"), name="men")
    try:
        vc.guess_labels(SAMPLE, seen, X, clusters=clusters)
    except ValueError as refused:
        if "Nothing can be guessed" not in str(refused):
            raise


# Each call is given clusters and the folder of the images; `theirs` are good ones to set beside them.
CALLS = {
    "add_copies": lambda c, d, i: vc.add_copies(c, i, OWN),
    "browse_clusters": lambda c, d, i: vc.browse_clusters(c, i, X, save_to=d, images_folder=d),
    "add_consensus": lambda c, d, i: vc.add_consensus({"ours": {0: c, 1: CLUSTERS, 2: CLUSTERS}}),
    "compare_configurations": lambda c, d, i: vc.compare_configurations({"ours": c}, GOLD, n_bootstrap=9),
    "compare_iterative_with_single": lambda c, d, i: vc.compare_iterative_with_single(
        {"ours": c, "theirs": CLUSTERS}, GOLD, settings=SETTINGS, n_bootstrap=9
    ),
    "compare_runs": lambda c, d, i: vc.compare_runs({"ours": c, "theirs": CLUSTERS}),
    "compare_samples": lambda c, d, i: vc.compare_samples(c, SAMPLE),
    "compare_seeds": lambda c, d, i: vc.compare_seeds(
        {"ours": {0: c, 1: CLUSTERS}, "theirs": {0: CLUSTERS, 1: CLUSTERS}}, GOLD
    ),
    "cross_validate": lambda c, d, i: vc.cross_validate({"ours": c}, GOLD, folds=2, n_bootstrap=9),
    "describe_clusters": lambda c, d, i: vc.describe_clusters(c, X, posts=POSTS, links=LINKS),
    "describe_map": lambda c, d, i: vc.describe_map(PLACES, c),
    "draw_random_sample": lambda c, d, i: vc.draw_random_sample(c, size=3),
    "draw_stratified_sample": lambda c, d, i: vc.draw_stratified_sample(c),
    "encode_cluster_thumbnails": lambda c, d, i: vc.encode_cluster_thumbnails(
        pd.DataFrame({"cluster": [1], "letter": ["A"]}), c, i, images_folder=d
    ),
    "estimate_corpus": lambda c, d, i: vc.estimate_corpus(
        SAMPLE, pd.Series(1.0, index=list("abde"), name="men"), clusters=c
    ),
    "explain_label_error": lambda c, d, i: vc.explain_label_error(
        c, GOLD, weights=np.ones(len(GOLD)), false_same=0.01, n_bootstrap=9
    ),
    "export_cluster_page": lambda c, d, i: vc.export_cluster_page(
        c, i, save_to=d / "page.html", images_folder=d, progress=False
    ),
    "find_consensus": lambda c, d, i: vc.find_consensus({"ours": c, "theirs": CLUSTERS}),
    "guess_labels": lambda c, d, i: guess_from_few(c),
    "label_posts": lambda c, d, i: vc.label_posts(c, FRAMES, POSTS, links=LINKS),
    "list_comparable": lambda c, d, i: vc.list_comparable({"ours": c}, GOLD),
    "list_overrepresented_words": lambda c, d, i: vc.list_overrepresented_words(c, POSTS, links=LINKS),
    "list_typical_images": lambda c, d, i: vc.list_typical_images(c, X),
    "make_cluster_model": lambda c, d, i: vc.make_cluster_model(X, c),
    "match_clusters": lambda c, d, i: vc.match_clusters(c, CLUSTERS),
    "pick_cluster_rows": lambda c, d, i: vc.pick_cluster_rows(c),
    "plan_annotation": lambda c, d, i: vc.plan_annotation(c),
    "plan_pairs": lambda c, d, i: vc.plan_pairs(vc.design_pairs(CLUSTERS, X), c),
    "plan_labels": lambda c, d, i: vc.plan_labels(
        SAMPLE, pd.Series([1.0, 0, 1, 0], index=list("abde"), name="men"), clusters=c
    ),
    "read_cluster_notes": lambda c, d, i: vc.read_cluster_notes(d, c),
    "repeat_over_seeds": lambda c, d, i: vc.repeat_over_seeds(
        lambda clusters: pd.DataFrame({"estimate": [clusters["cluster"].max()]}), {0: c, 1: CLUSTERS}
    ),
    "sample_pairs": lambda c, d, i: vc.sample_pairs(c, X, n_pairs=4),
    "score_against_groups": lambda c, d, i: vc.score_against_groups(c, GROUPS),
    "score_pairs": lambda c, d, i: vc.score_pairs(c, GOLD, n_bootstrap=9),
    "score_under_errors": lambda c, d, i: vc.score_under_errors(c, GOLD, weights=np.ones(len(GOLD))),
    "summarize_clusters": lambda c, d, i: vc.summarize_clusters(c),
    "summarize_samples": lambda c, d, i: vc.summarize_samples(c, SAMPLE, draws=9),
    "tabulate_emotion_heatmap": lambda c, d, i: vc.tabulate_emotion_heatmap(SUMMARY, c),
}


@pytest.fixture
def images(tmp_path):
    for number, name in enumerate(IDS):
        Image.new("RGB", (4, 3), (20 * number, 0, 0)).save(tmp_path / f"{name}.png")
    return pd.DataFrame({"image_id": IDS, "path": [f"{name}.png" for name in IDS], "status": "ok"})


def takes_clusters(function):
    if "study" in inspect.signature(function).parameters:
        return False  # its clusters are the study's own, which `read_table` has checked
    for name, parameter in inspect.signature(function).parameters.items():
        kind = parameter.annotation
        if name == "clusters" and kind is pd.DataFrame:
            return True
        if name in ("grid", "runs") and "pandas.DataFrame]" in str(kind):
            return True
    return False


def test_no_function_that_takes_clusters_is_forgotten_here():
    public = {name: getattr(vc, name) for name in dir(vc)}
    assert set(CALLS) == {
        name for name, one in public.items() if inspect.isfunction(one) and takes_clusters(one)
    }


@pytest.mark.parametrize("name", CALLS)
def test_image_id_and_cluster_are_enough_and_stay_as_they_were(name, tmp_path, images):
    given = CLUSTERS.copy()
    CALLS[name](given, tmp_path, images)
    pd.testing.assert_frame_equal(given, CLUSTERS)


@pytest.mark.parametrize("name", CALLS)
def test_whole_numbers_that_a_csv_file_made_decimal_are_taken(name, tmp_path, images):
    CALLS[name](CLUSTERS.astype({"cluster": float}), tmp_path, images)


@pytest.mark.parametrize("name", CALLS)
def test_what_is_no_cluster_is_refused_by_all_in_one_wording_and_all_at_once(name, tmp_path, images):
    wrong = pd.DataFrame({"image_id": [*IDS[:7], "a"], "cluster": [0, None, -2, "a", 1.5, 1, 1, 0]})
    with pytest.raises(ValueError, match="Expected image_id") as raised:
        CALLS[name](wrong, tmp_path, images)
    said = str(raised.value)
    for fault in (
        "1 that come twice or more ('a')",
        "1 without a cluster ('b')",
        "2 whose cluster is no whole number ('a' of 'd', 1.5 of 'e')",
        "1 with a cluster below -1 (-2 of 'c')",
    ):
        assert fault in said
