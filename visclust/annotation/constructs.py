"""What people are asked about images: the paper's features and emotions, and what others must be like."""

from collections.abc import Sequence

from visclust.base.cells import fold_identity

# The features of the paper's fine-tuning, in its order.
FEATURES = (
    "enthusiasm",
    "anger",
    "anxiety",
    "white",
    "black",
    "Asian",
    "Latino",
    "men",
    "women",
    "children",
    "symbols of collective identity",
    "the movement will succeed",
)

# The paper's ten emotions by their dimension, each rated from 1 to 10.
EMOTIONS = {
    "enthusiasm": ("hopeful", "enthusiastic", "proud"),
    "aversion": ("angry", "resentful", "bitter", "hateful"),
    "anxiety": ("worried", "scared", "afraid"),
}


def check_names(names: Sequence[object], what: str) -> tuple[str, ...]:
    """Check the names of what people are asked about: each is text on one line, and comes once.

    Names that differ only by upper case, or by how accents are typed, are the same one, since nobody could
    tell them apart. `what` says
    in the error what they name ("feature", "item").
    """
    seen: dict[str, str] = {}
    for name in names:
        if not isinstance(name, str) or not name.isprintable() or not name or name != " ".join(name.split()):
            raise ValueError(
                f"Expected each {what}'s name as text on one line without spaces at its ends, got {name!r}."
            )
        if fold_identity(name) in seen:
            raise ValueError(
                f"Expected each {what} once, got {name!r} again: nobody could tell them apart. "
                "Rename or drop one."
            )
        seen[fold_identity(name)] = name
    return tuple(seen.values())
