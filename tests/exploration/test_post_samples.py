import numpy as np
import pandas as pd
import pytest

import visclust as vc

POSTS = pd.DataFrame(
    {
        "post_id": [f"p{i}" for i in range(200)],
        "protest": np.arange(200) < 60,
        "family": (np.arange(200) < 10) | (np.arange(200) == 199),
    }
)
SAMPLE = pd.DataFrame({"post_id": ["p", "q"], "inclusion_probability": 0.5})
LINKS = pd.DataFrame({"post_id": ["p", "p", "q"], "image_id": ["a", "b", "b"]})
LABELS = pd.DataFrame({"image_id": ["a", "b"], "protest": [1.0, 0.0]})


def test_posts_are_parted_by_their_rarest_frame_and_each_part_stands_for_all_its_posts():
    drawn = vc.draw_post_sample(POSTS, size=60)
    assert len(drawn) == 60
    assert drawn["post_id"].is_unique
    # 11 posts have the frame "family"; of the others 50 have "protest".
    assert drawn.groupby("stratum")["weight"].sum().to_dict() == pytest.approx(
        {"family": 11, "protest": 50, "none": 139}
    )
    assert (drawn["inclusion_probability"] * drawn["weight"]).to_numpy() == pytest.approx(1)
    chance = drawn.groupby("stratum")["inclusion_probability"].first()
    assert chance["family"] == 1 > chance["protest"] > chance["none"]
    pd.testing.assert_frame_equal(drawn, vc.draw_post_sample(POSTS, size=60))


def test_every_post_of_a_part_is_drawn_equally_often():
    counts = sum(
        POSTS["post_id"].isin(vc.draw_post_sample.__wrapped__(POSTS, size=40, seed=s)["post_id"]).to_numpy()
        for s in range(200)
    )
    drawn = vc.draw_post_sample(POSTS, size=40)
    chance = drawn.loc[drawn["stratum"].eq("none"), "inclusion_probability"].iloc[0]
    # Each of 139 counts is binomial; five standard errors.
    off = np.abs(counts[60:199] - 200 * chance)
    assert off.max() < 5 * np.sqrt(200 * chance * (1 - chance))


@pytest.mark.parametrize("size", [6, 7, 50, 199, 200])
def test_as_many_posts_are_drawn_as_asked_for(size):
    assert len(vc.draw_post_sample(POSTS, size=size)) == size


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 5}, "at least 6, two posts of each of 3 parts"),
        ({"size": 201}, "1 to 200 posts"),
        ({"size": 9, "frames": ["post_id"]}, "True-or-False columns"),
    ],
)
def test_samples_that_cannot_be_drawn_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        vc.draw_post_sample(POSTS, **options)
    with pytest.raises(ValueError, match="each post once"):
        vc.draw_post_sample(pd.concat([POSTS, POSTS]), size=20)


def test_a_post_uses_a_frame_where_any_of_its_images_shows_it():
    joined = vc.join_post_labels(SAMPLE, LABELS, links=LINKS)
    assert joined["protest"].tolist() == [True, False]
    assert joined["inclusion_probability"].tolist() == [0.5, 0.5]
    partly = LABELS.assign(protest=[1.0, np.nan])
    assert vc.join_post_labels(SAMPLE.head(1), partly, links=LINKS)["protest"].tolist() == [True]
    assert vc.join_post_labels(SAMPLE, LABELS.assign(simulated=True), links=LINKS)["simulated"].all()


@pytest.mark.parametrize(
    ("labels", "links", "message"),
    [
        (LABELS.assign(protest=[np.nan, 0.0]), LINKS, "1 sampled posts have an image without a label"),
        (LABELS.head(1), LINKS, "without a label of 'protest'.*'q' for one"),
        (LABELS, LINKS.head(2), "show no image by the links, 'q'"),
        (LABELS.assign(protest=[0.2, 0.3]), LINKS, "1, 0 or missing"),
        (LABELS[["image_id"]], LINKS, "at least one column"),
        (LABELS.rename(columns={"protest": "weight"}), LINKS, "rename one"),
        (pd.concat([LABELS, LABELS]), LINKS, "one row of labels per image"),
    ],
)
def test_posts_whose_images_do_not_tell_are_refused(labels, links, message):
    with pytest.raises(ValueError, match=message):
        vc.join_post_labels(SAMPLE, labels, links=links)


def test_gaps_and_names_that_mean_something_else_are_refused_in_words():
    gaps = POSTS.assign(protest=POSTS["protest"].astype("boolean").where(POSTS.index != 3))
    with pytest.raises(ValueError, match="True or False of 'protest' in every row of the posts; 1 have"):
        vc.draw_post_sample(gaps, size=40)
    with pytest.raises(ValueError, match="'none' is the stratum of posts without any"):
        vc.draw_post_sample(POSTS.rename(columns={"family": "none"}), size=40)
    assert (
        len(vc.draw_post_sample(POSTS.rename(columns={"family": "none"}), size=40, frames=["protest"])) == 40
    )
