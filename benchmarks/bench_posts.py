"""Measure the reading of posts: seconds and peak memory for a million tweets as twarc2 flattens them.

    python benchmarks/bench_posts.py [--posts 1000000]

The tweets are made up: 60% have an image, a quarter are retweets, and one line in 10,000 is cut off.
Each reading runs in a process of its own, so that its peak memory is its own; times include starting Python.
Hashtags are then tracked in the same posts, for 600 accounts.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

READ = """
import sys
import visclust as vc
read = vc.read_posts(sys.argv[1], progress=False, save_to=sys.argv[2] or None)
print(read.summary)
"""

TRACK = """
import sys, time
import pandas as pd, visclust as vc
posts = vc.read_table(sys.argv[1], "posts")
accounts = pd.DataFrame({"account": posts["author"].drop_duplicates().head(600)})
accounts["kind"] = [("organization", "politician", "media")[row % 3] for row in range(len(accounts))]
begin = time.perf_counter()
tracked = vc.track_hashtags(posts, accounts)
seconds = time.perf_counter() - begin
print(f"{len(tracked.spans):,} spans, {len(tracked.posts):,} uses collected; without loading {seconds:.1f} s")
"""

WORDS = (
    *("families", "children", "border", "together", "court", "today", "march"),
    *("judge", "senate", "vote", "never", "again", "street", "people"),
)
TAGS = [f"{a.title()}{b.title()}{c.title()}" for a in WORDS[:6] for b in WORDS[6:10] for c in WORDS[10:]]


def make_tweet(number: int, generator: random.Random) -> dict:
    """One tweet as twarc2 flatten writes it, with the fields that make up most of its length."""
    author = int(generator.paretovariate(0.6)) % 200_000
    when = datetime(2018, 5, 1, tzinfo=UTC) + timedelta(seconds=number * 5)
    tags = [TAGS[int(generator.paretovariate(0.8)) % len(TAGS)] for _ in range(generator.randrange(3))]
    text = " ".join(generator.choices(WORDS, k=generator.randrange(5, 40))) + "".join(
        f" #{tag}" for tag in tags
    )
    tweet = {
        "id": str(10**18 + number * 7919),
        "conversation_id": str(10**18 + number * 7919),
        "text": text,
        "created_at": when.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "author_id": str(10**8 + author),
        "lang": "en",
        "possibly_sensitive": False,
        "reply_settings": "everyone",
        "source": "Twitter for iPhone",
        "public_metrics": {
            "retweet_count": number % 97,
            "reply_count": number % 7,
            "like_count": number % 211,
            "quote_count": 0,
        },
        "entities": {
            "hashtags": [{"start": 0, "end": 9, "tag": tag} for tag in tags],
            "urls": [{"start": 1, "end": 24, "url": "https://t.co/abcdefghij", "display": "example.com"}],
            "annotations": [{"start": 3, "end": 9, "probability": 0.97, "normalized_text": "Texas"}],
        },
        "context_annotations": [
            {"domain": {"id": "10", "name": "Person", "description": "Named people"}, "entity": {"id": "1"}}
        ] * 2,
        "author": {
            "id": str(10**8 + author),
            "username": f"user_{author}",
            "name": f"User {author}",
            "created_at": "2011-01-01T00:00:00.000Z",
            "description": " ".join(WORDS),
            "profile_image_url": f"https://pbs.twimg.com/profile_images/{author}/photo_normal.jpg",
            "verified": False,
            "public_metrics": {
                "followers_count": author,
                "following_count": author % 900,
                "tweet_count": 5000,
                "listed_count": 3,
            },
        },
        "__twarc": {"url": "https://example.com/2/tweets/search/all?expansions=id", "version": "2.14.0"},
    }  # fmt: skip
    if generator.random() < 0.6:
        name = f"{int(generator.paretovariate(0.5)) % 500_000:015x}"
        key = f"3_{name}"
        photo = {
            "media_key": key,
            "type": "photo",
            "url": f"https://pbs.twimg.com/media/{name}.jpg",
            "width": 1200,
        }
        tweet["attachments"] = {"media_keys": [key], "media": [photo]}
    if generator.random() < 0.25:
        original = {"type": "retweeted", "id": str(number), "text": text, "entities": tweet["entities"]}
        tweet["referenced_tweets"] = [original]
        tweet["text"] = f"RT @user_{author}: {text}"[:139] + "…"
    return tweet


def write_tweets(path: Path, n: int) -> None:
    """A line per tweet; every 10,000th is cut in the middle."""
    generator = random.Random(0)
    with path.open("w") as file:
        for number in range(n):
            line = json.dumps(make_tweet(number, generator))
            file.write((line[: len(line) // 2] if number % 10_000 == 9_999 else line) + "\n")


def run(code: str, *arguments: str) -> tuple[str, float, float]:
    """Run code in a process of its own: what it printed, seconds, and peak memory in GB."""
    begin = time.perf_counter()
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        printed = process.stdout.read().strip()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the process under test failed with {process.returncode}")
    return printed, time.perf_counter() - begin, usage.ru_maxrss * 1024 / 1e9  # Linux counts in KiB


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posts", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        path, saved = Path(name) / "tweets.jsonl", Path(name) / "posts.parquet"
        write_tweets(path, given.posts)
        print(f"{given.posts:,} lines, {path.stat().st_size / 1e9:.2f} GB", flush=True)
        for label, target in (("in memory", ""), ("with save_to", str(saved))):
            printed, seconds, gigabytes = run(READ, str(path), target)
            print(f"read_posts, {label}: {seconds:.1f} s, peak {gigabytes:.2f} GB. {printed}", flush=True)
        printed, seconds, gigabytes = run(TRACK, str(saved))
        print(f"track_hashtags: {seconds:.1f} s, peak {gigabytes:.2f} GB. {printed}", flush=True)


if __name__ == "__main__":
    main()
