"""Where a researcher stands in a clustering: a state and its transitions, without a browser.

Images are known by their position in the clusters table, clusters by their number.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from visclust.base.columns import check_clusters
from visclust.base.tables import UNASSIGNED
from visclust.exploration.notes import ClusterNote


@dataclass(frozen=True)
class Cluster:
    """One cluster: its number, its mean silhouette, its iteration and its images, the most typical first.

    Clusters of other tools may have neither silhouettes nor iterations.
    """

    cluster: int
    silhouette: float | None
    iteration: int | None
    images: tuple[int, ...]
    posts: int = 0


_SORTS = ("size", "posts", "silhouette", "iteration", "name")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_NUMBER = re.compile(r"(?:cluster )?\s*#?(\d{1,18})")  # as a person asks for one: 31, #31, cluster 31
_SHOWN = ("all", "open", "named", "noise")  # "open": neither named nor noise, what is left to look at


@dataclass(frozen=True)
class Sheet:
    """Images that are open to be looked at: those of a cluster, or any others under a title."""

    title: str
    images: tuple[int, ...]
    cluster: int | None = None


@dataclass(frozen=True)
class Browsing:
    """The clusters, how they are sorted and filtered, the sheets opened one from another, the selection.

    `within` holds the images with a post of the filter's author and days, `matches` those of them where the
    same post has the filter's words; None when nothing of the kind is asked for. `frame` is one that clusters
    must have. The last of `sheets` is the one that is open.
    """

    clusters: Mapping[int, Cluster]
    notes: Mapping[int, ClusterNote] = field(default_factory=dict)
    sort: str = "size"
    shown: str = "all"
    words: str = ""
    author: str = ""
    since: str = ""
    until: str = ""
    frame: str = ""
    matches: frozenset[int] | None = None
    within: frozenset[int] | None = None
    sheets: tuple[Sheet, ...] = ()
    selected: tuple[int, ...] = ()

    @property
    def filters_images(self) -> bool:
        """Tell whether the filter leaves out images of a cluster, and not whole clusters only."""
        return self.matches is not None or self.within is not None


def sort_clusters(state: Browsing, by: str) -> Browsing:
    """Sort the rows."""
    if by not in _SORTS:
        raise ValueError(f"Expected one of {', '.join(_SORTS)} to sort by, got {by!r}.")
    return replace(state, sort=by)


def filter_clusters(
    state: Browsing,
    *,
    shown: str | None = None,
    words: str | None = None,
    author: str | None = None,
    since: str | None = None,
    until: str | None = None,
    frame: str | None = None,
    find: Callable[..., Iterable[int]] | None = None,
) -> Browsing:
    """Show only some clusters, and of them only some images; what is None stays as it was.

    `find` gives the images with a post of these words, author and days (`ImagePosts.find_images`).
    """
    if shown is not None:
        if shown not in _SHOWN:
            raise ValueError(f"Expected one of {', '.join(_SHOWN)} to be shown, got {shown!r}.")
        state = replace(state, shown=shown)
    given = {"words": words, "author": author, "since": since, "until": until, "frame": frame}
    asked = {name: value.strip() for name, value in given.items() if value is not None}
    for name in ("since", "until"):
        if asked.get(name) and not _DAY.fullmatch(asked[name]):
            raise ValueError(f"Expected a day such as 2018-06-30, got {asked[name]!r}.")
    if not asked:
        return state
    state = replace(state, **asked)  # type: ignore[arg-type]
    where = {"author": state.author, "since": state.since, "until": state.until}
    # Without posts nothing is found in them.
    within = frozenset(find("", **where) if find else ()) if any(where.values()) else None
    matches = frozenset(find(state.words, **where) if find else ()) if state.words else None
    return replace(state, within=within, matches=matches)


def open_cluster(state: Browsing, cluster: int) -> Browsing:
    """Open a cluster."""
    if cluster not in state.clusters:
        raise ValueError(f"Expected one of the {len(state.clusters)} clusters, got {cluster!r}.")
    title = "Unassigned images" if cluster == UNASSIGNED else f"Cluster {cluster}"
    sheet = Sheet(title, state.clusters[cluster].images, cluster)
    return replace(state, sheets=(*state.sheets, sheet))


def open_images(state: Browsing, images: Iterable[int], *, title: str) -> Browsing:
    """Open any images."""
    return replace(state, sheets=(*state.sheets, Sheet(title, tuple(images))))


def go_back(state: Browsing) -> Browsing:
    """Close the sheet that is open."""
    return replace(state, sheets=state.sheets[:-1])


def select_images(state: Browsing, images: Iterable[int], *, on: bool) -> Browsing:
    """Select images, or take them out of the selection."""
    changed = dict.fromkeys(images)
    if on:
        return replace(state, selected=tuple(dict.fromkeys([*state.selected, *changed])))
    return replace(state, selected=tuple(image for image in state.selected if image not in changed))


def catalogue_clusters(
    clusters: pd.DataFrame, count_posts: Callable[[np.ndarray], Mapping[int, int]] | None = None
) -> Mapping[int, Cluster]:
    """List the clusters of a table with their images, known by their position in it.

    `count_posts` counts the posts of each cluster from the clusters of the images (`ImagePosts.count_by`).
    """
    clusters = check_clusters(clusters, fill=True)
    if clusters.empty:
        raise ValueError("Expected at least one image in the clusters table, got none.")
    numbers = clusters["cluster"].to_numpy(dtype="int64")
    iterations = clusters["iteration"].to_numpy(dtype="float64", na_value=np.nan)
    silhouettes = clusters["silhouette"].to_numpy(dtype="float64", na_value=np.nan)
    # The last key sorts first; where it is missing, NaN goes to the end of its cluster.
    order = np.lexsort((-silhouettes, numbers))
    starts = np.flatnonzero(np.diff(numbers[order], prepend=numbers[order[0]] - 1))
    posts = {} if count_posts is None else count_posts(numbers)
    found = {}
    for members in np.split(order, starts[1:]):
        known = silhouettes[members][~np.isnan(silhouettes[members])]
        found[int(numbers[members[0]])] = Cluster(
            int(numbers[members[0]]),
            float(known.mean()) if len(known) else None,
            None if np.isnan(iterations[members[0]]) else int(iterations[members[0]]),
            tuple(members.tolist()),
            posts.get(int(numbers[members[0]]), 0),
        )
    return MappingProxyType(found)


def list_rows(state: Browsing) -> list[tuple[int, tuple[int, ...]]]:
    """List the clusters to show and the images of each, in order."""
    rows = [
        (cluster, _filter_images(state, cluster)) for cluster in state.clusters if _is_shown(state, cluster)
    ]
    return sorted([row for row in rows if row[1]], key=lambda row: _make_sort_key(state, row[0]))


def list_sheet(state: Browsing) -> tuple[int, ...]:
    """List the images of the sheet that is open; those of a cluster are filtered as its row is."""
    if not state.sheets:
        return ()
    sheet = state.sheets[-1]
    return sheet.images if sheet.cluster is None else _filter_images(state, sheet.cluster)


def describe_cluster(state: Browsing, cluster: int, key: str | None) -> dict[str, Any]:
    """Describe a cluster for a view, as JSON can hold it."""
    one, note = state.clusters[cluster], state.notes.get(cluster, ClusterNote())
    return {
        "cluster": cluster,
        "key": key,
        "size": len(one.images),
        "posts": one.posts,
        "silhouette": None if one.silhouette is None else round(one.silhouette, 4),
        "iteration": one.iteration,
        "name": note.name,
        "frames": list(note.frames),
        "noise": note.noise,
        "note": note.note,
    }


def _is_shown(state: Browsing, cluster: int) -> bool:
    """Tell whether a cluster is of those to show."""
    note = state.notes.get(cluster, ClusterNote())
    kinds = {"named": bool(note.name) and not note.noise, "noise": note.noise}
    kinds["open"] = not note.name and not note.noise and cluster != UNASSIGNED
    return kinds.get(state.shown, True) and (not state.frame or state.frame in note.frames)


def _is_called(state: Browsing, cluster: int) -> bool:
    """Tell whether the words of the filter are part of a cluster's name, or its number."""
    words = state.words.casefold()
    if words in state.notes.get(cluster, ClusterNote()).name.casefold():
        return True
    if cluster == UNASSIGNED:
        return words in ("unassigned", "unassigned images")
    number = _NUMBER.fullmatch(words)
    return number is not None and int(number[1]) == cluster


def _filter_images(state: Browsing, cluster: int) -> tuple[int, ...]:
    """Leave the images of a cluster that pass the filter."""
    images = state.clusters[cluster].images
    kept = state.within if state.matches is None or _is_called(state, cluster) else state.matches
    return images if kept is None else tuple(image for image in images if image in kept)


def _make_sort_key(state: Browsing, cluster: int) -> tuple:
    """Make what clusters are sorted by: the unassigned last, then as wished, then by size and number."""
    one = state.clusters[cluster]
    name = state.notes.get(cluster, ClusterNote()).name
    wished = {
        "size": (),
        "posts": (-one.posts,),
        "silhouette": (one.silhouette is None, -(one.silhouette or 0.0)),
        "iteration": (one.iteration is None, one.iteration or 0),
        "name": (not name, name.casefold()),
    }[state.sort]
    return (cluster == UNASSIGNED, *wished, -len(one.images), cluster)
