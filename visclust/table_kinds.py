"""What each kind of table holds: its columns with their types, and what names its rows.

`TABLES.md` beside this file is the page that documents them for people.
"""

from typing import NamedTuple

import pandas as pd

__all__ = ["TABLES", "TYPE_CHECKS", "TYPE_WORDS", "TableKind"]


class TableKind(NamedTuple):
    """Columns of one kind of table, and the columns that name its rows (unique together, never missing)."""

    columns: dict[str, str]
    key: tuple[str, ...]


TABLES: dict[str, TableKind] = {
    "images": TableKind(
        {
            "image_id": "text",
            "path": "text",
            "status": "text",
            "reason": "text",
            "width": "whole",
            "height": "whole",
        },
        ("path",),
    ),
    "posts": TableKind(
        {
            "post_id": "text",
            "author": "text",
            "posted_at": "time",
            "text": "text",
            "hashtags": "list",
            "retweets": "whole",
            "favourites": "whole",
            "followers": "whole",
            "friends": "whole",
            "media": "list",
        },
        ("post_id",),
    ),
    "posts_images": TableKind({"post_id": "text", "image_id": "text"}, ("post_id", "image_id")),
    "duplicates": TableKind(
        {
            "image_id": "text",
            "path": "text",
            "group": "whole",
            "representative": "text",
            "is_representative": "truth",
            "distance": "number",
            "size": "whole",
            "radius": "number",
            "status": "text",
        },
        ("path",),
    ),
    "clusters": TableKind(
        {"image_id": "text", "cluster": "whole", "iteration": "whole", "silhouette": "number"}, ("image_id",)
    ),
    "pairs": TableKind(
        {
            "pair_id": "text",
            "image_a": "text",
            "image_b": "text",
            "stratum": "text",
            "inclusion_probability": "number",
        },
        ("pair_id",),
    ),
    "answers": TableKind(
        {
            "item_id": "text",
            "annotator": "text",
            "answer": "text",
            "answered_at": "text",
            "seconds": "number",
            "retracts": "text",
        },
        (),
    ),
    "gold": TableKind(
        {"pair_id": "text", "image_a": "text", "image_b": "text", "same": "truth"}, ("pair_id",)
    ),
    "labels": TableKind({"image_id": "text"}, ("image_id",)),
    "frames": TableKind({"cluster": "whole", "frame": "text"}, ("cluster", "frame")),
    "sample": TableKind(
        {"image_id": "text", "cluster": "whole", "inclusion_probability": "number", "weight": "number"},
        ("image_id",),
    ),
    "assignment": TableKind(
        {"respondent": "text", "group": "text", "position": "whole", "image_id": "text", "cluster": "whole"},
        ("respondent", "image_id"),
    ),
    "ratings": TableKind(
        {
            "respondent": "text",
            "group": "text",
            "image_id": "text",
            "item": "text",
            "rating": "number",
            "simulated": "truth",
        },
        ("respondent", "image_id", "item"),
    ),
    "group_contrasts": TableKind(
        {
            "weighting": "text",
            "level": "text",
            "item": "text",
            "group": "text",
            "reference": "text",
            "estimate": "number",
            "standard_error": "number",
            "low": "number",
            "high": "number",
            "p": "number",
            "p_adjusted": "number",
            "simulated": "truth",
        },
        ("weighting", "level", "item", "group"),
    ),
}

TYPE_CHECKS = {
    "text": pd.api.types.is_string_dtype,
    "whole": pd.api.types.is_integer_dtype,
    "number": pd.api.types.is_numeric_dtype,
    "truth": pd.api.types.is_bool_dtype,
    "time": pd.api.types.is_datetime64_any_dtype,
    "list": lambda column: column.map(pd.api.types.is_list_like).all(),
}
TYPE_WORDS = {
    "text": "text",
    "whole": "whole numbers",
    "number": "numbers",
    "truth": "True or False",
    "time": "times",
    "list": "lists",
}
