"""Which column of a table of posts holds what: as named, as known of a format, or guessed by its name."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from visclust.base.cells import fold_header
from visclust.corpus.post_rows import PostRow

# As 4CAT exports its datasets of Twitter and X; it has neither followers nor friends.
_FOURCAT_TWITTER = {
    "post_id": "id",
    "author": "author",
    "posted_at": "timestamp",
    "text": "body",
    "hashtags": "hashtags",
    "retweets": "retweet_count",
    "favourites": "like_count",
    "media": "images",
    "is_retweet": "is_retweet",
}
# What 4CAT's exports of all platforms have; the other columns are guessed by their names.
_FOURCAT_ALL = {name: _FOURCAT_TWITTER[name] for name in ("post_id", "author", "posted_at", "text")}
# The columns by which a CSV file of 4CAT is known, and one of Twitter or X among them.
_FOURCAT_MARKS = {"id", "thread_id", "timestamp", "body", "author"}
_TWITTER_MARKS = {"retweet_count", "is_retweet"}
# 4CAT lists here what the platform did not give, and writes 0 or nothing in the column itself.
MISSING_FIELDS = "missing_fields"

# Names that platforms, scrapers and researchers give; compared without case, spaces and underscores.
_GUESSES = {
    "post_id": (
        "id tweet_id id_str status_id message_id tweetid post_number item_id object_id media_id video_id "
        "submission_id shortcode uid_post id_post post_uid"
    ),
    "author": (
        "user username user_name screen_name user_screen_name user_username author_name author_username "
        "author_handle author_screen_name handle user_handle account account_name account_handle profile "
        "owner_username from_user channel channel_name channel_title page_name poster creator"
    ),
    "posted_at": (
        "created_at date datetime date_time time timestamp post_date post_time posted posted_on posted_time "
        "created created_time created_utc create_time creation_time creation_date publish_date publish_time "
        "published published_at publication_date tweet_created_at tweet_date tweet_time taken_at date_utc"
    ),
    "text": (
        "full_text tweet tweet_text tweet_full_text body content contents message caption description "
        "post_text post_content raw_content status_text"
    ),
    "hashtags": "hashtag tags hash_tags entities_hashtags",
    "retweets": (
        "retweet_count retweets_count n_retweets num_retweets number_of_retweets public_metrics_retweet_count"
    ),
    "favourites": (
        "favorites favourite_count favorite_count favourites_count favorites_count likes like_count "
        "likes_count n_likes num_likes number_of_likes public_metrics_like_count digg_count"
    ),
    "followers": (
        "followers_count follower_count n_followers num_followers number_of_followers user_followers "
        "user_followers_count author_followers author_followers_count user_public_metrics_followers_count"
    ),
    "friends": (
        "friends_count friend_count following following_count n_following user_friends_count "
        "author_following author_following_count"
    ),
    "media": (
        "image images image_file image_files image_path image_paths image_name image_names image_filename "
        "image_url image_urls image_link media_url media_urls media_file media_files media_path "
        "media_filename media_files_paths photo photos photo_url photo_urls picture pictures picture_url "
        "pic pics pic_url pic_urls img img_url img_path file filename file_name file_path thumbnail "
        "thumbnail_url attachment_filename"
    ),
    "is_retweet": "is_rt is_repost is_a_retweet",
}
_GUESSED = {ours: {fold_header(name) for name in names.split()} for ours, names in _GUESSES.items()}


class ColumnMap(NamedTuple):
    """The file's name of each of our columns, how each was found, and the columns that are not used."""

    found: dict[str, str]
    how: dict[str, str]
    unused: list[str]

    def explain(self) -> list[tuple[str, str, str]]:
        """Give a row per column: ours, the file's, and how it was found."""
        rows = [(ours, theirs, self.how[ours]) for ours, theirs in self.found.items()]
        return rows + [("", theirs, "not used") for theirs in self.unused]


def is_fourcat(names: Sequence[str]) -> bool:
    """Tell a CSV file of 4CAT by its header."""
    return set(names) >= _FOURCAT_MARKS


def is_fourcat_twitter(names: Sequence[str]) -> bool:
    """Tell 4CAT's exports of Twitter and X from those of other platforms."""
    return bool(_TWITTER_MARKS & set(names))


def match_columns(
    names: Sequence[str], *, format: str, columns: Mapping[str, str | None] | None, file: str
) -> ColumnMap:
    """Find the file's name of each of our columns: `columns` first, then what is known, then guesses.

    A name that is None or empty in `columns` is left out. Names are compared without case, spaces and
    underscores where they are not the same to the letter. ValueError says if a name is not one of ours, a
    column that was named is not there, a guess could go two ways, a column comes twice, or none holds the
    post ids.
    """
    has = f"The columns of {file} are {', '.join(map(str, names)) or 'none'}."
    given = dict(columns or {})
    if unknown := [name for name in given if name not in PostRow._fields]:
        raise ValueError(
            f"Expected names of ours as the keys of columns=, got {', '.join(unknown)}. Ours are "
            f"{', '.join(PostRow._fields)}. Write columns={{'post_id': 'its name in the file'}}."
        )
    folded: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        folded.setdefault(fold_header(name), []).append(name)

    def find(name: str) -> list[str]:
        return [name] if name in names else folded.get(fold_header(name), [])

    found: dict[str, str] = {}
    how: dict[str, str] = {}
    for ours, theirs in given.items():
        if not theirs:
            continue
        there = find(theirs)
        if not there:
            raise ValueError(f"There is no column {theirs!r}, which columns= names. {has}")
        if len(there) > 1:
            raise ValueError(f"columns= names {theirs!r}, which may be {_name_all(there)}: write it exactly.")
        found[ours], how[ours] = there[0], "given"
    known: dict[str, str] = {name: name for name in PostRow._fields}
    if format == "4cat":
        known = _FOURCAT_TWITTER if is_fourcat_twitter(names) else _FOURCAT_ALL
    unclear: dict[str, list[str]] = {}
    for ours in PostRow._fields:
        if ours in given:
            continue
        taken = set(found.values())
        there = [name for name in find(known.get(ours, ours)) if name not in taken]
        word = "known"
        if not there and not (format == "4cat" and is_fourcat_twitter(names)):
            there = [name for key in _GUESSED[ours] for name in folded.get(key, []) if name not in taken]
            word = "guessed"
        there = sorted(there, key=list(names).index)
        if len(there) > 1:
            unclear[ours] = there
        elif there:
            found[ours], how[ours] = there[0], word
    if unclear:
        ways = "; ".join(f"{ours} may be {_name_all(there)}" for ours, there in unclear.items())
        say = ", ".join(f"{ours!r}: {there[0]!r}" for ours, there in unclear.items())
        raise ValueError(
            f"It is not clear which columns of {file} to take: {ways}. Say which, for instance "
            f"columns={{{say}}}, or give None for what should be left out. {has}"
        )
    if "post_id" not in found:
        raise ValueError(
            f"No column of {file} is known to hold the post ids. {has} "
            "Say which it is: columns={'post_id': 'its name in the file'}."
        )
    if twice := [name for name in found.values() if list(names).count(name) > 1]:
        raise ValueError(f"The column {twice[0]!r} comes twice in {file}: give one of them another name.")
    found = {ours: found[ours] for ours in PostRow._fields if ours in found}
    if format == "4cat" and is_fourcat_twitter(names) and "videos" in names and "media" not in given:
        found["videos"], how["videos"] = "videos", "known"
    if MISSING_FIELDS in names and format == "4cat":
        found[MISSING_FIELDS], how[MISSING_FIELDS] = MISSING_FIELDS, "known"
    used = set(found.values())
    return ColumnMap(found, how, [name for name in dict.fromkeys(names) if name not in used])


def _name_all(names: Sequence[str]) -> str:
    return " or ".join(map(repr, names))
