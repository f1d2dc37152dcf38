"""Make the synthetic posts of the example corpus: no person wrote them and no account posted them.

Run ``python tools/example_corpus/build_posts.py`` after `build_images`; the same seed gives the same table.

The shape follows the paper's 174,172 tweets with 88,075 images, 18,096 of them unique: 4,000 posts with
about 4.9 image uses per unique image, as there; 1.4 posts per image use, where the paper has 2.0, because
4.9 uses and 2.0 posts of so small a corpus would leave more than half of the posts without an image.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from visclust.base.files import write_atomically
from visclust.base.provenance import describe_run

_DATA = Path(__file__).parents[2] / "visclust" / "example_data"

SYNTHETIC_NOTICE = "Synthetic: made up by tools/example_corpus/build_posts.py; no person wrote these posts."

SEED = 20160718
POSTS = 4000
USES_PER_UNIQUE_IMAGE = 88_075 / 18_096
AUTHORS = 1200
START = pd.Timestamp("2024-09-02", tz="UTC")
WEEKS = 8
SECONDS = WEEKS * 7 * 24 * 3600
# Share of posts with one to four images, among those with any.
IMAGES_PER_POST = (0.89, 0.07, 0.025, 0.015)
# The exponent of the power law of popularity: a few images go viral, most are posted once or twice.
POPULARITY_EXPONENT = 1.25

_OPENINGS = [
    "Look at this {word}",
    "Another {word} for the collection",
    'They said "no more {word} pictures"',
    "{word} & friends",
    "I <3 {word}",
    "Nothing beats {word} 😀",
    "Is this {word}, or am I dreaming?",
    "{word} > everything else",
    "Can't stop thinking about {word}",
    "¿{word}? ¡Sí! 🎉",
]
_CLOSINGS = [
    "",
    "",
    "",
    "Share if you agree.",
    "Good morning ☀️",
    "More at 5 & 6 pm",
    'As my aunt says: "why not?"',
    "<b>Really.</b>",
    "It's Monday again…",
    "100% real 💯",
    "<script>alert('not today')</script>",
]
_PLAIN = [
    "No picture today, just a thought & a coffee ☕",
    "Who else is up at this hour?",
    'Reading "the news" again',
    "5 < 6, and other facts",
    "On the train. It's late.",
    "What a week 🌧️",
]
_GENERAL_HASHTAGS = ["example", "photo", "nofilter", "today", "weekend", "share"]


def build_posts(folder: Path, *, seed: int = SEED) -> pd.DataFrame:
    """Make up a table of posts that use the images of a folder as social media would.

    Parameters
    ----------
    folder : pathlib.Path
        Folder with ``groups.csv`` and ``near_duplicates.csv``, as `build_images` writes them.
    seed : int
        Seed; the same seed and images give the same table.

    Returns
    -------
    DataFrame
        Synthetic posts in order of time, with columns ``post_id, author, posted_at`` (UTC), ``text,
        hashtags`` (list), ``retweets, favourites, followers, friends`` (counts) and ``media`` (list
        of 0 to 4 paths relative to the folder of images).
    """
    generator = np.random.default_rng(seed)
    groups = pd.read_csv(folder / "groups.csv").set_index("path")["group"]
    variants = pd.read_csv(folder / "near_duplicates.csv")
    uses = _draw_uses(groups.index, variants, generator)
    posts = _bundle_uses(uses, generator)
    without = POSTS - len(posts)
    posts += [(second, []) for second in generator.integers(0, SECONDS, without).tolist()]
    posts.sort(key=lambda post: post[0])
    table = pd.DataFrame(
        {
            "post_id": [f"p{number:05d}" for number in range(1, POSTS + 1)],
            "posted_at": START + pd.to_timedelta([second for second, _ in posts], unit="s"),
            "media": [media for _, media in posts],
        }
    )
    table["posted_at"] = table["posted_at"].astype("datetime64[us, UTC]")
    table = _add_authors(table, generator)
    table = _add_reactions(table, uses["path"].value_counts(), generator)
    table = _add_words(table, groups, generator)
    order = ["post_id", "author", "posted_at", "text", "hashtags"]
    return table[[*order, "retweets", "favourites", "followers", "friends", "media"]]


def save_posts(posts: pd.DataFrame, path: Path, *, seed: int = SEED) -> Path:
    """Save the posts as Parquet, called synthetic in the file's own record.

    Parameters
    ----------
    posts : DataFrame
        What `build_posts` returned.
    path : pathlib.Path
        Where to.
    seed : int
        The seed it was made with, for the record.

    Returns
    -------
    pathlib.Path
        The file; `visclust.base.tables.read_provenance` reads its record.
    """
    arrow = pa.Table.from_pandas(posts, preserve_index=False)
    run = describe_run("build_posts", seed=seed)
    record = {"kind": "posts", "synthetic": True, "notice": SYNTHETIC_NOTICE, **run}
    metadata = {**(arrow.schema.metadata or {}), b"visclust": json.dumps(record).encode()}
    arrow = arrow.replace_schema_metadata(metadata)
    return write_atomically(path, lambda file: pq.write_table(arrow, file, compression="zstd"))


def _draw_uses(paths: pd.Index, variants: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """Draw how often and when each file is used: once at least, then by a power law, in bursts."""
    made_from = variants["source_path"].value_counts()
    # Photographs that people cropped and captioned are the popular ones, so they tend to come first.
    pull = 1 + 2 * made_from.reindex(paths, fill_value=0).to_numpy()
    rank = 1 + np.argsort(np.argsort(generator.exponential(size=len(paths)) / pull))
    weight = rank.astype(float) ** -POPULARITY_EXPONENT
    unique = len(paths) - int((variants["kind"] == "copy").sum())
    extra = round(USES_PER_UNIQUE_IMAGE * unique) - len(paths)
    counts = 1 + generator.multinomial(extra, weight / weight.sum())

    # The last week brings nothing new, so that what goes viral late still has days to spread.
    first = pd.Series(generator.integers(0, SECONDS * (WEEKS - 1) // WEEKS, len(paths)), index=paths)
    source = variants.set_index("path")["source_path"]
    # A variant cannot be older than what it was made from.
    room = SECONDS - first.loc[source].to_numpy()
    first.loc[source.index] = first.loc[source].to_numpy() + (
        room * generator.uniform(0, 0.5, len(source))
    ).astype(int)

    path = np.repeat(paths.to_numpy(), counts)
    start = np.repeat(first.to_numpy(), counts)
    # Half of the re-posts come within a day or so of the first, the rest trickle in over weeks.
    delay = generator.lognormal(np.log(18 * 3600), 1.4, len(path))
    delay[np.r_[0, np.cumsum(counts)[:-1]]] = 0
    second = start + np.where(start + delay < SECONDS, delay, delay % np.maximum(SECONDS - start, 1))
    uses = pd.DataFrame({"path": path, "second": second.astype(int)})
    return uses.sort_values(["second", "path"], ignore_index=True)


def _bundle_uses(uses: pd.DataFrame, generator: np.random.Generator) -> list[tuple[int, list[str]]]:
    """Make posts of the uses: one each mostly, sometimes two to four different files in a row."""
    waiting = list(zip(uses["second"], uses["path"], strict=True))
    posts: list[tuple[int, list[str]]] = []
    at = 0
    while at < len(waiting):
        size = 1 + int(generator.choice(4, p=IMAGES_PER_POST))
        second, media = waiting[at][0], [waiting[at][1]]
        at += 1
        while at < len(waiting) and len(media) < size and waiting[at][1] not in media:
            media.append(waiting[at][1])
            at += 1
        posts.append((int(second), media))
    return posts


def _add_authors(table: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """Give every author one post, and the rest to a few busy ones, who have more followers."""
    activity = generator.lognormal(0, 1.5, AUTHORS)
    who = np.r_[
        np.arange(AUTHORS), generator.choice(AUTHORS, len(table) - AUTHORS, p=activity / activity.sum())
    ]
    who = generator.permutation(who)
    reach = 5 + 0.5 * np.log(activity) + generator.normal(0, 1.4, AUTHORS)
    followers = np.exp(reach).astype(int)
    friends = np.exp(2.6 + 0.55 * reach + generator.normal(0, 0.8, AUTHORS)).astype(int)
    names = np.array([f"synthetic_user_{number:04d}" for number in range(1, AUTHORS + 1)])
    return table.assign(author=names[who], followers=followers[who], friends=friends[who])


def _add_reactions(
    table: pd.DataFrame, popularity: pd.Series, generator: np.random.Generator
) -> pd.DataFrame:
    """Draw retweets and favourites: more for many followers and for images that many others post."""
    shown = np.array([max((popularity[path] for path in media), default=0.5) for media in table["media"]])
    rate = -3.2 + 0.5 * np.log1p(table["followers"]) + 0.35 * np.log(shown)
    strength = np.exp(rate + generator.normal(0, 1.1, len(table)))
    retweets = generator.poisson(strength)
    favourites = generator.poisson(1.8 * strength * generator.lognormal(0, 0.4, len(table)))
    return table.assign(retweets=retweets, favourites=favourites)


def _add_words(table: pd.DataFrame, groups: pd.Series, generator: np.random.Generator) -> pd.DataFrame:
    """Write short texts with marks that a careless page would take for HTML, and hashtags."""
    texts, hashtags = [], []
    for media in table["media"]:
        tags = [
            str(tag) for tag in generator.choice(_GENERAL_HASHTAGS, generator.integers(0, 3), replace=False)
        ]
        if media:
            word = groups[media[0]].split("/")[-1]
            text = str(generator.choice(_OPENINGS)).format(word=word)
            if generator.random() < 0.6:
                tags.insert(0, word)
        else:
            text = str(generator.choice(_PLAIN))
        parts = [text, str(generator.choice(_CLOSINGS)), *(f"#{tag}" for tag in tags)]
        texts.append(" ".join(part for part in parts if part))
        hashtags.append(tags)
    return table.assign(text=texts, hashtags=pd.Series(hashtags, index=table.index))


def _main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", type=Path, default=_DATA, help="default: the data of the package")
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    posts = build_posts(given.to, seed=given.seed)
    path = save_posts(posts, given.to / "posts.parquet", seed=given.seed)
    print(f"{len(posts)} synthetic posts, {posts['media'].str.len().sum()} image uses, in {path}")


if __name__ == "__main__":
    _main()
