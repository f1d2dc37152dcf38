"""What a browser of clusters shows in a state: which clusters and which of their images, in which order."""

from typing import Any

from visclust.base.tables import UNASSIGNED
from visclust.exploration.notes import ClusterNote
from visclust.widgets.browsing import Browsing

__all__ = ["describe_cluster", "list_rows", "list_sheet"]


def list_rows(state: Browsing) -> list[tuple[int, tuple[int, ...]]]:
    """List the clusters to show and the images of each, in order.

    Parameters
    ----------
    state : Browsing
        The state.

    Returns
    -------
    list of tuple
        Cluster and its images that pass the filter; a cluster without any is left out. All images of a
        cluster pass where its name has the words. The unassigned come last.

    Examples
    --------
    >>> from visclust.widgets.browse_catalogue import Cluster
    >>> state = Browsing({4: Cluster(4, 0.1, 1, (0,)), -1: Cluster(-1, None, -1, (1, 2))})
    >>> list_rows(state)
    [(4, (0,)), (-1, (1, 2))]
    """
    rows = [
        (cluster, _filter_images(state, cluster)) for cluster in state.clusters if _is_shown(state, cluster)
    ]
    return sorted([row for row in rows if row[1]], key=lambda row: _make_sort_key(state, row[0]))


def list_sheet(state: Browsing) -> tuple[int, ...]:
    """List the images of the sheet that is open; those of a cluster are filtered as its row is.

    Parameters
    ----------
    state : Browsing
        The state.

    Returns
    -------
    tuple of int
        Positions; empty when nothing is open.

    Examples
    --------
    >>> from visclust.widgets.browsing import open_images
    >>> list_sheet(open_images(Browsing({}), [2, 0], title="Like this"))
    (2, 0)
    """
    if not state.sheets:
        return ()
    sheet = state.sheets[-1]
    return sheet.images if sheet.cluster is None else _filter_images(state, sheet.cluster)


def describe_cluster(state: Browsing, cluster: int, key: str | None) -> dict[str, Any]:
    """Describe a cluster for a view, as JSON can hold it.

    Parameters
    ----------
    state : Browsing
        The state.
    cluster : int
        Its number.
    key : str or None
        From `visclust.exploration.notes.key_clusters`; None where it can have no notes.

    Returns
    -------
    dict
        ``cluster, key, size, silhouette, iteration, name, frames, noise, note``.

    Examples
    --------
    >>> from visclust.widgets.browse_catalogue import Cluster
    >>> describe_cluster(Browsing({4: Cluster(4, 0.1, 1, (0,))}), 4, "k")["size"]
    1
    """
    one, note = state.clusters[cluster], state.notes.get(cluster, ClusterNote())
    return {
        "cluster": cluster,
        "key": key,
        "size": len(one.images),
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
    return kinds.get(state.shown, True)


def _filter_images(state: Browsing, cluster: int) -> tuple[int, ...]:
    """Leave the images of a cluster that pass the filter."""
    images = state.clusters[cluster].images
    name = state.notes.get(cluster, ClusterNote()).name
    if state.matches is None or state.words.casefold() in name.casefold():
        return images
    return tuple(image for image in images if image in state.matches)


def _make_sort_key(state: Browsing, cluster: int) -> tuple:
    """Make what clusters are sorted by: the unassigned last, then as wished, then by size and number."""
    one = state.clusters[cluster]
    name = state.notes.get(cluster, ClusterNote()).name
    wished = {
        "size": (),
        "silhouette": (one.silhouette is None, -(one.silhouette or 0.0)),
        "iteration": (one.iteration,),
        "name": (not name, name.casefold()),
    }[state.sort]
    return (cluster == UNASSIGNED, *wished, -len(one.images), cluster)
