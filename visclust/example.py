"""The example corpus that comes with the package: real photographs, known groups, synthetic posts."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from visclust.base.provenance import digest_files, note_run, recorded
from visclust.images.index import index_images

_DATA = Path(__file__).parent / "example_data"
IMAGE_FOLDER = _DATA / "images"

# What the known groups of the example corpus are about, and the two made-up parties of its survey.
STUDY = {
    "features": ("landscape", "animals", "plants", "food"),
    "frames": ("animals", "food", "landscape", "plants"),
    "group_column": "party",
    "groups": {"Democrat": "#2166ac", "Republican": "#d6402b"},
}


class Example(NamedTuple):
    """The example corpus: the folder of images, and the tables about them."""

    folder: Path
    images: pd.DataFrame
    groups: pd.DataFrame
    posts: pd.DataFrame
    near_duplicates: pd.DataFrame


@recorded
def load_example() -> Example:
    """Load the example corpus that comes with the package: it needs no network.

    The photographs are real: small versions of pictures from Debian's packages endless-sky-data and
    tuxpaint-stamps-default, each with its own licence (``ATTRIBUTION.csv`` beside the folder of images).
    The posts are synthetic: a seeded script made them up, and no person wrote them.

    Returns
    -------
    folder : pathlib.Path
        Folder of the JPEG files, longest side 224 pixels at most. Files are numbered at random.
    images : DataFrame
        The images table of that folder, as `index_images` makes it: a row per file. Twelve files are
        exact copies of others (status "duplicate").
    groups : DataFrame
        ``image_id, group``, a row per unique image: what it is known to show, from the packages' own
        folders and file names. Kept apart from the images because it is for checking a clustering, never
        for making one. Subjects overlap (a hill in a valley), so no clustering can agree with it fully.
    posts : DataFrame
        4,000 synthetic posts: ``post_id, author, posted_at`` (UTC), ``text, hashtags`` (list of text),
        ``retweets, favourites, followers, friends`` (counts), and ``media`` (list of 0 to 4 paths
        relative to `folder`).
    near_duplicates : DataFrame
        ``image_id, source_id, kind``, a row per image that was made from another: "crop",
        "recompression" or "caption". Exact copies are not in it: they share their source's id.

    Raises
    ------
    FileNotFoundError
        If the package was installed without its data.

    Source
    ------
    The shape follows Casas, Webb Williams, Aslett and Wilkerson, data section: 174,172 tweets with 88,075
    images, 18,096 of them unique. As there, a unique image is used 4.9 times on average, a few far more.

    Examples
    --------
    >>> example = load_example()
    >>> example.posts[["post_id", "author"]].head(1)
      post_id  author
    0  p00001  synthetic_user_...
    >>> len(example.groups) == example.images["image_id"].nunique()
    True
    """
    folder = IMAGE_FOLDER
    files = {name: _DATA / name for name in ("groups.csv", "near_duplicates.csv", "posts.parquet")}
    if not folder.is_dir():
        raise FileNotFoundError(
            f"Expected the example images in {folder}. Install visclust again, from the whole repository."
        )
    images = index_images(folder, progress=False)
    image_ids = images.set_index(images["path"].map(lambda path: Path(path).name))["image_id"]

    digests = {name: digest_files([path]) for name, path in files.items()}
    note_run(parameters={"posts": "synthetic"}, inputs={"images": images, **digests})

    groups = pd.read_csv(files["groups.csv"])
    groups = groups.assign(image_id=groups["path"].map(image_ids))[["image_id", "group"]]

    made = pd.read_csv(files["near_duplicates.csv"])
    made = made.assign(image_id=made["path"].map(image_ids), source_id=made["source_path"].map(image_ids))
    made = made.loc[made["kind"].ne("copy"), ["image_id", "source_id", "kind"]]

    posts = pd.read_parquet(files["posts.parquet"])
    # Parquet gives arrays back; lists compare and print as people expect.
    posts = posts.assign(media=posts["media"].map(list), hashtags=posts["hashtags"].map(list))
    return Example(
        folder,
        images,
        groups.drop_duplicates("image_id", ignore_index=True),
        posts,
        made.reset_index(drop=True),
    )
