"""Samples of posts for people to label: drawn with known probabilities, labelled by their images."""

import numpy as np
import pandas as pd

from visclust.base.checks import check_whole_number
from visclust.base.provenance import recorded
from visclust.base.simulated import MARK, mark_simulated
from visclust.base.tables import check_columns
from visclust.exploration.frame_corrections import check_known

_NONE = "none"
_COLUMNS = ("post_id", "stratum", "inclusion_probability", "weight")


@recorded
def draw_post_sample(
    posts: pd.DataFrame, *, size: int, frames: list[str] | None = None, seed: int = 0
) -> pd.DataFrame:
    """Draw posts for people to label, some with each guessed frame and some with none.

    Posts are parted by their rarest guessed frame, and those without any are a part of their own. Half of the
    sample is spread evenly over the parts and half in proportion to their posts; within a part every post has
    the same chance. So rare frames are seen often enough, and each post has a known chance above 0.

    Parameters
    ----------
    posts : DataFrame
        The ``posts`` of `label_posts`: ``post_id`` and a True-or-False column per frame.
    size : int
        Posts to draw, at least two for each part (or all of a part that has only one).
    frames : list of str, optional
        The columns of frames; otherwise every True-or-False column.
    seed : int, default 0
        Seed of the draw.

    Returns
    -------
    DataFrame
        A row per drawn post, in the order of `posts`: ``post_id, stratum`` (its rarest guessed frame, or
        "none"), ``inclusion_probability``, ``weight`` (its inverse).

    Raises
    ------
    ValueError
        If a post comes twice, a column is no frame, has gaps or is called "none", or `size` is too small or
        larger than the posts.

    Source
    ------
    Särndal, Swensson and Wretman (1992), Model Assisted Survey Sampling, section 3.7, for the strata; Egami,
    Hinck, Stewart and Wei (2023), NeurIPS 36, for why probabilities must be known.

    Examples
    --------
    >>> posts = pd.DataFrame({"post_id": [f"p{i}" for i in range(100)], "protest": False})
    >>> posts.loc[:9, "protest"] = True
    >>> drawn = draw_post_sample(posts, size=20)
    >>> drawn.groupby("stratum")["inclusion_probability"].first().round(2).to_dict()
    {'none': 0.16, 'protest': 0.6}
    """
    check_columns(posts, ["post_id"], "the posts", hint="Take the posts of label_posts.")
    check_whole_number("size", size, least=1)
    truth = [name for name in posts.columns if pd.api.types.is_bool_dtype(posts[name]) and name != MARK]
    names = truth if frames is None else list(frames)
    if wrong := [name for name in names if name not in truth]:
        raise ValueError(f"Expected frames as True-or-False columns of the posts, got {', '.join(wrong)}.")
    check_known(posts, names, "the posts")
    if _NONE in names:
        raise ValueError(
            f"{_NONE!r} is the stratum of posts without any guessed frame, and cannot be a frame's name: "
            "rename the column, or name the frames to draw by (frames)."
        )
    if posts["post_id"].duplicated().any():
        twice = posts.loc[posts["post_id"].duplicated(), "post_id"].iloc[0]
        raise ValueError(f"Expected each post once, got {twice!r} twice.")
    if size > len(posts):
        raise ValueError(f"Expected a sample of 1 to {len(posts)} posts, got size={size}.")
    strata = np.full(len(posts), _NONE, dtype=object)
    for name in sorted(
        names, key=lambda each: -posts[each].to_numpy(dtype=bool).sum()
    ):  # the rarest is written last
        strata[posts[name].to_numpy(dtype=bool)] = name
    labels, codes, counts = np.unique(strata.astype(str), return_inverse=True, return_counts=True)
    takes = _share_out(counts, size)
    rng = np.random.default_rng(seed)
    rows = np.concatenate(
        [rng.choice(np.flatnonzero(codes == k), take, replace=False) for k, take in enumerate(takes)]
    )
    rows.sort()
    chances = (takes / counts)[codes[rows]]
    drawn = pd.DataFrame(
        {
            "post_id": posts["post_id"].to_numpy()[rows],
            "stratum": labels[codes[rows]],
            "inclusion_probability": chances,
            "weight": 1 / chances,
        }
    )
    return mark_simulated(drawn, posts)


def _share_out(counts: np.ndarray, size: int) -> np.ndarray:
    """Share a sample out over parts: half evenly, half in proportion, at least two of each."""
    least = np.minimum(counts, 2)
    if size < least.sum():
        raise ValueError(
            f"Expected a size of at least {least.sum()}, two posts of each of {len(counts)} parts, "
            f"got {size}."
        )
    wanted = size * (0.5 / len(counts) + 0.5 * counts / counts.sum())
    takes = np.clip(np.floor(wanted).astype(np.int64), least, counts)
    while (gap := size - takes.sum()) != 0:
        free = takes < counts if gap > 0 else takes > least
        place = np.argmax(np.where(free, np.sign(gap) * (wanted - takes), -np.inf))
        takes[place] += np.sign(gap)
    return takes


@recorded
def join_post_labels(sample: pd.DataFrame, labels: pd.DataFrame, *, links: pd.DataFrame) -> pd.DataFrame:
    """Say of each sampled post which frames it uses, from people's labels of all its images.

    A post uses a frame where any of its images shows it. It does not where all of its images are labelled and
    none does; where that is not known of every image, the post cannot be said to go without.

    Parameters
    ----------
    sample : DataFrame
        From `draw_post_sample`.
    labels : DataFrame
        The ``labels`` of `aggregate_labels`: ``image_id`` and a column per feature, 1, 0 or missing.
    links : DataFrame
        The posts_images table: which images each post shows.

    Returns
    -------
    DataFrame
        The sample with a True-or-False column per feature, for the ``labels`` of `model_frame_use`.

    Raises
    ------
    ValueError
        If a post shows no image, or one image of it lacks a label that decides: label it, or settle the tie.

    Examples
    --------
    >>> sample = pd.DataFrame({"post_id": ["p", "q"], "inclusion_probability": 0.5})
    >>> labels = pd.DataFrame({"image_id": ["a", "b"], "protest": [1.0, 0.0]})
    >>> links = pd.DataFrame({"post_id": ["p", "p", "q"], "image_id": ["a", "b", "b"]})
    >>> join_post_labels(sample, labels, links=links)["protest"].tolist()
    [True, False]
    """
    check_columns(sample, ["post_id", "inclusion_probability"], "the sample", hint="Take draw_post_sample's.")
    check_columns(labels, ["image_id"], "the labels", hint="Take the labels of aggregate_labels.")
    check_columns(links, ["post_id", "image_id"], "the links")
    names = [name for name in labels.columns if name not in ("image_id", MARK)]
    if not names:
        raise ValueError("Expected at least one column of labels beside image_id, got none.")
    if taken := [name for name in names if name in {*_COLUMNS, *sample.columns}]:
        raise ValueError(f"{taken[0]!r} is a label and a column of the sample too: rename one.")
    if labels["image_id"].duplicated().any():
        raise ValueError("Expected one row of labels per image, got several. Aggregate them first.")
    shown = links.loc[links["post_id"].isin(sample["post_id"])].merge(labels, on="image_id", how="left")
    if bare := sorted(set(sample["post_id"]) - set(shown["post_id"]), key=str):
        raise ValueError(f"{len(bare)} sampled posts show no image by the links, {bare[0]!r} for one.")
    joined = sample.reset_index(drop=True)
    for name in names:
        values = pd.to_numeric(shown[name], errors="coerce")
        if not values.dropna().isin([0, 1]).all():
            raise ValueError(f"Expected 1, 0 or missing in the labels of {name!r}.")
        best = values.fillna(0.5).groupby(shown["post_id"]).max().reindex(joined["post_id"])
        if (open_ := best.eq(0.5)).any():
            raise ValueError(
                f"{int(open_.sum())} sampled posts have an image without a label of {name!r}, and none that "
                f"shows it: {best.index[open_][0]!r} for one. Label their images, or settle the ties."
            )
        joined[name] = best.eq(1).to_numpy()
    return mark_simulated(joined, labels)
