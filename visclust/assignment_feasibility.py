"""Say whether an assignment can exist, and if not, which smallest change would let it."""

from collections.abc import Mapping

import numpy as np

__all__ = ["refuse_impossible"]


def refuse_impossible(
    sizes: np.ndarray, n_respondents: Mapping[str, int], *, per_respondent: int, n_loose: int = 0
) -> None:
    """Raise an error if no assignment exists.

    With loads equal and one image of a cluster per respondent, one exists exactly if there are as many
    clusters as a respondent rates images, the ratings of each group reach all images, and no cluster has
    more images than a group has respondents.

    Parameters
    ----------
    sizes : ndarray of int, shape (s,)
        Sampled images of each cluster; every unassigned image is a cluster of its own.
    n_respondents : mapping of str to int
        Respondents in each group.
    per_respondent : int
        Images for each.
    n_loose : int, default 0
        How many of the clusters are unassigned images.

    Raises
    ------
    ValueError
        With the reasons and the smallest changes that would each do.

    Source
    ------
    The conditions of Gale and Ryser for a 0-1 table, which these three imply where all row sums are equal.

    Examples
    --------
    >>> refuse_impossible(np.array([3, 3]), {"D": 2}, per_respondent=2)
    Traceback (most recent call last):
    ValueError: No such assignment exists: ...
    """
    n, s, largest = int(sizes.sum()), len(sizes), int(sizes.max())
    reasons = []
    if per_respondent > s:
        reasons.append(
            f"each respondent should rate {per_respondent} images of different clusters, but the sample has "
            f"{s} cluster{'s' * (s > 1)}"
        )
    for group, people in n_respondents.items():
        if people * per_respondent < n:
            reasons.append(
                f"group {group!r} gives {people} x {per_respondent} = {people * per_respondent} ratings, "
                f"fewer than the {n} images"
            )
        if people < largest:
            reasons.append(
                f"group {group!r} has {people} respondents, but one cluster has {largest} images and nobody "
                "may see two of them"
            )
    if not reasons:
        return
    changes = _list_changes(sizes, n_respondents, per_respondent, n_loose)
    raise ValueError(
        f"No such assignment exists: {'; '.join(reasons)}. Each of these changes alone would do: "
        f"{'; or '.join(changes)}."
    )


def _list_changes(sizes: np.ndarray, n_respondents: Mapping[str, int], load: int, n_loose: int) -> list[str]:
    """List the smallest change of each kind that makes the design possible."""
    n, s, largest = int(sizes.sum()), len(sizes), int(sizes.max())
    fewest = min(n_respondents.values())
    usual = min(load, s)
    changes = []
    if fewest >= largest and -(-n // fewest) <= s:
        wanted = -(-n // fewest) if usual * fewest < n else usual
        if wanted != load:
            changes.append(f"per_respondent={wanted}")
    needed = max(-(-n // usual), largest)
    short = {group: needed - people for group, people in n_respondents.items() if people < needed}
    if short:
        more = ", ".join(f"{missing} more in group {group!r}" for group, missing in short.items())
        also = "" if usual == load else f" with per_respondent={usual}"
        changes.append(f"{needed} respondents in every group ({more}){also}")
    if usual == load:
        in_clusters = np.sort(sizes)[n_loose:] if n_loose else sizes  # loose images have size 1: the smallest
        for most in range(min(largest - 1, fewest), 0, -1):
            left = int(np.minimum(in_clusters, most).sum()) + n_loose
            if left <= fewest * load:
                changes.append(
                    f"{most} image{'s' * (most > 1)} of a cluster at most (draw the sample with "
                    f"max_per_cluster={most}: {left} images)"
                )
                break
    return changes
