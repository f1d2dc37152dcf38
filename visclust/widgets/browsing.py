"""Where a researcher stands in a clustering: a state and its transitions, without a browser.

Images are known by their position in the clusters table, clusters by their number.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from visclust.base.tables import UNASSIGNED
from visclust.exploration.notes import ClusterNote
from visclust.widgets.browse_catalogue import Cluster

__all__ = [
    "SHOWN",
    "SORTS",
    "Browsing",
    "Sheet",
    "filter_clusters",
    "go_back",
    "open_cluster",
    "open_images",
    "select_images",
    "sort_clusters",
]

SORTS = ("size", "silhouette", "iteration", "name")
SHOWN = ("all", "open", "named", "noise")  # "open": neither named nor noise, what is left to look at


@dataclass(frozen=True)
class Sheet:
    """Images that are open to be looked at: those of a cluster, or any others under a title."""

    title: str
    images: tuple[int, ...]
    cluster: int | None = None


@dataclass(frozen=True)
class Browsing:
    """The clusters, how they are sorted and filtered, the sheets opened one from another, the selection.

    `matches` holds the images whose posts have the words of the filter; None when there is no filter. The
    last of `sheets` is the one that is open.
    """

    clusters: Mapping[int, Cluster]
    notes: Mapping[int, ClusterNote] = field(default_factory=dict)
    sort: str = "size"
    shown: str = "all"
    words: str = ""
    matches: frozenset[int] | None = None
    sheets: tuple[Sheet, ...] = ()
    selected: tuple[int, ...] = ()


def sort_clusters(state: Browsing, by: str) -> Browsing:
    """Sort the rows.

    Parameters
    ----------
    state : Browsing
        The state.
    by : {"size", "silhouette", "iteration", "name"}
        Largest, most cohesive or earliest first; named ones by name before those without.

    Returns
    -------
    Browsing
        The new state.

    Raises
    ------
    ValueError
        If clusters cannot be sorted so.

    Examples
    --------
    >>> sort_clusters(Browsing({}), "name").sort
    'name'
    """
    if by not in SORTS:
        raise ValueError(f"Expected one of {', '.join(SORTS)} to sort by, got {by!r}.")
    return replace(state, sort=by)


def filter_clusters(
    state: Browsing,
    *,
    shown: str | None = None,
    words: str | None = None,
    matches: Iterable[int] = (),
) -> Browsing:
    """Show only some clusters, and of them only some images.

    Parameters
    ----------
    state : Browsing
        The state.
    shown : {"all", "open", "named", "noise"}, optional
        Which clusters; "open" are those neither named nor noise.
    words : str, optional
        What posts of the images, or the cluster's name, must have; empty text takes this filter away.
    matches : iterable of int
        The images whose posts have the words.

    Returns
    -------
    Browsing
        What is left out stays as it was.

    Raises
    ------
    ValueError
        If `shown` is none of the four.

    Examples
    --------
    >>> filter_clusters(Browsing({}), words=" march ", matches=[3]).words
    'march'
    """
    if shown is not None:
        if shown not in SHOWN:
            raise ValueError(f"Expected one of {', '.join(SHOWN)} to be shown, got {shown!r}.")
        state = replace(state, shown=shown)
    if words is not None:
        words = words.strip()
        state = replace(state, words=words, matches=frozenset(matches) if words else None)
    return state


def open_cluster(state: Browsing, cluster: int) -> Browsing:
    """Open a cluster.

    Parameters
    ----------
    state : Browsing
        The state.
    cluster : int
        Its number.

    Returns
    -------
    Browsing
        Its images are open; going back leads to where one was.

    Raises
    ------
    ValueError
        If there is no such cluster.

    Examples
    --------
    >>> from visclust.widgets.browse_catalogue import Cluster
    >>> open_cluster(Browsing({4: Cluster(4, 0.1, 1, (0,))}), 4).sheets[-1].title
    'Cluster 4'
    """
    if cluster not in state.clusters:
        raise ValueError(f"Expected one of the {len(state.clusters)} clusters, got {cluster!r}.")
    title = "Unassigned images" if cluster == UNASSIGNED else f"Cluster {cluster}"
    sheet = Sheet(title, state.clusters[cluster].images, cluster)
    return replace(state, sheets=(*state.sheets, sheet))


def open_images(state: Browsing, images: Iterable[int], *, title: str) -> Browsing:
    """Open any images.

    Parameters
    ----------
    state : Browsing
        The state.
    images : iterable of int
        Their positions, in the order in which they are shown.
    title : str
        What they are.

    Returns
    -------
    Browsing
        They are open; going back leads to where one was.

    Examples
    --------
    >>> open_images(Browsing({}), [2, 0], title="Like this").sheets[-1].images
    (2, 0)
    """
    return replace(state, sheets=(*state.sheets, Sheet(title, tuple(images))))


def go_back(state: Browsing) -> Browsing:
    """Close the sheet that is open.

    Parameters
    ----------
    state : Browsing
        The state.

    Returns
    -------
    Browsing
        The sheet from which it was opened, or the rows.

    Examples
    --------
    >>> go_back(open_images(Browsing({}), [2, 0], title="Like this")).sheets
    ()
    """
    return replace(state, sheets=state.sheets[:-1])


def select_images(state: Browsing, images: Iterable[int], *, on: bool) -> Browsing:
    """Select images, or take them out of the selection.

    Parameters
    ----------
    state : Browsing
        The state.
    images : iterable of int
        Their positions.
    on : bool
        Whether they shall be selected.

    Returns
    -------
    Browsing
        The selection in the order in which it was made, each image once.

    Examples
    --------
    >>> select_images(select_images(Browsing({}), [5, 3, 5], on=True), [5], on=False).selected
    (3,)
    """
    changed = dict.fromkeys(images)
    if on:
        return replace(state, selected=tuple(dict.fromkeys([*state.selected, *changed])))
    return replace(state, selected=tuple(image for image in state.selected if image not in changed))
