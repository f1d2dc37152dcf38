"""Tweets as Twitter's API gave them: version 2 in pages or flattened by twarc2, and version 1.1."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from visclust.corpus.post_cells import read_count, read_id, read_time
from visclust.corpus.post_rows import Malformed, MalformedPostError, PostRow, check_texts, unique

_START = 100
_SHAPE_ERRORS = (AttributeError, KeyError, TypeError)


# What a tweet of version 2 holds at its top, as the API, twarc2 and 4CAT write it.
_FIELD_NAMES_2 = (
    "id text article attachments author author_id author_user card_uri community_id context_annotations "
    "conversation_id created_at display_text_range edit_controls edit_history_tweet_ids entities errors geo "
    "in_reply_to_user in_reply_to_user_id lang matching_rules media_metadata non_public_metrics note_tweet "
    "organic_metrics possibly_sensitive promoted_metrics public_metrics referenced_tweets reply_settings "
    "scopes source suggested_source_links withheld"
)
_FIELDS_2 = frozenset(_FIELD_NAMES_2.split())
# One of these is enough: no other platform has them.
_MARKS_2 = frozenset(("edit_history_tweet_ids", "conversation_id", "public_metrics", "referenced_tweets"))
# Of version 1.1 before ids came as text; Weibo has a user with a screen_name too.
_MARKS_1 = frozenset(("favorite_count", "in_reply_to_screen_name", "favorited", "is_quote_status"))


class _Includes(NamedTuple):
    """What a page of results carries beside its tweets, by id."""

    users: dict[Any, Any]
    media: dict[str, Any]
    tweets: dict[str, Any]


_NOTHING = _Includes({}, {}, {})


def read_tweets(item: Any, *, line: int) -> Iterator[PostRow | Malformed]:
    """Read what one line of a file of tweets holds, parsed: a page of tweets, or one tweet.

    Gives a row per tweet of the results. Tweets that a page only includes because others refer to them are no
    rows of their own: the search did not find them.
    """
    if not isinstance(item, dict):
        yield Malformed(line, f"expected one JSON object per line, got {type(item).__name__}", _begin(item))
        return
    if "data" not in item:
        if "meta" in item and "errors" not in item:
            return  # a page without results
        yield _read_one(item, _NOTHING, line)
        return
    try:
        includes = _index_includes(item.get("includes") or {})
        data = item["data"] or []
        tweets = [data] if isinstance(data, dict) else list(data)
    except _SHAPE_ERRORS as error:
        yield Malformed(line, f"not a page of tweets: {_explain(error)}", _begin(item))
        return
    for tweet in tweets:
        yield _read_one(tweet, includes, line)


def _index_includes(includes: dict[str, Any]) -> _Includes:
    return _Includes(
        {user["id"]: user for user in includes.get("users", ())},
        {medium["media_key"]: medium for medium in includes.get("media", ())},
        {tweet["id"]: tweet for tweet in includes.get("tweets", ())},
    )


def _read_one(tweet: Any, includes: _Includes, line: int) -> PostRow | Malformed:
    try:
        if "id_str" in tweet or "full_text" in tweet or ("user" in tweet and _MARKS_1 & set(tweet)):
            return check_texts(_read_version_1(tweet))
        if "text" in tweet and "id" in tweet:
            foreign = [key for key in tweet if key not in _FIELDS_2 and not key.startswith("__")]
            if (foreign and not _MARKS_2 & set(tweet)) or not isinstance(tweet.get("author") or {}, dict):
                shown = ", ".join(foreign[:5]) or "an author as text"
                return Malformed(
                    line,
                    f"a post of another platform: it has {shown}, which no tweet has. Make a table of the "
                    "file (pandas.json_normalize) and name its columns with columns=",
                    _begin(tweet),
                )
            return check_texts(_read_version_2(tweet, includes))
        if "errors" in tweet:
            return Malformed(line, "an error report of the API, without tweets", _begin(tweet))
        keys = ", ".join(list(tweet)[:5])
        return Malformed(line, f"neither a tweet nor a page of tweets: its keys are {keys}", _begin(tweet))
    except MalformedPostError as error:
        return Malformed(line, str(error), _begin(tweet))
    except _SHAPE_ERRORS as error:
        return Malformed(line, f"a tweet of unknown shape: {_explain(error)}", _begin(tweet))


def _begin(item: Any) -> str:
    return str(item)[:_START]


def _explain(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _read_version_2(tweet: dict[str, Any], includes: _Includes) -> PostRow:
    author = (
        tweet.get("author") or tweet.get("author_user") or includes.users.get(tweet.get("author_id")) or {}
    )
    text, hashtags = _read_words_2(tweet)
    media = _list_media_2(tweet, includes)
    retweeted = next(
        (ref for ref in tweet.get("referenced_tweets") or () if ref["type"] == "retweeted"), None
    )
    if retweeted is not None:
        original = {**includes.tweets.get(retweeted["id"], {}), **retweeted}
        if "text" in original:
            full, more = _read_words_2(original)
            text = _restore(text, full)
            hashtags += more
        # An image comes back under the same key, so that it is not counted twice.
        media = unique([*media, *_list_media_2(original, includes)])
    metrics = tweet.get("public_metrics") or {}
    crowd = author.get("public_metrics") or {}
    return PostRow(
        post_id=read_id(tweet["id"]),
        author=author.get("username") or tweet.get("author_id"),
        posted_at=read_time(tweet.get("created_at")),
        text=text,
        hashtags=unique(hashtags),
        retweets=read_count(metrics.get("retweet_count"), "retweet_count"),
        favourites=read_count(metrics.get("like_count"), "like_count"),
        followers=read_count(crowd.get("followers_count"), "followers_count"),
        friends=read_count(crowd.get("following_count"), "following_count"),
        media=media,
        is_retweet=retweeted is not None,
    )


def _read_words_2(tweet: dict[str, Any]) -> tuple[str, list[str]]:
    """Text and hashtags; a note is the whole of a long tweet, whose text stops after 280 characters."""
    note = tweet.get("note_tweet") or {}
    entities = [tweet.get("entities") or {}, note.get("entities") or {}]
    tags = [tag["tag"] for each in entities for tag in each.get("hashtags") or ()]
    return note.get("text") or tweet["text"], tags


def _list_media_2(tweet: dict[str, Any], includes: _Includes) -> list[str]:
    """Addresses of the images; a video or GIF gives its thumbnail, one without an address its key."""
    attachments = tweet.get("attachments") or {}
    # twarc2 flatten puts the media beside their keys, 4CAT's NDJSON in their place.
    keys = attachments.get("media_keys") or ()
    embedded = [
        each for each in (*keys, *(attachments.get("media") or ())) if each and isinstance(each, dict)
    ]
    found = {medium.get("media_key") or medium.get("url"): medium for medium in embedded}
    names = []
    for key in unique([*(key for key in keys if isinstance(key, str)), *found]):
        medium = found.get(key) or includes.media.get(key) or {}
        # The address of a video is a film, if the API gives one at all.
        order = (
            ("url", "preview_image_url") if medium.get("type") == "photo" else ("preview_image_url", "url")
        )
        names.append(next((medium[each] for each in order if medium.get(each)), f"media_key:{key}"))
    return names


def _restore(text: str, full: str) -> str:
    """Put the whole text of the retweeted tweet behind the "RT @name: " of the retweet, which stops early."""
    start, colon, _ = text.partition(": ")
    return f"{start}: {full}" if colon and start.startswith("RT @") else text


def _read_version_1(tweet: dict[str, Any]) -> PostRow:
    user = tweet.get("user") or {}
    text, hashtags, media = _read_words_1(tweet)
    original = tweet.get("retweeted_status")
    if original:
        full, more, its_media = _read_words_1(original)
        text = _restore(text, full)
        hashtags += more
        media += its_media
    return PostRow(
        post_id=read_id(tweet.get("id_str") or tweet.get("id")),
        author=user.get("screen_name") or user.get("id_str"),
        posted_at=read_time(tweet.get("created_at")),
        text=text,
        hashtags=unique(hashtags),
        retweets=read_count(tweet.get("retweet_count"), "retweet_count"),
        favourites=read_count(tweet.get("favorite_count"), "favorite_count"),
        followers=read_count(user.get("followers_count"), "followers_count"),
        friends=read_count(user.get("friends_count"), "friends_count"),
        media=unique(media),
        is_retweet=bool(original),
    )


def _read_words_1(tweet: dict[str, Any]) -> tuple[str, list[str], list[str]]:
    """Text, hashtags and images; the stream puts what goes beyond 140 characters into extended_tweet."""
    extended = tweet.get("extended_tweet") or {}
    text = extended.get("full_text") or tweet.get("full_text") or tweet["text"]
    entities = extended.get("entities") or tweet.get("entities") or {}
    attached: Any = ()
    for holder in (extended, tweet):
        for name in ("extended_entities", "entities"):
            attached = attached or (holder.get(name) or {}).get("media") or ()
    # For a video, media_url_https is its thumbnail.
    media = [medium.get("media_url_https") or medium["media_url"] for medium in attached]
    return text, [tag["text"] for tag in entities.get("hashtags") or ()], media
